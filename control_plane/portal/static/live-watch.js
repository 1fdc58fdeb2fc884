// Handles a live stream that breaks. If the playlist stalls or is gone, the event's status is requested and the viewer
// is notified. If the playlist continues but the picture does not (an encoder that returned with other names, times or
// sizes), the stream is reloaded at the live edge.
import { heed, setInterrupted } from "./interruption.js";
import { Movement } from "./movement.js";
import { page } from "./page.js";
import { probeStream } from "./stream-probe.js";
import { backoff, jittered, repeat, sleep } from "./time.js";
import { askStatus } from "./waiting.js";

const CHECK_EVERY_MS = 1000;
/** After a longer gap between checks the page was suspended: what stalled meanwhile means nothing. */
const SUSPENDED_MS = 5000;
const ASK_AFTER_TARGETS = 2;
/** Without an answer from the server, the page itself decides that the stream is interrupted. */
const INTERRUPTED_AFTER_TARGETS = 4;
const MIN_STALL_MS = 4000;
const RELOADS = 3;
const SEGMENTS_WITHOUT_PICTURE = 3;
/** A mirror may be this far behind. */
const STALE_SEGMENTS = 2;

const position = ({ startSN, endSN, lastPartIndex }) => `${startSN} ${endSN} ${lastPartIndex}`;

class LiveWatch {
  #playlist = new Movement();
  #picture = new Movement();
  #lastCheck = new Movement();
  #answeredAt = 0;
  #askAt;
  #isAsking = false;
  #reloads = 0;
  #losses = 0;
  #loadedBefore = 0;
  #newest = new Map(); // by level

  constructor(context) {
    this.context = context;
  }

  get #details() {
    return this.context.hls.latestLevelDetails;
  }

  #targets(count) {
    return count * 1000 * (this.#details?.targetduration ?? 2);
  }

  loaded(level, details) {
    this.#answeredAt = performance.now();
    this.#losses = 0;
    if (this.#restartsNumbering(level, details)) {
      setTimeout(() => this.context.signal.aborted || this.context.reloadStream()); // hls.js is still busy with it
    }
    if (this.#playlist.note(position(details))) this.#setInterrupted(false);
  }

  /** A restarted encoder may reuse segment numbers; hls.js would treat its segments as old ones and replay those. */
  #restartsNumbering(level, { endSN }) {
    const before = this.#newest.get(level) ?? endSN;
    this.#newest.set(level, endSN);
    return before - endSN > (this.context.isInterrupted ? 0 : STALE_SEGMENTS);
  }

  /** Called before the stream is reloaded: earlier segment numbers do not count any more. */
  begins() {
    this.#newest.clear();
  }

  look() {
    const { video, view, segments } = this.context;
    const wasSuspended = this.#lastCheck.stillMs > SUSPENDED_MS;
    const isNotShown = !view.onTv.hidden || !view.trouble.hidden || !view.finale.hidden;
    this.#lastCheck.excuse();
    if (this.#picture.note(video.currentTime)) {
      this.#reloads = 0;
      this.#loadedBefore = segments.loaded;
    }
    if (wasSuspended || isNotShown) this.#playlist.excuse();
    if (wasSuspended || isNotShown || video.paused) this.#picture.excuse();
    if (!this.#details?.live || !navigator.onLine) return;
    this.#checkPlaylist();
    this.#checkPicture();
  }

  #checkPlaylist() {
    const { stillMs } = this.#playlist;
    if (stillMs < this.#targets(ASK_AFTER_TARGETS)) this.#askAt = undefined;
    else this.#askStatusSpread();
    const isAnswered = performance.now() - this.#answeredAt < this.#targets(ASK_AFTER_TARGETS);
    if (isAnswered && stillMs > this.#targets(INTERRUPTED_AFTER_TARGETS)) this.#setInterrupted(true);
  }

  /** Many pages see the same stream stop: requests are spread, and are rare once it is known to be interrupted. */
  async #askStatusSpread() {
    this.#askAt ??= performance.now() + Math.random() * this.#targets(1);
    if (this.#isAsking || performance.now() < this.#askAt) return;
    this.#isAsking = true;
    const status = await askStatus(this.context.session);
    this.#isAsking = false;
    this.#askAt = performance.now() + jittered(this.context.isInterrupted ? page.statusSeconds * 1000 : this.#targets(1));
    if (this.#playlist.stillMs > this.#targets(ASK_AFTER_TARGETS)) heed(this.context, status);
  }

  #setInterrupted(isInterrupted) {
    if (setInterrupted(this.context, isInterrupted) && !isInterrupted) this.#picture.excuse();
  }

  /** Reloads if the picture stalls; segments that are still loading may just be slow. */
  #checkPicture() {
    const { reloadStream, fail, segments, isInterrupted } = this.context;
    const stallLimit = Math.max(MIN_STALL_MS, this.#targets(2)) * 2 ** this.#reloads;
    const isSlow = segments.areUnderWay && segments.loaded - this.#loadedBefore < SEGMENTS_WITHOUT_PICTURE;
    if (isInterrupted || isSlow || this.#picture.stillMs < stallLimit || this.#playlist.at < this.#picture.at) return;
    this.#picture.excuse();
    if (this.#reloads++ < RELOADS) reloadStream();
    else fail({ kind: "stalled" });
  }

  /** The playlist of a stream that has played is gone: retry until it is back or the event is over. */
  async gone() {
    const { session, signal, reloadStream, view } = this.context;
    this.#setInterrupted(true);
    while (!signal.aborted && this.context.isInterrupted && view.finale.hidden) {
      await sleep(backoff(this.#losses++), signal);
      heed(this.context, await askStatus(session));
      if (!signal.aborted && (await probeStream(session)) === 200) return reloadStream();
    }
    return undefined;
  }
}

export function watchLive(context) {
  const { Hls, hls, signal } = context;
  if (!hls) return;
  const watch = new LiveWatch(context);
  context.streamGone = () => watch.gone();
  hls.on(Hls.Events.MANIFEST_LOADING, () => watch.begins());
  hls.on(Hls.Events.LEVEL_LOADED, (_, { level, details }) => watch.loaded(level, details));
  repeat(() => CHECK_EVERY_MS, () => watch.look(), signal);
}
