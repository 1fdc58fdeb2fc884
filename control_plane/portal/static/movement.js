// Measures how long a value has not changed, on a monotonic clock.
export class Movement {
  #seen;
  at = performance.now();

  /** Notes the current value. Returns whether it changed. */
  note(seen) {
    if (seen === this.#seen) return false;
    this.#seen = seen;
    this.at = performance.now();
    return true;
  }

  /** Restarts the measurement: there is another reason why the value does not change. */
  excuse() {
    this.at = performance.now();
  }

  get stillMs() {
    return performance.now() - this.at;
  }
}
