// Loads what the page does not show: older messages as one scrolls up, newer ones as one comes
// down again. Without a script the link "Older messages" does the first.

import { Problem, request, roomPath } from "./api.js";
import { learnNames } from "./names.js";

export const PAGE = 50; // messages a request
const ENOUGH = 15; // rows that a load shall bring: fifty reactions are no page
export const AHEAD = 800; // px before the end of what is loaded
const RETRY = 3_000; // ms

export class History {
  #room;
  #log;
  #connection;
  #older;
  #ends;
  #finding = document.getElementById("finding");
  #loading = null;
  #observer;

  /** `older`: the link above the first row; `foot`: an element below the last one. */
  constructor({ room, log, connection, older, foot, scroller }) {
    this.#room = room;
    this.#log = log;
    this.#connection = connection;
    this.#older = older;
    this.#ends = [older, foot];
    const options = { root: scroller, rootMargin: `${AHEAD}px 0px` };
    this.#observer = new IntersectionObserver((entries) => this.#seen(entries), options);
    this.#look();
    older.addEventListener("click", (event) => {
      event.preventDefault();
      this.#load(() => this.#loadOlder());
    });
  }

  /** Whether the page shows the beginning of the log. */
  get isExhausted() {
    return this.#older.hidden;
  }

  /** The log was begun anew: there may be older messages again. */
  reset() {
    this.#older.hidden = false;
    this.#look();
  }

  /** Resolves when the newest messages are on the page. */
  async toNewest() {
    while (this.#loading) await this.#loading;
    if (!this.#log.atEdge) await this.#load(() => this.#loadNewest(), this.#finding);
  }

  /**
   * Brings the message `seq` onto the page, with what is around it, and leads there. Resolves with whether it is there;
   * null where that could not be found out.
   */
  async goTo(seq) {
    while (this.#loading) await this.#loading;
    if (this.#log.reveal(seq)) return true;
    let loaded = false;
    await this.#load(async () => {
      await this.#loadAround(seq);
      loaded = true;
    }, this.#finding);
    return loaded ? this.#log.reveal(seq) : null;
  }

  /** An observer tells only of changes; to be told again of what is still in view it has to begin again. */
  #look() {
    this.#observer.disconnect();
    for (const end of this.#ends) this.#observer.observe(end);
  }

  #seen(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      if (target === this.#older) this.#load(() => this.#loadOlder());
      else if (!this.#log.atEdge) this.#load(() => this.#loadNewer(), this.#finding);
    }
  }

  /** `sign`: what shows, as long as it is busy, that something is on its way. */
  #load(task, sign = this.#older) {
    this.#loading ??= this.#run(task, sign);
    return this.#loading;
  }

  async #run(task, sign) {
    sign.ariaBusy = true;
    try {
      await task();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    } finally {
      sign.ariaBusy = this.#loading = null;
      this.#look();
    }
  }

  async #loadOlder() {
    for (let rows = 0; rows < ENOUGH && !this.isExhausted; ) {
      const first = this.#log.first;
      const messages = await this.#page({ before: first ?? this.#connection.cursor + 1 });
      // Begun anew meanwhile: what came does not join what is there.
      if (first !== this.#log.first) return;
      this.#older.hidden = (messages[0]?.seq ?? 1) === 1; // a page may have fewer than were asked for
      rows += this.#log.addOlder(messages);
    }
  }

  async #loadNewer() {
    for (let rows = 0; rows < ENOUGH && !this.#log.atEdge; ) {
      const last = this.#log.last;
      const messages = await this.#page({ after: last });
      if (last !== this.#log.last) return;
      rows += this.#log.addNewer(messages);
      this.#arrive();
    }
  }

  async #loadNewest() {
    const messages = await this.#page({ before: Number.MAX_SAFE_INTEGER });
    this.#log.begin(messages, messages.at(-1)?.seq ?? this.#connection.cursor);
    this.#arrive();
    this.reset();
  }

  async #loadAround(seq) {
    let messages = await this.#page({ before: seq + PAGE / 2 });
    if (messages[0]?.seq > seq) messages = await this.#page({ before: seq + 1 }); // what follows it took all the room
    if (!messages.some((message) => message.seq === seq && ["text", "notice"].includes(message.kind))) return;
    this.#log.begin(messages, messages.at(-1).seq);
    this.#arrive();
    this.reset();
  }

  /** Messages that came while a page was under way were not shown: at the edge is who has them all. */
  #arrive() {
    this.#log.atEdge = this.#log.last >= this.#connection.cursor;
  }

  async #page(query) {
    const { messages, names = {} } = await request(roomPath(this.#room, `/messages?${new URLSearchParams({ ...query, limit: PAGE, html: 1 })}`));
    learnNames(names);
    return messages;
  }
}
