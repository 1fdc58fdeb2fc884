// What follows an accepted code: wait for the start, play, and say why it ended. Loaded only then.
import { serverNow } from "./clock.js";
import { showEnding } from "./ended.js";
import { offerToGoOnWith } from "./embedded.js";
import { page } from "./page.js";
import { Session } from "./session.js";
import { backoff, sleep } from "./time.js";
import { waitForStart } from "./waiting.js";
import { forgetPosition } from "./watching.js";

const loadPlayer = () => import("./player.js");

function notYet({ event, isHeld }) {
  return isHeld || (!event.isLive && serverNow() < Date.parse(event.startsAt));
}

/** The hour has come and the network has not: somebody who waited must not be left with a blank page. */
async function insist(load, signal) {
  for (let failures = 0; ; failures += 1) {
    try {
      return await load();
    } catch (error) {
      if (signal.aborted) throw error;
      await sleep(backoff(failures), signal);
    }
  }
}

/** Plays, and goes back to waiting when the hour has come but the stream has not. Returns when the session is over. */
async function run(session, stage) {
  let wait = notYet(session);
  while (!session.over) {
    if (wait) await waitForStart(session);
    const player = await insist(loadPlayer, session.signal);
    if (session.over) return;
    stage.player = player.openPlayer(session);
    wait = (await stage.player.finished) === "no-stream";
    stage.player.close();
  }
}

export const end = showEnding;

/** Returns what ends it from outside: the viewer leaves. Throws when the player cannot be loaded at once. */
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
  if (!notYet(session)) await loadPlayer().catch((error) => { leave(); throw error; });
  run(session, stage).catch(() => {});
  return leave;
}
