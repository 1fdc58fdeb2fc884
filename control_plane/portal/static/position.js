// A recording continues at its last position after a reload of the page or of a native player. Live streams start at
// the edge.
import { lastPosition, rememberPosition } from "./watching.js";

const SAVE_EVERY_MS = 3000;

export function keepPosition({ Hls, hls, view, video, signal }) {
  let savedAt = 0;
  const seekToSaved = (live, end) => {
    const position = lastPosition();
    if (position && !live && position < end - 5) video.currentTime = position;
  };
  hls?.once(Hls.Events.LEVEL_LOADED, (_, { details }) => seekToSaved(details.live, details.totalduration));
  const onMetadata = () => seekToSaved(video.duration === Infinity, video.duration);
  if (!hls) video.addEventListener("loadedmetadata", onMetadata, { signal });
  video.addEventListener("timeupdate", () => {
    if (!video.currentTime) return; // a browser that starts to load again reports 0 first: that is not a position to continue at
    if (view.badge.dataset.kind !== "recording" || Date.now() - savedAt < SAVE_EVERY_MS) return;
    savedAt = Date.now();
    rememberPosition(video.currentTime);
  }, { signal });
}
