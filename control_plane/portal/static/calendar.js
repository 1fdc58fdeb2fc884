// The event as a calendar file (RFC 5545). It is generated in the browser; the code is only in the fragment of its
// link.
import { serverNow } from "./clock.js";
import { byId } from "./page.js";

const LONGEST_LINE = 75; // octets
const bytes = new TextEncoder();

const escaped = (text) => text.replace(/[\\;,]/g, "\\$&").replace(/\r\n?|\n/g, "\\n").replace(/\p{Cc}/gu, "");
const stamp = (date) => date.toISOString().replace(/[-:]|\.\d+/g, "");

/** Folds a long line (RFC 5545 section 3.1), but not inside a character. */
function folded(line) {
  let text = "";
  let room = LONGEST_LINE;
  for (const character of line) {
    const length = bytes.encode(character).length;
    if (length > room) {
      text += "\r\n ";
      room = LONGEST_LINE - 1;
    }
    text += character;
    room -= length;
  }
  return `${text}\r\n`;
}

function calendarFile({ id, title, description, startsAt, endsAt }, link, now) {
  return [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//StreamGate//Portal//EN",
    "BEGIN:VEVENT",
    `UID:${id}@streamgate`,
    `DTSTAMP:${stamp(now)}`,
    `DTSTART:${stamp(new Date(startsAt))}`,
    `DTEND:${stamp(new Date(endsAt))}`,
    `SUMMARY:${escaped(title)}`,
    ...(description ? [`DESCRIPTION:${escaped(description)}`] : []),
    `URL:${link}`,
    "END:VEVENT",
    "END:VCALENDAR",
  ].map(folded).join("");
}

/** Offers the file until the event starts. */
export function offerCalendar({ event, code }) {
  const link = byId("calendar");
  link.hidden = !event.endsAt || Date.parse(event.startsAt) <= serverNow();
  if (link.hidden) return;
  URL.revokeObjectURL(link.href);
  const address = `${location.origin}/${code ? `#${encodeURIComponent(code)}` : ""}`;
  const file = calendarFile(event, address, new Date(serverNow()));
  link.href = URL.createObjectURL(new Blob([file], { type: "text/calendar;charset=utf-8" }));
}
