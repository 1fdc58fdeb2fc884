// How long a stream may fail before the viewer is notified: about 30 s, however many renditions hls.js tries in that
// time. Playlists and segments are counted separately: a playlist that loads says nothing about segments that do not.
const RETRIES = 5;
const PAUSES_MS = { retryDelayMs: 1000, maxRetryDelayMs: 8000 };
/** 1 + 2 + 4 + 8 + 8 + 8 seconds. */
const LONGEST_MS = 31_000;

export const POLICY = { maxNumRetry: RETRIES, ...PAUSES_MS, backoff: "exponential" };

class Budget {
  #failingSince;

  worked() {
    this.#failingSince = undefined;
  }

  /** Whether to retry. Starts the time at the first failure. */
  get isLeft() {
    this.#failingSince ??= Date.now();
    return Date.now() - this.#failingSince < LONGEST_MS;
  }
}

export class Patience {
  playlists = new Budget();
  segments = new Budget();

  worked() {
    this.playlists.worked();
    this.segments.worked();
  }
}
