// Remembers for this tab, and only that, which session it watched with and how far, so that a reload goes on with its own and a first
// visit does not ask. A session's id opens nothing without the browser's cookie; a code or a token must never stand here.
// A duplicated tab gets a copy. Storage may be forbidden: then a reload starts at the code entry.
const WATCHING = "sg-watching";
const POSITION = "sg-position";
const BY_AN_OLDER_PAGE = "1";

function quietly(work) {
  try {
    return work();
  } catch {
    return undefined;
  }
}

export const rememberWatching = (sid) => quietly(() => sessionStorage.setItem(WATCHING, sid));
export const wasWatching = () => Boolean(quietly(() => sessionStorage.getItem(WATCHING)));

/** The id of the session, or undefined. */
export function watchedSid() {
  const sid = quietly(() => sessionStorage.getItem(WATCHING));
  return sid && sid !== BY_AN_OLDER_PAGE ? sid : undefined;
}

export const rememberPosition = (seconds) => quietly(() => sessionStorage.setItem(POSITION, String(Math.floor(seconds))));
export const forgetPosition = () => quietly(() => sessionStorage.removeItem(POSITION));
/** Seconds into the recording, or undefined. */
export const lastPosition = () => Number(quietly(() => sessionStorage.getItem(POSITION))) || undefined;

export function forgetWatching() {
  quietly(() => sessionStorage.removeItem(WATCHING));
  forgetPosition();
}
