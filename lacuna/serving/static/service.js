/** The service's HTTP API. Addresses are relative, so that the page also works below a path of a proxy. */

import { anotherKey, apiKey } from "./api_key.js";
import { ServiceError } from "./service_error.js";

const TRIES_WHEN_BUSY = 8;
const LONGEST_PAUSE_S = 30;

/** What the service says of its models and limits. */
export async function metadata() {
  return (await ask("metadata")).json();
}

/** The example images: `{name, url}` each. None when the service has none to offer. */
export async function examples() {
  return (await ask("examples")).json();
}

/** An example image as a file. */
export async function exampleFile({ name, url }) {
  const content = await (await ask(url)).blob();
  return new File([content], name, { type: content.type });
}

/** All targets of one image, each with its `topClasses` most probable classes. `busy` is told of pauses in seconds. */
export async function predict(file, { topClasses, signal, busy }) {
  return (await ask("predict", { body: form({ file, top_k: topClasses }), signal, busy })).json();
}

/** What in an image speaks for a class of a target, and what against it. */
export async function explain(file, target, className) {
  return (await ask("explain", { body: form({ file, target, class: className }) })).json();
}

function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return data;
}

async function ask(path, { body, signal, busy } = {}) {
  for (let tries = 1; ; tries += 1) {
    const key = apiKey();
    const response = await send(path, body, key, signal);
    if (response.ok) return response;
    if (response.status === 401) {
      await anotherKey(key);
    } else if (response.status === 503 && tries < TRIES_WHEN_BUSY) {
      const seconds = pauseAskedFor(response);
      busy?.(seconds);
      await pause(seconds, signal);
    } else {
      const error = await refusal(response);
      if (error.code !== "too_many_wrong_keys") throw error;
      await anotherKey(key); // the right one is answered all the same
    }
  }
}

async function send(path, body, key, signal) {
  const headers = key ? { "X-API-Key": key } : {};
  try {
    return await fetch(path, { method: body ? "POST" : "GET", body, headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const message = "The service cannot be reached. Check that it is running, then try again.";
    throw new ServiceError("unreachable", message, { passing: true });
  }
}

function pauseAskedFor(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  return Math.min(seconds > 0 ? seconds : 1, LONGEST_PAUSE_S);
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

async function refusal(response) {
  const passing = response.status === 429 || response.status >= 500;
  try {
    const { error } = await response.json();
    return new ServiceError(error.code, error.message, { passing });
  } catch {
    return new ServiceError("unknown", `The service answered with status ${response.status}.`, { passing });
  }
}
