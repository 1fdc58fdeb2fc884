// Handles a live stream that breaks in a browser that plays HLS natively. The playlist is not visible there, so when
// the picture stalls, the event's status decides: the stream is interrupted, or it continues and is reloaded at the
// live edge.
import { heed, setInterrupted } from "./interruption.js";
import { Movement } from "./movement.js";
import { page } from "./page.js";
import { jittered, repeat } from "./time.js";
import { askStatus } from "./waiting.js";

const CHECK_EVERY_MS = 1000;
const STALL_MS = 8000;
const MAX_STALL_MS = 60_000;

class NativeWatch {
  #picture = new Movement();
  #stallLimit = STALL_MS;
  #isLive = false;

  constructor(context) {
    this.context = context;
  }

  async look() {
    const { video, view } = this.context;
    if (!Number.isNaN(video.duration)) this.#isLive = video.duration === Infinity;
    if (this.#picture.note(video.currentTime) && video.currentTime > 0) this.#noteMovement();
    const isNotShown = !view.onTv.hidden || !view.trouble.hidden || !view.finale.hidden
      || video.nativeEl?.webkitCurrentPlaybackTargetIsWireless;
    if (isNotShown || !navigator.onLine || (video.paused && !this.context.isInterrupted)) this.#picture.excuse();
    if (!this.#isLive || this.#picture.stillMs < this.#stallLimit) return;
    await this.#askAndAct();
  }

  #noteMovement() {
    this.#stallLimit = STALL_MS;
    setInterrupted(this.context, false);
  }

  /**
   * Many pages see the same stream stop: while it is interrupted they ask rarely, and reloads are tried less and less
   * often.
   */
  async #askAndAct() {
    const { session, signal, reloadStream } = this.context;
    const status = await askStatus(session);
    if (signal.aborted) return;
    this.#picture.excuse();
    heed(this.context, status);
    if (status === "live") {
      await reloadStream();
      this.#stallLimit = Math.min(MAX_STALL_MS, this.#stallLimit * 2);
    } else if (this.context.isInterrupted) this.#stallLimit = jittered(page.statusSeconds * 1000);
  }
}

export function watchNativeLive(context) {
  if (context.hls) return;
  const watch = new NativeWatch(context);
  repeat(() => CHECK_EVERY_MS, () => watch.look(), context.signal);
}
