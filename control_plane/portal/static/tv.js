// Watch on TV: approves a TV that shows a code, or creates a link with a QR code for players that only accept a URL.
// Nothing happens until the viewer confirms. If the ticket has no second seat, a TV with a code takes this page's seat,
// and a link plays this page's session: the picture pauses here, because a seat is one screen, and the page keeps the
// seat.
import { Refusal, approveTvHere, stopTv, tvLink, tvPlan } from "./api.js";
import { t } from "./i18n.js";
import { drawQr } from "./qr.js";

/** Plain HTTP has no clipboard API. */
async function copy(input) {
  input.select();
  try {
    await navigator.clipboard.writeText(input.value);
  } catch {
    document.execCommand("copy");
  }
}

/** The paused player of this page, while its session plays on the TV. */
class PausedHere {
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
  const [message, form, code, link, url, stop, other] = [
    ".tv-words", ".tv-approve", "#tv-code", ".tv-link", "#tv-url", "[data-stop]", ".tv-other",
  ].map(part);
  const pausedHere = new PausedHere(context);
  let currentLink;
  part(".tv-address").textContent = `${location.host}/tv`;

  const showMessage = (sentence) => { message.textContent = sentence; };
  const show = (answer) => {
    currentLink = answer;
    form.hidden = Boolean(currentLink);
    link.hidden = stop.hidden = !currentLink;
    part("[data-link]").hidden = other.open = Boolean(currentLink);
    showMessage("");
    if (!currentLink) return;
    url.value = currentLink.url;
    drawQr(part(".tv-qr"), currentLink.qr);
    if (currentLink.ownSession) pausedHere.begin();
  };
  const fail = (error) => {
    if (signal.aborted) return;
    showMessage(t(error instanceof Refusal ? `refused_${error.reason}` : "unreachable") ?? t("tv_failed"));
  };
  const showPlan = ({ pausesHere }) => {
    part("[data-approve]").textContent = t(pausesHere ? "tv_play_pause" : "tv_play");
    part("[data-link]").textContent = t(pausesHere ? "tv_get_link_pause" : "tv_get_link");
    part(".tv-own").hidden = !pausesHere;
  };
  const open = async () => {
    dialog.showModal();
    if (currentLink) return;
    showMessage("");
    await tvPlan(await session.keeper.fresh()).then(showPlan, fail);
  };
  const getLink = async () => {
    showMessage(t("tv_loading"));
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
      showMessage(t("tv_approved"));
    } catch (error) {
      fail(error);
    }
    return undefined;
  };
  const watchHere = async () => {
    if (!(await session.restart())) return session.over ? undefined : toast(t("unreachable"));
    show(undefined);
    dialog.close();
    pausedHere.end();
  };
  const stopTvPlayback = async () => {
    if (currentLink?.ownSession) return watchHere();
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
  stop.addEventListener("click", stopTvPlayback, { signal });
  form.addEventListener("submit", approve, { signal });
  part("[data-link]").addEventListener("click", getLink, { signal });
  const copyUrl = async () => { await copy(url); showMessage(t("tv_copied")); };
  part("[data-copy]").addEventListener("click", copyUrl, { signal });
  dialog.addEventListener("close", () => pausedHere.active && view.part("#on-tv-title").focus(), { signal });
  signal.addEventListener("abort", () => dialog.close());
}
