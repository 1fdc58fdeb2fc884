// The end of playback: a card with the title, what has ended, and a way out. If there is something to watch again (the
// broadcast continues, or a recording is published), it starts automatically.
import { t } from "./i18n.js";
import { page } from "./page.js";
import { announce } from "./stage.js";
import { jittered, sleep } from "./time.js";
import { askStatus } from "./waiting.js";

/** A shorter recording is only the rest of a live window: "Watch again" is not offered for it. */
const MIN_REPLAY_SECONDS = 120;

class Finale {
  #shown;
  #wasLive = false;

  constructor(context) {
    this.context = context;
    this.card = context.view.finale;
  }

  noteKind(live) {
    this.#wasLive ||= live;
  }

  /** what: "broadcast", "recording" or "nothing" (the event is over and there is no stream). */
  show(what) {
    const { view, video, session, hls, signal } = this.context;
    if (!this.card.hidden || signal.aborted) return;
    video.pause();
    this.card.hidden = false;
    this.card.dataset.of = what;
    this.card.querySelector(".finale-event").textContent = session.event.title;
    this.card.querySelector("h2").textContent = t(`finale_title_${what}`);
    this.card.querySelector(".lead").textContent = t(`finale_${what}`);
    this.card.querySelector("[data-again]").hidden = what === "nothing" || !this.#canWatchAgain(hls, video);
    view.buffering.hidden = view.trouble.hidden = true;
    announce(t(`finale_title_${what}`));
    this.card.querySelector("h2").focus();
    this.#shown = new AbortController();
    signal.addEventListener("abort", () => this.#shown.abort(), { signal: this.#shown.signal });
    if (what !== "recording") this.#waitForMore(what, session, this.#shown.signal);
  }

  #canWatchAgain(hls, video) {
    return !this.#wasLive || (hls?.latestLevelDetails?.live === false && video.duration > MIN_REPLAY_SECONDS);
  }

  /** After "nothing", wait for a broadcast or a recording; after a broadcast, only for the broadcast. */
  async #waitForMore(what, session, signal) {
    const awaited = what === "nothing" ? ["live", "recording"] : ["live"];
    for (;;) {
      await sleep(jittered(page.statusSeconds * 1000), signal);
      if (signal.aborted) return;
      if (awaited.includes(await askStatus(session)) && !signal.aborted) {
        this.hide();
        await this.context.reloadStream();
        return;
      }
    }
  }

  hide() {
    this.card.hidden = true;
    this.#shown?.abort();
  }

  /** The broadcast is over, but its playlist has no end marker: let the buffer play first. */
  over() {
    const { video } = this.context;
    if (!video.paused && video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) this.show("broadcast");
  }

  ended() {
    this.show(this.#wasLive ? "broadcast" : "recording");
  }
}

export function watchFinale(context) {
  const { Hls, hls, video, signal } = context;
  const finale = new Finale(context);
  context.over = () => finale.over();
  context.nothingToSee = () => finale.show("nothing");
  hls?.on(Hls.Events.LEVEL_LOADED, (_, { details }) => finale.noteKind(details.live));
  video.addEventListener("ended", () => finale.ended(), { signal });
  for (const name of ["playing", "seeking"]) video.addEventListener(name, () => finale.hide(), { signal });
  finale.card.querySelector("[data-again]").addEventListener("click", () => {
    video.currentTime = 0;
    video.play().catch(() => {});
  }, { signal });
}
