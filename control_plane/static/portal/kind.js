// Live or recording: decided by the stream itself, not by the plan. Sets the badge, the DVR window and the live edge.
import { t } from "./i18n.js";
import { announce } from "./stage.js";

/** A window shorter than this is the encoder's own margin, not something to go back in. */
const DVR_FROM_SECONDS = 30;

/** A broadcast that is interrupted keeps the controls of a live one. */
function setBadge({ badge, section }, kind, isInterrupted) {
  const shown = isInterrupted && kind === "live" ? "interrupted" : kind;
  if (badge.dataset.kind === shown) return;
  badge.dataset.kind = shown;
  section.dataset.kind = kind;
  badge.hidden = false;
  badge.querySelector(".badge-text").textContent = t(`badge_${shown}`);
  announce(t(`badge_${shown}`));
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
  const { Hls, hls, view, video, signal } = context;
  context.showKind = (kind) => setBadge(view, kind, context.isInterrupted);
  const changed = (live) => context.showKind(live ? "live" : "recording");
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
