// A reloaded recording goes on where it was. Live streams start at the live edge whatever was before.
import { lastPosition, rememberPosition } from "./watching.js";

const EVERY_MS = 3000;

export function keepPosition({ Hls, hls, view, video, signal }) {
  const from = lastPosition();
  let savedAt = 0;
  hls?.once(Hls.Events.LEVEL_LOADED, (_, { details }) => {
    if (from && !details.live && from < details.totalduration - 5) video.currentTime = from;
  });
  video.addEventListener("timeupdate", () => {
    if (view.badge.dataset.kind !== "recording" || Date.now() - savedAt < EVERY_MS) return;
    savedAt = Date.now();
    rememberPosition(video.currentTime);
  }, { signal });
}
