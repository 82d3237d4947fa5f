// Where a day and where a group of rows begins. chatapp/pages/rows.py has the same rule.

import { dayOf, minuteOf } from "./times.js";

const GROUP_MINUTES = 5;
const DEED = /^_(?:[^_\n]|(?<=[\p{L}\p{N}])_(?=[\p{L}\p{N}]))+_$/u; // a text that `/me` has made

export function startsDay(message, before) {
  return !before || dayOf(message.at) !== dayOf(before.at);
}

/** Whether `message` shows face and name: not if it goes on where `before` (or nothing) left off. */
export function startsGroup(message, before) {
  if (before?.kind !== "text" || before.deleted_at || startsDay(message, before)) return true;
  if (DEED.test(message.body)) return true; // it goes on from the name
  const same = before.author.id === message.author.id && before.author.name === message.author.name;
  return !same || minuteOf(message.at) - minuteOf(before.at) > GROUP_MINUTES;
}
