// What one has written in a room and is not yet known to be kept, as this browser's storage has it.
// All pages of the browser see the same; each message has a key of its own, so that two of them never
// overwrite each other's.

import { forget, hearOthers, keys, recall, remember } from "./storage.js";

const NAME = "outbox";

/** The rooms in which `author` has left something unsent in this browser. */
export function roomsOf(author) {
  const found = keys(`${NAME}.`).map((key) => key.split("."));
  return new Set(found.filter(([, , by]) => by === author).map(([, room]) => Number(room)));
}

export class Unsent {
  #prefix;

  constructor({ room, author }) {
    this.#prefix = `${NAME}.${room}.${author}.`;
  }

  /** All that is there, in the order of writing: {key, client_id, kind, of, body, remove, files, at, reason}. */
  get all() {
    return keys(this.#prefix).map((key) => ({ ...recall(key), key })).filter((item) => item.client_id);
  }

  /** A key for something new. Keys sort in the order of writing, also where the clock is set back meanwhile. */
  newKey() {
    const last = Number(keys(this.#prefix).at(-1)?.split(".").at(-2)) || 0;
    return `${this.#prefix}${Math.max(Date.now(), last + 1)}.${Math.random().toString(36).slice(2)}`;
  }

  /** Returns whether there was room for it. */
  keep({ key, client_id, kind, of, body, remove, files, at, reason }) {
    return remember(key, { client_id, kind, of, body, remove, files, at, reason });
  }

  read(key) {
    return recall(key);
  }

  drop(key) {
    forget(key);
  }

  /** Calls `hear(key)` when another page kept or dropped something. */
  hearOthers(hear) {
    hearOthers((key) => key.startsWith(this.#prefix) && hear(key));
  }
}
