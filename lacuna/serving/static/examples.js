/** The strip of example images. */

import { element } from "./dom.js";
import { exampleFile, examples } from "./service.js";

/** Shows the examples in `strip`, or leaves it hidden where there are none. `take` gets the one the user clicks. */
export async function offerExamples(strip, take) {
  const files = await Promise.all((await examples()).map(exampleFile));
  strip.querySelector("ul").replaceChildren(...files.map((file) => element("li", {}, button(file, take))));
  strip.hidden = files.length === 0;
}

function button(file, take) {
  const image = element("img", { src: URL.createObjectURL(file), alt: "" });
  return element(
    "button",
    { type: "button", title: file.name, "aria-label": `Analyse the example ${file.name}`, click: () => take([file]) },
    image,
  );
}
