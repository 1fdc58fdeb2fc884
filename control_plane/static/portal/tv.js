// Watch on TV: lets in a TV that shows a code, or gives a link with its QR code for a player that can be given nothing but a URL.
// Nothing happens before the viewer says so. Where the ticket has no second seat, a TV with a code gets this page's seat, and a link
// plays on this page's session: the picture pauses here, so that one seat is one screen, and the page keeps the seat.
import { Refusal, approveTvHere, stopTv, tvLink, tvPlan } from "./api.js";
import { t } from "./i18n.js";
import { drawQr } from "./qr.js";

/** Plain http has no clipboard API. */
async function copy(input) {
  input.select();
  try {
    await navigator.clipboard.writeText(input.value);
  } catch {
    document.execCommand("copy");
  }
}

/** The picture here, while the session plays on the TV. */
class Lent {
  active = false;

  constructor({ hls, video, view, reload, signal }) {
    Object.assign(this, { hls, video, reload, panel: view.onTv, player: view.controller, title: view.title });
    video.addEventListener("play", () => this.active && video.pause(), { signal });
  }

  begin() {
    this.active = true;
    this.video.pause();
    this.hls?.stopLoad();
    this.player.inert = true;
    this.panel.hidden = false;
  }

  async end() {
    this.active = false;
    this.panel.hidden = true;
    this.player.inert = false;
    this.title.focus();
    const live = this.hls?.latestLevelDetails?.live;
    if (this.hls) this.hls.startLoad(-1);
    else await this.reload();
    if (live) this.hls.once("hlsLevelUpdated", () => { this.video.currentTime = this.hls.liveSyncPosition ?? this.video.currentTime; });
    this.video.play().catch(() => {});
  }
}

export function watchTv(context) {
  const { session, view, toast, signal } = context;
  const dialog = view.tv;
  const part = (selector) => dialog.querySelector(selector);
  const [words, form, code, link, url, stop, other] = [
    ".tv-words", ".tv-approve", "#tv-code", ".tv-link", "#tv-url", "[data-stop]", ".tv-other",
  ].map(part);
  const lent = new Lent(context);
  let given;
  part(".tv-address").textContent = `${location.host}/tv`;

  const say = (sentence) => { words.textContent = sentence; };
  const show = (answer) => {
    given = answer;
    form.hidden = Boolean(given);
    link.hidden = stop.hidden = !given;
    part("[data-link]").hidden = other.open = Boolean(given);
    say("");
    if (!given) return;
    url.value = given.url;
    drawQr(part(".tv-qr"), given.qr);
    if (given.ownSession) lent.begin();
  };
  const fail = (error) => {
    if (!signal.aborted) say(t(error instanceof Refusal ? `refused_${error.reason}` : "unreachable") ?? t("tv_failed"));
  };
  const tellPlan = ({ pausesHere }) => {
    part("[data-approve]").textContent = t(pausesHere ? "tv_play_pause" : "tv_play");
    part("[data-link]").textContent = t(pausesHere ? "tv_get_link_pause" : "tv_get_link");
    part(".tv-own").hidden = !pausesHere;
  };
  const open = async () => {
    dialog.showModal();
    if (given) return;
    say("");
    await tvPlan(await session.keeper.fresh()).then(tellPlan, fail);
  };
  const getLink = async () => {
    say(t("tv_loading"));
    try {
      const answer = await tvLink(await session.keeper.fresh());
      if (!signal.aborted) show(answer);
    } catch (error) {
      fail(error);
    }
  };
  const approve = async (event) => {
    event.preventDefault();
    if (!code.value.trim()) return code.focus();
    try {
      const { moved } = await approveTvHere(await session.keeper.fresh(), code.value);
      if (moved) return session.end({ reason: "on-tv" });
      code.value = "";
      stop.hidden = false;
      say(t("tv_approved"));
    } catch (error) {
      fail(error);
    }
    return undefined;
  };
  const watchHere = async () => {
    if (!(await session.restart())) return session.over ? undefined : toast(t("unreachable"));
    show(undefined);
    dialog.close();
    lent.end();
  };
  const stopIt = async () => {
    if (given?.ownSession) return watchHere();
    try {
      await stopTv(await session.keeper.fresh());
      show(undefined);
      dialog.close();
      toast(t("tv_stopped"));
    } catch (error) {
      fail(error);
    }
  };

  for (const button of view.section.querySelectorAll("[data-tv]")) button.addEventListener("click", open, { signal });
  view.part("[data-watch-here]").addEventListener("click", watchHere, { signal });
  stop.addEventListener("click", stopIt, { signal });
  form.addEventListener("submit", approve, { signal });
  part("[data-link]").addEventListener("click", getLink, { signal });
  part("[data-copy]").addEventListener("click", async () => { await copy(url); say(t("tv_copied")); }, { signal });
  dialog.addEventListener("close", () => lent.active && view.part("#on-tv-title").focus(), { signal });
  signal.addEventListener("abort", () => dialog.close());
}
