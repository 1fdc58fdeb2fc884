// Live or recording: decided by the stream itself, not by the plan. Sets the badge, the DVR window and the live edge.
import { t } from "./i18n.js";
import { announce } from "./stage.js";

/** A window shorter than this is the encoder's own margin, not something to go back in. */
const DVR_FROM_SECONDS = 30;

function setBadge({ badge, section }, kind) {
  if (badge.dataset.kind === kind) return false;
  badge.dataset.kind = kind;
  section.dataset.kind = kind;
  badge.hidden = false;
  badge.querySelector(".badge-text").textContent = t(`badge_${kind}`);
  return true;
}

/** media-chrome reads these from the element; hls-video does not know them. */
function tellControls({ view, video, hls }, details) {
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
  const { Hls, hls, view, video, toast, signal } = context;
  const changed = (live) => {
    const before = view.badge.dataset.kind;
    if (!setBadge(view, live ? "live" : "recording")) return;
    if (before === "live") toast(t("toast_broadcast_over"));
    else announce(t(live ? "badge_live" : "badge_recording"));
  };
  if (!hls) {
    video.addEventListener("durationchange", () => Number.isNaN(video.duration) || changed(video.duration === Infinity), { signal });
    return;
  }
  hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
    changed(details.live);
    if (details.live && !("liveEdgeStart" in video)) Object.defineProperty(video, "liveEdgeStart", { get: () => liveEdgeStart(hls), configurable: true });
    if (!details.live) delete video.liveEdgeStart;
    tellControls(context, details);
  });
}
