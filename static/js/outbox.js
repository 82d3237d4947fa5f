// What was written, or done about a message, and is not yet known to be kept. It leaves in order, one at a
// time, each under the same client_id until the server has answered for it; so a retry never doubles it.
// Storage keeps them over a reload, and is where the pages of one browser agree on each of them.

import { Unsent } from "./unsent.js";

const LIMIT = 100; // messages a room
const ACK_LIMIT = 12_000; // ms before an unanswered message is sent again
const FIRST_RETRY = 1_000; // ms, doubled with each refusal in a row
const LAST_RETRY = 30_000; // ms

// Refusals that the same message would meet again.
const FOR_GOOD = new Set(["bad_request", "too_long", "forbidden", "sign_in", "room_closed", "no_such_room"]);

/**
 * Events: `change` when `items` did; `discard` (detail: the client_id) when one is given up unsent;
 * `check` when an answer is overdue; `refused` (detail: why) when what was done about a message is.
 * An item is {client_id, kind, of, body, remove, files, at, state, reason}; state: "waiting", "sending" or "failed",
 * which only what has words is.
 */
export class Outbox extends EventTarget {
  items = [];

  #room;
  #kept;
  #send = null;
  #timer = null;
  #textsFrom = 0; // ms since 1970: slow mode lets no text through before
  #holdUp = (event) => event.preventDefault();

  constructor({ room, author }) {
    super();
    this.#room = room;
    this.#kept = new Unsent({ room, author });
    this.#bringBack();
    this.#kept.hearOthers((key) => this.#agree(key));
    addEventListener("pageshow", ({ persisted }) => persisted && this.#wake());
  }

  get isFull() {
    return this.items.length >= LIMIT;
  }

  /** Those that get rows of their own: texts, and an edit that was refused. */
  get rows() {
    return this.items.filter(({ kind, state }) => kind === "text" || state === "failed");
  }

  get unsent() {
    return this.items.filter((item) => item.state !== "failed").length;
  }

  /** A text, with `files` that were uploaded before, as a message has them; or (`kind`, `of`) what is done about one. */
  add({ kind = "text", of = null, body = "", remove = false, files = [] }) {
    const said = { kind, of, body, remove, files, at: new Date().toISOString() };
    const item = { client_id: uuid(), room: this.#room, ...said, state: "waiting", reason: null, refusals: 0 };
    item.key = this.#kept.newKey();
    this.items.push(item);
    this.#keep(item);
    this.#changed();
    this.#next();
  }

  /** The line is up: `send` takes a frame. */
  resume(send) {
    this.#send = send;
    this.#next();
  }

  /** The line is down; what was under way is sent again later. */
  pause() {
    this.#send = null;
    this.#rest();
    for (const item of this.items) if (item.state === "sending") item.state = "waiting";
    this.#changed();
  }

  /** The server keeps the message `client_id`: its ack came, or the message itself. */
  confirm(clientId) {
    if (this.#remove(clientId)) this.#next();
  }

  /** An error frame for a `send`. */
  refuse({ client_id: id, code, message, retry_after: wait }) {
    const item = this.#find(id);
    if (item?.state !== "sending") return;
    if (FOR_GOOD.has(code) && !hasWords(item)) {
      this.#remove(id);
      this.dispatchEvent(new CustomEvent("refused", { detail: message }));
      this.#next();
    } else if (FOR_GOOD.has(code)) {
      this.#fail(item, { code, message });
      this.#keep(item);
    } else {
      item.state = "waiting";
      this.#changed();
      if (code === "too_fast" && wait && item.kind === "text") this.#holdTexts(1000 * wait);
      else this.#later(wait ? 1000 * wait : backoff(item.refusals++));
    }
  }

  sendAgain(clientId) {
    const item = this.#find(clientId);
    if (item?.state !== "failed") return;
    this.#await(item);
    this.#keep(item);
  }

  discard(clientId) {
    if (!this.#find(clientId)) return;
    this.dispatchEvent(new CustomEvent("discard", { detail: clientId }));
    this.#remove(clientId);
  }

  /** Gives a message up and returns it, to be written anew. */
  takeBack(clientId) {
    const item = this.#find(clientId);
    this.discard(clientId);
    return item;
  }

  #next() {
    const busy = this.#timer !== null || this.items.some((item) => item.state === "sending");
    const mayPass = ({ kind }) => kind !== "text" || Date.now() >= this.#textsFrom;
    const item = this.items.find((each) => each.state === "waiting" && mayPass(each));
    if (!this.#send || busy || !item) return;
    item.state = "sending";
    this.#after(ACK_LIMIT, () => this.#overdue(item));
    this.#changed();
    this.#send(frameOf(item, this.#room));
  }

  #overdue(item) {
    item.state = "waiting";
    this.dispatchEvent(new Event("check"));
    this.#next();
  }

  #fail(item, reason) {
    if (item.state === "sending") this.#rest();
    Object.assign(item, { state: "failed", reason });
    this.#changed();
    this.#next();
  }

  #await(item) {
    Object.assign(item, { state: "waiting", reason: null });
    this.#changed();
    this.#next();
  }

  /** What is done about messages may go meanwhile. */
  #holdTexts(ms) {
    this.#textsFrom = Date.now() + ms;
    this.#rest();
    setTimeout(() => this.#next(), ms);
    this.#next();
  }

  #later(ms) {
    this.#after(ms, () => this.#next());
  }

  /** One timer serves both waits: for an answer, and for the next try. There is never a need for two. */
  #after(ms, action) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      action();
    }, ms);
  }

  #rest() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #find(clientId) {
    return this.items.find((item) => item.client_id === clientId);
  }

  #remove(clientId) {
    const item = this.#find(clientId);
    if (!item) return false;
    this.items.splice(this.items.indexOf(item), 1);
    this.#kept.drop(item.key);
    if (item.state === "sending") this.#rest();
    this.#changed();
    return true;
  }

  #keep(item) {
    item.isStored = this.#kept.keep(item);
  }

  #bringBack() {
    for (const kept of this.#kept.all) {
      if (this.isFull || this.#find(kept.client_id)) continue;
      this.items.push({ kind: "text", of: null, ...kept, room: this.#room, state: kept.reason ? "failed" : "waiting", refusals: 0, isStored: true });
    }
  }

  /** A page that the browser has kept asleep has not heard what others did. */
  #wake() {
    for (const { key } of [...this.items]) this.#agree(key);
    this.#bringBack();
    this.#changed();
    this.#next();
  }

  /** Another page may have had the same message, and an answer to it, or been told what to do with it. */
  #agree(key) {
    const item = this.items.find((each) => each.key === key);
    if (!item?.isStored) return;
    const kept = this.#kept.read(key);
    const failed = item.state === "failed";
    if (kept?.reason && !failed) this.#fail(item, kept.reason);
    else if (kept && !kept.reason && failed) this.#await(item);
    // Only what was refused can be given up by hand; anything else that is gone from storage was kept.
    else if (!kept && failed) this.discard(item.client_id);
    else if (!kept) this.confirm(item.client_id);
  }

  #changed() {
    // What storage could not take would be lost by leaving: then the browser asks first.
    if (this.items.every(({ isStored }) => isStored)) removeEventListener("beforeunload", this.#holdUp);
    else addEventListener("beforeunload", this.#holdUp);
    this.dispatchEvent(new Event("change"));
  }
}

function hasWords({ kind }) {
  return kind === "text" || kind === "edit";
}

function frameOf({ client_id, kind, of, body, remove, files }, room) {
  const frame = { type: "send", room, client_id, kind, of, body, remove };
  return files?.length ? { ...frame, files: files.map(({ id, alt = "" }) => ({ id, alt })) } : frame;
}

function backoff(refusals) {
  return Math.min(LAST_RETRY, FIRST_RETRY * 2 ** refusals) * (0.5 + Math.random() / 2);
}

/** A random UUID (RFC 9562, version 4). crypto.randomUUID is missing on http:// other than localhost. */
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
