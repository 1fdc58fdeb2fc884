// When the player has given up: a sentence and a button. Media errors are first mended quietly; "nothing there yet" goes back to waiting.
import { serverNow } from "./clock.js";

const MENDS = 2;

export function watchTrouble(context) {
  const { Hls, hls, session, view, video, signal, patience, finish, reload } = context;
  const panel = view.trouble;
  let mends = 0;

  const showPanel = () => {
    if (session.over || !panel.hidden) return;
    view.buffering.hidden = true;
    panel.hidden = false;
    panel.querySelector("[data-retry]").focus();
  };
  const retry = async () => {
    if (panel.hidden) return;
    panel.hidden = true;
    patience.worked();
    view.title.focus();
    if (!hls) await reload();
    else {
      if (!hls.levels.length) hls.loadSource(session.streamUrl);
      hls.startLoad(-1);
    }
    video.play().catch(() => {});
  };
  const notBegun = ({ details, response }) => details === Hls.ErrorDetails.MANIFEST_LOAD_ERROR && response?.code === 404
    && serverNow() < Date.parse(session.event.endsAt);

  const failed = (_, data) => {
    if (!data.fatal || session.over) return;
    if (notBegun(data)) finish("no-stream");
    else if (data.type === Hls.ErrorTypes.MEDIA_ERROR && mends++ < MENDS) hls.recoverMediaError();
    else showPanel();
  };
  /** The browser's own player does not say why: a fresh cookie or link may be what it wants. */
  const failedNatively = async () => {
    if (mends++ >= MENDS) return showPanel();
    const { paused } = video;
    await reload();
    if (!paused) video.play().catch(() => {});
  };
  hls?.on(Hls.Events.ERROR, failed);
  if (!hls) video.addEventListener("error", failedNatively, { signal });
  video.addEventListener("playing", () => { panel.hidden = true; }, { signal });
  panel.querySelector("[data-retry]").addEventListener("click", retry);
  addEventListener("online", retry, { signal });
}
