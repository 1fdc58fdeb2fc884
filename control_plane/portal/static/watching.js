// Stores, for this tab only, the session's id and the position, so that a reload resumes its own session and a first
// visit sends no request. The id is useless without the browser's cookie; a code or a token must never be stored here.
// A duplicated tab gets a copy. Storage may be disabled: then a reload starts at the code entry.
const WATCHING = "sg-watching";
const POSITION = "sg-position";
const LEGACY_VALUE = "1";

function tryTo(work) {
  try {
    return work();
  } catch {
    return undefined;
  }
}

export const rememberWatching = (sid) => tryTo(() => sessionStorage.setItem(WATCHING, sid));
export const wasWatching = () => Boolean(tryTo(() => sessionStorage.getItem(WATCHING)));

/** Returns the id of the session, or undefined. */
export function watchedSid() {
  const sid = tryTo(() => sessionStorage.getItem(WATCHING));
  return sid && sid !== LEGACY_VALUE ? sid : undefined;
}

export const rememberPosition = (seconds) => tryTo(() => sessionStorage.setItem(POSITION, String(Math.floor(seconds))));
export const forgetPosition = () => tryTo(() => sessionStorage.removeItem(POSITION));
/** Returns the position in the recording in seconds, or undefined. */
export const lastPosition = () => Number(tryTo(() => sessionStorage.getItem(POSITION))) || undefined;

export function forgetWatching() {
  tryTo(() => sessionStorage.removeItem(WATCHING));
  forgetPosition();
}
