// The list of rows on the page: messages in order, then what is not yet known to be kept. Lines
// for days and the line "New" stand between them and move with them.

import { startsDay, startsGroup } from "./groups.js";
import { keepOpen } from "./markup.js";
import { dayRow, fillFate, messageRow, newRow, noticeRow, pendingRow } from "./message_row.js";
import { replaceRow } from "./row_focus.js";
import { dayName, dayOf } from "./times.js";

const FAILED = "failed"; // the outbox's states of an item, and one more
const KEPT = "kept";

export class Rows {
  #list;
  #me;
  #messages;
  #bySeq = new Map();
  #pending = new Map(); // client_id -> row
  #shows = new WeakMap(); // row -> what it shows
  #new = null;

  /** `list`: the <ol>; `me`: the author as which one writes here, or null; `messages`: what is known of them. */
  constructor(list, me, messages) {
    this.#list = list;
    this.#me = me;
    this.#messages = messages;
  }

  get count() {
    return this.#bySeq.size;
  }

  get isEmpty() {
    return this.#bySeq.size + this.#pending.size === 0;
  }

  clear() {
    this.#bySeq.clear();
    this.#new = null;
    // What is kept stands in the log that is shown from now on, unless it was cleared with it.
    for (const [id, row] of this.#pending) if (this.#shows.get(row).state === KEPT) this.#pending.delete(id);
    this.#list.replaceChildren(...this.#pending.values());
    for (const row of this.#pending.values()) this.#arrange(row);
  }

  prepend(seqs) {
    const rows = seqs.map((seq) => hushed(this.#make(seq)));
    const after = this.#list.firstElementChild;
    this.#list.prepend(...rows);
    this.#bySeq = new Map([...seqs.map((seq, index) => [seq, rows[index]]), ...this.#bySeq]);
    for (const row of rows) this.#arrange(row);
    if (after) this.#arrange(this.#isRow(after) ? after : this.#rowAfter(after));
    this.#quoteAnew(new Set(seqs));
  }

  /** `areNews`: what others say in them is read out. */
  append(seqs, { areNews = false } = {}) {
    const end = this.#firstPending;
    for (const seq of seqs) {
      const row = this.#make(seq);
      if (!areNews || this.#messages.get(seq).author.id === this.#me?.id) hushed(row);
      this.#list.insertBefore(row, end);
      this.#bySeq.set(seq, row);
      this.#arrange(row);
    }
    if (end) this.#arrange(end);
  }

  /** Shows `seq` anew, and what quotes it. */
  refresh(seq) {
    const before = this.#bySeq.get(seq);
    if (!before) return;
    const row = hushed(this.#make(seq));
    row.classList.toggle("chosen", before.classList.contains("chosen"));
    keepOpen(before, row);
    replaceRow(before, row);
    this.#bySeq.set(seq, row);
    this.#arrange(row);
    this.#arrange(this.#rowAfter(row));
  }

  /** The row of the message `seq`, where it is on the page. */
  row(seq) {
    return this.#bySeq.get(seq) ?? null;
  }

  quoteAnew(seq) {
    this.#quoteAnew(new Set([seq]));
  }

  /** Takes away all but `most` rows, from the head. Returns the seq that is the first now. */
  trimHead(most) {
    this.#forget(this.#seqs.slice(0, -most));
    this.#arrange(this.#bySeq.get(this.#seqs[0]));
    return this.#seqs[0];
  }

  /** Takes away all but `most` rows, from the foot. Returns the seq that is the last now. */
  trimFoot(most) {
    this.#forget(this.#seqs.slice(most));
    if (this.#firstPending) this.#arrange(this.#firstPending);
    else this.#endWith(this.#bySeq.get(this.#seqs.at(-1)));
    return this.#seqs.at(-1);
  }

  /** Shows an item of the outbox as it is now. */
  showPending(item) {
    const before = this.#pending.get(item.client_id);
    const was = before && this.#shows.get(before).state;
    if (was === item.state) return;
    const of = item.kind === "edit" ? null : item.of;
    const shown = { ...item, of, author: this.#me };
    const inPlace = before && was !== FAILED && item.state !== FAILED;
    const row = inPlace ? before : pendingRow(shown, this.#messages.get(of));
    this.#shows.set(row, { ...shown, kind: "text" });
    if (inPlace) return fillFate(row, item.state);
    if (item.state !== FAILED) hushed(row);
    if (before) replaceRow(before, row);
    else this.#list.append(row);
    this.#pending.set(item.client_id, row);
    this.#arrange(row);
  }

  /** It is kept, and its number will come: it looks like any other message until then. */
  showAsKept(clientId) {
    const row = this.#pending.get(clientId);
    row.classList.remove("pending");
    row.querySelector(".fate, .failed")?.remove();
    this.#shows.get(row).state = KEPT;
  }

  dropPending(clientId) {
    const row = this.#pending.get(clientId);
    if (!row) return;
    this.#pending.delete(clientId);
    this.#remove(row);
  }

  /** Whether the number of one of one's own messages will come yet. */
  get isAwaiting() {
    return [...this.#pending.values()].some((row) => this.#shows.get(row).state !== FAILED);
  }

  get pendingIds() {
    return [...this.#pending.keys()];
  }

  /** Moves the line "New" above the row `seq`, or takes it away. */
  markNew(seq) {
    const after = this.#new && this.#rowAfter(this.#new);
    this.#new?.remove();
    this.#new = null;
    if (after) this.#arrange(after);
    const row = this.#bySeq.get(seq);
    if (!row) return;
    this.#new = newRow();
    row.before(this.#new);
    this.#arrange(row);
  }

  get #seqs() {
    return [...this.#bySeq.keys()];
  }

  get #firstPending() {
    return this.#pending.values().next().value ?? null;
  }

  #make(seq) {
    const message = this.#messages.get(seq);
    const row = message.kind === "notice" ? noticeRow(message) : this.#makeText(message);
    this.#shows.set(row, message);
    return row;
  }

  #makeText(message) {
    return messageRow(message, {
      me: this.#me,
      quoted: this.#messages.get(message.of),
      reactions: this.#messages.reactions(message.seq, this.#me?.id),
    });
  }

  /** Gives a row the day above it and the face beside it that its place in the list asks for. */
  #arrange(row) {
    if (!row) return;
    const before = this.#rowBefore(row);
    for (const line of this.#linesBetween(before, row)) if (line !== this.#new) line.remove();
    const message = this.#shows.get(row);
    const previous = before && this.#shows.get(before);
    if (startsDay(message, previous)) this.#putDay(message, before);
    if (message.kind !== "text") return;
    const starts = row.previousElementSibling === this.#new || startsGroup(message, previous);
    row.classList.toggle("starts", starts);
  }

  #putDay(message, before) {
    const day = dayRow(dayOf(message.at));
    if (before) before.after(day);
    else this.#list.prepend(day);
    // "Today" of yesterday's rows is a different word since.
    for (const time of this.#list.querySelectorAll(".day time")) time.textContent = dayName(time.dateTime);
  }

  #quoteAnew(seqs) {
    for (const [seq, row] of this.#bySeq) {
      if (seqs.has(this.#shows.get(row).of)) this.refresh(seq);
    }
  }

  /** Leaves to the caller what stands where they were. */
  #forget(seqs) {
    for (const seq of seqs) {
      this.#bySeq.get(seq).remove();
      this.#bySeq.delete(seq);
      this.#messages.forget(seq);
    }
  }

  #remove(row) {
    const after = this.#rowAfter(row);
    const before = this.#rowBefore(row);
    row.remove();
    if (after) this.#arrange(after);
    else this.#endWith(before);
  }

  /** Takes away the lines below the last row, or (null) all of them. */
  #endWith(row) {
    while (this.#list.lastElementChild !== row) this.#list.lastElementChild.remove();
  }

  #isRow(element) {
    return this.#shows.has(element);
  }

  #rowBefore(element) {
    let row = element.previousElementSibling;
    while (row && !this.#isRow(row)) row = row.previousElementSibling;
    return row;
  }

  #rowAfter(element) {
    let row = element.nextElementSibling;
    while (row && !this.#isRow(row)) row = row.nextElementSibling;
    return row;
  }

  #linesBetween(before, row) {
    const lines = [];
    for (let line = row.previousElementSibling; line !== before; line = line.previousElementSibling) lines.push(line);
    return lines;
  }
}

/** The log is a live region: what is put into it is read out, also what is old, changed or one's own. This is not. */
function hushed(row) {
  row.ariaLive = "off";
  return row;
}
