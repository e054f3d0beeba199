/** What the model says of one target of an image: the decision in words, and bars for how sure it is. */

import { element, withProperties } from "./dom.js";
import { percent } from "./words.js";

/** A list item. `warning` is said below the bars, if there is one. */
export function targetView(name, target, warning) {
  return element(
    "li",
    { class: `target ${target.kind}${target.unsure ? " unsure" : ""}` },
    target.kind === "binary" ? binaryParts(name, target) : categoricalParts(name, target),
    warning && element("p", { class: "warning" }, warning),
  );
}

function binaryParts(name, { decision, probability, threshold, unsure }) {
  const decided = decision === "present" ? " decided" : "";
  const words = unsure ? [unsureBadge(), ` rather ${decision}`] : decision;
  const said = element("p", { class: `decision${decided}` }, words);
  const number = element("span", { class: "number" }, percent(probability));
  return [
    element("div", { class: "said" }, element("h4", {}, name), said),
    element("div", { class: `row${decided}` }, bar(probability, threshold == null ? [] : [tickAt(threshold)]), number),
  ];
}

function tickAt(threshold) {
  const label = element("span", { class: "tick-label" }, `present from ${percent(threshold)}`);
  return withProperties(element("span", { class: "tick" }, label), { "--at": `${threshold * 100}%` });
}

function categoricalParts(name, { decision, probability, top, unsure }) {
  const isMostProbable = top[0]?.label === decision;
  const shown = top.some(({ label }) => label === decision);
  const rows = shown ? top : [...top, { label: decision, confidence: probability }];
  return [
    element("div", { class: "said" }, element("h4", {}, name), unsure && unsureBadge()),
    element("ol", { class: "classes" }, rows.map((row) => classRow(row, row.label === decision, unsure))),
    isMostProbable ? null : element("p", { class: "note" }, `${decision} is decided for: it fits the other answers.`),
  ];
}

function classRow({ label, confidence }, decided, unsure) {
  const spoken = element("span", { class: "only-spoken" }, unsure ? "rather: " : "decision: ");
  return element(
    "li",
    { class: `row${decided ? " decided" : ""}` },
    element("span", { class: "label" }, decided ? spoken : null, label),
    element("span", { class: "number" }, percent(confidence)),
    bar(confidence),
  );
}

function unsureBadge() {
  return element("strong", { class: "badge" }, "unsure");
}

function bar(share, marks = []) {
  const fill = withProperties(element("span", { class: "fill" }), { "--share": `${share * 100}%` });
  return element("span", { class: "bar" }, fill, ...marks);
}
