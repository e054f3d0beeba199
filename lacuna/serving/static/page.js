/** The page: images come in, cards come out. */

import { aboutModel, leadSentence } from "./about.js";
import { mayAskAgain } from "./api_key.js";
import { save, resultsAsCsv } from "./csv.js";
import { offerExamples } from "./examples.js";
import { targetsOf } from "./models.js";
import { listenForFiles } from "./picking.js";
import { Results } from "./results.js";
import { metadata } from "./service.js";
import { listed, megabytes } from "./words.js";

const part = (id) => document.getElementById(id);

async function start() {
  part("start-again").hidden = true;
  part("lead").textContent = "Asking the service what it knows…";
  try {
    const { models, limits, lacuna } = await metadata();
    introduce(models, limits, lacuna);
    const results = new Results(targetsOf(models), limits);
    const take = (files) => {
      mayAskAgain();
      results.add(files);
    };
    listenForFiles(take);
    part("choose-button").disabled = part("camera-button").disabled = false;
    part("clear").addEventListener("click", () => results.clear());
    part("download").addEventListener("click", () => {
      save(resultsAsCsv(results.finished(), [...targetsOf(models).keys()]), "predictions.csv");
    });
    offerExamples(part("examples"), take).catch(() => {}); // the page is whole without them
  } catch (error) {
    part("lead").textContent = error.message;
    part("start-again").hidden = false;
  }
}

function introduce(models, limits, version) {
  document.title = `${listed(models.map(({ name }) => name))} · Lacuna`;
  part("lead").textContent = leadSentence(models);
  part("limits").textContent = `Images of up to ${megabytes(limits.max_upload_bytes)} each.`;
  part("models").replaceChildren(...models.map(aboutModel));
  part("about").hidden = false;
  part("version").textContent = `Lacuna ${version}`;
}

part("start-again").addEventListener("click", () => {
  mayAskAgain();
  start();
});
start();
