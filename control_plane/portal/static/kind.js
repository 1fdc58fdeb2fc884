// Live or recording: determined by the stream itself, not by the schedule. Sets the badge, the DVR window and the live
// edge.
import { t } from "./i18n.js";
import { announce } from "./stage.js";

/** A shorter window is only the encoder's margin, not a DVR window. */
const DVR_FROM_SECONDS = 30;

/** An interrupted broadcast keeps the controls of a live one. */
function setBadge({ badge, section }, kind, isInterrupted) {
  const shown = isInterrupted && kind === "live" ? "interrupted" : kind;
  if (badge.dataset.kind === shown) return;
  badge.dataset.kind = shown;
  section.dataset.kind = kind;
  badge.hidden = false;
  badge.querySelector(".badge-text").textContent = t(`badge_${shown}`);
  announce(t(`badge_${shown}`));
}

/** media-chrome reads these properties from the element; hls-video does not set them. */
function updateControls({ view, video, hls }, details) {
  const window = details.totalduration - hls.targetLatency;
  const dvr = details.live && window > DVR_FROM_SECONDS;
  view.section.dataset.dvr = String(dvr);
  video.targetLiveWindow = dvr ? Infinity : Number.NaN;
  video.dispatchEvent(new Event("targetlivewindowchange"));
  if (details.live) view.controller.setAttribute("seektoliveoffset", String(Math.round(hls.targetLatency)));
}

function liveEdgeStart(hls) {
  return hls.liveSyncPosition === null ? Number.NaN : hls.liveSyncPosition - 2 * (hls.latestLevelDetails?.targetduration ?? 5);
}

export function watchKind(context) {
  const { Hls, hls, view, video, signal } = context;
  context.showKind = (kind) => setBadge(view, kind, context.isInterrupted);
  const showLive = (live) => context.showKind(live ? "live" : "recording");
  if (!hls) {
    const update = () => Number.isNaN(video.duration) || showLive(video.duration === Infinity);
    video.addEventListener("durationchange", update, { signal });
    return;
  }
  hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
    showLive(details.live);
    if (details.live && !("liveEdgeStart" in video)) Object.defineProperty(video, "liveEdgeStart", { get: () => liveEdgeStart(hls), configurable: true });
    if (!details.live) delete video.liveEdgeStart;
    updateControls(context, details);
  });
}
