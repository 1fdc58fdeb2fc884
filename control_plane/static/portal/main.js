// Where the page begins: asks to resume if this tab was watching, otherwise for a code, and brings in the rest once one is accepted.
import { Refusal, release, resume } from "./api.js";
import { showCodeEntry, startCodeEntry, watchHere } from "./code-entry.js";
import { offerWindow } from "./embedded.js";
import { loadIcons } from "./icons.js";
import { byId, loadStyle } from "./page.js";
import { show } from "./stage.js";
import { playsElsewhere } from "./tabs.js";
import { backoff, sleep } from "./time.js";
import { forgetWatching, wasWatching, watchedSid } from "./watching.js";

const STYLES = ["watch.css", "controls.css", "overlays.css", "tv.css", "forced-colors.css"];
const { title } = document;
let leave = () => {};

function toEntry(code) {
  leave();
  leave = () => {};
  forgetWatching();
  document.title = title;
  showCodeEntry(code);
}

/** The rest of the page (session, waiting, player, endings) is only fetched by somebody with a ticket. */
async function loadWatch() {
  import("./player.js").catch(() => {}); // asked for again, and waited for, where it is needed
  const [watch] = await Promise.all([import("./watch.js"), ...STYLES.map(loadStyle)]);
  return watch;
}

async function admit(grant, code) {
  const { watch } = await loadWatch();
  leave = await watch(grant, code);
}

async function tellWhyNot(refusal) {
  forgetWatching();
  if (refusal.reason === "no-session" || refusal.status === 401) return showCodeEntry();
  const { end } = await loadWatch();
  end(refusal);
}

/** A server that is away for a moment must not cost a reloading viewer the seat. */
function admitDelay() {
  byId("resuming-trouble").hidden = false;
  byId("resuming").querySelector("[data-to-entry]").hidden = false;
}

/** A duplicate of a tab that goes on playing: nothing is forgotten, since the viewer may wish to watch here. */
async function tellOtherTab() {
  const { end } = await loadWatch();
  end({ reason: "replaced" });
}

/** isWish: the viewer said so; otherwise another tab may be playing with what this one remembers, a copy of it. */
async function comeBack(isWish = false) {
  loadIcons();
  show("resuming");
  const sid = watchedSid();
  if (!isWish && await playsElsewhere({ sid })) return tellOtherTab();
  const quit = new AbortController();
  leave = () => quit.abort();
  for (let failures = 0; !quit.signal.aborted; failures += 1) {
    try {
      const grant = await resume({ sid });
      return quit.signal.aborted ? release(grant.playbackToken) : await admit(grant);
    } catch (error) {
      if (error instanceof Refusal && error.status !== 429) return tellWhyNot(error);
      admitDelay();
      await sleep(backoff(failures), quit.signal);
    }
  }
}

offerWindow();
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-to-entry]");
  if (!button) return;
  const { code, here } = button.dataset;
  if (here !== "true") toEntry(code);
  else if (code) watchHere(code, admit);
  else comeBack(true);
});
const carried = startCodeEntry(admit, loadIcons);
if (wasWatching() && !carried) comeBack();
else if (matchMedia("(pointer: fine)").matches) byId("code").focus();
