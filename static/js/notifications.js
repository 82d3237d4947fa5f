// What this browser tells of a room while none of its pages is in front: all, what calls one, or nothing.
//
// Of those who are members the server keeps it, of others this browser. The browser is asked for its permission by
// a click in the room's panel, never otherwise. Each message is told once, whichever page hears of it first: they
// take turns by a lock, and storage has the newest number of each room that was told.

import { _ } from "./i18n.js";
import { inLine, mayHaveMarkup } from "./markup.js";
import { request, roomPath } from "./api.js";
import { calls } from "./mentions.js";
import { nameNow } from "./names.js";
import { recall, remember } from "./storage.js";

const TURN = "chatapp.notify";
const IN_FRONT = "chatapp.in-front";
const LENGTH = 200; // characters of a message

export class Notifications {
  #room;
  #me;
  #rooms;
  #panel = document.getElementById("notify");
  #letGo = null; // ends that this page is in front
  #telling = Promise.resolve(); // what this page has heard and not told yet

  /** `room`: of this page; `rooms`: the rooms at the side, which know of each its level. */
  constructor({ room, me, rooms }) {
    this.#room = room;
    this.#me = me;
    this.#rooms = rooms;
    if (!me) return;
    this.#panel.hidden = false;
    if (!this.#isPossible) return this.#show();
    this.#panel.addEventListener("change", ({ target }) => this.#choose(target.value));
    this.#panel.querySelector("button").addEventListener("click", () => this.#ask());
    rooms.addEventListener("change", () => this.#show());
    for (const [target, name] of [[document, "visibilitychange"], [window, "focus"], [window, "blur"], [window, "pageshow"]]) {
      target.addEventListener(name, () => this.#noteWhetherInFront());
    }
    addEventListener("pagehide", () => this.#letGo?.());
    this.#noteWhetherInFront();
    this.#show();
  }

  /** A text by somebody else, in any room. What was heard is told in its order. */
  heard(message) {
    if (!this.#isAllowed || !this.#concerns(message)) return;
    this.#telling = this.#telling.then(() => this.#hear(message)).catch(() => null);
  }

  async #hear(message) {
    const key = `told.${this.#me.id}.${message.room}`;
    const isTold = () => message.seq <= (recall(key) ?? 0);
    if (isTold()) return;
    // Asked for before the lock is held: the other pages wait for nobody's line.
    const now = (await someoneIsInFront()) ? message : await this.#asItIs(message);
    await navigator.locks.request(TURN, async () => {
      if (isTold()) return;
      remember(key, message.seq);
      if (now && !now.deleted_at && !(await someoneIsInFront())) this.#tell(now);
    });
  }

  /** A message calls this person, or is said to them alone, in a room that the line does not follow. */
  async calledIn({ room, seq }) {
    if (!this.#isAllowed) return;
    if (!this.#rooms.about(room)) await this.#rooms.refresh(); // a new conversation
    const message = await this.#read(room, seq).catch(() => null);
    if (message?.kind === "text") this.heard(message);
  }

  /** With its HTML, which of other rooms than the page's own the line does not have; null where it has gone. */
  async #asItIs(message) {
    if (message.html || !mayHaveMarkup(message.body)) return message;
    return this.#read(message.room, message.seq).catch(() => message);
  }

  /** The message, or null where there is none (any more). Throws Problem. */
  async #read(room, seq) {
    const { messages } = await request(roomPath(room, `/messages?before=${seq + 1}&limit=1&html=1`));
    const message = messages.at(-1);
    return message?.seq === seq ? message : null;
  }

  /** Browsers have both on pages that come over TLS or from the same machine. */
  get #isPossible() {
    return "Notification" in window && "locks" in navigator;
  }

  get #isAllowed() {
    return Boolean(this.#me) && this.#isPossible && Notification.permission === "granted";
  }

  get #level() {
    return this.#levelOf(this.#room.id);
  }

  #levelOf(room) {
    const { role, notify } = this.#rooms.about(room) ?? {};
    return (role ? null : recall(this.#key(room))) ?? notify ?? "mentions";
  }

  #key(room) {
    return `notify.${room}.${this.#me.id}`;
  }

  #concerns(message) {
    const about = this.#rooms.about(message.room);
    if (!about || about.muted) return false;
    const level = this.#levelOf(message.room);
    return level === "all" || (level === "mentions" && (about.kind === "direct" || calls(message, this.#me.id)));
  }

  #tell(message) {
    const { room, seq, author } = message;
    const { kind, name } = this.#rooms.about(room);
    const words = inLine(message);
    const who = nameNow(author);
    try {
      const said = new Notification(kind === "direct" ? who : _("%(who)s in %(room)s", { who, room: name }), {
        body: words.length > LENGTH ? `${words.slice(0, LENGTH)}…` : words,
        icon: "/static/css/mark.svg",
        tag: `${room}.${seq}`,
      });
      said.onclick = () => this.#follow(said, room, seq);
    } catch {
      // Some browsers (Chrome on Android) have the name and let only service workers use it.
    }
  }

  #follow(said, room, seq) {
    said.close();
    window.focus();
    if (room === this.#room.id) location.hash = `m${seq}`;
    else location.assign(`/chats/${room}/#m${seq}`);
  }

  async #choose(level) {
    if (this.#rooms.about(this.#room.id)?.role) await request(roomPath(this.#room.id, "/notify"), { json: { level } }).catch(() => null);
    else remember(this.#key(this.#room.id), level);
    await this.#rooms.refresh();
    this.#show();
  }

  async #ask() {
    await Notification.requestPermission();
    this.#noteWhetherInFront();
    this.#show();
  }

  #show() {
    const permission = this.#isPossible ? Notification.permission : "none";
    for (const choice of this.#panel.querySelectorAll("input")) {
      choice.checked = choice.value === this.#level;
      choice.disabled = permission !== "granted";
    }
    this.#panel.querySelector("button").hidden = permission !== "default";
    this.#panel.querySelector(".hint").hidden = permission === "granted";
    this.#panel.querySelector(".hint").textContent = this.#whyNot(permission);
  }

  /** Why nothing can be chosen, and what to do. */
  #whyNot(permission) {
    if (permission === "default") return _("For these this browser wants your permission first.");
    const site = document.querySelector(".site").textContent;
    if (permission === "denied") return _("This browser blocks notifications of %(site)s. Its settings for this site can change that.", { site });
    if (!isSecureContext) return _("Browsers notify only of pages whose address begins with https.");
    return _("This browser has no notifications.");
  }

  /** A page in front holds a lock that the others can see, and lets it go as it is left. */
  #noteWhetherInFront() {
    const isInFront = this.#isAllowed && !document.hidden && document.hasFocus();
    if (!isInFront) this.#letGo?.();
    if (!isInFront || this.#letGo) return;
    const held = new Promise((resolve) => {
      this.#letGo = () => {
        this.#letGo = null;
        resolve();
      };
    });
    navigator.locks.request(IN_FRONT, { mode: "shared" }, () => held);
  }
}

async function someoneIsInFront() {
  const { held } = await navigator.locks.query();
  return held.some(({ name }) => name === IN_FRONT);
}
