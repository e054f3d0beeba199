/** The API key: asked for once when the service wants one, kept until the tab is closed. */

import { ServiceError } from "./service_error.js";

const STORED = "lacuna-api-key";

let asking = null;
let declined = false;

export function apiKey() {
  return sessionStorage.getItem(STORED) ?? "";
}

/** The user wants something anew, so that the key may be asked for again even if it was not given before. */
export function mayAskAgain() {
  declined = false;
}

/**
 * Resolves once there is another key than the refused one. Many requests may wait for the same question.
 * Rejects with a ServiceError when the user gives none.
 */
export function anotherKey(refused) {
  if (apiKey() !== refused) return Promise.resolve();
  if (declined) return Promise.reject(noKey());
  asking ??= ask(refused).finally(() => (asking = null));
  return asking;
}

function ask(refused) {
  const dialog = document.getElementById("key-dialog");
  const form = dialog.querySelector("form");
  const input = form.elements["key"];
  dialog.querySelector(".problem").textContent = refused ? "The service did not accept this key." : "";
  input.value = "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(STORED, input.value.trim());
      dialog.close();
    };
    form.elements["cancel"].onclick = () => dialog.close();
    dialog.onclose = () => {
      if (apiKey() !== refused) return resolve();
      declined = true;
      return reject(noKey());
    };
  });
}

function noKey() {
  return new ServiceError("no_api_key", "This service needs an API key. Try again to enter one.", { passing: true });
}
