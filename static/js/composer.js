// The field to write in: Enter sends, Shift+Enter breaks the line, drafts stay. What is written is a message of
// its own, the answer to one, or what one of one's own shall say instead.

import { formatByKeys } from "./formats.js";
import { _, duration, ngettext, pieces } from "./i18n.js";
import { inLine } from "./markup.js";
import { isolated, nameNow } from "./names.js";
import { forget, recall, remember } from "./storage.js";
import { serverNow } from "./times.js";

const TYPING_PAUSE = 2_000; // ms between two signs of typing
const NEAR_LIMIT = 0.1; // part of the limit that is left when the counter appears
const HINT = _("Enter sends, Shift+Enter breaks the line");
const OTHER_HINT = _("Ctrl+Enter sends, Enter breaks the line");
const ENTER = "enter-breaks"; // remembered where Enter breaks the line
const ANSWERS = "answers."; // before a draft's key: the number of what it answers
const TICK = 1_000; // ms
const FIT_NARROW = 11; // characters of a name that fit into the empty field
const FIT_WIDE = 40;
// keyCode while an input method composes; some browsers say so only there.
const COMPOSING = 229;

/**
 * Events: `send` (detail: {kind, of, body, files}), `typing`, `last` when the last message of one's own shall be
 * edited.
 */
export class Composer extends EventTarget {
  #form;
  #field;
  #button;
  #counter;
  #limit;
  #draftKey;
  #attachments;
  #isWaiting = false; // for files, to go out with them
  #isOffline = false; // then what is sent waits
  #typedAt = 0;
  #pace = 0; // s between two messages
  #next = 0; // ms since 1970 by the server's clock, when the next one may go
  #ticking = null;
  #other = null; // {kind: "text" or "edit", message}: what the words answer, or stand for
  #draft = ""; // what stood in the field before an edit began

  /** `limit` in code points, as the server counts. `attachments`: where files may be sent, else null. */
  constructor(form, { limit, draftKey, attachments = null }) {
    super();
    this.#form = form;
    this.#field = form.querySelector("textarea");
    this.#button = form.querySelector(".send");
    this.#counter = form.querySelector(".counter");
    this.#limit = limit;
    this.#draftKey = draftKey;
    this.#attachments = attachments;
    attachments?.addEventListener("change", () => this.#attached());
    this.#field.addEventListener("input", () => this.#typed());
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    formatByKeys(this.#field);
    form.addEventListener("submit", (event) => this.#submit(event));
    form.querySelector(".about-other button").addEventListener("click", () => this.#giveUp());
    this.#showHint();
    const draft = recall(draftKey);
    const seq = recall(ANSWERS + draftKey);
    if (draft && draft !== this.#field.value) this.bringBack(draft); // before what was written meanwhile
    if (seq) this.#other = { kind: "text", message: { seq } };
    this.#changed();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  /** What is written from now on answers `message`. */
  answer(message) {
    if (this.#other?.kind === "edit") this.#endEdit();
    this.#turnTo({ kind: "text", message });
  }

  /** The number of what a draft answers that came back, as long as nobody has said what that is: `answered`. */
  get unknown() {
    return this.#other && !this.#other.message.author && this.#other.message.seq;
  }

  /** What `unknown` is; null: it is there no more, and nothing is answered. */
  set answered(message) {
    this.#other = message && { kind: "text", message };
    this.#showOther();
  }

  /** The field holds what `message`, one's own, shall say, until that is sent or given up. */
  edit(message, words = message.body) {
    if (this.#other?.kind !== "edit") this.#draft = this.#field.value;
    this.#turnTo({ kind: "edit", message });
    this.#field.value = words;
    this.#show();
    this.#field.setSelectionRange(words.length, words.length);
  }

  /** Puts `words` back to be written anew, before a draft that stands here. */
  bringBack(words) {
    if (this.#other) this.#giveUp();
    const draft = this.#field.value;
    this.#field.value = draft.trim() ? `${words}\n\n${draft}` : words;
    this.#field.setSelectionRange(words.length, words.length);
    this.#changed();
  }

  /** Puts `words` into the place of what was submitted, `before`, unless somebody has written on since. */
  replace(before, words) {
    if (this.#body !== before) return;
    this.#field.value = words;
    this.#field.dispatchEvent(new InputEvent("input", { bubbles: true }));
    this.focus();
  }

  /** Whether nothing is begun: no words, no answer, no edit. */
  get isEmpty() {
    return !this.#field.value && this.#other === null;
  }

  /** `name`: of the room, which the empty field says; browsers cut what does not fit without a sign. */
  set addressee(name) {
    const letters = Array.from(name);
    const most = innerWidth < 800 ? FIT_NARROW : FIT_WIDE;
    const short = letters.length > most ? [...letters.slice(0, most), "…"].join("") : name;
    this.#field.placeholder = _("Write to %(name)s", { name: short });
  }

  /** Slow mode: `seconds` between two messages of this person; 0: none. */
  set pace(seconds) {
    this.#pace = seconds;
    this.#showHint();
  }

  /** Whether what is sent has to wait for the line. */
  set isOffline(offline) {
    if (offline === this.#isOffline) return;
    this.#isOffline = offline;
    this.#showHint();
  }

  /** In slow mode: the next message goes `seconds` after `since` (as serverNow has it). It may be written before. */
  wait(since, seconds = this.#pace) {
    this.#next = Math.max(this.#next, since + 1000 * seconds);
    this.#showHint();
  }

  get #body() {
    return this.#field.value.replace(/^\s*\n|\s+$/g, "");
  }

  get #length() {
    return Array.from(this.#body).length;
  }

  get #isReady() {
    const files = this.#other?.kind === "edit" ? null : this.#attachments;
    return (this.#length > 0 || Boolean(files?.count)) && this.#length <= this.#limit && !files?.hasFailed;
  }

  #attached() {
    this.#show();
    this.#showHint();
    if (!this.#isWaiting) return;
    if (this.#isReady && this.#attachments.isUploaded) this.#form.requestSubmit();
    else if (!this.#isReady) this.#wait(false);
  }

  #wait(isWaiting) {
    this.#isWaiting = isWaiting;
    this.#showHint();
  }

  #typed() {
    this.#changed();
    if (!this.#body || Date.now() - this.#typedAt < TYPING_PAUSE) return;
    this.#typedAt = Date.now();
    this.dispatchEvent(new Event("typing"));
  }

  #turnTo(other) {
    this.#wait(false); // what waited for its files is a draft again
    this.#other = other;
    this.#showOther();
    this.focus();
  }

  #giveUp() {
    if (this.#other?.kind === "edit") this.#endEdit();
    this.#other = null;
    this.#showOther();
    this.focus();
  }

  /** The draft that an edit had set aside is back. */
  #endEdit() {
    this.#field.value = this.#draft;
    this.#draft = "";
    this.#show();
  }

  #showOther() {
    this.#changed();
    const line = this.#form.querySelector(".about-other");
    line.hidden = this.#other === null;
    if (this.#other === null) return;
    const { kind, message } = this.#other;
    const words = line.querySelector(".about-other-words");
    const whom = isolated(nameNow(message.author));
    if (kind === "edit") words.textContent = _("Editing your message");
    else words.replaceChildren(...pieces("Answering %(name)s: %(words)s", { name: whom, words: isolated(inLine(message)) }));
  }

  #changed() {
    if (this.#other?.kind === "edit") return this.#show();
    keep(this.#draftKey, this.#field.value);
    keep(ANSWERS + this.#draftKey, this.#field.value && this.#other?.message.seq);
    this.#show();
  }

  #pressed(event) {
    const composing = event.isComposing || event.keyCode === COMPOSING;
    if (composing) return;
    if (event.key === "Escape" && this.#other) return this.#giveUp();
    if (event.key === "ArrowUp" && this.isEmpty) return this.#editLast(event);
    if (event.key !== "Enter" || !this.#sends(event)) return;
    event.preventDefault();
    if (this.#isReady) this.#form.requestSubmit();
  }

  #sends({ shiftKey, ctrlKey, metaKey }) {
    return this.enterBreaks ? ctrlKey || metaKey : !shiftKey;
  }

  /** Whether Enter breaks the line, and Ctrl+Enter sends: as this browser's person wants it. */
  get enterBreaks() {
    return Boolean(recall(ENTER));
  }

  set enterBreaks(breaks) {
    keep(ENTER, breaks);
    this.#showHint();
  }

  #editLast(event) {
    event.preventDefault();
    this.dispatchEvent(new Event("last"));
  }

  #submit(event) {
    event.preventDefault();
    if (!this.#isReady) return;
    const { kind = "text", message = null } = this.#other ?? {};
    const attachments = kind === "text" ? this.#attachments : null;
    this.#wait(Boolean(attachments) && !attachments.isUploaded);
    if (this.#isWaiting) return;
    const isSame = kind === "edit" && message.body === this.#body;
    const said = { kind, of: message?.seq ?? null, body: this.#body, files: attachments?.files ?? [] };
    // Whoever cannot take it now (too much is unsent) prevents it, and the words stay.
    if (!isSame && !this.dispatchEvent(new CustomEvent("send", { detail: said, cancelable: true }))) return;
    if (kind === "edit") return this.#giveUp();
    attachments?.clear();
    this.#other = null;
    this.#showOther();
    this.#field.value = "";
    this.#typedAt = 0;
    this.#changed();
    this.focus();
  }

  #showHint() {
    const left = Math.ceil((this.#next - serverNow()) / 1000);
    const waits = this.#pace > 0 && left > 0;
    this.#form.classList.toggle("slow", this.#pace > 0);
    this.#form.querySelector(".hint").textContent = this.#hint(waits ? left : 0);
    clearTimeout(this.#ticking);
    this.#ticking = waits ? setTimeout(() => this.#showHint(), TICK) : null;
  }

  #hint(left) {
    if (this.#attachments?.hasFailed && this.#other?.kind !== "edit") return _("A file cannot go: it says why");
    if (this.#isWaiting) return _("Goes out when its files are uploaded");
    if (this.#isOffline) return _("What you send now goes out when you are back");
    if (left > 0) return _("Slow mode: the next message goes in %(time)s", { time: pause(left) });
    if (this.#pace > 0) return _("Slow mode: one message in %(time)s", { time: pause(this.#pace) });
    return this.enterBreaks ? OTHER_HINT : HINT;
  }

  #show() {
    const left = this.#limit - this.#length;
    this.#field.dir = /\p{L}/u.test(this.#field.value) ? "auto" : ""; // else as the page
    this.#button.disabled = !this.#isReady;
    const isNear = left <= this.#limit * NEAR_LIMIT;
    this.#form.classList.toggle("near-limit", isNear);
    this.#counter.hidden = !isNear;
    this.#counter.textContent = left < 0 ? ngettext("%(num)s too many", "%(num)s too many", -left) : ngettext("%(num)s left", "%(num)s left", left);
    this.#form.classList.toggle("too-long", left < 0);
    this.#field.setAttribute("aria-invalid", String(left < 0));
    this.#grow();
  }

  #grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.blockSize = "auto";
    this.#field.style.blockSize = `${this.#field.scrollHeight + this.#field.offsetHeight - this.#field.clientHeight}px`;
  }
}

function keep(key, value) {
  if (value) remember(key, value);
  else forget(key);
}

function pause(seconds) {
  if (seconds < 120) return duration(seconds, "second", "short");
  return seconds < 7200 ? duration(Math.ceil(seconds / 60), "minute", "short") : duration(Math.ceil(seconds / 3600), "hour", "short");
}
