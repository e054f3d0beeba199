/** Tasks that run in the order they came, so many at a time. */
export class Queue {
  #width;
  #running = 0;
  #waiting = [];

  constructor(width) {
    this.#width = width;
  }

  /** `task` is an async function that handles its own errors. */
  add(task) {
    this.#waiting.push(task);
    this.#next();
  }

  /** Forgets the tasks that have not begun. */
  clear() {
    this.#waiting = [];
  }

  async #next() {
    if (this.#running >= this.#width || this.#waiting.length === 0) return;
    this.#running += 1;
    try {
      await this.#waiting.shift()();
    } finally {
      this.#running -= 1;
      this.#next();
    }
  }
}
