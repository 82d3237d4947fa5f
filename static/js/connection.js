// The one line to the server. It holds a transport, never asking which, keeps the cursor, and
// comes back when the line breaks. Frames are passed on as events named after their type
// (`event.detail` is the frame); `state` tells that `state`, `nextTry` or `ending` changed.

import { closedBy, CLOSED } from "./closing.js";

const OPEN_LIMIT = 8_000; // ms from opening a transport to having joined
const PONG_LIMIT = 5_000; // ms
const HEARTBEAT = 30_000; // ms without a word from the server before it is asked
const LOOK = 5_000; // ms between two looks at the clock: it goes on while a laptop sleeps, timers do not
const FIRST_RETRY = 500; // ms, doubled with each failure in a row
const LAST_RETRY = 30_000; // ms
const RETURN_SPREAD = 5_000; // ms over which the readers of a restarted server come back
const SHORT_LIFE = 5_000; // ms; a line that held longer counts as one that works
const FAILURES_PER_RUNG = 2;
const FIRST_CLIMB = 60_000; // ms on a lower transport before the best one is tried again
const LAST_CLIMB = 600_000; // ms
const REACHABLE_LIMIT = 5_000; // ms
const END_FOLLOWS = 1_000; // ms from a notice that this person was removed to the close or refusal that says why

const ENDINGS = new Set([CLOSED.SIGN_IN, CLOSED.REMOVED, CLOSED.GONE]);

export class Connection extends EventTarget {
  /** "connecting", "waiting" (until `nextTry`), "live" or "ended" (see `ending`). */
  state = "connecting";
  nextTry = null;
  ending = null;
  downSince = Date.now();
  lastHeard = null;

  #room;
  #cursor;
  #roomCursor;
  #epoch;
  #ladder; // classes, as far down as they were needed
  #others;
  #roomsLimit;
  #followed = new Set();
  #leftRooms = new Set();
  #rung = 0;
  #transport = null;
  #candidate = null;
  #failures = 0;
  #failuresOnRung = 0;
  #climbAfter = FIRST_CLIMB;
  #timers = new Map();

  /**
   * `transport`: the class of the best one; `others`: each loads the class of the next best, which few need.
   * `cursor`: the last seq that the page has. `roomsLimit`: how many rooms one line may follow.
   */
  constructor({ room, cursor, epoch, transport, others, roomsLimit }) {
    super();
    this.#room = room;
    this.#cursor = this.#roomCursor = cursor;
    this.#epoch = epoch;
    this.#ladder = [transport];
    this.#others = others;
    this.#roomsLimit = roomsLimit;
  }

  /** The seq up to which nothing is missing. */
  get cursor() {
    return this.#cursor ?? this.#roomCursor;
  }

  get transportTitle() {
    return this.#ladder[this.#rung].title;
  }

  get manyRooms() {
    return this.#transport?.manyRooms ?? false;
  }

  start() {
    addEventListener("online", () => this.#online());
    addEventListener("offline", () => this.check());
    addEventListener("pagehide", () => this.#sleep());
    addEventListener("pageshow", ({ persisted }) => persisted && this.tryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.check());
    document.addEventListener("resume", () => this.check());
    setInterval(() => this.#heartbeat(), LOOK);
    this.#connect();
  }

  send(frame) {
    this.#transport?.send(frame);
  }

  /**
   * Rooms ({id, cursor, epoch}) to hear of besides the first, from those cursors on, where the
   * transport can and until it ends; the first of them where there are too many. Returns whether all
   * are followed. `presence: false` asks not to be shown as being there.
   */
  follow(rooms) {
    if (!["live", "ended"].includes(this.state) || !this.manyRooms) return false;
    const others = rooms.filter(({ id }) => !this.#followed.has(id) && !this.#leftRooms.has(id));
    const free = this.#roomsLimit - 1 - this.#followed.size;
    for (const { id, cursor, epoch } of others.slice(0, Math.max(0, free))) {
      this.#followed.add(id);
      this.send({ type: "join", room: id, after: cursor, epoch, presence: false });
    }
    return others.length <= free;
  }

  /** This person was removed from another room: the close that follows, if one does, is not about the first one. */
  leave(room) {
    this.#leftRooms.add(room);
    this.#followed.delete(room);
    this.#after("removed elsewhere", END_FOLLOWS, () => {});
  }

  /** They were removed from the first room, be it while no line was open: then nothing but a notice says so. */
  sentOut() {
    this.#after("sent out", END_FOLLOWS, () => this.#endAsRemoved());
  }

  /** They have come back to it since. */
  cameBack() {
    this.#stop("sent out");
  }

  tryNow() {
    if (this.state !== "ended" && !this.#transport) this.#connect();
  }

  /** Makes sure that the line is alive: what slept or lost its network does not always notice. */
  check() {
    if (this.state !== "live") return this.tryNow();
    if (this.#timers.has("pong")) return;
    this.send({ type: "ping" });
    this.#after("pong", PONG_LIMIT, () => this.#lost({ code: CLOSED.LOST }));
  }

  #connect() {
    this.#stop("retry");
    const transport = this.#build(this.#rung);
    this.#transport = transport;
    this.#after("open", OPEN_LIMIT, () => this.#lost({ code: CLOSED.LOST }));
    this.#turn("connecting");
    transport.onopen = () => transport.send(this.#join());
    this.#listen(transport);
    transport.open();
  }

  #build(rung) {
    return new this.#ladder[rung]();
  }

  #listen(transport) {
    transport.onmessage = (frame) => this.#hear(frame);
    transport.onclose = (why) => this.#lost(why);
  }

  #join() {
    const frame = { type: "join", room: this.#room, html: true };
    if (this.#cursor !== null) frame.after = this.#cursor;
    if (this.#epoch) frame.epoch = this.#epoch;
    return frame;
  }

  #hear(frame) {
    this.lastHeard = Date.now();
    this.#stop("pong");
    if (frame.type === "left") this.#let(frame.room);
    if (frame.room === this.#room && !this.#follows(frame)) return;
    this.dispatchEvent(new CustomEvent(frame.type, { detail: frame }));
  }

  /** Keeps cursor and epoch in step with a frame of the room; false if the page has it already. */
  #follows(frame) {
    if (frame.type === "joined" || frame.type === "reset") this.#joined(frame);
    if (frame.type === "error" && frame.re === "join") this.#refused(closedBy(frame));
    if (frame.type !== "message") return true;
    if (this.#cursor !== null && frame.seq <= this.#cursor) return false;
    this.#cursor = frame.seq;
    return true;
  }

  #joined({ type, cursor, epoch }) {
    this.#epoch = epoch ?? this.#epoch;
    this.#roomCursor = cursor ?? this.#roomCursor;
    // The last messages that follow a reset set it anew; cut off before them, the page starts over.
    if (type === "reset") this.#cursor = null;
    this.#stop("open");
    if (this.state === "live") return;
    this.downSince = null;
    this.#after("settled", SHORT_LIFE, () => (this.#failures = this.#failuresOnRung = 0));
    if (this.#rung > 0) this.#after("climb", this.#climbAfter, () => this.#climb());
    this.#turn("live");
  }

  /** The server follows this room no more for us; the line stays for the others. */
  #let(room) {
    this.#followed.delete(room);
    this.#stop("removed elsewhere");
  }

  /** The room is not to be read, or no more. The line goes on where it serves others. */
  #refused(why) {
    if (this.state === "live" && ENDINGS.has(why.code) && this.#followed.size > 0) this.#end(why);
    else this.#lost(why);
  }

  async #lost(why) {
    const isSentOut = this.#timers.has("sent out");
    const isOver = ENDINGS.has(why.code) && !this.#timers.has("removed elsewhere");
    this.#drop();
    if (this.state === "ended") return;
    if (isSentOut || isOver) return this.#end(ENDINGS.has(why.code) ? why : { code: CLOSED.REMOVED });
    this.downSince ??= Date.now();
    this.#wait(this.#delay(why));
    if (await this.#shouldStepDown(why)) this.#stepDown();
  }

  #drop() {
    this.#transport?.close();
    this.#transport = null;
    this.#candidate?.close();
    this.#candidate = null;
    this.#followed.clear();
    for (const name of [...this.#timers.keys()]) this.#stop(name);
  }

  #endAsRemoved() {
    this.#drop();
    if (this.state !== "ended") this.#end({ code: CLOSED.REMOVED });
  }

  #end(why) {
    this.ending = why;
    this.#turn("ended");
  }

  #delay({ code, retryAfter }) {
    if (code === CLOSED.TOO_FAST) return 1000 * (retryAfter ?? 5) + Math.random() * FIRST_RETRY;
    if (code === CLOSED.GOING || code === CLOSED.RESTARTING) return Math.random() * RETURN_SPREAD;
    const longest = Math.min(LAST_RETRY, FIRST_RETRY * 2 ** this.#failures++);
    return longest * (0.5 + Math.random() / 2);
  }

  #wait(delay) {
    this.nextTry = Date.now() + delay;
    this.#after("retry", delay, () => this.#connect());
    this.#turn("waiting");
  }

  /** A transport is given up only where it fails although the server answers: else the server is the matter. */
  async #shouldStepDown({ code }) {
    if (code !== CLOSED.LOST || this.#rung === this.#others.length) return false;
    if (++this.#failuresOnRung < FAILURES_PER_RUNG) return false;
    try {
      const { status } = await fetch("/readyz", { cache: "no-store", signal: AbortSignal.timeout(REACHABLE_LIMIT) });
      if (status >= 500) return false;
      this.#ladder[this.#rung + 1] ??= await this.#others[this.#rung]();
      return true;
    } catch {
      return false;
    }
  }

  #stepDown() {
    if (this.state !== "waiting") return;
    this.#rung += 1;
    this.#failures = this.#failuresOnRung = 0;
    this.#connect();
  }

  #climb() {
    this.#stop("climb");
    const candidate = this.#build(0);
    this.#candidate = candidate;
    const giveUp = () => {
      this.#stop("candidate");
      candidate.close();
      this.#candidate = null;
      this.#climbAfter = Math.min(LAST_CLIMB, 2 * this.#climbAfter);
      this.#after("climb", this.#climbAfter, () => this.#climb());
    };
    this.#after("candidate", OPEN_LIMIT, giveUp);
    candidate.onopen = () => candidate.send(this.#join());
    candidate.onclose = giveUp;
    candidate.onmessage = (frame) => (frame.type === "error" ? giveUp() : this.#moveTo(candidate, frame));
    candidate.open();
  }

  /** The new transport has joined: what both of them bring is dropped by its seq. */
  #moveTo(candidate, frame) {
    this.#stop("candidate");
    this.#candidate = null;
    this.#transport.close();
    this.#transport = candidate;
    this.#rung = 0;
    this.#climbAfter = FIRST_CLIMB;
    this.#listen(candidate);
    this.#followed.clear();
    this.#hear(frame);
    this.#turn("live");
  }

  /** It may be another network: what failed on the one before counts no more. */
  #online() {
    if (this.state === "ended") return;
    this.#failures = this.#failuresOnRung = 0;
    if (this.state === "live") {
      if (this.#rung > 0 && !this.#candidate) this.#climb();
      this.check();
    } else {
      this.#drop();
      this.#rung = 0;
      this.#connect();
    }
  }

  #heartbeat() {
    if (this.state === "ended") return;
    // A clock that was set back is no reason to be silent until it has caught up.
    const silence = Math.abs(Date.now() - this.lastHeard);
    if (this.state === "live" && silence >= HEARTBEAT) this.check();
  }

  /** A page that leaves says so: it may be kept asleep by the browser, and an open line would forbid that. */
  #sleep() {
    if (this.state === "ended") return;
    if (this.#timers.has("sent out")) return this.#endAsRemoved(); // the cursor is past what says so
    this.#drop();
    this.downSince ??= Date.now();
    this.state = "waiting";
  }

  #turn(state) {
    this.state = state;
    if (state !== "waiting") this.nextTry = null;
    this.dispatchEvent(new Event("state"));
  }

  #after(name, ms, action) {
    this.#stop(name);
    const run = () => {
      this.#timers.delete(name);
      action();
    };
    this.#timers.set(name, setTimeout(run, ms));
  }

  #stop(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
