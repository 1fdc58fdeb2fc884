// A live stream that breaks. The playlist stands still or is gone: the event is asked how it stands, and the viewer is told. The playlist
// goes on and the picture does not (an encoder that came back with other names, times or sizes): it is loaded anew at the live edge.
import { heed, setInterrupted } from "./interruption.js";
import { Movement } from "./movement.js";
import { page } from "./page.js";
import { probeStream } from "./stream-probe.js";
import { backoff, jittered, repeat, sleep } from "./time.js";
import { askStatus } from "./waiting.js";

const LOOK_EVERY_MS = 1000;
/** The page slept: what stood still meanwhile says nothing. */
const SLEPT_MS = 5000;
const ASK_AFTER_TARGETS = 2;
/** Without a word from the server the page decides by itself. */
const SURE_AFTER_TARGETS = 4;
const SHORTEST_PATIENCE_MS = 4000;
const RELOADS = 3;
const SEGMENTS_WITHOUT_PICTURE = 3;
/** A mirror may be so far behind. */
const STALE_SEGMENTS = 2;

const number = ({ startSN, endSN, lastPartIndex }) => `${startSN} ${endSN} ${lastPartIndex}`;

class LiveWatch {
  #playlist = new Movement();
  #picture = new Movement();
  #looked = new Movement();
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
    if (this.#countsAnew(level, details)) setTimeout(() => this.context.signal.aborted || this.context.loadAnew()); // hls.js is still at it
    if (this.#playlist.note(number(details))) this.#setInterrupted(false);
  }

  /** An encoder that starts again may number its segments from the beginning. hls.js takes them for those that it has, and shows these again. */
  #countsAnew(level, { endSN }) {
    const before = this.#newest.get(level) ?? endSN;
    this.#newest.set(level, endSN);
    return before - endSN > (this.context.isInterrupted ? 0 : STALE_SEGMENTS);
  }

  /** What comes now says nothing of what was before. */
  begins() {
    this.#newest.clear();
  }

  look() {
    const { video, view, segments } = this.context;
    const slept = this.#looked.stillMs > SLEPT_MS;
    const elsewhere = !view.onTv.hidden || !view.trouble.hidden || !view.finale.hidden;
    this.#looked.excuse();
    if (this.#picture.note(video.currentTime)) {
      this.#reloads = 0;
      this.#loadedBefore = segments.loaded;
    }
    if (slept || elsewhere) this.#playlist.excuse();
    if (slept || elsewhere || video.paused) this.#picture.excuse();
    if (!this.#details?.live || !navigator.onLine) return;
    this.#lookAtPlaylist();
    this.#lookAtPicture();
  }

  #lookAtPlaylist() {
    const { stillMs } = this.#playlist;
    if (stillMs < this.#targets(ASK_AFTER_TARGETS)) this.#askAt = undefined;
    else this.#askInTurn();
    const isRead = performance.now() - this.#answeredAt < this.#targets(ASK_AFTER_TARGETS);
    if (isRead && stillMs > this.#targets(SURE_AFTER_TARGETS)) this.#setInterrupted(true);
  }

  /** Many pages see the same stream stop: they spread, and once they know they ask seldom. */
  async #askInTurn() {
    this.#askAt ??= performance.now() + Math.random() * this.#targets(1);
    if (this.#isAsking || performance.now() < this.#askAt) return;
    this.#isAsking = true;
    const status = await askStatus(this.context.session);
    this.#isAsking = false;
    this.#askAt = performance.now() + jittered(this.context.isInterrupted ? page.statusSeconds * 1000 : this.#targets(1));
    if (this.#playlist.stillMs > this.#targets(ASK_AFTER_TARGETS)) heed(this.context, status);
  }

  #setInterrupted(isSo) {
    if (setInterrupted(this.context, isSo) && !isSo) this.#picture.excuse();
  }

  /** Segments that are under way may only be slow. */
  #lookAtPicture() {
    const { loadAnew, fail, segments, isInterrupted } = this.context;
    const patience = Math.max(SHORTEST_PATIENCE_MS, this.#targets(2)) * 2 ** this.#reloads;
    const isSlow = segments.areUnderWay && segments.loaded - this.#loadedBefore < SEGMENTS_WITHOUT_PICTURE;
    if (isInterrupted || isSlow || this.#picture.stillMs < patience || this.#playlist.at < this.#picture.at) return;
    this.#picture.excuse();
    if (this.#reloads++ < RELOADS) loadAnew();
    else fail({ kind: "stalled" });
  }

  /** The playlist of a stream that has played is not there any more: looked for again and again, until it is or the event is over. */
  async gone() {
    const { session, signal, loadAnew, view } = this.context;
    this.#setInterrupted(true);
    while (!signal.aborted && this.context.isInterrupted && view.finale.hidden) {
      await sleep(backoff(this.#losses++), signal);
      heed(this.context, await askStatus(session));
      if (!signal.aborted && (await probeStream(session)) === 200) return loadAnew();
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
  repeat(() => LOOK_EVERY_MS, () => watch.look(), signal);
}
