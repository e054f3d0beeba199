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
    this.image = element("img", { src: address, alt: "", loading: "lazy", decoding: "async", draggable: "false" });
    this.media = element("div", { class: "media" }, frame(this.image));
    this.title = element("h3", { class: "file-name", tabindex: "-1" }, file.name);
    this.content = element("div", { class: "content" });
    const body = element("div", { class: "body" }, this.title, this.content);
    this.element = element("li", { class: "card" }, this.media, body);
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
      view: targetView(name, target, weakness(this.targets.get(name)?.metrics)),
    }));
    const lists = ["categorical", "binary"].map((kind) => views.filter((view) => view.kind === kind));
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
    const retry = () => {
      this.title.focus(); // the button goes away
      again();
    };
    this.content.replaceChildren(
      element("p", { class: "failure" }, element("strong", { class: "badge" }, "not analysed"), ` ${message}`),
      ...(again ? [element("button", { type: "button", click: retry }, "Try again")] : []),
    );
  }

  #offerHeatMap({ targets }) {
    const choices = Object.entries(targets)
      .filter(([name]) => this.targets.get(name)?.model.explainable)
      .map(([name, { kind, decision }]) => ({ name, kind, decision, classes: this.targets.get(name).about.classes }));
    if (choices.length > 0) this.media.append(heatMapControls(this.image, this.file, choices));
  }
}

/** The image, or words where the browser cannot show its format (a heat map of it can be shown all the same). */
function frame(image) {
  const words = element("p", { class: "no-preview", hidden: true }, "no preview");
  const show = (shown) => () => {
    image.hidden = !shown;
    words.hidden = shown;
  };
  image.addEventListener("error", show(false));
  image.addEventListener("load", show(true));
  return element("div", { class: "frame" }, image, words);
}

function unfamiliarNote() {
  return element(
    "p",
    { class: "unfamiliar" },
    element("strong", { class: "badge" }, "unfamiliar"),
    " This image is unlike those the model learned from. Do not rely on the answers.",
  );
}
