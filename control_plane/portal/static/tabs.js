// Tabs of this browser tell each other what they play. This is used only to inform the viewer: the control plane
// decides who may watch. A tab that plays holds a lock with its id, so that others wait for its answer even if it is
// busy. Plain HTTP has no locks: a slow tab is ignored. A frozen tab does not answer; it learns from the control plane
// later what happened.
import { sleep } from "./time.js";

const ANSWER_MS = 400;
const FIRST_ANSWER_MS = 250;
const LONGEST_ANSWER_MS = 4000;
const CHECK_EVERY_MS = 50;
const LOCK = "streamgate-tab-";
const ownId = String(Math.random());
const otherTabs = new Map(); // maps a tab's id to what it plays
let ownSession; // the session that this tab plays
let channel;
let releaseLock = () => {};

function post(message) {
  try {
    channel?.postMessage({ from: ownId, ...message });
  } catch {
    channel = undefined; // closed by the browser
  }
}

const announce = (starts = false) =>
  ownSession && post({ plays: { code: ownSession.code, sids: [...ownSession.sids] }, starts });
const isSameCode = (one, other) => Boolean(one && other) && one.toLowerCase() === other.toLowerCase();

function handleMessage({ data: { from, asks, plays, starts, stops } }) {
  if (asks) announce();
  if (stops) otherTabs.delete(from);
  if (plays) otherTabs.set(from, plays);
  if (starts && isSameCode(plays.code, ownSession?.code)) ownSession.look();
}

function connect() {
  try {
    channel = new BroadcastChannel("streamgate-tabs");
    channel.onmessage = handleMessage;
  } catch {
    channel = undefined;
  }
}

/** The lock is released automatically if the tab is closed, crashes or is discarded. */
function acquireLock() {
  releaseLock();
  const released = new Promise((resolve) => { releaseLock = resolve; });
  navigator.locks?.request(LOCK + ownId, () => released).catch(() => {});
}

/** Returns the ids of the other tabs that play, or undefined without locks. */
async function playingTabs() {
  try {
    const { held } = await navigator.locks.query();
    return held.map(({ name }) => name)
      .filter((name) => name.startsWith(LOCK) && name !== LOCK + ownId)
      .map((name) => name.slice(LOCK.length));
  } catch {
    return undefined;
  }
}

async function queryTabs(milliseconds) {
  post({ asks: true });
  if (!channel) return;
  let tabs = await playingTabs();
  if (!tabs) await sleep(milliseconds);
  const deadline = performance.now() + LONGEST_ANSWER_MS;
  while (tabs?.some((tab) => !otherTabs.has(tab)) && performance.now() < deadline) {
    await sleep(CHECK_EVERY_MS);
    tabs = await playingTabs();
  }
}

connect();
const firstQuery = queryTabs(FIRST_ANSWER_MS);

const isPlayedElsewhere = ({ sid, code }) =>
  [...otherTabs.values()].some((plays) => isSameCode(plays.code, code) || (sid && plays.sids.includes(sid)));

/** Returns whether another tab plays that session (also under a newer id), or the ticket of that code. */
export async function playsElsewhere(wanted) {
  await firstQuery;
  if (!isPlayedElsewhere(wanted)) return false;
  otherTabs.clear(); // a tab that crashed has not announced that it stopped
  await queryTabs(ANSWER_MS);
  return isPlayedElsewhere(wanted);
}

/** session: has `code`, `sids` and `look()`, which checks with the control plane whether it is still valid. */
export function playHere(session) {
  ownSession = session;
  acquireLock();
  announce(true);
}

function announceStop() {
  if (ownSession) post({ stops: true });
  releaseLock();
}

export function stopHere() {
  announceStop();
  ownSession = undefined;
}

// An open channel or a lock may keep a page out of the back-forward cache.
addEventListener("pagehide", () => {
  announceStop();
  channel?.close();
  channel = undefined;
});
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  connect();
  if (ownSession) acquireLock();
  announce();
});
