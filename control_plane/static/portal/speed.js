// How fast this device's connection is, about, and what the stream asks for. Loads the player's own file a few times past the cache.
const FILE = new URL("../vendor/player.js", import.meta.url).href;
const LOADS = 4;
const LONGEST_MS = 4000;
const PATIENCE_MS = 12_000;

async function loadOnce(number) {
  const url = `${FILE}?speed=${number}`;
  performance.clearResourceTimings();
  const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  await answer.arrayBuffer();
  const { encodedBodySize, requestStart, responseEnd } = performance.getEntriesByName(url).at(-1);
  return (encodedBodySize * 8000) / Math.max(1, responseEnd - requestStart);
}

/** Bits a second, the best of some tries; 0 when nothing could be loaded. */
export async function measureSpeed() {
  const began = performance.now();
  let best = 0;
  for (let number = 0; number < LOADS && performance.now() - began < LONGEST_MS; number += 1) {
    best = Math.max(best, await loadOnce(number).catch(() => 0));
  }
  return best;
}

/** The bit rates of the stream's renditions, lowest first; empty when nothing is known (yet). */
export async function streamRates(session) {
  try {
    const headers = { Authorization: `Bearer ${await session.keeper.fresh()}` };
    const answer = await fetch(session.streamUrl, { cache: "no-store", headers, signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = answer.ok ? await answer.text() : "";
    return [...text.matchAll(/^#EXT-X-STREAM-INF:(?:.*,)?BANDWIDTH=(\d{1,12})/gm)].map((found) => Number(found[1])).sort((a, b) => a - b);
  } catch {
    return [];
  }
}
