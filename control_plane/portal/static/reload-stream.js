// Reloads the stream and discards what was loaded: a live stream continues at its edge, a recording at its position.

/** Returns the function that reloads. The player and everything attached to it stay. */
export function makeReloadStream(context) {
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
