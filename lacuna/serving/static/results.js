/** The results: cards, how far the work is, and what a screen reader is told. */

import { Card } from "./card.js";
import { Queue } from "./queue.js";
import { predict } from "./service.js";
import { ServiceError } from "./service_error.js";
import { count, listed, megabytes } from "./words.js";

const AT_ONCE = 4;
const TOP_CLASSES = 3;

const part = (id) => document.getElementById(id);

export class Results {
  #targets;
  #limits;
  #queue = new Queue(AT_ONCE);
  #entries = []; // as shown, the newest first
  #stop = new AbortController();

  /** `targets` is what `targetsOf` made of the metadata, `limits` those of the service. */
  constructor(targets, limits) {
    this.#targets = targets;
    this.#limits = limits;
  }

  /** Analyses files; their cards stand before the others, in the files' order. */
  add(files) {
    const entries = files.map((file) => {
      const address = URL.createObjectURL(file);
      return { file, address, card: new Card(file, address, this.#targets), answer: null, failed: false };
    });
    this.#entries.unshift(...entries);
    part("cards").prepend(...entries.map(({ card }) => card.element));
    for (const entry of entries) this.#enqueue(entry);
    const { top } = part("results").getBoundingClientRect();
    if (top > 0.6 * window.innerHeight) part("results").scrollIntoView();
  }

  clear() {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#queue.clear();
    for (const { address } of this.#entries) URL.revokeObjectURL(address);
    this.#entries = [];
    part("cards").replaceChildren();
    this.#report();
    part("choose-button").focus();
  }

  /** The answers and failures so far, as shown. */
  finished() {
    return this.#entries.filter(({ answer }) => answer).map(({ answer }) => answer);
  }

  #enqueue(entry) {
    entry.answer = null;
    entry.card.wait("Waiting");
    this.#report();
    const { signal } = this.#stop;
    this.#queue.add(async () => {
      if (signal.aborted) return;
      try {
        entry.card.wait("Analysing…");
        entry.answer = await this.#ask(entry, signal);
        entry.failed = false;
        entry.card.show(entry.answer);
      } catch (error) {
        if (signal.aborted) return;
        this.#fail(entry, error);
      }
      this.#report();
    });
  }

  #ask({ file, card }, signal) {
    const most = this.#limits.max_upload_bytes;
    if (file.size > most) {
      const sizes = `The file has ${megabytes(file.size)}, the service takes at most ${megabytes(most)}.`;
      throw new ServiceError("too_large", `${sizes} Make it smaller.`);
    }
    const busy = (seconds) => card.wait(`The service is busy. Trying again in ${count(seconds, "second")}.`);
    return predict(file, { topClasses: TOP_CLASSES, signal, busy });
  }

  #fail(entry, error) {
    entry.failed = true;
    entry.answer = { image: entry.file.name, error: { code: error.code, message: error.message } };
    const again = () => this.#enqueue(entry);
    entry.card.fail(error.message, error.passing ? again : null);
  }

  #report() {
    const total = this.#entries.length;
    const done = this.#entries.filter(({ answer }) => answer).length;
    const failed = this.#entries.filter((entry) => entry.answer && entry.failed).length;
    document.body.classList.toggle("has-results", total > 0);
    part("results").hidden = total === 0;
    part("progress").max = total || 1;
    part("progress").value = done;
    part("progress").hidden = done === total;
    part("download").disabled = done === 0;
    const analysed = `${count(total - failed, "image")} analysed`;
    const allFailed = `${count(failed, "image")} could not be analysed`;
    const ended = failed === 0 ? analysed : failed === total ? allFailed : `${analysed}, ${failed} could not be`;
    part("state").textContent = done < total ? `${done} of ${count(total, "image")} analysed` : ended;
    if (done === total) part("spoken").textContent = total === 0 ? "" : this.#spoken(ended);
  }

  #spoken(state) {
    const [{ answer }] = this.#entries;
    if (this.#entries.length > 1 || answer.error) return answer.error ? `${state}. ${answer.error.message}` : state;
    const said = Object.entries(answer.targets).map(([name, { decision, unsure }]) =>
      unsure ? `${name}: unsure, rather ${decision}` : `${name}: ${decision}`,
    );
    return `${answer.image}: ${answer.unfamiliar ? "unfamiliar; " : ""}${listed(said)}.`;
  }
}
