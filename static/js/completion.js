// Completion while one writes: a list over the field, of which arrows choose one and Enter or Tab takes it. The
// focus stays in the field, which names the chosen line by `aria-activedescendant` (WAI-ARIA, listbox).

import { ngettext } from "./i18n.js";
import { copyOf } from "./templates.js";

const MOST = 8; // lines
// keyCode while an input method composes; some browsers say so only there.
const COMPOSING = 229;

export class Completion {
  #field;
  #list;
  #said = document.getElementById("completions-said");
  #sources;
  #found = null; // {start, end, items, isWritten, isLive}: the part of the text that is being completed, if any, and by what
  #chosen = 0;
  #asked = 0;
  #isSought = false; // whether something is to be completed where the caret is, and nothing is known for it yet
  #isToLookAgain = false;
  #dismissed = null; // the start of what is not to be completed: somebody closed the list

  /**
   * `sources`: each {before, find, isLive}. `before`: a pattern for the text in front of the caret, whose first group
   * is what is completed and whose second what is looked for; `find(words, isAgain)`: the lines for that, or a promise
   * of them: {text, name, note, face}, of which `text` is inserted; `isAgain`: because there is news, not a letter.
   * `isLive`: that there is news may change the lines. `list`: the element that they stand in.
   */
  constructor(field, sources, list) {
    this.#field = field;
    this.#list = list;
    this.#sources = sources;
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", this.#list.id);
    field.addEventListener("input", (event) => event.isComposing || this.look());
    field.addEventListener("compositionend", () => this.look());
    field.addEventListener("click", () => this.look());
    field.addEventListener("blur", () => this.#close());
    // Before the composer hears of it: Enter takes a line and does not send.
    field.addEventListener("keydown", (event) => this.#pressed(event), { capture: true });
    this.#list.addEventListener("mousedown", (event) => this.#clicked(event));
  }

  get #isOpen() {
    return this.#found !== null;
  }

  /** Whether what the chosen line would insert stands there already. */
  get #isWritten() {
    const { start, end, items } = this.#found;
    return this.#field.value.slice(start, end) === items[this.#chosen].text;
  }

  /** Looks what can be completed where the caret is. */
  async look() {
    const asked = ++this.#asked;
    const found = await this.#find();
    if (asked !== this.#asked) return; // somebody has written on meanwhile
    this.#propose(found, 0);
  }

  /** There is news of what things are completed by: what is offered follows it, and the chosen line stays chosen. */
  lookAgain() {
    if (this.#isToLookAgain || !this.#mayBeNew) return;
    this.#isToLookAgain = true;
    queueMicrotask(async () => { // once for all that is told at once
      this.#isToLookAgain = false;
      if (!this.#mayBeNew) return;
      const asked = ++this.#asked;
      const found = await this.#find(true);
      if (asked === this.#asked && !this.#isShown(found)) this.#propose(found, this.#placeOfChosen(found));
    });
  }

  /** What begins with `words` is offered where the caret is, though they do not stand there. */
  async offer(words) {
    this.#isSought = false;
    const asked = ++this.#asked;
    const { selectionStart: at } = this.#field;
    const source = this.#sources.find(({ before }) => before.test(words));
    const items = await source?.find(words.match(source.before)[2]);
    if (asked !== this.#asked || !items?.length) return;
    this.#found = { start: at, end: at, items, isWritten: false };
    this.#chosen = 0;
    this.#show();
  }

  /** Whether what is offered, or could not be, depends on what is known by now. */
  get #mayBeNew() {
    return this.#isSought || Boolean(this.#found?.isLive);
  }

  /** Whether exactly that is offered already. */
  #isShown(found) {
    const shown = this.#found;
    if (!shown || !found || shown.start !== found.start || shown.end !== found.end) return false;
    const isSame = ({ text, name, note }, other) => text === other.text && name === other.name && note === other.note;
    return shown.items.length === found.items.length && shown.items.every((item, at) => isSame(item, found.items[at]));
  }

  #placeOfChosen(found) {
    const chosen = this.#found?.items[this.#chosen];
    const place = found?.items.findIndex(({ text, name }) => text === chosen?.text && name === chosen?.name) ?? -1;
    return Math.max(0, place);
  }

  #propose(found, chosen) {
    if (!found?.items.length || document.activeElement !== this.#field) {
      this.#close();
      this.#isSought = Boolean(found?.isLive);
      return;
    }
    this.#isSought = false;
    this.#found = found;
    this.#chosen = chosen;
    this.#show();
  }

  /** What is being completed, and by what: by nothing yet, or null where nothing is. */
  async #find(isAgain = false) {
    const { selectionStart: end, selectionEnd, value } = this.#field;
    if (end !== selectionEnd) return null;
    let stays = false;
    let sought = null;
    for (const { before, find, isLive = false } of this.#sources) {
      const match = value.slice(0, end).match(before);
      if (!match) continue;
      const start = end - match[1].length;
      if (start === this.#dismissed) {
        stays = true;
        continue;
      }
      sought = { items: [], isLive: isLive || Boolean(sought?.isLive) };
      const items = (await find(match[2], isAgain)).slice(0, MOST);
      if (items.length) return { start, end, items, isWritten: true, isLive };
    }
    if (!stays) this.#dismissed = null;
    return sought;
  }

  #pressed(event) {
    if (!this.#isOpen || event.isComposing || event.keyCode === COMPOSING) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key, shiftKey } = event;
    if (key === "ArrowDown") this.#choose(1);
    else if (key === "ArrowUp") this.#choose(-1);
    else if (key === "Enter" && this.#isWritten) return this.#close(); // it sends
    else if ((key === "Enter" || key === "Tab") && !shiftKey) this.#take();
    else if (key === "Escape") this.#dismiss();
    else if (key === "ArrowLeft" || key === "ArrowRight" || key === "Home" || key === "End") return this.#close();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  #clicked(event) {
    event.preventDefault(); // the focus stays in the field
    const line = event.target.closest("[role=option]");
    if (!line) return;
    this.#chosen = [...this.#list.children].indexOf(line);
    this.#take();
  }

  #choose(step) {
    const { length } = this.#found.items;
    this.#chosen = (this.#chosen + step + length) % length;
    this.#mark();
  }

  #take() {
    const { start, items } = this.#found;
    const end = Math.max(this.#found.end, this.#field.selectionStart); // what was written while it was looked for
    const { text } = items[this.#chosen];
    this.#close();
    const space = /^\s/u.test(this.#field.value.slice(end)) ? "" : " ";
    this.#field.setRangeText(text + space, start, end, "end");
    if (!space) this.#field.setSelectionRange(start + text.length + 1, start + text.length + 1);
    this.#dismissed = start; // a longer name may begin with this one: it was chosen
    this.#field.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertReplacementText" }));
  }

  #dismiss() {
    if (this.#found.isWritten) this.#dismissed = this.#found.start;
    this.#close();
  }

  #close() {
    this.#asked += 1;
    this.#isSought = false;
    if (!this.#isOpen) return;
    this.#found = null;
    this.#list.hidden = true;
    this.#said.textContent = "";
    this.#field.removeAttribute("aria-activedescendant");
  }

  #show() {
    const lines = this.#found.items.map((item, index) => line(item, `${this.#list.id}-${index}`));
    this.#list.replaceChildren(...lines);
    this.#list.hidden = false;
    const said = ngettext("%(num)s suggestion", "%(num)s suggestions", lines.length);
    if (this.#said.textContent !== said) this.#said.textContent = said; // what is offered anew is not said anew
    this.#mark();
  }

  #mark() {
    for (const [index, each] of [...this.#list.children].entries()) {
      each.setAttribute("aria-selected", String(index === this.#chosen));
    }
    const chosen = this.#list.children[this.#chosen];
    this.#field.setAttribute("aria-activedescendant", chosen.id);
    chosen.scrollIntoView({ block: "nearest" });
  }
}

function line({ name, note = "", sign = "", fill }, id) {
  const element = copyOf("completion");
  element.id = id;
  const mark = element.querySelector(".face");
  if (fill) fill(mark);
  else if (!sign) mark.remove();
  else mark.replaceWith(Object.assign(document.createElement("span"), { className: "completion-sign", textContent: sign }));
  element.querySelector(".name").textContent = name;
  element.querySelector(".note").textContent = note;
  return element;
}
