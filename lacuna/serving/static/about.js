/** What the models are and how good they are, in plain words. */

import { element, withProperties } from "./dom.js";
import { targetsOf, weakness } from "./models.js";
import { count, listed, percent } from "./words.js";

const MOST_NAMES = 8;

/** One sentence on what an image is asked. */
export function leadSentence(models) {
  const names = [...targetsOf(models).keys()];
  return `It tells ${count(names.length, "thing")} about each image: ${listed(names, MOST_NAMES)}.`;
}

export function aboutModel(model) {
  const targets = [...targetsOf([model]).values()];
  const measured = targets.some(({ metrics }) => metrics);
  return element(
    "article",
    { class: "model" },
    element("h3", {}, model.name, element("span", { class: "version" }, `version ${model.version}`)),
    promise(model),
    measured ? legend() : element("p", {}, "This model comes without test results."),
    element("ul", { class: "target-facts" }, targets.map(targetFacts)),
    origin(model),
  );
}

function promise({ min_precision: wanted }) {
  if (wanted == null) return null;
  const share = percent(wanted);
  return element("p", {}, `Answers read “unsure” where being right in ${share} of cases cannot be promised.`);
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

function targetFacts({ name, about, metrics }) {
  const facts = about.kind === "binary" ? binaryFacts : categoricalFacts;
  const images = metrics ? ` · ${count(metrics.n_known, "test image")}` : "";
  const warning = weakness(metrics);
  return element(
    "li",
    {},
    element("h4", {}, name),
    classesOf(about, images),
    metrics && facts(metrics),
    warning && element("p", { class: "warning" }, warning),
  );
}

function classesOf({ kind, classes, threshold }, images) {
  if (kind === "binary") {
    const rule = threshold == null ? "present or absent" : `present from ${percent(threshold)} on`;
    return element("p", { class: "classes-of" }, rule, images);
  }
  const summary = element("summary", {}, `one of ${classes.length} classes`, images);
  return element("details", { class: "classes-of" }, summary, element("p", {}, listed(classes)));
}

function categoricalFacts({ accuracy, accuracy_low: low, accuracy_high: high, baseline_accuracy: baseline }) {
  if (accuracy === undefined) return null;
  return [
    score(accuracy, low, high, baseline),
    element("p", {}, strong(`Right in ${percent(accuracy)} of images`), between(low, high), "."),
    baseline !== undefined && element("p", {}, `Always naming the most common class: ${percent(baseline)}.`),
  ];
}

function binaryFacts({ f1, f1_low: low, f1_high: high, baseline_f1: baseline, precision, recall }) {
  if (f1 === undefined) return null;
  return [
    score(f1, low, high, baseline),
    element("p", {}, strong(`F1 ${percent(f1)}`), between(low, high), "."),
    baseline !== undefined && element("p", {}, `Without looking at the image: ${percent(baseline)}.`),
    recall !== undefined && element("p", {}, `It finds ${percent(recall)} of what is there.`),
    precision !== undefined && element("p", {}, `Of what it reports, ${percent(precision)} is right.`),
  ];
}

function strong(text) {
  return element("strong", {}, text);
}

function between(low, high) {
  return low === undefined ? "" : `, between ${Math.round(low * 100)} and ${percent(high)}`;
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
  const rows = rowsOf({ bundle_format: format, ...facts });
  return element(
    "details",
    { class: "origin" },
    element("summary", {}, "Where it comes from"),
    element("dl", {}, rows.map(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))])),
  );
}

/** Nested facts as [name, value], without the names of what they are nested in. */
function rowsOf(facts) {
  return Object.entries(facts).flatMap(([name, value]) =>
    typeof value === "object" && value !== null ? rowsOf(value) : [[name.replaceAll("_", " "), value]],
  );
}
