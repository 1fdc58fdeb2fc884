// Shows the spinner at once, and a notice after five seconds. The notice blames the connection only if segments arrive
// slowly.
import { repeat } from "./time.js";

const NOTICE_AFTER_MS = 5000;
const CHECK_EVERY_MS = 500;
/** hls.js gives up a request that has received no byte for this long. */
const LOST_AFTER_MS = 11_000;

/** The segments being loaded, one of each type. A slow one takes longer to load than to play. */
class Segments {
  #loading = new Map();
  #lastWasSlow = false;
  loaded = 0;

  constructor({ Hls, hls }) {
    hls?.on(Hls.Events.MANIFEST_LOADING, () => this.#loading.clear());
    hls?.on(Hls.Events.FRAG_LOADING, (_, { frag }) => this.#loading.set(frag.type, { frag, since: performance.now() }));
    hls?.on(Hls.Events.FRAG_LOADED, (_, { frag }) => this.#finish(frag));
    hls?.on(Hls.Events.ERROR, (_, { frag }) => frag && this.#loading.delete(frag.type));
  }

  #finish(frag) {
    this.loaded += 1;
    const entry = this.#loading.get(frag.type);
    if (entry) this.#lastWasSlow = this.#isSlow(entry);
    this.#loading.delete(frag.type);
  }

  #isSlow({ frag, since }) {
    return performance.now() - since > frag.duration * 1000;
  }

  #isArriving({ frag, since }) {
    return !frag.stats.aborted && (frag.stats.loaded > 0 || performance.now() - since < LOST_AFTER_MS);
  }

  get areUnderWay() {
    return [...this.#loading.values()].some((entry) => this.#isArriving(entry));
  }

  get areSlow() {
    const isSlow = (entry) => entry.frag.stats.loaded > 0 && (this.#lastWasSlow || this.#isSlow(entry));
    return [...this.#loading.values()].some(isSlow);
  }
}

export function watchBuffering(context) {
  const { view, video, notices, signal } = context;
  const { buffering } = view;
  const segments = context.segments = new Segments(context);
  let since;
  const update = () => {
    const long = since !== undefined && performance.now() - since > NOTICE_AFTER_MS;
    notices.tell("loading", long);
    notices.tell("slow", long && segments.areSlow);
  };
  const stop = () => { since = undefined; buffering.hidden = true; update(); };
  const start = () => {
    if (since !== undefined || video.ended) return;
    since = performance.now();
    buffering.hidden = false;
  };
  const on = (names, work) => names.forEach((name) => video.addEventListener(name, work, { signal }));
  on(["waiting", "seeking"], () => { if (!video.paused) start(); });
  on(["playing", "pause", "seeked", "canplay", "ended", "emptied"], stop);
  signal.addEventListener("abort", stop);
  repeat(() => CHECK_EVERY_MS, update, signal);
  start();
}
