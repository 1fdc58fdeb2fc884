// How a showing ends: a card with the title, what is over, and the way out, once the picture has run to its end. If there is
// something to watch again (a broadcast that goes on, a recording that is published), it begins by itself.
import { t } from "./i18n.js";
import { page } from "./page.js";
import { announce } from "./stage.js";
import { jittered, sleep } from "./time.js";
import { askStatus } from "./waiting.js";

/** The rest of a live window is not worth a "Watch again". */
const WORTH_SEEING_SECONDS = 120;

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

  /** what: "broadcast", "recording" or "nothing" (over, and nothing to see). */
  show(what) {
    const { view, video, session, hls, signal } = this.context;
    if (!this.card.hidden || signal.aborted) return;
    video.pause();
    this.card.hidden = false;
    this.card.dataset.of = what;
    this.card.querySelector(".finale-event").textContent = session.event.title;
    this.card.querySelector("h2").textContent = t(`finale_title_${what}`);
    this.card.querySelector(".lead").textContent = t(`finale_${what}`);
    this.card.querySelector("[data-again]").hidden = what === "nothing" || !this.#isWorthSeeing(hls, video);
    view.buffering.hidden = view.trouble.hidden = true;
    announce(t(`finale_title_${what}`));
    this.card.querySelector("h2").focus();
    this.#shown = new AbortController();
    signal.addEventListener("abort", () => this.#shown.abort(), { signal: this.#shown.signal });
    if (what !== "recording") this.#waitForMore(what, session, this.#shown.signal);
  }

  #isWorthSeeing(hls, video) {
    return !this.#wasLive || (hls?.latestLevelDetails?.live === false && video.duration > WORTH_SEEING_SECONDS);
  }

  /** A card of nothing waits for a recording, too; one of a broadcast only for the broadcast. */
  async #waitForMore(what, session, signal) {
    const wanted = what === "nothing" ? ["live", "recording"] : ["live"];
    for (;;) {
      await sleep(jittered(page.statusSeconds * 1000), signal);
      if (signal.aborted) return;
      if (wanted.includes(await askStatus(session)) && !signal.aborted) {
        this.hide();
        await this.context.loadAnew();
        return;
      }
    }
  }

  hide() {
    this.card.hidden = true;
    this.#shown?.abort();
  }

  /** The broadcast is over without an end in its playlist: what is buffered still plays. */
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
