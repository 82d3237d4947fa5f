// What was begun and not sent: a pencil at each room in which this browser has something, and what it answers.

import { request, roomPath } from "./api.js";
import { _ } from "./i18n.js";
import { hearOthers, keys } from "./storage.js";

const NAME = "draft";

/** `author`: the id of who writes; `current`: the room of this page, where the field shows it; 0 for none. */
export function markDrafts(author, current = 0) {
  show(author, current);
  hearOthers((key) => key.startsWith(`${NAME}.`) && show(author, current));
}

export function show(author, current = 0) {
  for (const mark of document.querySelectorAll(".draft")) mark.remove();
  for (const key of keys(`${NAME}.`)) {
    const [, room, by] = key.split(".");
    if (by !== author || Number(room) === current) continue;
    for (const line of document.querySelectorAll(`[data-room="${Number(room)}"]`)) line.querySelector(".bell").before(mark());
  }
}

/** On a room's page; `composer`: null for who may not write. */
export function goOn(author, room, composer, log) {
  markDrafts(author, room);
  if (composer?.unknown) showAnswered(composer, room, log);
}

/** A draft that came back says again what it answers, also where that is not on the page. */
async function showAnswered(composer, room, log) {
  const seq = composer.unknown;
  const message = log.message(seq) ?? (await read(room, seq));
  if (message !== undefined && composer.unknown === seq) composer.answered = message?.deleted_at ? null : message;
}

/** The message; null where it is there no more, undefined where nobody says so. */
async function read(room, seq) {
  const answer = await request(roomPath(room, `/messages?before=${seq + 1}&limit=1&html=1`)).catch(() => null);
  return answer?.messages && (answer.messages.find((message) => message.seq === seq) ?? null);
}

function mark() {
  const element = document.createElement("span");
  element.className = "draft";
  element.title = _("Draft");
  const words = document.createElement("span");
  words.className = "said-only";
  words.textContent = ` ${_("Draft")}`;
  element.append(words);
  return element;
}
