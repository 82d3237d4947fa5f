// The server writes UTC; here times become local.

import { _, LOCALE } from "./i18n.js";

const DAY = 24 * 60 * 60 * 1000; // ms

// 24 hours as on the server: "9:12 PM" would not fit the gutter.
const clock = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const shortDay = new Intl.DateTimeFormat(LOCALE, { weekday: "short" });
const dayAndMonth = new Intl.DateTimeFormat(LOCALE, { weekday: "long", day: "numeric", month: "long" });
const date = new Intl.DateTimeFormat(LOCALE, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const shortDate = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", year: "numeric" });
const shortMoment = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const moment = new Intl.DateTimeFormat(LOCALE, { dateStyle: "full", timeStyle: "medium", hourCycle: "h23" });

let ahead = -Infinity; // ms that the server's clock is before this one, which may be days off

/** The server's clock says `at`, or did when that was written: each time the latest that it can be known by. */
export function heardAt(at) {
  const seen = Date.parse(at) - Date.now();
  if (seen > ahead) ahead = seen;
}

/** ms since 1970 by the server's clock: what lasts until a time that the server said goes by it. */
export function serverNow() {
  return Date.now() + (Number.isFinite(ahead) ? ahead : 0);
}

/** Writes `at` (ISO 8601) into a <time>, local, with all of it on hover. */
export function fillTime(element, at) {
  const when = new Date(at);
  element.dateTime = at;
  element.textContent = clock.format(when);
  element.title = moment.format(when);
}

/** The time a <time> says, local: with its date unless that is today. */
export function fillMoment(element) {
  element.textContent = momentOf(element.dateTime);
  element.title = moment.format(new Date(element.dateTime));
}

/** The time of `at`, local: with its date unless that is today. */
export function momentOf(at) {
  return (daysAgo(dayOf(at)) === 0 ? clock : shortMoment).format(new Date(at));
}

/** The local day of `at` as 2026-11-23. */
export function dayOf(at) {
  const when = new Date(at);
  const two = (number) => String(number).padStart(2, "0");
  return `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())}`;
}

/** "Today, Monday 23 November", for a day as `dayOf` gives it. */
export function dayName(day) {
  const noon = new Date(`${day}T12:00`);
  const ago = daysAgo(day);
  if (ago === 0) return _("Today, %(day)s", { day: dayAndMonth.format(noon) });
  if (ago === 1) return _("Yesterday, %(day)s", { day: dayAndMonth.format(noon) });
  return date.format(noon);
}

/** As short as a list needs it: the time today, then the day, then the date. */
export function fillShortTime(element, at) {
  const when = new Date(at);
  const ago = daysAgo(dayOf(at));
  fillTime(element, at);
  if (ago === 1) element.textContent = _("Yesterday");
  else if (ago > 1 && ago < 7) element.textContent = shortDay.format(when);
  else if (ago >= 7) element.textContent = shortDate.format(when);
}

/** Whole minutes since 1970. */
export function minuteOf(at) {
  return Math.floor(Date.parse(at) / 60_000);
}

function daysAgo(day) {
  const today = new Date(`${dayOf(new Date().toISOString())}T12:00`);
  return Math.round((today - new Date(`${day}T12:00`)) / DAY);
}
