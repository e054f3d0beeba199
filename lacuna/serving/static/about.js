/** What the models are and how good they are, in plain words. */

import { element, withProperties } from "./dom.js";
import { targetsOf, weakness } from "./models.js";
import { count, listed, percent, range } from "./words.js";

const MOST_NAMES = 8;

/** One sentence on what an image is asked. */
export function leadSentence(models) {
  const names = [...targetsOf(models).keys()];
  return `Says ${count(names.length, "thing")} about an image: ${listed(names, MOST_NAMES)}.`;
}

export function aboutModel(model) {
  const targets = [...targetsOf([model]).values()];
  const measured = targets.some(({ figures }) => figures);
  return element(
    "article",
    { class: "model" },
    element("h3", {}, model.name, element("span", { class: "version" }, `version ${model.version}`)),
    promise(model),
    measured ? legend() : element("p", {}, "This model brings no test figures along."),
    element("ul", { class: "target-facts" }, targets.map(targetFacts)),
    origin(model),
  );
}

function promise({ min_precision: wanted }) {
  if (wanted === undefined) return null;
  const text = `Answers are marked “unsure” where the model could not promise to be right in ${percent(wanted)} of cases.`;
  return element("p", {}, text);
}

function legend() {
  return element(
    "p",
    { class: "legend" },
    "Measured on test images that took no part in training: ",
    element("span", { class: "key point" }),
    " the score, ",
    element("span", { class: "key interval" }),
    " the range that holds the true score with 95 % confidence, ",
    element("span", { class: "key baseline" }),
    " the best answer without looking at the image.",
  );
}

function targetFacts({ name, about, figures }) {
  const facts = about.kind === "binary" ? binaryFacts : categoricalFacts;
  const warning = weakness(figures);
  return element(
    "li",
    {},
    element("h4", {}, name),
    classesOf(about),
    figures && facts(figures),
    warning && element("p", { class: "warning" }, warning),
  );
}

function classesOf({ kind, classes, threshold }) {
  if (kind === "binary") {
    const text = threshold === undefined ? "present or absent" : `present from a probability of ${percent(threshold)}`;
    return element("p", { class: "classes-of" }, text);
  }
  const summary = element("summary", {}, `one of ${count(classes.length, "class").replace(/classs$/, "classes")}`);
  return element("details", { class: "classes-of" }, summary, element("p", {}, classes.join(", ")));
}

function categoricalFacts({ accuracy, accuracy_low: low, accuracy_high: high, baseline_accuracy: baseline, n_known: n }) {
  if (accuracy === undefined) return null;
  return [
    score(accuracy, low, high, baseline),
    element(
      "p",
      {},
      `Right in ${percent(accuracy)} of images`,
      low === undefined ? "" : ` (${range(low, high)})`,
      baseline === undefined ? "" : `; always naming the most common class, in ${percent(baseline)}`,
      `. ${count(n, "image")}.`,
    ),
  ];
}

function binaryFacts({ f1, f1_low: low, f1_high: high, baseline_f1: baseline, precision, recall, n_known: n }) {
  if (f1 === undefined) return null;
  return [
    score(f1, low, high, baseline),
    element(
      "p",
      {},
      `F1 ${percent(f1)}`,
      low === undefined ? "" : ` (${range(low, high)})`,
      baseline === undefined ? "" : `; without looking, ${percent(baseline)}`,
      recall === undefined ? "" : `. Finds ${percent(recall)} of what is there`,
      precision === undefined ? "" : `; of what it reports, ${percent(precision)} is right`,
      `. ${count(n, "image")}.`,
    ),
  ];
}

/** A score between 0 and 1 on a line, with its interval and the trivial baseline. The words beside it say the same. */
function score(value, low, high, baseline) {
  const marks = [withProperties(element("span", { class: "point" }), { "--at": `${value * 100}%` })];
  if (low !== undefined) {
    const interval = element("span", { class: "interval" });
    marks.unshift(withProperties(interval, { "--low": `${low * 100}%`, "--high": `${high * 100}%` }));
  }
  if (baseline !== undefined) {
    marks.push(withProperties(element("span", { class: "baseline" }), { "--at": `${baseline * 100}%` }));
  }
  return element("div", { class: "score", "aria-hidden": "true" }, marks);
}

function origin({ origin: facts, format_version: format }) {
  const rows = Object.entries(flat({ ...facts, bundle_format: format }));
  return element(
    "details",
    { class: "origin" },
    element("summary", {}, "Where it comes from"),
    element("dl", {}, rows.map(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))])),
  );
}

function flat(facts) {
  const { versions, ...others } = facts;
  return { ...others, ...versions };
}
