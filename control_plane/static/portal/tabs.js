// Which tabs of this browser play what, as they tell each other. Only for what is said to the viewer: who may watch, the control
// plane decides. A frozen tab, or a browser without the channel, gives no answer; its page hears from the control plane what happened.
const ANSWER_MS = 400;
const FIRST_ANSWER_MS = 250;
const me = String(Math.random());
const others = new Map(); // a tab's name: what it plays
let mine; // the session that plays here
let channel;

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
  if (!plays) return;
  others.set(from, plays);
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

function ask(milliseconds) {
  post({ asks: true });
  return new Promise((resolve) => { setTimeout(resolve, channel ? milliseconds : 0); });
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
  tell(true);
}

export function stopHere() {
  if (mine) post({ stops: true });
  mine = undefined;
}

// An open channel may keep a page out of the back-forward cache.
addEventListener("pagehide", () => {
  if (mine) post({ stops: true });
  channel?.close();
  channel = undefined;
});
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  connect();
  tell();
});
