// The portal in a frame on another site's page. Browsers send no cookie of ours there, so the page goes on by header and by what it
// has in memory, and it offers to go on in a window of its own, where a reload and the lock screen work as ever.
import { readCode } from "./code-field.js";

export const isEmbedded = window.top !== window.self;

let watching; // the session, once there is one

/** The window that is offered begins with this session's code. */
export function offerToGoOnWith(session) {
  watching = session;
}

/** The code travels in the fragment, which no server sees. The click also leaves here (data-to-entry), so the seat is free there. */
export function offerWindow() {
  document.documentElement.classList.toggle("embedded", isEmbedded);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-open-window]");
    const code = watching && !watching.over ? watching.code : readCode();
    if (link) link.href = code ? `/#${encodeURIComponent(code)}` : "/";
  }, { capture: true });
}
