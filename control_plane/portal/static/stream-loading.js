// How hls.js requests playlists and segments: with a fresh token, and with a limited time for retries.
import { POLICY } from "./patience.js";

const REFUSED = new Set([401, 403, 410]);

/**
 * After a refusal the token is refreshed (the next try waits for it); timeouts and server errors are retried; a missing
 * file is not.
 */
function makeRetryRule(keeper, tokenByUrl, budget) {
  return (_policy, _count, isTimeout, response, defaultDecision) => {
    const status = response?.code;
    if (keeper.stopped) return false;
    if (!navigator.onLine) return true;
    if (REFUSED.has(status)) keeper.refusedBy(tokenByUrl.get(response.url) ?? keeper.token);
    else if (status && status < 500) return defaultDecision;
    else if (!response && !isTimeout) return defaultDecision;
    return budget.isLeft;
  };
}

function policy(shouldRetry, firstByteMs, wholeMs) {
  const retry = { ...POLICY, shouldRetry };
  return { default: { maxTimeToFirstByteMs: firstByteMs, maxLoadTimeMs: wholeMs, timeoutRetry: retry, errorRetry: retry } };
}

/**
 * With an asynchronous xhrSetup hls.js does not open the request itself. Only the stream's own server gets the token.
 */
function makeRequestSetup({ keeper, streamBase }, tokenByUrl, isFresh) {
  return async (request, url) => {
    const isOurs = url.startsWith(streamBase);
    const token = isOurs && await keeper.fresh();
    if (keeper.stopped) throw new Error("The session is over.");
    request.open("GET", url, true);
    if (!isOurs) return;
    request.setRequestHeader("Authorization", `Bearer ${token}`);
    if (isFresh()) request.setRequestHeader("Cache-Control", "max-age=0");
    if (tokenByUrl.size > 500) tokenByUrl.clear();
    tokenByUrl.set(url, token);
  };
}

/**
 * Never buffers more than 30 s, so that a refusal is noticed within a segment's duration and little must be discarded.
 * isFresh(): whether the browser must revalidate its cache. An encoder that restarts gives old names to new segments.
 */
export function loadSettings(session, patience, isFresh) {
  const tokenByUrl = new Map();
  const makeRule = (budget) => makeRetryRule(session.keeper, tokenByUrl, budget);
  const [playlists, segments] = [patience.playlists, patience.segments].map(makeRule);
  return {
    xhrSetup: makeRequestSetup(session, tokenByUrl, isFresh),
    workerPath: new URL("../vendor/hls.worker.js", import.meta.url).href,
    maxBufferLength: 20, maxMaxBufferLength: 30, backBufferLength: 60, capLevelToPlayerSize: true,
    manifestLoadPolicy: policy(playlists, 10_000, 20_000),
    playlistLoadPolicy: policy(playlists, 10_000, 20_000),
    fragLoadPolicy: policy(segments, 10_000, 60_000),
    keyLoadPolicy: policy(segments, 8000, 20_000),
  };
}
