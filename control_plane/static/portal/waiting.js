// Before the start: what, when, how long still. Asks how the event stands and lets the player in once there is something to play.
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

function tellWhen({ startsAt, endsAt }) {
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

function note(name) {
  const line = byId("waiting-note");
  if (line.dataset.says === name) return;
  line.dataset.says = name;
  line.textContent = t(name);
}

/** "not-started", "live", "interrupted", "ended", "recording" or "held"; undefined when it could not be learnt this time. */
export async function askStatus(session) {
  try {
    const { status, startsAt } = await eventStatus(session.event.id, await session.keeper.fresh());
    session.event.startsAt = startsAt ?? session.event.startsAt;
    tellWhen(session.event);
    return status;
  } catch (error) {
    const settled = error instanceof Refusal && ["revoked", "event", "expired"].includes(error.reason);
    if (settled) session.end(error);
    return undefined;
  }
}

/** Status says what the plan or the playlist says; the gate says whether this viewer gets a picture. */
async function canStart(session) {
  const status = await askStatus(session);
  if (session.over) return false;
  const hasBegun = serverNow() >= Date.parse(session.event.startsAt);
  if (status === "ended") note("waiting_over");
  else if (status === "held") note("waiting_held");
  else if (hasBegun) note("waiting_any_moment");
  const mayPlay = ["live", "recording"].includes(status) || (status === undefined && hasBegun); // the gate opens by itself
  return mayPlay && (await probeStream(session)) === 200;
}

/** The usual pause, but not past the start, where many wait: they spread over three seconds. */
function pause(session) {
  const usual = jittered(page.statusSeconds * 1000);
  const untilStart = Date.parse(session.event.startsAt) - serverNow();
  return untilStart > 0 ? Math.min(usual, untilStart + 3000 * Math.random()) : usual;
}

/** Resolves when the stream is there, or the session is over. */
export async function waitForStart(session) {
  const done = new AbortController();
  const { signal } = done;
  session.signal.addEventListener("abort", () => done.abort(), { signal });
  describe(session.event);
  tellWhen(session.event);
  note(Date.parse(session.event.startsAt) - serverNow() > FAR_AHEAD ? "waiting_come_back" : "waiting_note");
  offerCalendar(session);
  show("waiting");
  countDown(byId("countdown"), () => Date.parse(session.event.startsAt), signal);
  offerDeviceCheck(session, signal);
  while (!session.over && !(await canStart(session))) await sleep(pause(session), signal);
  session.isHeld = false;
  if (!session.over) announce(t("waiting_starting"));
  done.abort();
}
