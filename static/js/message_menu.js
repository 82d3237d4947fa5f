// What one may do about a message: the tools beside its row, the menu behind "More", its reactions, and the
// keys of a row that has the focus. What is done to the log goes on as events; the rest is done here.

import { moderates } from "./about.js";
import { copied } from "./copying.js";
import { _ } from "./i18n.js";
import { inLine } from "./markup.js";
import { keepWhole, placeBeside } from "./placing.js";
import { copyOf } from "./templates.js";
import { nameNow } from "./names.js";
import { fillTime } from "./times.js";

const LONG_PRESS = 500; // ms
const STILL = 10; // px that a finger may move in that time

const KEYS = { r: "reply", e: "edit", c: "copy", l: "link", u: "unread", Delete: "delete", "+": "react", Enter: "more" };

/**
 * Events: `reply`, `edit`, `unread` (detail: the message); `change` (detail: {kind, of, body, remove});
 * `said` (detail: a sentence about what was done).
 */
export class MessageMenu extends EventTarget {
  #menu = document.getElementById("message-menu");
  #list;
  #log;
  #me;
  #mayWrite;
  #message = null;
  #opener = null;
  #press = null;

  /** `list`: the element that has the rows; `log`: where they are known; `mayWrite()`: whether `me` may, now. */
  constructor({ list, log, me, mayWrite }) {
    super();
    this.#list = list;
    this.#log = log;
    this.#me = me;
    this.#mayWrite = mayWrite;
    list.addEventListener("click", (event) => this.#clicked(event));
    list.addEventListener("submit", (event) => this.#undo(event));
    list.addEventListener("keydown", (event) => this.#pressed(event));
    list.addEventListener("pointerdown", (event) => this.#touched(event));
    for (const type of ["pointerup", "pointercancel", "pointermove", "scroll"]) {
      document.addEventListener(type, (event) => this.#let(event), { passive: true, capture: true });
    }
    list.addEventListener("contextmenu", (event) => this.#press === null || event.preventDefault());
    this.#menu.addEventListener("toggle", ({ newState }) => newState === "closed" && this.#closed());
    new ResizeObserver(() => keepWhole(this.#menu)).observe(this.#menu);
    addEventListener("resize", () => this.#place(this.#origin?.getBoundingClientRect()));
    this.#menu.addEventListener("click", ({ target }) => this.#chosen(target));
    this.#menu.addEventListener("keydown", (event) => this.#moved(event));
    this.#menu.addEventListener("submit", (event) => this.#typed(event));
    this.#menu.addEventListener("focusin", ({ target }) => {
      if (target.matches(".other-mark input")) import("./marks.js").then(({ offerEmoji }) => offerEmoji(target), () => null);
    });
  }

  #clicked(event) {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const tool = target.closest(".tools > a, button.reaction");
    const message = tool && this.#messageOf(tool);
    if (!message) return;
    event.preventDefault();
    if (tool.matches(".reply")) this.#do("reply", message);
    else if (tool.matches(".reaction")) this.#toggle(message, tool.querySelector(".mark").textContent);
    else this.#open(message, tool, { marksOnly: tool.matches(".react") });
  }

  #pressed(event) {
    const row = event.target.closest(".message, .notice");
    if (event.target !== row || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = KEYS[event.key];
    const message = this.#messageOf(row);
    if (!act || !message || event.repeat) return;
    event.preventDefault();
    if (act === "more" || act === "react") this.#open(message, row, { marksOnly: act === "react" });
    else if (this.#may(act, message)) this.#do(act, message);
  }

  /** A finger that rests on a row asks for its menu, which comes when it is lifted: lifting closes popovers. */
  #touched({ pointerType, target, clientX: x, clientY: y }) {
    const row = target.closest(".message");
    if (pointerType !== "touch" || target.closest("a, button, input") || !this.#messageOf(row ?? target)) return;
    const timer = setTimeout(() => row.classList.add("chosen"), LONG_PRESS);
    this.#press = { timer, row, x, y, since: performance.now() };
  }

  #let({ type, clientX: x, clientY: y }) {
    if (this.#press === null) return;
    const moves = type === "pointermove";
    if (moves && Math.hypot(x - this.#press.x, y - this.#press.y) < STILL) return;
    const { timer, row, since } = this.#press;
    this.#press = null;
    clearTimeout(timer);
    this.#unmark();
    const message = this.#messageOf(row);
    const asks = !moves && type !== "scroll" && performance.now() - since >= LONG_PRESS;
    if (asks && message) setTimeout(() => this.#open(message, row, {}));
  }

  #messageOf(element) {
    const seq = Number(element.closest(".message")?.id.slice(1));
    const message = seq ? this.#log.message(seq) : null;
    return message?.kind === "text" && (!message.deleted_at || moderates()) ? message : null;
  }

  #may(act, message) {
    const own = message.author.id === this.#me.id;
    const stands = !message.deleted_at;
    switch (act) {
      case "edit":
        return own && stands && this.#mayWrite();
      case "delete":
        if (stands) return (own && this.#mayWrite()) || moderates();
        return !own && moderates() && this.#mayComeBack(message);
      case "report":
        return !own && stands;
      case "moderate":
        return !own && moderates();
      case "reply":
      case "react":
        return stands && this.#mayWrite();
      default:
        return stands;
    }
  }

  /** Whether its author may bring it back: the rule is `may_take_over` of chatapp/permissions.py. */
  #mayComeBack({ author, deleted_at: deleted, deleted_by: by }) {
    return by?.id === author.id && Date.now() < Date.parse(deleted) + 1000 * this.#menu.dataset.undo;
  }

  #open(message, opener, { marksOnly = false }) {
    if (marksOnly && !this.#may("react", message)) return;
    this.#message = message;
    this.#menu.replaceChildren(this.#filled(message, marksOnly));
    this.#menu.classList.toggle("marks-only", marksOnly);
    this.#show(opener);
    [...this.#menu.querySelectorAll("button, a")].find((each) => each.checkVisibility())?.focus();
  }

  #filled(message, marksOnly) {
    const content = copyOf("actions");
    content.querySelector(".name").textContent = nameNow(message.author);
    content.querySelector(".actions-said").textContent = inLine(message);
    const time = content.querySelector("time");
    fillTime(time, message.at);
    time.textContent = time.title; // for who has no pointer that hovers
    content.querySelector(".marks").hidden = !this.#may("react", message);
    const own = new Set(this.#log.reactions(message.seq).filter((each) => each.own).map(({ mark }) => mark));
    for (const button of content.querySelectorAll("[data-mark]")) {
      button.setAttribute("aria-pressed", String(own.has(button.dataset.mark)));
    }
    for (const item of content.querySelectorAll("[data-act]")) {
      item.hidden = marksOnly || !this.#may(item.dataset.act, message);
    }
    content.querySelector("a[data-act=report]").href = `/chats/${message.room}/report/${message.seq}`;
    return content;
  }

  #show(opener) {
    if (this.#opener) this.#closed();
    this.#opener = opener;
    opener.closest(".message").classList.add("chosen");
    this.#menu.showPopover();
    this.#place(opener.getBoundingClientRect());
  }

  #chosen(target) {
    const mark = target.closest("[data-mark]")?.dataset.mark;
    const act = target.closest("button[data-act]")?.dataset.act;
    const message = this.#message;
    if (mark) this.#finish(() => this.#toggle(message, mark));
    else if (act === "moderate") this.#moderate(message);
    else if (act) this.#finish(() => this.#do(act, message));
  }

  async #typed(event) {
    if (!event.target.matches(".other-mark")) return;
    event.preventDefault();
    const message = this.#message;
    const marks = await import("./marks.js").catch(() => null);
    const mark = await marks?.markOf(event.target);
    if (mark && message === this.#message) this.#finish(() => this.#toggle(message, mark));
  }

  #moved(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const items = [...this.#menu.querySelectorAll("[data-act]:not([hidden])")];
    if (!step || !items.length || event.target.matches("input, select")) return;
    event.preventDefault();
    const at = items.indexOf(document.activeElement);
    items[at < 0 ? (step > 0 ? 0 : items.length - 1) : (at + step + items.length) % items.length].focus();
  }

  #finish(act) {
    this.#menu.hidePopover();
    act();
  }

  #toggle(message, mark) {
    if (!this.#may("react", message)) return;
    const remove = this.#log.reactions(message.seq).some((each) => each.own && each.mark === mark);
    this.#change({ kind: "reaction", of: message.seq, body: mark, remove });
  }

  #do(act, message) {
    if (act === "delete") this.#delete(message);
    else if (act === "copy") this.#copy(message.body, _("Copied"));
    else if (act === "link") this.#copy(`${location.origin}/chats/${message.room}/#${message.seq}`, _("Link copied"));
    else this.dispatchEvent(new CustomEvent(act, { detail: message }));
  }

  #delete({ seq }) {
    const isForGood = this.#menu.dataset.undo === "0";
    if (!isForGood || confirm(_("Delete this message for good?"))) this.#change({ kind: "delete", of: seq });
  }

  /** Undo is a form that works without a script; here it needs no new page. */
  #undo(event) {
    const seq = Number(event.target.closest("form.undo")?.closest(".message").id.slice(1));
    if (!seq) return;
    event.preventDefault();
    this.#change({ kind: "restore", of: seq });
  }

  #change(detail) {
    this.dispatchEvent(new CustomEvent("change", { detail }));
  }

  async #copy(words, said) {
    if (await copied(words)) this.#say(said);
  }

  #say(words) {
    this.dispatchEvent(new CustomEvent("said", { detail: words }));
  }

  /** The part of the message's own page that is about its author. */
  async #moderate({ room, seq }) {
    const path = `/chats/${room}/messages/${seq}/`;
    const pages = await import("./pages.js").catch(() => null);
    const deeds = (await pages?.pageAt(path))?.getElementById("deeds");
    if (!deeds) return location.assign(path);
    this.#menu.replaceChildren(deeds);
    this.#place(this.#origin.getBoundingClientRect());
    this.#menu.querySelector("input:not([type=hidden])")?.focus();
  }

  /** What opened the menu, or the row that has come in its place meanwhile. */
  get #origin() {
    return this.#opener?.isConnected ? this.#opener : this.#opener && document.getElementById(`m${this.#message.seq}`);
  }

  #place(origin) {
    if (origin) placeBeside(this.#menu, origin);
  }

  /** Also a row that has come in the place of the one that was marked. */
  #unmark() {
    for (const row of this.#list.querySelectorAll(".chosen")) row.classList.remove("chosen");
  }

  #closed() {
    this.#unmark();
    const focused = document.activeElement;
    if (focused === document.body || this.#menu.contains(focused)) this.#origin?.focus({ preventScroll: true });
    this.#opener = null;
  }
}
