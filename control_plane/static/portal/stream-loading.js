// How hls.js asks for playlists and segments: with a token that is fresh, and with patience that ends.
import { POLICY } from "./patience.js";

const REFUSED = new Set([401, 403, 410]);

/** A refusal is answered by one refresh (the next try waits for it); silence and broken servers by patience; a missing file by neither. */
function makeRetryRule(keeper, sentWith, budget) {
  return (_policy, _count, isTimeout, response, usual) => {
    const status = response?.code;
    if (keeper.stopped) return false;
    if (!navigator.onLine) return true;
    if (REFUSED.has(status)) keeper.refusedBy(sentWith.get(response.url) ?? keeper.token);
    else if (status && status < 500) return usual;
    else if (!response && !isTimeout) return usual;
    return budget.isLeft;
  };
}

function policy(shouldRetry, firstByteMs, wholeMs) {
  const retry = { ...POLICY, shouldRetry };
  return { default: { maxTimeToFirstByteMs: firstByteMs, maxLoadTimeMs: wholeMs, timeoutRetry: retry, errorRetry: retry } };
}

/** hls.js leaves opening the request to an asynchronous xhrSetup. Only the stream's own server gets the token. */
function makeRequestSetup({ keeper, streamBase }, sentWith, isFresh) {
  return async (request, url) => {
    const ours = url.startsWith(streamBase);
    const token = ours && await keeper.fresh();
    if (keeper.stopped) throw new Error("The session is over.");
    request.open("GET", url, true);
    if (!ours) return;
    request.setRequestHeader("Authorization", `Bearer ${token}`);
    if (isFresh()) request.setRequestHeader("Cache-Control", "max-age=0");
    if (sentWith.size > 500) sentWith.clear();
    sentWith.set(url, token);
  };
}

/**
 * Never more than 30 s ahead, so that a refusal is met within a segment's duration and little is left to throw away.
 * isFresh(): must the browser ask whether what it kept has changed? An encoder that starts again gives old names to new segments.
 */
export function loadSettings(session, patience, isFresh) {
  const sentWith = new Map();
  const [playlists, segments] = [patience.playlists, patience.segments].map((budget) => makeRetryRule(session.keeper, sentWith, budget));
  return {
    xhrSetup: makeRequestSetup(session, sentWith, isFresh),
    workerPath: new URL("../vendor/hls.worker.js", import.meta.url).href,
    maxBufferLength: 20, maxMaxBufferLength: 30, backBufferLength: 60, capLevelToPlayerSize: true,
    manifestLoadPolicy: policy(playlists, 10_000, 20_000),
    playlistLoadPolicy: policy(playlists, 10_000, 20_000),
    fragLoadPolicy: policy(segments, 10_000, 60_000),
    keyLoadPolicy: policy(segments, 8000, 20_000),
  };
}
