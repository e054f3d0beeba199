/** The ways images come in: chosen, taken by the camera, dropped anywhere on the page, pasted. */

import { droppedFiles } from "./dropped_files.js";

/** Calls `take` with an array of files whenever the user brings some. */
export function listenForFiles(take) {
  listenToButton("choose", take);
  listenToButton("camera", take);
  listenToDrops(take);
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) take(files);
  });
}

function listenToButton(name, take) {
  const input = document.getElementById(`${name}-input`);
  document.getElementById(`${name}-button`).addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // so that the same image can be chosen again
    if (files.length > 0) take(files);
  });
}

function listenToDrops(take) {
  let depth = 0; // entering a child comes before leaving its parent
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dragging", depth > 0);
  };
  const ofFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => ofFiles(event) && mark(+1));
  document.addEventListener("dragleave", (event) => ofFiles(event) && mark(-1));
  document.addEventListener("dragover", (event) => {
    if (!ofFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("drop", async (event) => {
    if (!ofFiles(event)) return;
    event.preventDefault();
    mark(-depth);
    const files = await droppedFiles(event.dataTransfer);
    if (files.length > 0) take(files);
  });
}
