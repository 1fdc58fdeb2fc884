// Remembers for this tab, and only that, that somebody was watching and how far, so that a reload asks to resume and a first
// visit does not. Must never hold a code or a token. Storage may be forbidden: then a reload starts at the code entry.
const WATCHING = "sg-watching";
const POSITION = "sg-position";

function quietly(work) {
  try {
    return work();
  } catch {
    return undefined;
  }
}

export const rememberWatching = () => quietly(() => sessionStorage.setItem(WATCHING, "1"));
export const wasWatching = () => quietly(() => sessionStorage.getItem(WATCHING)) === "1";

export const rememberPosition = (seconds) => quietly(() => sessionStorage.setItem(POSITION, String(Math.floor(seconds))));
export const forgetPosition = () => quietly(() => sessionStorage.removeItem(POSITION));
/** Seconds into the recording, or undefined. */
export const lastPosition = () => Number(quietly(() => sessionStorage.getItem(POSITION))) || undefined;

export function forgetWatching() {
  quietly(() => sessionStorage.removeItem(WATCHING));
  forgetPosition();
}
