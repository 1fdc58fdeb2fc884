// Which of the page's sections is on: entry, resuming, waiting, player or ended. Moves the focus along, so that a screen reader follows.
import { byId } from "./page.js";

const SECTIONS = ["entry", "resuming", "waiting", "player", "ended"];
const STATE = { player: "playing" };

export function show(name, focus) {
  for (const section of SECTIONS) byId(section).hidden = section !== name;
  document.body.dataset.state = STATE[name] ?? name;
  window.scrollTo(0, 0);
  (focus ?? byId(name).querySelector("h1"))?.focus({ preventScroll: true });
}

/** Says something to those who cannot see it. */
export function announce(sentence) {
  byId("announcer").textContent = sentence;
}
