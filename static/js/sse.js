// An event stream for what comes, HTTP requests for what goes.

import { Problem, request, roomPath } from "./api.js";
import { closedBy, CLOSED } from "./closing.js";
import { LANGUAGE } from "./i18n.js";
import { LongPollTransport } from "./longpoll.js";
import { write } from "./writes.js";

const EVENTS = ["message", "reset", "presence", "typing", "read", "person", "here", "rooms"];
const ENDINGS = ["close", "going"]; // for good, and to come back
const CATCH_UP_LIMIT = 2_000; // ms in which the stream has to bring what the server is known to have

export class SseTransport {
  static title = "Server-Sent Events";

  manyRooms = false;
  onopen = null;
  onmessage = null;
  onclose = null;

  #room = null;
  #cursor = null;
  #epoch = null;
  #source = null;
  #standIn = null;
  #seen = () => (document.hidden ? this.#stepBack() : this.#stepForward());

  open() {
    document.addEventListener("visibilitychange", this.#seen);
    const usable = typeof EventSource === "function";
    queueMicrotask(() => (usable ? this.onopen?.() : this.onclose?.({ code: CLOSED.LOST })));
  }

  send(frame) {
    if (frame.type === "join") this.#follow(frame);
    else if (frame.type === "ping") this.#ping();
    else write(frame).then((answer) => answer && this.onmessage?.(answer));
  }

  close() {
    this.onopen = this.onmessage = this.onclose = null;
    document.removeEventListener("visibilitychange", this.#seen);
    this.#source?.close();
    this.#standIn?.close();
  }

  #follow({ room, after = null, epoch = null }) {
    this.#room = room;
    this.#cursor = after;
    this.#epoch = epoch;
    if (document.hidden) this.#stepBack();
    else this.#stream();
  }

  #stream() {
    try {
      this.#source = new EventSource(this.#path());
    } catch {
      this.#end({ code: CLOSED.LOST });
      return;
    }
    const joined = { type: "joined", room: this.#room, cursor: this.#cursor, epoch: this.#epoch };
    this.#source.onopen = () => this.onmessage?.(joined);
    this.#source.onerror = () => this.#lost();
    for (const name of ENDINGS) this.#source.addEventListener(name, ({ data }) => this.#end(JSON.parse(data)));
    for (const name of EVENTS) this.#source.addEventListener(name, (event) => this.#hear(name, event));
  }

  #path() {
    const query = new URLSearchParams({ html: 1, language: LANGUAGE });
    if (this.#cursor !== null) query.set("after", this.#cursor);
    if (this.#epoch !== null) query.set("epoch", this.#epoch);
    return roomPath(this.#room, `/stream?${query}`);
  }

  #hear(type, event) {
    this.#pass({ type, room: this.#room, ...JSON.parse(event.data) });
  }

  #pass(frame) {
    if (frame.type === "message") this.#cursor = frame.seq;
    if (frame.type === "reset") [this.#cursor, this.#epoch] = [frame.cursor, frame.epoch];
    this.onmessage?.(frame);
  }

  /**
   * An EventSource comes back by itself after a cut, but neither tells a refusal from a cut nor
   * keeps to the pace of the connection above. So it is ended here, and asked over HTTP why.
   */
  async #lost() {
    const refused = this.#source.readyState === EventSource.CLOSED;
    this.#source.close();
    if (!refused) return this.#end({ code: CLOSED.LOST });
    try {
      await request(roomPath(this.#room, "/messages?after=-1"));
      this.#end({ code: CLOSED.LOST });
    } catch (error) {
      this.#end(error instanceof Problem ? closedBy(error) : { code: CLOSED.LOST });
    }
  }

  /** A hidden page leaves its connection to the others: a browser has six for all pages of an origin. */
  #stepBack() {
    if (this.#room === null || this.#standIn) return;
    this.#source?.close();
    this.#standIn = new LongPollTransport();
    this.#standIn.onopen = () =>
      this.#standIn?.send({ type: "join", room: this.#room, after: this.#cursor, epoch: this.#epoch });
    this.#standIn.onmessage = (frame) => this.#pass(frame);
    this.#standIn.onclose = (why) => this.#end(why);
    this.#standIn.open();
  }

  #stepForward() {
    if (!this.#standIn) return;
    this.#standIn.close();
    this.#standIn = null;
    this.#stream();
  }

  /** Comment lines do not reach a script: whether the stream still flows shows in what it has brought. */
  async #ping() {
    if (this.#standIn) return this.#standIn.send({ type: "ping" });
    const { cursor } = await request(roomPath(this.#room, "/messages?after=-1")).catch(() => ({}));
    if (cursor === undefined) return;
    if (this.#isBehind(cursor)) await new Promise((resolve) => setTimeout(resolve, CATCH_UP_LIMIT));
    if (!this.#isBehind(cursor)) this.onmessage?.({ type: "pong" });
  }

  #isBehind(cursor) {
    return this.#cursor !== null && this.#cursor < cursor;
  }

  #end(why) {
    this.#source?.close();
    this.#standIn?.close();
    this.onclose?.(why);
  }
}
