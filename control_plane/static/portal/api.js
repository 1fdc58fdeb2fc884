// The control plane's viewer API. Every call either answers, is refused, or does not get through: three different things.
import { noteServerTime } from "./clock.js";

/** The server said no, and why: `reason` is a word, `message` its sentence in English. */
export class Refusal extends Error {
  constructor(status, body, retryAfter) {
    super(body.error);
    Object.assign(this, { status, body, reason: body.reason, retryAfter });
  }
}

/** No answer, a proxy's answer or a broken server: says nothing about the ticket. */
class Unreachable extends Error {}

const PATIENCE_MS = 15_000;

async function reach(path, init) {
  try {
    const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS), ...init });
    noteServerTime(response);
    return { response, body: await response.json() };
  } catch (error) {
    throw new Unreachable(error.message);
  }
}

async function call(path, init) {
  const { response, body } = await reach(path, init);
  if (response.ok) return body;
  if (response.status >= 500) throw new Unreachable(body.error);
  throw new Refusal(response.status, body, Number(response.headers.get("Retry-After")) || undefined);
}

const bearer = (token) => ({ Authorization: `Bearer ${token}` });
const post = (path, init) => call(path, { method: "POST", ...init });

const asJson = (value) => ({ body: JSON.stringify(value), headers: { "Content-Type": "application/json" } });

export const validate = (code, takeover = false) => post("/api/tokens/validate", asJson(takeover ? { code, takeover } : { code }));

/** token: of the page that goes on by itself, good without cookies; sid: of the tab that was reloaded, with its browser's cookie. */
export const resume = ({ token, sid }) => post("/api/playback/resume", token ? { headers: bearer(token) } : asJson({ sid }));
export const refresh = (token) => post("/api/playback/refresh", { headers: bearer(token) });
export const heartbeat = (token) => post("/api/playback/heartbeat", { headers: bearer(token) });

/** ownSession: for a player that shows what this page plays, and is no second device. */
export const tvLink = (token, ownSession = false) => post("/api/playback/tv", { headers: bearer(token), body: JSON.stringify({ ownSession }) });
/** pausesHere: whether this page would give a TV its own seat. */
export const tvPlan = (token) => call("/api/playback/tv", { headers: bearer(token) });

/** A page that watches lets the TV in that shows this code; moved: it has given it its own seat. */
export function approveTvHere(token, userCode) {
  const { body, headers } = asJson({ userCode });
  return post("/api/playback/tv/approve", { body, headers: { ...headers, ...bearer(token) } });
}

/** With a ticket's code instead of a session. */
export const approveTv = (userCode, code, takeover = false) => post("/api/tv/approve", asJson({ userCode, code, takeover }));

/** What a TV asks: a code to show, and its session as soon as that is approved. */
export const tvCode = () => post("/api/tv/codes");
export const tvSession = (deviceCode) => post("/api/tv/session", asJson({ deviceCode }));

export const stopTv = (token) => call("/api/playback/tv", { method: "DELETE", headers: bearer(token) });

/** Gives the seat back; must outlive the page, and nobody waits for the answer. */
export function release(token) {
  fetch("/api/playback/release", { method: "POST", headers: bearer(token), keepalive: true }).catch(() => {});
}

/** The stream does not play and the network works: `kind`, and what is known of `file` and `status`. Nobody waits for the answer. */
export function reportTrouble(token, trouble) {
  post("/api/playback/trouble", { body: JSON.stringify(trouble), headers: { ...bearer(token), "Content-Type": "application/json" } }).catch(() => {});
}

/** Asked with the token: an address, and the code in it, would stand in the logs of every proxy. */
export function eventStatus(eventId, token) {
  return call(`/api/events/${encodeURIComponent(eventId)}/status`, { headers: bearer(token) });
}
