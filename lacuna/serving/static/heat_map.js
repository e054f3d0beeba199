/** The heat map of an image: a toggle, and a choice of target and class. */

import { element } from "./dom.js";
import { explain } from "./service.js";

/**
 * Controls that lay a heat map over `image`, an img of `file`. `choices` are the targets that can be explained, with
 * their classes and what was decided: `{name, kind, classes, decision}`.
 */
export function heatMapControls(image, file, choices) {
  const original = image.src;
  const answers = new Map();
  const said = element("p", { class: "heat-map-said", role: "status" });
  const classes = element("select", { "aria-label": "Class of the heat map", change: show });
  const targets = element(
    "select",
    { "aria-label": "Target of the heat map", change: chooseTarget },
    choices.map(({ name }) => element("option", { value: name }, name)),
  );
  const pressed = { type: "button", class: "toggle", "aria-pressed": "false", click: toggle };
  const button = element("button", pressed, "Heat map");
  const panel = element("div", { class: "heat-map-panel", hidden: true }, targets, classes, said);
  let wanted = 0; // an answer that comes after another wish is not shown
  offerClasses();
  return element("div", { class: "heat-map" }, button, panel);

  function chosen() {
    return choices.find(({ name }) => name === targets.value);
  }

  function offerClasses() {
    const { kind, classes: names, decision } = chosen();
    const asked = kind === "binary" ? "present" : decision;
    classes.replaceChildren(...names.map((name) => element("option", { value: name, selected: name === asked }, name)));
  }

  function chooseTarget() {
    offerClasses();
    show();
  }

  function toggle() {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    panel.hidden = !on;
    if (on) {
      show();
    } else {
      wanted += 1;
      image.src = original;
    }
  }

  async function show() {
    wanted += 1;
    const mine = wanted;
    const [target, className] = [targets.value, classes.value];
    said.textContent = "Looking…";
    try {
      const key = JSON.stringify([target, className]);
      const answer = answers.get(key) ?? (await explain(file, target, className));
      answers.set(key, answer);
      if (mine !== wanted) return;
      image.src = answer.overlay;
      said.replaceChildren(...legend(target, answer.class));
    } catch (error) {
      if (mine !== wanted) return;
      image.src = original;
      said.textContent = error.message;
    }
  }
}

function legend(target, className) {
  return [
    `Where the network sees “${className}” of ${target}: `,
    element("span", { class: "swatch for" }),
    " orange speaks for it, ",
    element("span", { class: "swatch against" }),
    " blue against.",
  ];
}
