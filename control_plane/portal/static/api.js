// The control plane's viewer API. Every call has one of three outcomes: a response, a refusal, or no usable answer.
import { noteServerTime } from "./clock.js";

/** The server refused the request: `reason` is a word for programs, `message` a sentence in English. */
export class Refusal extends Error {
  constructor(status, body, retryAfter) {
    super(body.error);
    Object.assign(this, { status, body, reason: body.reason, retryAfter });
  }
}

/** No response, a proxy's response or a server error: it says nothing about the ticket. */
class Unreachable extends Error {}

const TIMEOUT_MS = 15_000;

async function reach(path, init) {
  try {
    const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS), ...init });
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

/**
 * token: of a page that resumes by itself, works without cookies; sid: of a reloaded tab, needs the browser's cookie.
 */
export const resume = ({ token, sid }) => post("/api/playback/resume", token ? { headers: bearer(token) } : asJson({ sid }));
export const refresh = (token) => post("/api/playback/refresh", { headers: bearer(token) });
export const heartbeat = (token) => post("/api/playback/heartbeat", { headers: bearer(token) });

/** ownSession: for a player that plays this page's session and does not count as a second device. */
export const tvLink = (token, ownSession = false) => post("/api/playback/tv", { headers: bearer(token), body: JSON.stringify({ ownSession }) });
/** Resolves to { pausesHere }: whether a TV would take this page's seat. */
export const tvPlan = (token) => call("/api/playback/tv", { headers: bearer(token) });

/**
 * Approves the TV that shows this code, from a page that is watching. Resolves to { moved }: the TV took the page's
 * seat.
 */
export function approveTvHere(token, userCode) {
  const { body, headers } = asJson({ userCode });
  return post("/api/playback/tv/approve", { body, headers: { ...headers, ...bearer(token) } });
}

/** Approves the TV that shows `userCode` with a ticket's code instead of a session. */
export const approveTv = (userCode, code, takeover = false) => post("/api/tv/approve", asJson({ userCode, code, takeover }));

/** The TV's own requests: a code to show, and its session once the code is approved. */
export const tvCode = () => post("/api/tv/codes");
export const tvSession = (deviceCode) => post("/api/tv/session", asJson({ deviceCode }));

export const stopTv = (token) => call("/api/playback/tv", { method: "DELETE", headers: bearer(token) });

/** Releases the seat. The request must outlive the page; its response is ignored. */
export function release(token) {
  fetch("/api/playback/release", { method: "POST", headers: bearer(token), keepalive: true }).catch(() => {});
}

/**
 * Reports that the stream does not play although the network works; `file` and `status` if known. The response is
 * ignored.
 */
export function reportTrouble(token, trouble) {
  post("/api/playback/trouble", { body: JSON.stringify(trouble), headers: { ...bearer(token), "Content-Type": "application/json" } }).catch(() => {});
}

/** Sends the token, not the code: a code in the URL would be logged by every proxy. */
export function eventStatus(eventId, token) {
  return call(`/api/events/${encodeURIComponent(eventId)}/status`, { headers: bearer(token) });
}
