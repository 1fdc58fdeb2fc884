// A live stream that breaks where the browser plays by itself. Nothing of the playlist is seen there, so when the picture stands still
// the event is asked how it stands: the stream is interrupted, or it goes on and is loaded anew at the live edge.
import { heed, setInterrupted } from "./interruption.js";
import { Movement } from "./movement.js";
import { page } from "./page.js";
import { jittered, repeat } from "./time.js";
import { askStatus } from "./waiting.js";

const LOOK_EVERY_MS = 1000;
const PATIENCE_MS = 8000;
const LONGEST_PATIENCE_MS = 60_000;

class NativeWatch {
  #picture = new Movement();
  #patience = PATIENCE_MS;
  #isLive = false;

  constructor(context) {
    this.context = context;
  }

  async look() {
    const { video, view } = this.context;
    if (!Number.isNaN(video.duration)) this.#isLive = video.duration === Infinity;
    if (this.#picture.note(video.currentTime) && video.currentTime > 0) this.#moves();
    const elsewhere = !view.onTv.hidden || !view.trouble.hidden || !view.finale.hidden || video.nativeEl?.webkitCurrentPlaybackTargetIsWireless;
    if (elsewhere || !navigator.onLine || (video.paused && !this.context.isInterrupted)) this.#picture.excuse();
    if (!this.#isLive || this.#picture.stillMs < this.#patience) return;
    await this.#askAndAct();
  }

  #moves() {
    this.#patience = PATIENCE_MS;
    setInterrupted(this.context, false);
  }

  /** Many pages see the same stream stop: those that wait for it ask seldom, and a picture that does not come is tried ever more seldom. */
  async #askAndAct() {
    const { session, signal, loadAnew } = this.context;
    const status = await askStatus(session);
    if (signal.aborted) return;
    this.#picture.excuse();
    heed(this.context, status);
    if (status === "live") {
      await loadAnew();
      this.#patience = Math.min(LONGEST_PATIENCE_MS, this.#patience * 2);
    } else if (this.context.isInterrupted) this.#patience = jittered(page.statusSeconds * 1000);
  }
}

export function watchNativeLive(context) {
  if (context.hls) return;
  const watch = new NativeWatch(context);
  repeat(() => LOOK_EVERY_MS, () => watch.look(), context.signal);
}
