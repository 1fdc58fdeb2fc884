// The spinner, at once. After five seconds words: that the connection may be slow only when segments really arrive slowly.
import { repeat } from "./time.js";

const WORDS_AFTER_MS = 5000;
const LOOK_EVERY_MS = 500;
/** A request without a single byte for so long is given up by hls.js. */
const LOST_AFTER_MS = 11_000;

/** The segments that are being loaded, one of each type. A slow one takes longer to load than to play. */
class Segments {
  #underWay = new Map();
  #lastWasSlow = false;
  loaded = 0;

  constructor({ Hls, hls }) {
    hls?.on(Hls.Events.MANIFEST_LOADING, () => this.#underWay.clear());
    hls?.on(Hls.Events.FRAG_LOADING, (_, { frag }) => this.#underWay.set(frag.type, { frag, since: performance.now() }));
    hls?.on(Hls.Events.FRAG_LOADED, (_, { frag }) => this.#done(frag));
    hls?.on(Hls.Events.ERROR, (_, { frag }) => frag && this.#underWay.delete(frag.type));
  }

  #done(frag) {
    this.loaded += 1;
    const one = this.#underWay.get(frag.type);
    if (one) this.#lastWasSlow = this.#takesLong(one);
    this.#underWay.delete(frag.type);
  }

  #takesLong({ frag, since }) {
    return performance.now() - since > frag.duration * 1000;
  }

  #arrives({ frag, since }) {
    return !frag.stats.aborted && (frag.stats.loaded > 0 || performance.now() - since < LOST_AFTER_MS);
  }

  get areUnderWay() {
    return [...this.#underWay.values()].some((one) => this.#arrives(one));
  }

  get areSlow() {
    return [...this.#underWay.values()].some((one) => one.frag.stats.loaded > 0 && (this.#lastWasSlow || this.#takesLong(one)));
  }
}

export function watchBuffering(context) {
  const { view, video, notices, signal } = context;
  const { buffering } = view;
  const segments = context.segments = new Segments(context);
  let since;
  const tell = () => {
    const long = since !== undefined && performance.now() - since > WORDS_AFTER_MS;
    notices.tell("loading", long);
    notices.tell("slow", long && segments.areSlow);
  };
  const stop = () => { since = undefined; buffering.hidden = true; tell(); };
  const start = () => {
    if (since !== undefined || video.ended) return;
    since = performance.now();
    buffering.hidden = false;
  };
  const on = (names, work) => names.forEach((name) => video.addEventListener(name, work, { signal }));
  on(["waiting", "seeking"], () => { if (!video.paused) start(); });
  on(["playing", "pause", "seeked", "canplay", "ended", "emptied"], stop);
  signal.addEventListener("abort", stop);
  repeat(() => LOOK_EVERY_MS, tell, signal);
  start();
}
