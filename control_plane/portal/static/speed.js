// Estimates the speed of the connection by loading the player's own file several times, bypassing the cache, and reads
// the bit rates of the stream.
const FILE = new URL("../vendor/player.js", import.meta.url).href;
const LOADS = 4;
const LONGEST_MS = 4000;
const TIMEOUT_MS = 12_000;

async function loadOnce(number) {
  const url = `${FILE}?speed=${number}`;
  performance.clearResourceTimings();
  const response = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  await response.arrayBuffer();
  const { encodedBodySize, requestStart, responseEnd } = performance.getEntriesByName(url).at(-1);
  return (encodedBodySize * 8000) / Math.max(1, responseEnd - requestStart);
}

/** Returns bits per second, the best of several tries; 0 if nothing could be loaded. */
export async function measureSpeed() {
  const startedAt = performance.now();
  let best = 0;
  for (let number = 0; number < LOADS && performance.now() - startedAt < LONGEST_MS; number += 1) {
    best = Math.max(best, await loadOnce(number).catch(() => 0));
  }
  return best;
}

/** Returns the bit rates of the stream's renditions, lowest first; empty if they are not known (yet). */
export async function streamRates(session) {
  try {
    const headers = { Authorization: `Bearer ${await session.keeper.fresh()}` };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(session.streamUrl, { cache: "no-store", headers, signal });
    const text = response.ok ? await response.text() : "";
    return [...text.matchAll(/^#EXT-X-STREAM-INF:(?:.*,)?BANDWIDTH=(\d{1,12})/gm)].map((found) => Number(found[1])).sort((a, b) => a - b);
  } catch {
    return [];
  }
}
