/** The card of one image: waiting, answered, or failed. */

import { element } from "./dom.js";
import { heatMapControls } from "./heat_map.js";
import { weakness } from "./models.js";
import { targetView } from "./target_view.js";

/** `address` is where the browser finds the image. `targets` is what `targetsOf` made of the metadata. */
export class Card {
  constructor(file, address, targets) {
    this.file = file;
    this.targets = targets;
    this.image = element("img", { src: address, alt: "", decoding: "async", draggable: "false" });
    this.media = element("div", { class: "media" }, element("div", { class: "frame" }, this.image));
    this.image.addEventListener("error", () => this.#showNoPreview(), { once: true });
    this.content = element("div", { class: "content" });
    const title = element("h3", { class: "file-name" }, file.name);
    this.element = element("li", { class: "card" }, this.media, element("div", { class: "body" }, title, this.content));
    this.wait("Waiting");
  }

  wait(text) {
    this.element.dataset.state = "waiting";
    this.content.replaceChildren(element("p", { class: "waiting" }, text));
  }

  show(answer) {
    this.element.dataset.state = "answered";
    const views = Object.entries(answer.targets).map(([name, target]) => ({
      kind: target.kind,
      view: targetView(name, target, weakness(this.targets.get(name)?.figures)),
    }));
    const lists = ["categorical", "binary"].map((kind) => views.filter((one) => one.kind === kind));
    const answers = lists
      .filter((list) => list.length > 0)
      .map((list) => element("ul", { class: `targets ${list[0].kind}-targets` }, list.map(({ view }) => view)));
    this.content.replaceChildren(
      ...(answer.unfamiliar ? [unfamiliarNote()] : []),
      element("div", { class: "answers" }, answers),
    );
    this.#offerHeatMap(answer);
  }

  /** `again` is called when the user wants to try once more; without it there is no point in that. */
  fail(message, again) {
    this.element.dataset.state = "failed";
    this.content.replaceChildren(
      element("p", { class: "failure" }, element("strong", { class: "badge" }, "not analysed"), ` ${message}`),
      ...(again ? [element("button", { type: "button", click: again }, "Try again")] : []),
    );
  }

  #offerHeatMap({ targets }) {
    const choices = Object.entries(targets)
      .filter(([name]) => this.targets.get(name)?.model.explainable)
      .map(([name, { kind, decision }]) => ({ name, kind, decision, classes: this.targets.get(name).about.classes }));
    if (choices.length > 0) this.media.append(heatMapControls(this.image, this.file, choices));
  }

  #showNoPreview() {
    this.image.replaceWith(element("p", { class: "no-preview" }, "no preview"));
  }
}

function unfamiliarNote() {
  return element(
    "p",
    { class: "unfamiliar" },
    element("strong", { class: "badge" }, "unfamiliar"),
    " This image is unlike those the model learned from. Don’t rely on the answers.",
  );
}
