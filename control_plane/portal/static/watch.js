// After a code is accepted: wait for the start, play, and show why it ended. Loaded only then.
import { serverNow } from "./clock.js";
import { showEnding } from "./ended.js";
import { offerToGoOnWith } from "./embedded.js";
import { page } from "./page.js";
import { Session } from "./session.js";
import { backoff, sleep } from "./time.js";
import { waitForStart } from "./waiting.js";
import { forgetPosition } from "./watching.js";

const loadPlayer = () => import("./player.js");

function mustWait({ event, isHeld }) {
  return isHeld || (!event.isLive && serverNow() < Date.parse(event.startsAt));
}

/** Retries loading the player if the network is down at the start: a waiting viewer must not get a blank page. */
async function retryUntilLoaded(load, signal) {
  for (let failures = 0; ; failures += 1) {
    try {
      return await load();
    } catch (error) {
      if (signal.aborted) throw error;
      await sleep(backoff(failures), signal);
    }
  }
}

/** Plays, and goes back to waiting if there is no stream yet. Resolves when the session is over. */
async function run(session, stage) {
  let wait = mustWait(session);
  while (!session.over) {
    if (wait) await waitForStart(session);
    const player = await retryUntilLoaded(loadPlayer, session.signal);
    if (session.over) return;
    stage.player = player.openPlayer(session);
    wait = (await stage.player.finished) === "no-stream";
    stage.player.close();
  }
}

export const end = showEnding;

/** Resolves to a function that ends the session when the viewer leaves. Throws if the player cannot be loaded. */
export async function watch(grant, code) {
  if (code) forgetPosition();
  const session = new Session(grant, code);
  offerToGoOnWith(session);
  document.title = `${grant.event.title} · ${page.appName}`;
  const stage = {};
  session.onOver = (ending) => {
    stage.player?.close();
    showEnding({ reason: ending.reason, message: ending.message, until: session.expiresAt }, session.code);
  };
  session.onHeld = () => stage.player?.wait();
  const leave = () => {
    session.leave();
    stage.player?.close();
  };
  if (!mustWait(session)) await loadPlayer().catch((error) => { leave(); throw error; });
  run(session, stage).catch(() => {});
  return leave;
}
