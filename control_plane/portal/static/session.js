// One device watching on one ticket: its token, its heartbeats, and what to do when the control plane ends it.
// It is kept in memory only. It ends once, with the control plane's reason, and calls `onOver`.
import { Refusal, heartbeat, release, resume, validate } from "./api.js";
import { serverNow, skew } from "./clock.js";
import { ENDINGS } from "./endings.js";
import { page } from "./page.js";
import { playHere, playsElsewhere, stopHere } from "./tabs.js";
import { jittered, repeat } from "./time.js";
import { TokenKeeper } from "./token.js";
import { forgetWatching, rememberWatching, watchedSid } from "./watching.js";

/** The gate accepts tokens for this long after the ticket's end, so that playback does not stop mid-sentence. */
const GRACE_MS = 60_000;
/** Prevents two tabs of one browser from taking the seat from each other endlessly. */
const MIN_RESUME_INTERVAL_MS = 120_000;
/** While the gate sees this session and reports it to the control plane, heartbeats are rarely needed. */
const SEEN_HEARTBEAT_MS = 3 * 1000 * page.heartbeatSeconds;
/** After this time without a request the gate does not see it any more: the viewer is waiting or has paused. */
const SEEN_FOR_MS = 500 * page.heartbeatSeconds;

const isUnauthorized = (error) => error instanceof Refusal && error.status === 401;

/** The claims of a token; `sub` is the code, which a reloaded page does not know otherwise. */
function claimsOf(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}

export class Session {
  #over = new AbortController();
  #resuming;
  #resumedAt = -Infinity;
  #lastHeartbeat = Date.now();
  #gateSawAt = -Infinity;
  #isReported = false;
  /** All ids of this session, including those before a reload: a duplicate of this tab knows one of them. */
  sids = new Set([watchedSid()]);
  onOver = () => {};
  onHeld = () => {};

  constructor(grant, code) {
    this.keeper = new TokenKeeper((refusal, token) => this.refused(refusal, token), () => this.#hold());
    this.#adopt(grant, code);
    playHere(this);
    this.#listen();
    repeat(() => jittered(page.heartbeatSeconds * 1000 * 0.9), () => this.#sendHeartbeatIfNeeded(), this.signal);
  }

  /** The gate has just allowed a request of this session. */
  gateSaw() {
    this.#gateSawAt = Date.now();
  }

  #sendHeartbeatIfNeeded() {
    const isSeen = this.#isReported && Date.now() - this.#gateSawAt < SEEN_FOR_MS;
    return isSeen && Date.now() - this.#lastHeartbeat < SEEN_HEARTBEAT_MS ? undefined : this.#sendHeartbeat();
  }

  /** Aborted when the session is over; timers and loops depend on it. */
  get signal() {
    return this.#over.signal;
  }

  get over() {
    return this.signal.aborted;
  }

  #adopt(grant, code) {
    const { sub, sid } = claimsOf(grant.playbackToken);
    this.code = code ?? sub;
    this.sid = sid;
    this.sids.add(sid);
    rememberWatching(sid);
    this.event = grant.event;
    this.isHeld = grant.isHeld;
    this.expiresAt = Date.parse(grant.expiresAt);
    this.streamUrl = new URL(grant.playbackBaseUrl + grant.streamPath, location.href).href;
    this.streamBase = new URL(".", this.streamUrl).href;
    this.keeper.accept(grant.playbackToken, grant.tokenExpiresIn, this.expiresAt - skew() + GRACE_MS);
  }

  #listen() {
    const on = (target, name, work) => target.addEventListener(name, work, { signal: this.signal });
    on(document, "visibilitychange", () => document.visibilityState === "visible" && this.#wake());
    on(window, "online", () => this.#wake());
    on(window, "pagehide", (event) => event.persisted || release(this.keeper.token));
    on(window, "pageshow", (event) => event.persisted && this.#restore());
  }

  #wake() {
    this.keeper.wake();
    if (Date.now() - this.#lastHeartbeat > page.heartbeatSeconds * 1000) this.#sendHeartbeat();
  }

  /** Restored from the back-forward cache, where everything was suspended. */
  #restore() {
    this.#resumedAt = -Infinity;
    this.#resume({ reason: "timeout" });
  }

  /**
   * Starts a new session for this page, which ends what the old one plays elsewhere. Resolves to whether it succeeded.
   */
  async restart() {
    const before = this.keeper.token;
    this.#resumedAt = -Infinity;
    await this.#resume({ reason: "timeout" });
    return !this.over && this.keeper.token !== before;
  }

  /** Sends a heartbeat. If the session was silent for less time than this page, the gate has reported it meanwhile. */
  async #sendHeartbeat() {
    const sinceLast = Date.now() - this.#lastHeartbeat;
    this.#lastHeartbeat = Date.now();
    const token = await this.keeper.fresh();
    try {
      const { secondsSilent } = await heartbeat(token);
      this.#isReported = secondsSilent * 1000 < sinceLast * 0.8;
    } catch (error) {
      if (!(error instanceof Refusal) || error.status === 429) return;
      if (error.status === 401) await this.keeper.refresh();
      else await this.refused(error, token);
    }
  }

  /** The doors are closed: nothing plays until they open, but the session stays. */
  #hold() {
    this.isHeld = true;
    this.onHeld();
  }

  /** Checks whether the session is still valid: another tab reports that it took the seat. */
  look() {
    return this.#sendHeartbeat();
  }

  /** The control plane refused a refresh or a heartbeat with this token. Tokens of an older session are ignored. */
  async refused(refusal, token) {
    await this.#resuming;
    if (this.over || token !== this.keeper.token) return;
    if (ENDINGS[refusal.reason]?.meant || refusal.status === 409) return this.end(refusal);
    if (refusal.status === 410 && this.keeper.alive && !this.keeper.suspected) return;
    await this.#resume(refusal);
  }

  /** Tries once, silently, to resume the session. */
  #resume(refusal) {
    this.#resuming ??= this.#tryToResume(refusal).finally(() => { this.#resuming = undefined; });
    return this.#resuming;
  }

  async #tryToResume(refusal) {
    if (Date.now() - this.#resumedAt < MIN_RESUME_INTERVAL_MS) return this.#endAfter(refusal, refusal);
    try {
      const grant = await this.#newGrant();
      if (this.over) return release(grant.playbackToken);
      this.#resumedAt = Date.now();
      this.#adopt(grant, this.code);
    } catch (error) {
      if (error instanceof Refusal && error.status !== 429) this.#endAfter(error, refusal);
    }
  }

  /** Resumes by the token; if that is too old, by the cookie or the code, unless another tab is playing. */
  async #newGrant() {
    try {
      return await resume({ token: this.keeper.token });
    } catch (error) {
      if (!isUnauthorized(error)) throw error;
      if (await playsElsewhere(this)) throw new Refusal(404, { reason: "replaced" });
    }
    return resume({ sid: this.sid }).catch((error) => {
      if (!isUnauthorized(error) || !this.code) throw error;
      return validate(this.code);
    });
  }

  /** Ends the session after a refused attempt to resume, with the refusal's reason or that of the refusal before it. */
  #endAfter(refusal, before) {
    if (refusal.reason === "unknown") return this.end({ reason: "deleted" });
    const known = [refusal, before].find(({ reason }) => reason in ENDINGS);
    this.end(known ?? { reason: "timeout" });
  }

  /** Ends the session after the grace period, unless the ticket was extended: only the control plane knows. */
  async checkTicketEnd() {
    if (serverNow() < this.expiresAt + GRACE_MS) return;
    await this.#resume({ reason: "expired" });
    if (serverNow() >= this.expiresAt + GRACE_MS) this.end({ reason: "expired" });
  }

  /** The viewer leaves: release the seat at once. */
  leave() {
    if (this.over) return;
    release(this.keeper.token);
    this.#stop();
  }

  end(ending) {
    if (this.over) return;
    this.#stop();
    this.onOver(ending);
  }

  #stop() {
    stopHere();
    forgetWatching();
    this.keeper.stop();
    this.#over.abort();
  }
}
