// What this room is for the one who reads it: its rules and, in the composer's place, why they may not write.
// The server has the words; they are taken anew when rights have changed.

import { fillMoment, serverNow } from "./times.js";

const SPREAD = 500; // ms over which the readers of a room ask, of whom there may be many
const LONGEST_TIMER = 2 ** 31 - 1; // ms; browsers take more for none

// A notice's `detail` with one of these changes what everybody may do here.
const OF_ALL = ["topic", "closed", "kind", "posting", "guests", "slow_seconds", "keep_days", "keep_messages", "lifted"];

function foot() {
  return document.getElementById("foot-state");
}

/** Whether who reads here moderates the room, which they may come to and cease to. */
export function moderates() {
  return "moderates" in foot().dataset;
}

/** Event `change`: when it was taken anew; `turn`: when who reads here has come to moderate, or does no more. */
export class About extends EventTarget {
  #room;
  #me;
  #timer = null;

  constructor({ room, me }) {
    super();
    this.#room = room;
    this.#me = me;
    document.addEventListener("submit", (event) => this.#submit(event));
    this.#show();
  }

  get mayWrite() {
    return foot().dataset.may === "yes";
  }

  /** Seconds between two messages of this person. */
  get slowSeconds() {
    return Number(foot().dataset.slow);
  }

  /** A notice's `detail`. */
  heard(detail) {
    const { member, timeout } = detail;
    const own = this.#me && (member?.id === this.#me.id || timeout === this.#me.id);
    if (own) this.#takeIn(0);
    else if (OF_ALL.some((field) => field in detail)) this.#takeIn(Math.random() * SPREAD);
  }

  /** Asks the server what is so now, as after a time of which nothing was heard. */
  refresh() {
    this.#takeIn(Math.random() * SPREAD);
  }

  #takeIn(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#take(), Math.min(ms, LONGEST_TIMER));
  }

  async #take() {
    const taking = await import("./taking.js").catch(() => null);
    const taken = await taking?.takeAnew(this.#room);
    if (!taken) return;
    this.#show();
    this.dispatchEvent(new Event("change"));
    if (taken.turned) this.dispatchEvent(new Event("turn"));
  }

  #show() {
    for (const time of foot().querySelectorAll("time")) fillMoment(time);
    const forms = document.querySelectorAll(".foot > form");
    for (const form of forms) form.hidden = !this.mayWrite;
    document.body.classList.toggle("silenced", !this.mayWrite);
    const { until } = foot().dataset;
    if (until) this.#takeIn(Math.max(0, Date.parse(until) - serverNow()) + SPREAD);
  }

  /** A form that changes what stands here needs no new page. */
  async #submit(event) {
    const form = event.target;
    if (event.defaultPrevented || !form.matches("form[data-live]")) return;
    event.preventDefault();
    const taking = await import("./taking.js").catch(() => null);
    if (!taking) form.submit();
    else if (await taking.submitted(form)) this.#takeIn(0);
  }
}
