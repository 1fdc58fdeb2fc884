// The page before the start: title, date and countdown. Polls the event's status, and starts playback once there is a
// stream.
import { eventStatus, Refusal } from "./api.js";
import { serverNow } from "./clock.js";
import { offerCalendar } from "./calendar.js";
import { countDown } from "./countdown.js";
import { offerDeviceCheck } from "./device-check.js";
import { longDate, moment, t } from "./i18n.js";
import { byId, page } from "./page.js";
import { announce, show } from "./stage.js";
import { probeStream } from "./stream-probe.js";
import { jittered, sleep } from "./time.js";

const FAR_AHEAD = 6 * 3600 * 1000;

function showTimes({ startsAt, endsAt }) {
  byId("waiting-date").textContent = longDate(new Date(startsAt));
  byId("waiting-date").dateTime = startsAt;
  byId("waiting-end").textContent = endsAt ? t("waiting_until", { date: moment(new Date(endsAt)) }) : "";
}

function describe({ title, description, posterUrl }) {
  byId("waiting-title").textContent = title;
  byId("waiting-description").textContent = description ?? "";
  byId("waiting-description").hidden = !description;
  const poster = byId("waiting-poster");
  poster.hidden = !posterUrl;
  poster.onerror = () => { poster.hidden = true; };
  if (posterUrl) poster.src = posterUrl;
}

function showNote(name) {
  const line = byId("waiting-note");
  if (line.dataset.says === name) return;
  line.dataset.says = name;
  line.textContent = t(name);
}

/** Returns "not-started", "live", "interrupted", "ended", "recording" or "held", or undefined if the request failed. */
export async function askStatus(session) {
  try {
    const { status, startsAt } = await eventStatus(session.event.id, await session.keeper.fresh());
    session.event.startsAt = startsAt ?? session.event.startsAt;
    showTimes(session.event);
    return status;
  } catch (error) {
    const isFinal = error instanceof Refusal && ["revoked", "event", "expired"].includes(error.reason);
    if (isFinal) session.end(error);
    return undefined;
  }
}

/** The status is based on the schedule or the playlist; the gate decides whether this viewer can play. */
async function canStart(session) {
  const status = await askStatus(session);
  if (session.over) return false;
  const hasBegun = serverNow() >= Date.parse(session.event.startsAt);
  if (status === "ended") showNote("waiting_over");
  else if (status === "held") showNote("waiting_held");
  else if (hasBegun) showNote("waiting_any_moment");
  // Without a status, rely on the gate: it opens by itself at the start.
  const mayPlay = ["live", "recording"].includes(status) || (status === undefined && hasBegun);
  return mayPlay && (await probeStream(session)) === 200;
}

/**
 * Returns the pause before the next poll: not beyond the start, after which many viewers are spread over three seconds.
 */
function pause(session) {
  const regular = jittered(page.statusSeconds * 1000);
  const untilStart = Date.parse(session.event.startsAt) - serverNow();
  return untilStart > 0 ? Math.min(regular, untilStart + 3000 * Math.random()) : regular;
}

/** Resolves when the stream is available or the session is over. */
export async function waitForStart(session) {
  const done = new AbortController();
  const { signal } = done;
  session.signal.addEventListener("abort", () => done.abort(), { signal });
  describe(session.event);
  showTimes(session.event);
  showNote(Date.parse(session.event.startsAt) - serverNow() > FAR_AHEAD ? "waiting_come_back" : "waiting_note");
  offerCalendar(session);
  show("waiting");
  countDown(byId("countdown"), () => Date.parse(session.event.startsAt), signal);
  offerDeviceCheck(session, signal);
  while (!session.over && !(await canStart(session))) await sleep(pause(session), signal);
  session.isHeld = false;
  if (!session.over) announce(t("waiting_starting"));
  done.abort();
}
