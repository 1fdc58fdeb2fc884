// The spinner at once, words for it after five seconds.
import { t } from "./i18n.js";
import { sleep } from "./time.js";

const WORDS_AFTER_MS = 5000;

export function watchBuffering({ view, video, signal }) {
  const { buffering } = view;
  const words = buffering.querySelector(".buffering-words");
  let stall;
  const stop = () => { stall?.abort(); stall = undefined; buffering.hidden = true; words.textContent = ""; };
  const start = async () => {
    if (stall || video.ended) return;
    stall = new AbortController();
    const mine = stall.signal;
    buffering.hidden = false;
    await sleep(WORDS_AFTER_MS, mine);
    if (!mine.aborted) words.textContent = t("buffering");
  };
  const on = (names, work) => names.forEach((name) => video.addEventListener(name, work, { signal }));
  on(["waiting", "seeking"], () => { if (!video.paused) start(); });
  on(["playing", "pause", "seeked", "canplay", "ended", "emptied"], stop);
  signal.addEventListener("abort", stop);
  start();
}
