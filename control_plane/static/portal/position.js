// A recording goes on where it was when the page, or what a native player plays, is loaded again. Live streams start at the live edge.
import { lastPosition, rememberPosition } from "./watching.js";

const EVERY_MS = 3000;

export function keepPosition({ Hls, hls, view, video, signal }) {
  let savedAt = 0;
  const goOn = (live, end) => {
    const from = lastPosition();
    if (from && !live && from < end - 5) video.currentTime = from;
  };
  hls?.once(Hls.Events.LEVEL_LOADED, (_, { details }) => goOn(details.live, details.totalduration));
  if (!hls) video.addEventListener("loadedmetadata", () => goOn(video.duration === Infinity, video.duration), { signal });
  video.addEventListener("timeupdate", () => {
    if (!video.currentTime) return; // where the browser begins to load again, it says zero first: that is no place to go on from
    if (view.badge.dataset.kind !== "recording" || Date.now() - savedAt < EVERY_MS) return;
    savedAt = Date.now();
    rememberPosition(video.currentTime);
  }, { signal });
}
