// Loads the stream anew, and throws away what was loaded: a live stream goes on at its edge, a recording where it was.

/** Returns the function that does it. The player and all that is wired to it stay. */
export function makeLoadAnew(context) {
  const { session, video, patience } = context;
  let position = -1;
  video.addEventListener("timeupdate", () => { if (video.currentTime > 0) position = video.currentTime; }, { signal: context.signal });
  return async () => {
    const { hls } = context;
    patience.worked();
    if (hls) {
      const isRecording = hls.latestLevelDetails?.live === false;
      hls.loadSource(session.streamUrl);
      hls.startLoad(isRecording ? position : -1);
    } else await context.reload();
    video.play().catch(() => {});
  };
}
