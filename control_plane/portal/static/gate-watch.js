// Detects a refusal even if hls.js sends no requests: a recording that is completely buffered would play to its end.
import { probeStream } from "./stream-probe.js";
import { repeat } from "./time.js";

const SHORTEST_MS = 2000;
const LONGEST_MS = 30_000;

/**
 * While playing, sends a request to the gate at least once per segment duration. Reports successes to the other parts.
 */
export function watchGate({ Hls, hls, session, video, patience, signal }) {
  let segment = SHORTEST_MS;
  let failures = 0;
  let lastRequestAt = Date.now();
  const noteAllowed = () => {
    lastRequestAt = Date.now();
    failures = 0;
    session.keeper.worked();
    session.gateSaw();
  };
  hls?.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
    segment = Math.max(SHORTEST_MS, details.targetduration * 1000);
    noteAllowed();
    patience.playlists.worked();
  });
  hls?.on(Hls.Events.FRAG_LOADED, () => {
    noteAllowed();
    patience.segments.worked();
  });
  repeat(() => SHORTEST_MS / 2, async () => {
    const pause = Math.min(LONGEST_MS, segment * 2 ** failures);
    if (video.paused || session.keeper.suspected || Date.now() - lastRequestAt < pause) return;
    lastRequestAt = Date.now();
    if ((await probeStream(session)) === 200) noteAllowed();
    else failures += 1;
  }, signal);
}
