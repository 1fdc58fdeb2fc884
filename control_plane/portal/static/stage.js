// Shows one of the page's sections: entry, resuming, waiting, player or ended. Moves the focus there for screen
// readers.
import { byId } from "./page.js";

const SECTIONS = ["entry", "resuming", "waiting", "player", "ended"];
const STATE = { player: "playing" };

export function show(name, focus) {
  for (const section of SECTIONS) byId(section).hidden = section !== name;
  document.body.dataset.state = STATE[name] ?? name;
  window.scrollTo(0, 0);
  (focus ?? byId(name).querySelector("h1"))?.focus({ preventScroll: true });
}

/** Announces a sentence to screen readers. */
export function announce(sentence) {
  byId("announcer").textContent = sentence;
}
