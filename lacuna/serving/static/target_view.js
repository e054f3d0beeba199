/** What the model says of one target of an image: the decision in words, and bars for how sure it is. */

import { element, withProperties } from "./dom.js";
import { percent } from "./words.js";

/** A list item. `warning` is said below the bars, if there is one. */
export function targetView(name, target, warning) {
  const parts = target.kind === "binary" ? binaryParts(target) : categoricalParts(target);
  return element(
    "li",
    { class: `target ${target.kind}${target.unsure ? " unsure" : ""}` },
    element("div", { class: "said" }, element("h4", {}, name), decision(target)),
    ...parts,
    warning && element("p", { class: "warning" }, warning),
  );
}

function decision({ kind, decision: decided, probability, unsure }) {
  if (unsure) {
    return element("p", { class: "decision" }, element("strong", { class: "badge" }, "unsure"), ` rather ${decided}`);
  }
  const strong = element("strong", { class: kind === "binary" && decided === "present" ? "is-present" : "" }, decided);
  return element("p", { class: "decision" }, strong);
}

function binaryParts({ probability, threshold, decision: decided }) {
  const present = decided === "present";
  const tick = threshold === undefined ? [] : [tickAt(threshold)];
  return [
    element(
      "div",
      { class: `row${present ? " decided" : ""}` },
      bar(probability, tick),
      element("span", { class: "number" }, percent(probability)),
    ),
  ];
}

function tickAt(threshold) {
  const label = element("span", { class: "tick-label" }, `present from ${percent(threshold)}`);
  return withProperties(element("span", { class: "tick" }, label), { "--at": `${threshold * 100}%` });
}

function categoricalParts({ top, decision: decided, probability }) {
  const rows = top.some(({ label }) => label === decided)
    ? top
    : [...top, { label: decided, confidence: probability }]; // decided for by another target's class
  return [
    element(
      "ol",
      { class: "classes" },
      rows.map(({ label, confidence }) =>
        element(
          "li",
          { class: `row${label === decided ? " decided" : ""}` },
          element("span", { class: "label" }, label),
          element("span", { class: "number" }, percent(confidence)),
          bar(confidence),
        ),
      ),
    ),
  ];
}

function bar(share, marks = []) {
  const fill = withProperties(element("span", { class: "fill" }), { "--share": `${share * 100}%` });
  return element("span", { class: "bar" }, fill, ...marks);
}
