// Code shared by the portal's and the TV's page: play an accepted grant, resume after a reload, and return to the
// entry.
import { Refusal, release, resume } from "./api.js";
import { loadIcons } from "./icons.js";
import { byId, loadStyle } from "./page.js";
import { show } from "./stage.js";
import { playsElsewhere } from "./tabs.js";
import { backoff, sleep } from "./time.js";
import { forgetWatching, watchedSid } from "./watching.js";

const STYLES = ["watch.css", "controls.css", "overlays.css", "tv.css", "forced-colors.css"];

/** Loads the rest of the page (session, waiting, player, endings), which is needed only with a ticket. */
async function loadWatch() {
  import("./player.js").catch(() => {}); // imported again, and awaited, where it is needed
  const [watch] = await Promise.all([import("./watch.js"), ...STYLES.map(loadStyle)]);
  return watch;
}

/** Shows why watching is not possible, as at the end of a session. */
export async function tellEnding(ending, code) {
  loadIcons();
  const { end } = await loadWatch();
  end(ending, code);
}

function showDelay() {
  byId("resuming-trouble").hidden = false;
  byId("resuming").querySelector("[data-to-entry]").hidden = false;
}

/**
 * showEntry(code) shows the code entry; watchHere(code, admit) redeems the viewer's own code again when they press a
 * button.
 */
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

  const showRefusal = (refusal) => {
    forgetWatching();
    return refusal.reason === "no-session" || refusal.status === 401 ? showEntry() : tellEnding(refusal);
  };

  /**
   * isRequested: the viewer asked for it. Otherwise another tab may be playing with a copy of this tab's storage. The
   * storage is kept then, because the viewer may want to watch here. A server outage must not cost them their seat.
   */
  const comeBack = async (isRequested = false) => {
    loadIcons();
    show("resuming");
    const sid = watchedSid();
    if (!isRequested && await playsElsewhere({ sid })) return tellEnding({ reason: "replaced" });
    const cancelled = new AbortController();
    leave = () => cancelled.abort();
    for (let failures = 0; !cancelled.signal.aborted; failures += 1) {
      try {
        const grant = await resume({ sid });
        return cancelled.signal.aborted ? release(grant.playbackToken) : await admit(grant);
      } catch (error) {
        if (error instanceof Refusal && error.status !== 429) return showRefusal(error);
        showDelay();
        await sleep(backoff(failures), cancelled.signal);
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
