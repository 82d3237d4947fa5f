// Asking again and again: each request waits in the server until there is something to say.

import { Problem, request, roomPath } from "./api.js";
import { closedBy, CLOSED } from "./closing.js";
import { learnNames } from "./names.js";
import { write } from "./writes.js";

const WAIT = 25; // s that a request waits in the server
const WAIT_LIMIT = 35_000; // ms after which a waiting request is taken for lost
// A hidden page asks without waiting: a browser has six connections for all pages of an origin.
const HIDDEN_PAUSE = 5_000; // ms
const PRESENCE_PAUSE = 20_000; // ms; a poller is not told who is here, it asks

export class LongPollTransport {
  static title = "long poll";

  manyRooms = false;
  onopen = null;
  onmessage = null;
  onclose = null;

  #room = null;
  #cursor = null;
  #epoch = null;
  #joined = false;
  #ended = false;
  #asked = null;
  #wake = null;
  #pinged = false;
  #presenceAt = 0;
  #seen = () => this.#hurry();

  open() {
    document.addEventListener("visibilitychange", this.#seen);
    queueMicrotask(() => this.onopen?.());
  }

  send(frame) {
    if (frame.type === "join") this.#follow(frame);
    else if (frame.type === "ping") this.#ping();
    else write(frame).then((answer) => answer && this.onmessage?.(answer));
  }

  close() {
    this.#ended = true;
    this.onopen = this.onmessage = this.onclose = null;
    document.removeEventListener("visibilitychange", this.#seen);
    this.#hurry();
  }

  #follow({ room, after = null, epoch = null }) {
    this.#room = room;
    this.#cursor = after;
    this.#epoch = epoch;
    this.#pollOnAndOn();
  }

  async #pollOnAndOn() {
    while (!this.#ended) {
      try {
        await this.#poll();
        await this.#askWhoIsHere();
        if (document.hidden) await this.#pause(HIDDEN_PAUSE);
      } catch (error) {
        if (this.#ended) return;
        if (error.name === "AbortError") continue;
        if (error.code === "forbidden") await this.#lastWords();
        this.onclose?.(error instanceof Problem ? closedBy(error) : { code: CLOSED.LOST });
        return;
      }
    }
  }

  async #poll() {
    const wait = this.#joined && !this.#pinged && !document.hidden ? WAIT : 0;
    this.#asked = new AbortController();
    const batch = await request(this.#path(wait), { signal: this.#asked.signal, limit: WAIT_LIMIT });
    this.#asked = null;
    if (this.#ended) return;
    this.#hear(batch);
  }

  /** Who was sent out of a room that they may come back to can read by whom: what a socket is told before its end. */
  async #lastWords() {
    const { messages } = await request(this.#path(0)).catch(() => ({ messages: [] }));
    for (const message of messages) this.onmessage?.(message);
  }

  #path(wait) {
    const query = new URLSearchParams({ wait, html: 1 });
    if (this.#cursor !== null) query.set("after", this.#cursor);
    if (this.#epoch !== null) query.set("epoch", this.#epoch);
    return roomPath(this.#room, `/messages?${query}`);
  }

  #hear({ messages, names = {}, cursor, epoch, reset }) {
    learnNames(names);
    this.#cursor = cursor;
    this.#epoch = epoch;
    if (reset) this.onmessage({ type: "reset", room: this.#room, cursor, epoch });
    else if (!this.#joined) this.onmessage({ type: "joined", room: this.#room, cursor, epoch });
    this.#joined = true;
    for (const message of messages) this.onmessage?.(message);
    if (this.#pinged) {
      this.#pinged = false;
      this.onmessage?.({ type: "pong" });
    }
  }

  async #askWhoIsHere() {
    if (this.#ended || document.hidden || Date.now() - this.#presenceAt < PRESENCE_PAUSE) return;
    this.#presenceAt = Date.now();
    request(roomPath(this.#room, "/presence")).then(
      (frame) => frame && this.onmessage?.({ type: "presence", room: this.#room, ...frame }),
      () => {},
    );
  }

  #ping() {
    this.#pinged = true;
    this.#hurry();
  }

  /** Ends the present wait, whether in the server or here, so that the next question goes out now. */
  #hurry() {
    this.#asked?.abort();
    this.#wake?.();
  }

  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
