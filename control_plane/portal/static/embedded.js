// The portal in a frame on another site. Browsers send none of our cookies there, so the page uses headers and memory
// only, and offers to continue in a window of its own, where reloading and the lock screen work as usual.
import { readCode } from "./code-field.js";

export const isEmbedded = window.top !== window.self;

let currentSession; // the session, once there is one

/** Makes the offered window start with this session's code. */
export function offerToGoOnWith(session) {
  currentSession = session;
}

/**
 * The code is passed in the fragment, which no server sees. The click also leaves this page (data-to-entry), which
 * frees the seat.
 */
export function offerWindow() {
  document.documentElement.classList.toggle("embedded", isEmbedded);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-open-window]");
    const code = currentSession && !currentSession.over ? currentSession.code : readCode();
    if (link) link.href = code ? `/#${encodeURIComponent(code)}` : "/";
  }, { capture: true });
}
