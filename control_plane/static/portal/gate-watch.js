// Notices a refusal also when hls.js asks for nothing: a recording that is wholly in the buffer would play on to its end.
import { probeStream } from "./stream-probe.js";
import { repeat } from "./time.js";

const SHORTEST_MS = 2000;
const LONGEST_MS = 30_000;

/** While playing, the gate is asked something at least once in every segment's duration. Says to the others what worked. */
export function watchGate({ Hls, hls, session, video, patience, signal }) {
  let segment = SHORTEST_MS;
  let failures = 0;
  let lastAsked = Date.now();
  const allowed = () => {
    lastAsked = Date.now();
    failures = 0;
    session.keeper.worked();
    session.gateSaw();
  };
  hls?.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
    segment = Math.max(SHORTEST_MS, details.targetduration * 1000);
    allowed();
    patience.playlists.worked();
  });
  hls?.on(Hls.Events.FRAG_LOADED, () => {
    allowed();
    patience.segments.worked();
  });
  repeat(() => SHORTEST_MS / 2, async () => {
    const pause = Math.min(LONGEST_MS, segment * 2 ** failures);
    if (video.paused || session.keeper.suspected || Date.now() - lastAsked < pause) return;
    lastAsked = Date.now();
    if ((await probeStream(session)) === 200) allowed();
    else failures += 1;
  }, signal);
}
