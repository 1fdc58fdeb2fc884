// One device watching on one ticket: the token, the signs of life, and what to do when the control plane says it is over.
// Lives in memory only. It ends once, with the control plane's reason, and tells `onOver`.
import { Refusal, heartbeat, release, resume, validate } from "./api.js";
import { serverNow, skew } from "./clock.js";
import { ENDINGS } from "./endings.js";
import { page } from "./page.js";
import { playHere, playsElsewhere, stopHere } from "./tabs.js";
import { jittered, repeat } from "./time.js";
import { TokenKeeper } from "./token.js";
import { forgetWatching, rememberWatching, watchedSid } from "./watching.js";

/** After the ticket's end the gate lets tokens live for this long, so that nobody is cut off in mid-sentence. */
const GRACE_MS = 60_000;
/** Two tabs of one browser that took the seat from each other in turn would never stop. */
const COME_BACK_AT_MOST_EVERY_MS = 120_000;
/** While the gate sees this page, and has told the control plane, a heartbeat is needed seldom. */
const SEEN_BEAT_MS = 3 * 1000 * page.heartbeatSeconds;
/** A gate that was asked so long ago does not see it any more: the viewer waits or has paused. */
const SEEN_FOR_MS = 500 * page.heartbeatSeconds;

const isForgotten = (error) => error instanceof Refusal && error.status === 401;

/** The code is the token's `sub`. The page itself forgets it on a reload, and the event's status is asked with it. */
function claimsOf(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}

export class Session {
  #over = new AbortController();
  #comingBack;
  #cameBackAt = -Infinity;
  #lastBeat = Date.now();
  #gateAskedAt = -Infinity;
  #isReported = false;
  /** The ids that this session has had, also before a reload: a duplicate of this tab knows one of them. */
  sids = new Set([watchedSid()]);
  onOver = () => {};
  onHeld = () => {};

  constructor(grant, code) {
    this.keeper = new TokenKeeper((refusal, token) => this.refused(refusal, token), () => this.#hold());
    this.#adopt(grant, code);
    playHere(this);
    this.#listen();
    repeat(() => jittered(page.heartbeatSeconds * 1000 * 0.9), () => this.#beatIfNeeded(), this.signal);
  }

  /** The gate has just allowed a request of this session. */
  gateSaw() {
    this.#gateAskedAt = Date.now();
  }

  #beatIfNeeded() {
    const isSeen = this.#isReported && Date.now() - this.#gateAskedAt < SEEN_FOR_MS;
    return isSeen && Date.now() - this.#lastBeat < SEEN_BEAT_MS ? undefined : this.#beat();
  }

  /** Aborted when the session is over; timers and loops hang on it. */
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
    on(window, "pageshow", (event) => event.persisted && this.#thaw());
  }

  #wake() {
    this.keeper.wake();
    if (Date.now() - this.#lastBeat > page.heartbeatSeconds * 1000) this.#beat();
  }

  /** Back from the back-forward cache: whatever was running there stood still. */
  #thaw() {
    this.#cameBackAt = -Infinity;
    this.#comeBack({ reason: "timeout" });
  }

  /** A fresh session of this page's own: it ends what the old one plays elsewhere. Tells whether there is one. */
  async restart() {
    const before = this.keeper.token;
    this.#cameBackAt = -Infinity;
    await this.#comeBack({ reason: "timeout" });
    return !this.over && this.keeper.token !== before;
  }

  /** Was the session silent for less long than this page? Then the gate has reported it meanwhile. */
  async #beat() {
    const sinceLast = Date.now() - this.#lastBeat;
    this.#lastBeat = Date.now();
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

  /** The doors are closed: nothing plays until they open, and the session goes on. */
  #hold() {
    this.isHeld = true;
    this.onHeld();
  }

  /** Asks whether the session is still on: another tab says that it took the seat. */
  look() {
    return this.#beat();
  }

  /** The control plane refused a refresh or a heartbeat with this token. An older session's is no news. */
  async refused(refusal, token) {
    await this.#comingBack;
    if (this.over || token !== this.keeper.token) return;
    if (ENDINGS[refusal.reason]?.meant || refusal.status === 409) return this.end(refusal);
    if (refusal.status === 410 && this.keeper.alive && !this.keeper.suspected) return;
    await this.#comeBack(refusal);
  }

  /** One silent attempt to get a session again: by the cookie, or by the code that this page still knows. */
  #comeBack(refusal) {
    this.#comingBack ??= this.#tryAgain(refusal).finally(() => { this.#comingBack = undefined; });
    return this.#comingBack;
  }

  async #tryAgain(refusal) {
    if (Date.now() - this.#cameBackAt < COME_BACK_AT_MOST_EVERY_MS) return this.#endAfter(refusal, refusal);
    try {
      const grant = await this.#newGrant();
      if (this.over) return release(grant.playbackToken);
      this.#cameBackAt = Date.now();
      this.#adopt(grant, this.code);
    } catch (error) {
      if (error instanceof Refusal && error.status !== 429) this.#endAfter(error, refusal);
    }
  }

  /** By the token; where that is too old, by the cookie, then by the code, neither of which may take the seat from another tab. */
  async #newGrant() {
    try {
      return await resume({ token: this.keeper.token });
    } catch (error) {
      if (!isForgotten(error)) throw error;
      if (await playsElsewhere(this)) throw new Refusal(404, { reason: "replaced" });
    }
    return resume({ sid: this.sid }).catch((error) => {
      if (!isForgotten(error) || !this.code) throw error;
      return validate(this.code);
    });
  }

  /** The attempt to come back was refused: with a reason of its own, or because there is no seat any more, after what had happened before. */
  #endAfter(refusal, before) {
    if (refusal.reason === "unknown") return this.end({ reason: "deleted" });
    const telling = [refusal, before].find(({ reason }) => reason in ENDINGS);
    this.end(telling ?? { reason: "timeout" });
  }

  /** Has the ticket's last minute passed? It may have been prolonged meanwhile: only the control plane knows. */
  async checkTicketEnd() {
    if (serverNow() < this.expiresAt + GRACE_MS) return;
    await this.#comeBack({ reason: "expired" });
    if (serverNow() >= this.expiresAt + GRACE_MS) this.end({ reason: "expired" });
  }

  /** The viewer leaves: the seat is free at once. */
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
