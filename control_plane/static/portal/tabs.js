// Which tabs of this browser play what, as they tell each other. Only for what is said to the viewer: who may watch, the control
// plane decides. A tab that plays holds a lock of its name, so that a busy one is waited for; over plain HTTP there are no locks, and
// whoever takes longer than a moment is not heard. A frozen tab gives no answer; its page hears from the control plane what happened.
import { sleep } from "./time.js";

const ANSWER_MS = 400;
const FIRST_ANSWER_MS = 250;
const LONGEST_ANSWER_MS = 4000;
const LOOK_EVERY_MS = 50;
const LOCK = "streamgate-tab-";
const me = String(Math.random());
const others = new Map(); // a tab's name: what it plays
let mine; // the session that plays here
let channel;
let letGo = () => {};

function post(message) {
  try {
    channel?.postMessage({ from: me, ...message });
  } catch {
    channel = undefined; // closed by the browser
  }
}

const tell = (starts = false) => mine && post({ plays: { code: mine.code, sids: [...mine.sids] }, starts });
const isSameCode = (one, other) => Boolean(one && other) && one.toLowerCase() === other.toLowerCase();

function hear({ data: { from, asks, plays, starts, stops } }) {
  if (asks) tell();
  if (stops) others.delete(from);
  if (plays) others.set(from, plays);
  if (starts && isSameCode(plays.code, mine?.code)) mine.look();
}

function connect() {
  try {
    channel = new BroadcastChannel("streamgate-tabs");
    channel.onmessage = hear;
  } catch {
    channel = undefined;
  }
}

/** A tab that is closed, crashes or is thrown away lets go by itself. */
function hold() {
  letGo();
  const released = new Promise((resolve) => { letGo = resolve; });
  navigator.locks?.request(LOCK + me, () => released).catch(() => {});
}

/** The names of the other tabs that play; undefined where nobody knows. */
async function playingTabs() {
  try {
    const { held } = await navigator.locks.query();
    return held.map(({ name }) => name).filter((name) => name.startsWith(LOCK) && name !== LOCK + me).map((name) => name.slice(LOCK.length));
  } catch {
    return undefined;
  }
}

async function ask(milliseconds) {
  post({ asks: true });
  if (!channel) return;
  let tabs = await playingTabs();
  if (!tabs) await sleep(milliseconds);
  const deadline = performance.now() + LONGEST_ANSWER_MS;
  while (tabs?.some((tab) => !others.has(tab)) && performance.now() < deadline) {
    await sleep(LOOK_EVERY_MS);
    tabs = await playingTabs();
  }
}

connect();
const asked = ask(FIRST_ANSWER_MS);

const isPlayed = ({ sid, code }) => [...others.values()].some((plays) => isSameCode(plays.code, code) || (sid && plays.sids.includes(sid)));

/** Whether another tab plays that session (or what it has become), or a ticket of that code. Waits only where it might. */
export async function playsElsewhere(what) {
  await asked;
  if (!isPlayed(what)) return false;
  others.clear(); // a tab that crashed has not said that it stops
  await ask(ANSWER_MS);
  return isPlayed(what);
}

/** session: with `code`, `sids` and `look()`, which asks the control plane whether it is still on. */
export function playHere(session) {
  mine = session;
  hold();
  tell(true);
}

function fallSilent() {
  if (mine) post({ stops: true });
  letGo();
}

export function stopHere() {
  fallSilent();
  mine = undefined;
}

// An open channel or a lock may keep a page out of the back-forward cache.
addEventListener("pagehide", () => {
  fallSilent();
  channel?.close();
  channel = undefined;
});
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  connect();
  if (mine) hold();
  tell();
});
