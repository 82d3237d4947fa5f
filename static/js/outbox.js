// What was written and is not yet known to be kept. Messages leave in order, one at a time, each
// under the same client_id until the server has answered for it; so a retry never doubles one.

import { forget, keys, recall, remember } from "./storage.js";

const LIMIT = 100; // messages a room
const ACK_LIMIT = 12_000; // ms before an unanswered message is sent again
const FIRST_RETRY = 1_000; // ms, doubled with each refusal in a row
const LAST_RETRY = 30_000; // ms

// Refusals that the same message would meet again.
const FOR_GOOD = new Set(["bad_request", "too_long", "forbidden", "sign_in", "room_closed", "no_such_room"]);

/**
 * Events: `change` when `items` did; `check` when an answer is overdue.
 * An item is {client_id, body, at, state, reason}; state: "waiting", "sending" or "failed".
 */
export class Outbox extends EventTarget {
  items = [];

  #room;
  #prefix;
  #send = null;
  #timer = null;
  #written = 0;

  constructor({ room, author }) {
    super();
    this.#room = room;
    this.#prefix = `outbox.${room}.${author}.`;
    for (const key of keys(this.#prefix)) this.#bringBack(key);
  }

  get isFull() {
    return this.items.length >= LIMIT;
  }

  get unsent() {
    return this.items.filter((item) => item.state !== "failed").length;
  }

  add(body) {
    const id = uuid();
    const at = new Date().toISOString();
    const item = { client_id: id, body, at, state: "waiting", reason: null, refusals: 0, key: this.#key(at) };
    this.items.push(item);
    this.#keep(item);
    this.#changed();
    this.#next();
    return item;
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
    if (FOR_GOOD.has(code)) {
      this.#rest();
      item.state = "failed";
      item.reason = { code, message };
      this.#keep(item);
      this.#changed();
      this.#next();
    } else {
      item.state = "waiting";
      this.#changed();
      this.#later(wait ? 1000 * wait : backoff(item.refusals++));
    }
  }

  sendAgain(clientId) {
    const item = this.#find(clientId);
    if (item?.state !== "failed") return;
    item.state = "waiting";
    item.reason = null;
    this.#keep(item);
    this.#changed();
    this.#next();
  }

  discard(clientId) {
    this.#remove(clientId);
  }

  #next() {
    const busy = this.#timer !== null || this.items.some((item) => item.state === "sending");
    const item = this.items.find(({ state }) => state === "waiting");
    if (!this.#send || busy || !item) return;
    item.state = "sending";
    this.#after(ACK_LIMIT, () => this.#overdue(item));
    this.#changed();
    this.#send({ type: "send", room: this.#room, client_id: item.client_id, body: item.body });
  }

  #overdue(item) {
    item.state = "waiting";
    this.dispatchEvent(new Event("check"));
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
    forget(item.key);
    if (item.state === "sending") this.#rest();
    this.#changed();
    return true;
  }

  /** A key of its own for each message, in order: two pages of one room do not overwrite each other's. */
  #key(at) {
    const number = String(this.#written++).padStart(6, "0");
    return `${this.#prefix}${at}.${number}.${Math.random().toString(36).slice(2)}`;
  }

  #keep({ key, client_id, body, at, reason }) {
    remember(key, { client_id, body, at, reason });
  }

  #bringBack(key) {
    const kept = recall(key);
    if (!kept?.client_id || this.isFull) return;
    this.items.push({ ...kept, key, refusals: 0, state: kept.reason ? "failed" : "waiting" });
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
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
