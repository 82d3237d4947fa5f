// Rows of the log, filled into the markup of templates/_message.html.

import { moderates } from "./about.js";
import { fillFace } from "./faces.js";
import { areNames, fillFiles } from "./files.js";
import { _, figure, listed, noticed, pieces } from "./i18n.js";
import { fillMarkup, foldIfLong, inLine } from "./markup.js";
import { calls, markMentions } from "./mentions.js";
import { isolated, nameNow } from "./names.js";
import { copyOf } from "./templates.js";
import { dayName, fillTime, serverNow } from "./times.js";

const FATES = { waiting: _("Waiting"), sending: _("Sending…") };
const REASONS = {
  forbidden: _("Not sent: you may not write here"),
  sign_in: _("Not sent: your name is no longer known here"),
  room_closed: _("Not sent: the room is closed"),
  no_such_room: _("Not sent: the room is gone"),
};
// The words themselves are refused: sent again as they are, they would be refused again.
const IN_THE_WORDS = new Set(["bad_request", "too_long"]);
const REACTIONS_SHOWN = 12; // the others open; templates/_message.html has the same number
const QUOTE_LENGTH = 200; // characters; the row cuts them to one line

/** A text. `me`: its reader, or null; `quoted`: the message that it answers, if known; `reactions` as Messages gives them. */
export function messageRow(message, { me, quoted = null, reactions = [] }) {
  const own = message.author.id === me?.id;
  const row = copyOf("message");
  const part = (name) => row.querySelector(`.${name}`);
  if (message.seq) row.id = rowId(message.seq);
  row.classList.toggle("deleted", Boolean(message.deleted_at));
  const author = { ...message.author, name: nameNow(message.author) };
  fillFace(part("face"), author, { own });
  part("author").textContent = author.name;
  part("guest").hidden = !message.author.guest;
  part("program").hidden = !message.author.bot;
  fillTime(part("head").querySelector("time"), message.at);
  fillWords(part("words"), message, me);
  markMentions(part("words"), message, me?.id);
  row.classList.toggle("for-me", calls(message, me?.id));
  foldIfLong(row, message.body);
  part("edited").hidden = !message.edited_at;
  part("text").classList.toggle("was-edited", Boolean(message.edited_at));
  fillQuote(part("quote"), message, quoted);
  fillFiles(part("files"), message);
  part("reactions").hidden = reactions.length === 0;
  part("reactions").replaceChildren(...reactions.map(reactionItem));
  if (reactions.length > REACTIONS_SHOWN) part("reactions").append(restOf(reactions));
  fillTools(part("tools"), message);
  fillUndo(part("undo"), message, me);
  // Most rows lack most parts: with them the browser would have twice as much to keep in order.
  for (const lacking of row.querySelectorAll("[hidden]")) lacking.remove();
  return row;
}

/** A message of one's own that is not yet known to be kept, as the outbox has it; `quoted` as above. */
export function pendingRow(item, quoted) {
  const row = messageRow(item, { me: item.author, quoted });
  row.dataset.clientId = item.client_id;
  if (item.state === "failed") row.append(failure(item));
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
  row.querySelector(".words").textContent = noticed(message.body);
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

function fillWords(words, message, me) {
  const { body, files, deleted_at: deleted, deleted_by: by } = message;
  if (!deleted && areNames(body, files)) words.textContent = "";
  else if (!deleted) fillMarkup(words, message);
  else if (by && by.id === me?.id) words.textContent = _("You deleted this message");
  else if (by) words.replaceChildren(...pieces("%(name)s deleted this message", { name: isolated(nameNow(by)) }));
  else words.textContent = _("This message was deleted");
}

function fillQuote(quote, { of, deleted_at: deleted }, quoted) {
  quote.hidden = !of || Boolean(deleted);
  if (quote.hidden) return;
  quote.href = quoted ? `#${rowId(of)}` : `?before=${of + 1}`;
  quote.querySelector(".quoted-author").textContent = quoted ? nameNow(quoted.author) : "";
  const words = quoted?.deleted_at ? _("a deleted message") : quoted && inLine(quoted).slice(0, QUOTE_LENGTH);
  quote.querySelector(".quoted").textContent = words ?? _("an earlier message");
}

/** Who has a name has tools in the template; what is not kept yet has no address, and of what was deleted only who
 * moderates may want more. */
function fillTools(tools, { room, seq, deleted_at: deleted }) {
  if (!tools) return;
  tools.hidden = !seq || (Boolean(deleted) && !moderates());
  for (const tool of tools.children) tool.href = `/chats/${room}/messages/${seq}/`;
}

/** The rule is `may_restore` of chatapp/permissions.py. */
function fillUndo(form, { room, seq, author, deleted_at: deleted, deleted_by: by }, me) {
  if (!form) return;
  const isTheirs = [author.id, "system"].includes(by?.id);
  const mine = isTheirs ? me.id === by.id : moderates() && me.id !== author.id;
  const left = deleted ? Date.parse(deleted) + 1000 * form.dataset.seconds - serverNow() : 0;
  form.hidden = !by || !mine || left <= 0;
  if (!form.hidden) form.action = `/chats/${room}/messages/${seq}/restore`;
}

function reactionItem({ mark, names, own }) {
  const item = copyOf("reaction");
  const button = item.querySelector(".reaction");
  button.classList.toggle("own", own);
  button.title = listed(names);
  if (button.matches("button")) button.setAttribute("aria-pressed", String(own));
  button.querySelector(".mark").textContent = mark;
  button.querySelector(".times").textContent = figure(names.length);
  return item;
}

function restOf(reactions) {
  const item = copyOf("rest");
  item.querySelector(".times").textContent = reactions.length - REACTIONS_SHOWN;
  return item;
}

function failure({ kind, reason: { code, message } }) {
  const line = copyOf("failed");
  const isEdit = kind === "edit";
  line.querySelector(".reason-words").textContent = isEdit ? _("Not changed: %(reason)s", { reason: message }) : (REASONS[code] ?? _("Not sent: %(reason)s", { reason: message }));
  line.querySelector(".send-again").hidden = isEdit || IN_THE_WORDS.has(code);
  return line;
}
