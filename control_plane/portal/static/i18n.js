// Sentences, dates and durations in the viewer's language.
import { page } from "./page.js";

/** Returns the sentence of that name with {placeholders} filled in, or undefined. */
export function t(name, values = {}) {
  return page.strings[name]?.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
}

const dates = new Intl.DateTimeFormat(page.lang, { dateStyle: "full", timeStyle: "short" });
const moments = new Intl.DateTimeFormat(page.lang, { dateStyle: "long", timeStyle: "short" });
const zone = new Intl.DateTimeFormat(page.lang, { timeZoneName: "short" });

/** "Saturday, 21 November 2026 at 20:00 CET", in the viewer's own time zone. */
export function longDate(date) {
  const name = zone.formatToParts(date).find((part) => part.type === "timeZoneName").value;
  return `${dates.format(date)} ${name}`;
}

export const moment = (date) => moments.format(date);

function unit(value, name) {
  return new Intl.NumberFormat(page.lang, { style: "unit", unit: name, unitDisplay: "short" }).format(value);
}

/** "2 hr 5 min", "12 min", "40 sec": coarse on purpose. */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return unit(seconds, "second");
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return unit(minutes, "minute");
  const rest = minutes % 60;
  return [unit((minutes - rest) / 60, "hour"), rest && unit(rest, "minute")].filter(Boolean).join(" ");
}

/** "24 Mb/s", with two digits, because it is an estimate. */
export function bitRate(bitsPerSecond) {
  const style = { style: "unit", unit: "megabit-per-second", unitDisplay: "short", maximumSignificantDigits: 2 };
  return new Intl.NumberFormat(page.lang, style).format(bitsPerSecond / 1e6);
}
