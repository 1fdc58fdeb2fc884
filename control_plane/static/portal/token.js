// Keeps one playback token fresh. It asks for the next one after a quarter of the present one's life and again until it is
// granted, so that the control plane may be away for most of an hour; several askers share one request.
import { Refusal, refresh } from "./api.js";
import { backoff, jittered, sleep } from "./time.js";

const LONGEST_WAIT_MS = 8000;

export class TokenKeeper {
  #refused; // the token a media request was refused with, until there is another
  #asking; // the refresh under way
  #failures = 0; // refreshes in a row that did not get through
  #recovery; // what follows a media refusal, while it goes on
  #suspicions = 0; // media refusals in a row, without a success between them
  #timer;
  #notBefore = 0; // after a failure: when to ask again
  #onRefused;
  #onHeld;

  /**
   * onRefused(refusal, token) decides what a refused refresh means; accept() or stop() is its answer.
   * onHeld() is told that the token is good and the doors are closed: the gate refuses it until they open.
   */
  constructor(onRefused, onHeld) {
    this.#onRefused = onRefused;
    this.#onHeld = onHeld;
  }

  /** seconds: of the token's life; endsAt: when the ticket's last token dies, in ms of this device's clock. */
  accept(token, seconds, endsAt, askedAt = Date.now()) {
    Object.assign(this, { token, life: seconds * 1000, grantedAt: askedAt, endsAt });
    this.#refused = undefined;
    this.#failures = 0;
    this.#notBefore = 0;
    this.#plan(this.life / 4);
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

  /** The ticket's own last token: no refresh would live any longer, and the server grants none. */
  get #last() {
    return this.grantedAt + this.life >= this.endsAt - 3000;
  }

  get #nearEnd() {
    return this.age > this.life - Math.min(15_000, this.life / 3);
  }

  get #shouldRenew() {
    return this.#nearEnd && !this.#last && !this.stopped && Date.now() >= this.#notBefore;
  }

  /** A token good for a request that starts now, or the best there is when the control plane is away. */
  async fresh() {
    const due = this.#recovery ?? (this.#shouldRenew && this.refresh());
    if (due) await Promise.race([due, sleep(LONGEST_WAIT_MS)]);
    return this.token;
  }

  /** A media request with this token was refused: one refresh, the next one later and later, never a storm. */
  refusedBy(token) {
    if (token !== this.token || this.stopped) return undefined;
    this.#refused = token;
    this.#recovery ??= this.#recover().finally(() => { this.#recovery = undefined; });
    return this.#recovery;
  }

  async #recover() {
    const before = this.#suspicions++;
    if (before) await sleep(Math.min(30_000, 500 * 2 ** before));
    if (this.suspected && !this.stopped) await this.refresh();
  }

  worked() {
    this.#suspicions = 0;
  }

  get suspected() {
    return this.#refused === this.token;
  }

  /** Timers sleep in the background: called when the page is looked at again or the network is back. */
  wake() {
    if (!this.stopped && !this.#last && this.age > this.life / 4) this.refresh();
  }

  refresh() {
    this.#asking ??= this.#ask().finally(() => { this.#asking = undefined; });
    return this.#asking;
  }

  async #ask() {
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
      this.#plan(pause);
    }
  }

  #plan(delay) {
    clearTimeout(this.#timer);
    if (!this.stopped && !this.#last) this.#timer = setTimeout(() => this.refresh(), Math.min(delay, 2 ** 31 - 1));
  }
}
