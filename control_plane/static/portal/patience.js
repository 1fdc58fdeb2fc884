// How long a stream may fail before the viewer is told. hls.js counts anew for every rendition it tries; the viewer waits once.
const RETRIES = 5;
const PAUSES_MS = { retryDelayMs: 1000, maxRetryDelayMs: 16_000 };
/** 1 + 2 + 4 + 8 + 16 seconds. */
const LONGEST_MS = 31_000;

export const POLICY = { maxNumRetry: RETRIES, ...PAUSES_MS, backoff: "exponential" };

export class Patience {
  #failingSince;

  worked() {
    this.#failingSince = undefined;
  }

  /** Is another try worth it, after so many of this request? */
  left(count) {
    this.#failingSince ??= Date.now();
    return count < RETRIES && Date.now() - this.#failingSince < LONGEST_MS;
  }
}
