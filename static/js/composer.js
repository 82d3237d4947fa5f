// The field to write in: Enter sends, Shift+Enter breaks the line, drafts stay.

import { forget, recall, remember } from "./storage.js";

const TYPING_PAUSE = 2_000; // ms between two signs of typing
const NEAR_LIMIT = 0.1; // part of the limit that is left when the counter appears
const HINT = "Enter sends, Shift+Enter breaks the line";
const TICK = 1_000; // ms
// keyCode while an input method composes; some browsers say so only there.
const COMPOSING = 229;

/** Events: `send` (detail: {body, files}), `typing`. */
export class Composer extends EventTarget {
  #form;
  #field;
  #button;
  #counter;
  #limit;
  #draftKey;
  #attachments;
  #isWaiting = false; // for files, to go out with them
  #typedAt = 0;
  #pace = 0; // s between two messages
  #next = 0; // ms since 1970, when the next one may go
  #ticking = null;

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
    this.#field.value ||= recall(draftKey) ?? "";
    this.#field.addEventListener("input", () => this.#typed());
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    form.addEventListener("submit", (event) => this.#submit(event));
    this.#showHint();
    this.#show();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  /** Puts `words` back to be written anew, before a draft that stands here. */
  bringBack(words) {
    const draft = this.#field.value;
    this.#field.value = draft.trim() ? `${words}\n\n${draft}` : words;
    this.#field.setSelectionRange(words.length, words.length);
    this.#changed();
  }

  set placeholder(words) {
    this.#field.placeholder = words;
  }

  /** Slow mode: `seconds` between two messages of this person; 0: none. */
  set pace(seconds) {
    this.#pace = seconds;
    this.#showHint();
  }

  /** In slow mode: the next message goes `seconds` after `since` (ms since 1970). It may be written before. */
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
    const files = this.#attachments;
    return (this.#length > 0 || Boolean(files?.count)) && this.#length <= this.#limit && !files?.hasFailed;
  }

  #attached() {
    this.#show();
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

  #changed() {
    if (this.#field.value) remember(this.#draftKey, this.#field.value);
    else forget(this.#draftKey);
    this.#show();
  }

  #pressed(event) {
    const composing = event.isComposing || event.keyCode === COMPOSING;
    if (event.key !== "Enter" || event.shiftKey || composing) return;
    event.preventDefault();
    if (this.#isReady) this.#form.requestSubmit();
  }

  #submit(event) {
    event.preventDefault();
    if (!this.#isReady) return;
    this.#wait(Boolean(this.#attachments) && !this.#attachments.isUploaded);
    if (this.#isWaiting) return;
    const detail = { body: this.#body, files: this.#attachments?.files ?? [] };
    // Whoever cannot take it now (too much is unsent) prevents it, and the words stay.
    if (!this.dispatchEvent(new CustomEvent("send", { detail, cancelable: true }))) return;
    this.#attachments?.clear();
    this.#field.value = "";
    this.#typedAt = 0;
    forget(this.#draftKey);
    this.#show();
    this.focus();
  }

  #showHint() {
    const left = Math.ceil((this.#next - Date.now()) / 1000);
    const waits = this.#pace > 0 && left > 0;
    this.#form.classList.toggle("slow", this.#pace > 0);
    this.#form.querySelector(".hint").textContent = this.#hint(waits ? left : 0);
    clearTimeout(this.#ticking);
    this.#ticking = waits ? setTimeout(() => this.#showHint(), TICK) : null;
  }

  #hint(left) {
    if (this.#isWaiting) return "Goes out when its files are uploaded";
    if (left > 0) return `Slow mode: the next message goes in ${duration(left)}`;
    return this.#pace > 0 ? `Slow mode: one message in ${duration(this.#pace)}` : HINT;
  }

  #show() {
    const left = this.#limit - this.#length;
    this.#button.disabled = !this.#isReady;
    this.#counter.hidden = left > this.#limit * NEAR_LIMIT;
    this.#counter.textContent = left < 0 ? `${-left} too many` : `${left} left`;
    this.#form.classList.toggle("too-long", left < 0);
    this.#field.setAttribute("aria-invalid", String(left < 0));
    this.#grow();
  }

  #grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.blockSize = "auto";
    this.#field.style.blockSize = `${this.#field.scrollHeight}px`;
  }
}

function duration(seconds) {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3600)} h`;
}
