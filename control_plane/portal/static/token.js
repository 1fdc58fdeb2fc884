// Keeps one playback token fresh. It requests the next one after a quarter of the current one's lifetime, and retries
// until it succeeds, so that the control plane may be unavailable for most of an hour; concurrent callers share one
// request.
import { Refusal, refresh } from "./api.js";
import { backoff, jittered, sleep } from "./time.js";

const LONGEST_WAIT_MS = 8000;

export class TokenKeeper {
  #refusedToken; // the token of a refused media request, until there is a new one
  #refreshing; // the current refresh
  #failures = 0; // consecutive refreshes without a response
  #recovery; // the current recovery from a media refusal
  #mediaRefusals = 0; // consecutive media refusals
  #timer;
  #notBefore = 0; // after a failure: time of the next request
  #onRefused;
  #onHeld;

  /**
   * onRefused(refusal, token) handles a refused refresh; it calls accept() or stop().
   * onHeld() is called if the token is valid but the doors are closed: the gate refuses it until they open.
   */
  constructor(onRefused, onHeld) {
    this.#onRefused = onRefused;
    this.#onHeld = onHeld;
  }

  /** seconds: the token's lifetime; endsAt: when the ticket's last token expires, in ms of this device's clock. */
  accept(token, seconds, endsAt, askedAt = Date.now()) {
    Object.assign(this, { token, life: seconds * 1000, grantedAt: askedAt, endsAt });
    this.#refusedToken = undefined;
    this.#failures = 0;
    this.#notBefore = 0;
    this.#schedule(this.life / 4);
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.#timer);
  }

  get age() {
    return Date.now() - this.grantedAt;
  }

  get alive() {
    return this.age < this.life;
  }

  /** Whether this is the ticket's last token: the server would not grant one that expires later. */
  get #isLast() {
    return this.grantedAt + this.life >= this.endsAt - 3000;
  }

  get #isNearEnd() {
    return this.age > this.life - Math.min(15_000, this.life / 3);
  }

  get #shouldRenew() {
    return this.#isNearEnd && !this.#isLast && !this.stopped && Date.now() >= this.#notBefore;
  }

  /** Returns a token for a request that starts now, or the current one if the control plane is unavailable. */
  async fresh() {
    const pending = this.#recovery ?? (this.#shouldRenew && this.refresh());
    if (pending) await Promise.race([pending, sleep(LONGEST_WAIT_MS)]);
    return this.token;
  }

  /** A media request with this token was refused: refresh once, with increasing delays, so that there is no storm. */
  refusedBy(token) {
    if (token !== this.token || this.stopped) return undefined;
    this.#refusedToken = token;
    this.#recovery ??= this.#recover().finally(() => { this.#recovery = undefined; });
    return this.#recovery;
  }

  async #recover() {
    const before = this.#mediaRefusals++;
    if (before) await sleep(Math.min(30_000, 500 * 2 ** before));
    if (this.suspected && !this.stopped) await this.refresh();
  }

  worked() {
    this.#mediaRefusals = 0;
  }

  get suspected() {
    return this.#refusedToken === this.token;
  }

  /** Called when the page is visible again or the network is back: timers are throttled in the background. */
  wake() {
    if (!this.stopped && !this.#isLast && this.age > this.life / 4) this.refresh();
  }

  refresh() {
    this.#refreshing ??= this.#requestToken().finally(() => { this.#refreshing = undefined; });
    return this.#refreshing;
  }

  async #requestToken() {
    const askedAt = Date.now();
    const { token } = this;
    try {
      const answer = await refresh(token);
      if (this.stopped) return;
      this.accept(answer.playbackToken, answer.tokenExpiresIn, this.endsAt, askedAt);
      if (answer.isHeld) this.#onHeld();
    } catch (error) {
      if (error instanceof Refusal && error.status !== 429) return this.#onRefused(error, token);
      const pause = error.retryAfter ? jittered(error.retryAfter * 1000) : backoff(this.#failures++);
      this.#notBefore = Date.now() + pause;
      this.#schedule(pause);
    }
  }

  #schedule(delay) {
    clearTimeout(this.#timer);
    if (!this.stopped && !this.#isLast) this.#timer = setTimeout(() => this.refresh(), Math.min(delay, 2 ** 31 - 1));
  }
}
