// Since when something stands still, on the clock that never goes back.
export class Movement {
  #seen;
  at = performance.now();

  /** Tell what is seen now; returns whether that is news. */
  note(seen) {
    if (seen === this.#seen) return false;
    this.#seen = seen;
    this.at = performance.now();
    return true;
  }

  /** For reasons of its own, standing still means nothing now. */
  excuse() {
    this.at = performance.now();
  }

  get stillMs() {
    return performance.now() - this.at;
  }
}
