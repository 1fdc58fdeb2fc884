// What both pages share, the portal's and the TV's: from an accepted grant to the picture, back after a reload, and to the entry again.
import { Refusal, release, resume } from "./api.js";
import { loadIcons } from "./icons.js";
import { byId, loadStyle } from "./page.js";
import { show } from "./stage.js";
import { playsElsewhere } from "./tabs.js";
import { backoff, sleep } from "./time.js";
import { forgetWatching, watchedSid } from "./watching.js";

const STYLES = ["watch.css", "controls.css", "overlays.css", "tv.css", "forced-colors.css"];

/** The rest of the page (session, waiting, player, endings) is only fetched by somebody with a ticket. */
async function loadWatch() {
  import("./player.js").catch(() => {}); // asked for again, and waited for, where it is needed
  const [watch] = await Promise.all([import("./watch.js"), ...STYLES.map(loadStyle)]);
  return watch;
}

/** Says why it is over, as after a session. */
export async function tellEnding(ending, code) {
  loadIcons();
  const { end } = await loadWatch();
  end(ending, code);
}

function admitDelay() {
  byId("resuming-trouble").hidden = false;
  byId("resuming").querySelector("[data-to-entry]").hidden = false;
}

/** showEntry(code) shows where it begins; watchHere(code, admit) lets the viewer's own ticket in again, at the press of a button. */
export function openShell({ showEntry, watchHere }) {
  const { title } = document;
  let leave = () => {};

  const toEntry = (code) => {
    leave();
    leave = () => {};
    forgetWatching();
    document.title = title;
    showEntry(code);
  };

  const admit = async (grant, code) => {
    const { watch } = await loadWatch();
    leave = await watch(grant, code);
  };

  const tellWhyNot = (refusal) => {
    forgetWatching();
    return refusal.reason === "no-session" || refusal.status === 401 ? showEntry() : tellEnding(refusal);
  };

  /** isWish: the viewer said so; otherwise another tab may be playing with what this one remembers, a copy of it. Nothing is
   * forgotten then, since the viewer may wish to watch here. A server that is away for a moment must not cost anybody the seat. */
  const comeBack = async (isWish = false) => {
    loadIcons();
    show("resuming");
    const sid = watchedSid();
    if (!isWish && await playsElsewhere({ sid })) return tellEnding({ reason: "replaced" });
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
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-to-entry]");
    if (!button) return;
    const { code, here } = button.dataset;
    if (here !== "true") toEntry(code);
    else if (code) watchHere(code, admit);
    else comeBack(true);
  });
  return { admit, comeBack };
}
