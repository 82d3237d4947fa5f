// Rows of the log, filled into the markup of templates/_message.html.

import { fillFace } from "./faces.js";
import { nameNow } from "./names.js";
import { copyOf } from "./templates.js";
import { dayName, fillTime } from "./times.js";

const FATES = { waiting: "Waiting", sending: "Sending…" };
const REASONS = {
  forbidden: "Not sent: you may not write here",
  sign_in: "Not sent: your name is no longer known here",
  room_closed: "Not sent: the room is closed",
  no_such_room: "Not sent: the room is gone",
};
// The words themselves are refused: sent again as they are, they would be refused again.
const IN_THE_WORDS = new Set(["bad_request", "too_long"]);
const QUOTE_LENGTH = 200; // characters; the row cuts them to one line

/** A text. `me`: its reader, or null; `quoted`: the message that it answers, if known; `reactions` as Messages gives them. */
export function messageRow(message, { me, quoted = null, reactions = [] }) {
  const own = message.author.id === me?.id;
  const row = copyOf("message");
  const part = (name) => row.querySelector(`.${name}`);
  if (message.seq) row.id = rowId(message.seq);
  row.classList.toggle("deleted", Boolean(message.deleted_at));
  const author = { ...message.author, name: nameNow(message.author) };
  fillFace(part("face"), author, { own, letters: 2 });
  part("author").textContent = author.name;
  part("guest").hidden = !message.author.guest;
  part("program").hidden = !message.author.id.startsWith("h"); // a hook: templates/_badge.html has the same rule
  fillTime(part("head").querySelector("time"), message.at);
  fillWords(part("words"), message);
  part("edited").hidden = !message.edited_at;
  fillQuote(part("quote"), message, quoted);
  part("reactions").hidden = reactions.length === 0;
  part("reactions").replaceChildren(...reactions.map(reactionItem));
  fillReport(part("report"), message, own);
  fillTools(part("tools"), message);
  fillUndo(part("undo"), message, { me, moderates: Boolean(part("tools")) });
  return row;
}

/** A message of one's own that is not yet known to be kept, as the outbox has it. */
export function pendingRow(item) {
  const row = messageRow(item, { me: item.author });
  row.dataset.clientId = item.client_id;
  if (item.state === "failed") row.append(failure(item.reason));
  else {
    row.classList.add("pending");
    const fate = copyOf("fate");
    row.querySelector(".text").append(" ", fate);
    fillFate(row, item.state);
  }
  return row;
}

/** Whether the pending row waits or is under way: a change of that is no new row. */
export function fillFate(row, state) {
  row.querySelector(".fate-word").textContent = FATES[state];
}

export function noticeRow(message) {
  const row = copyOf("notice");
  row.id = rowId(message.seq);
  row.querySelector(".subject").textContent = nameNow(message.author);
  row.querySelector(".words").textContent = message.body;
  fillTime(row.querySelector("time"), message.at);
  return row;
}

export function dayRow(day) {
  const row = copyOf("day");
  const time = row.querySelector("time");
  time.dateTime = day;
  time.textContent = dayName(day);
  return row;
}

export function newRow() {
  return copyOf("new");
}

export function rowId(seq) {
  return `m${seq}`;
}

function fillWords(words, { body, deleted_at: deleted, deleted_by: by }) {
  if (!deleted) words.textContent = body;
  else if (by) words.replaceChildren(name(nameNow(by)), " deleted this message");
  else words.textContent = "This message was deleted";
}

function fillQuote(quote, { of, deleted_at: deleted }, quoted) {
  quote.hidden = !of || Boolean(deleted);
  if (quote.hidden) return;
  quote.href = quoted ? `#${rowId(of)}` : `?before=${of + 1}`;
  quote.querySelector(".quoted-author").textContent = quoted ? nameNow(quoted.author) : "";
  const words = quoted?.deleted_at ? "a deleted message" : quoted?.body.slice(0, QUOTE_LENGTH);
  quote.querySelector(".quoted").textContent = words ?? "an earlier message";
}

// Who has no name reports nothing, and who moderates has tools: then there is no such link.
function fillReport(link, { room, seq, deleted_at: deleted }, own) {
  if (!link) return;
  link.hidden = own || !seq || Boolean(deleted);
  if (!link.hidden) link.href = `/chats/${room}/report/${seq}`;
}

/** Who may do something about messages has tools in the template; what is not kept yet has no address. */
function fillTools(tools, { room, seq }) {
  if (!tools) return;
  tools.hidden = !seq;
  tools.querySelector(".more").href = `/chats/${room}/messages/${seq}/`;
}

/** What its author deleted nobody else brings back; what a moderator deleted, whoever moderates. */
function fillUndo(form, { room, seq, author, deleted_at: deleted, deleted_by: by }, { me, moderates }) {
  if (!form) return;
  const mine = by?.id === author.id ? me.id === author.id : moderates;
  const left = deleted ? Date.parse(deleted) + 1000 * form.dataset.seconds - Date.now() : 0;
  form.hidden = !by || !mine || left <= 0;
  if (!form.hidden) form.action = `/chats/${room}/messages/${seq}/restore`;
}

function reactionItem({ mark, count, own }) {
  const item = copyOf("reaction");
  item.classList.toggle("own", own);
  item.querySelector(".mark").textContent = mark;
  item.querySelector(".times").textContent = count;
  return item;
}

function failure({ code, message }) {
  const line = copyOf("failed");
  line.querySelector(".reason-words").textContent = REASONS[code] ?? `Not sent: ${message}`;
  line.querySelector(".send-again").hidden = IN_THE_WORDS.has(code);
  return line;
}

function name(text) {
  const element = document.createElement("bdi");
  element.textContent = text;
  return element;
}
