// What has been read: the newest message counts as read once it is in view of somebody. Until
// then the title counts, a button leads down, and a line "New" stands where the reading stopped.
//
// The server owns a position that came to it, and keeps it. Until then this page does: the newest is told in
// the end, however many came before it, and again over the next line where this one broke, or if it was refused.

const READ_PAUSE = 5_000; // ms between two reports to the server
const REMEMBERED = 1_000; // texts; from a hundred on no count is told any more

export class Reading extends EventTarget {
  #texts = new Map(); // of others, not read yet: seq -> {forMe, deleted}
  #log;
  #connection;
  #room;
  #told = 0;
  #timer = null;
  #held = false;

  /** `room`: the id to report what was read in, or null for who has no name. Event `change`: when `unread` did. */
  constructor({ log, connection, room }) {
    super();
    this.#log = log;
    this.#connection = connection;
    this.#room = room;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.release() : this.look()));
    connection.addEventListener("state", () => this.#lineChanged());
    connection.addEventListener("error", ({ detail: { re } }) => re === "read" && (this.#told = 0));
    addEventListener("pagehide", () => this.#tell()); // what was read since the last report
  }

  get unread() {
    return this.#left.length;
  }

  /** How much of it calls this person or is said to them alone. */
  get forMe() {
    return this.#left.filter(({ forMe }) => forMe).length;
  }

  /** Somebody wants what they have read to be unread: it stays so until they come back or write. */
  hold() {
    this.#held = true;
    this.#show();
  }

  release() {
    if (!this.#held) return;
    this.#held = false;
    this.#told = 0;
    this.#show();
  }

  get isHeld() {
    return this.#held;
  }

  get #isWatching() {
    return !document.hidden && this.#log.isAtNewest;
  }

  /** A text by somebody else came in; `forMe`: it calls this person, or is said to them alone. */
  heard(message, forMe) {
    if (this.#isWatching) return this.look();
    if (this.#texts.size === 0) this.#log.markNew(message.seq);
    if (this.#texts.size < REMEMBERED) this.#texts.set(message.seq, { forMe, deleted: false });
    this.#show();
  }

  /** A text is another one now, deleted or back again; `forMe`: as it is now. */
  changed({ kind, of }, forMe) {
    if (!this.#texts.has(of)) return;
    this.#texts.set(of, { forMe, deleted: kind === "delete" });
    this.#show();
  }

  /** Something changed in what is in view. */
  look() {
    if (!this.#isWatching) return;
    if (this.#texts.size > 0) {
      this.#texts.clear();
      this.#show();
    }
    this.#tellSoon();
  }

  /** What was told over a line that broke may not have come: it is told again over the next one. */
  #lineChanged() {
    if (this.#connection.state !== "live") this.#told = 0;
    this.look();
  }

  get #left() {
    return [...this.#texts.values()].filter(({ deleted }) => !deleted);
  }

  #show() {
    this.dispatchEvent(new Event("change"));
  }

  #tellSoon() {
    if (this.#timer !== null || !this.#tell()) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.look();
    }, READ_PAUSE);
  }

  /** Whether there was something to report, and a line to report it over. */
  #tell() {
    const { cursor, state } = this.#connection;
    if (this.#room === null || this.#held || !this.#isWatching || state !== "live" || cursor <= this.#told) return false;
    this.#told = cursor;
    this.#connection.send({ type: "read", room: this.#room, seq: cursor });
    return true;
  }
}
