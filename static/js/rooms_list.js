// The rooms at the side, with what is unread in each: as the server counts it, and one more with
// each message after that where the line follows the room.

import { Problem, request } from "./api.js";
import { forMe, short, showReports } from "./counts.js";
import { fillFace } from "./faces.js";
import { _ } from "./i18n.js";
import { calls } from "./mentions.js";
import { copyOf } from "./templates.js";

const REFRESH = 60_000; // ms, where each room is followed
const LOOK = 5_000; // ms between two looks whether it is time
const REFRESH_REST = 15_000; // ms, where there are some that the line cannot follow
const SOON = 300; // ms in which several reasons to ask the server are one
const CHANGES_SPREAD = 2_000; // ms over which all who heard of a change ask

/** Event `change`: when `forMe` may have. */
export class RoomsList extends EventTarget {
  #lists;
  #current;
  #me;
  #connection;
  #rooms = new Map(); // id -> {element, unread, mentions, cursor, …}; `cursor`: up to where these count
  #refreshedAt = 0;
  #timer = null;
  #due = Infinity; // when it runs out
  #followsAll = false;
  #asked = 0; // how often the server was asked for the list
  #taken = 0; // the question whose answer is shown
  #told = new Map(); // id -> {here, asked}: who came or went, and the last question before that was told
  #countsCurrent = false;
  #reports = null; // how many wait for this person, in all

  /**
   * `lists`: {rooms, direct, archived}, as the server wrote them; `current`: the id of the room on the page.
   */
  constructor({ lists, current, me, connection }) {
    super();
    this.#lists = lists;
    this.#current = current;
    this.#me = me;
    this.#connection = connection;
    for (const list of Object.values(lists)) {
      for (const element of list.children) this.#rooms.set(Number(element.dataset.room), written(element));
    }
    connection.addEventListener("state", () => this.#isOpen && this.refresh());
    document.addEventListener("visibilitychange", () => this.#tick());
    setInterval(() => this.#tick(), LOOK);
  }

  /** Whether the room on the page counts as the others do: its reader wants to have it unread. */
  set countsCurrent(counts) {
    if (counts === this.#countsCurrent) return;
    this.#countsCurrent = counts;
    this.refreshSoon();
  }

  /** In how many texts this person is called in the other rooms, or written to alone. */
  get forMe() {
    return [...this.#rooms.values()].reduce((sum, entry) => sum + forMe(entry), 0);
  }

  /** How many reports wait for this person in all; null as long as the page has what the server wrote. */
  get reports() {
    return this.#reports;
  }

  /** What is known of a room: {id, name, kind, muted, role, notify, reports}. */
  about(room) {
    return this.#rooms.get(room) ?? null;
  }

  /** All of them, each with its line at the side. */
  get all() {
    return [...this.#rooms].map(([id, { name, unread, element }]) => ({ id, name, unread, element }));
  }

  /** A message of any room. Returns whether it is news. */
  heard(message) {
    const { room, seq, kind, author, detail } = message;
    const entry = this.#rooms.get(room);
    if (!entry || seq <= entry.cursor) return false;
    entry.cursor = seq;
    const counts = author.id !== this.#me?.id && this.#counts(room);
    if (kind === "text" && counts) entry.unread += 1;
    if (kind === "text" && counts && calls(message, this.#me?.id)) entry.mentions += 1;
    if (this.#mayCountOtherwise(message, entry)) this.refreshSoon(CHANGES_SPREAD);
    for (const field of ["name", "kind", "closed"]) if (detail?.[field] !== undefined) entry[field] = detail[field];
    this.#show(entry);
    return true;
  }

  /** Whether the text that a message changes is an unread one of somebody else, the server knows. */
  #mayCountOtherwise({ kind, mentions }, entry) {
    if (kind === "edit") return entry.mentions > 0 || Boolean(mentions);
    return (kind === "delete" && entry.unread > 0) || kind === "restore";
  }

  /** The log of a room was begun anew: what follows are old messages. */
  begunAnew({ room, cursor }) {
    const entry = this.#rooms.get(room);
    if (entry) Object.assign(entry, { cursor, unread: 0, mentions: 0 });
    this.refresh();
  }

  /** This person has read a room up to `seq` elsewhere, or wants to have no more of it read (`isBack`). */
  read({ room, seq, unread: isBack }) {
    const entry = this.#rooms.get(room);
    if (!entry || !this.#counts(room)) return;
    if (isBack || seq < entry.cursor) return this.refreshSoon();
    entry.unread = entry.mentions = 0;
    this.#show(entry);
  }

  /** Somebody with whom this person has a conversation came to the server or left it. */
  came({ id, here }) {
    this.#told.set(id, { here, asked: this.#asked });
    for (const entry of this.#rooms.values()) {
      const other = entry.party?.find((each) => each.id === id);
      if (!other) continue;
      other.here = here;
      this.#show(entry);
    }
  }

  /** The room is gone. */
  remove(room) {
    this.#rooms.get(room)?.element.remove();
    this.#rooms.delete(room);
    this.dispatchEvent(new Event("change"));
  }

  /** Asks the server for the list, once for several reasons; at random within `spread` ms, where others do so too. */
  refreshSoon(spread = 0) {
    const due = Date.now() + SOON + spread * Math.random();
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => this.refresh(), due - Date.now());
  }

  /** Asks the server for the list. */
  async refresh() {
    clearTimeout(this.#timer);
    this.#due = Infinity;
    this.#refreshedAt = Date.now();
    const asked = ++this.#asked;
    try {
      const { rooms, reports } = await request("/api/rooms");
      if (asked > this.#taken) this.#take(rooms, reports, asked); // else a later one was answered first
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }

  #counts(room) {
    return room !== this.#current || this.#countsCurrent;
  }

  /** The list goes on where its page's room has ended. */
  get #isOpen() {
    return this.#connection.state === "live" || this.#connection.state === "ended";
  }

  #tick() {
    if (document.hidden || !this.#isOpen) return;
    const pause = this.#connection.manyRooms && this.#followsAll ? REFRESH : REFRESH_REST;
    if (Date.now() - this.#refreshedAt >= pause) this.refresh();
  }

  #take(rooms, reports, asked) {
    this.#taken = asked;
    this.#reports = reports;
    const listed = new Set(rooms.map(({ id }) => id));
    for (const id of this.#rooms.keys()) if (!listed.has(id)) this.remove(id);
    for (const { id, unread, mentions, cursor, name, kind, closed, muted, role, notify, party, reports } of rooms) {
      const entry = this.#rooms.get(id) ?? this.#add(id);
      // Who came or went while the answer was under way: it may have been made before.
      for (const other of party) if (this.#told.get(other.id)?.asked >= asked) other.here = this.#told.get(other.id).here;
      Object.assign(entry, { muted, role, notify, party, reports });
      // Messages that came while the answer was under way are counted here and not in it.
      if (cursor >= entry.cursor) {
        Object.assign(entry, { name, kind, closed, cursor });
        Object.assign(entry, this.#counts(id) ? { unread, mentions } : { unread: 0, mentions: 0 });
      }
      this.#show(entry);
    }
    const others = rooms.filter(({ id }) => id !== this.#current);
    this.#followsAll = this.#connection.follow(others.sort((one, other) => callsFor(other) - callsFor(one)));
  }

  #add(id) {
    const element = copyOf("room");
    element.dataset.room = id;
    element.querySelector("a").href = `/chats/${id}/`;
    const entry = { element, unread: 0, mentions: 0, cursor: -1 };
    this.#rooms.set(id, entry);
    return entry;
  }

  /** What _room_link.html shows of a room. */
  #show(entry) {
    const { element, name, unread, muted, reports } = entry;
    const number = forMe(entry) || (muted ? 0 : unread);
    element.querySelector(".name").textContent = name;
    element.classList.toggle("unread", number > 0);
    element.classList.toggle("muted", Boolean(muted));
    element.querySelector(".bell").hidden = !muted;
    if (reports !== undefined) showReports(element.querySelectorAll(".reports-count"), reports);
    if (reports !== undefined) element.querySelector(".flag").hidden = reports === 0;
    const count = element.querySelector(".count");
    count.hidden = number === 0;
    count.classList.toggle("for-me", forMe(entry) > 0);
    count.querySelector(".unread-number").textContent = short(number);
    count.querySelector(".count-words").textContent = ` ${forMe(entry) > 0 ? _("for you") : _("unread")}`;
    this.#place(element, entry);
    this.dispatchEvent(new Event("change"));
  }

  /** Puts a room under the heading that is its, and gives it its mark. */
  #place(element, { kind, closed, party }) {
    const mark = kind === "direct" ? "direct" : closed ? "archived" : kind;
    const list = this.#lists[mark] ?? this.#lists.rooms;
    if (element.parentElement !== list) list.insertBefore(element, after(list, Number(element.dataset.room)));
    const marks = [...element.querySelectorAll(".mark")];
    if (marks.length > 1 || marks[0].dataset.mark !== mark) {
      const own = copyOf("room").querySelector(`[data-mark="${mark}"]`);
      marks[0].replaceWith(own);
      for (const other of marks.slice(1)) other.remove();
    }
    if (!party?.[0]) return;
    const isHere = party.some(({ here }) => here);
    const face = element.querySelector(".face");
    if (party[1]) face.className = "face of-many";
    else fillFace(face, party[0], { own: false });
    element.querySelector(".presence").classList.toggle("on", isHere);
    element.querySelector(".presence .said-only").textContent = isHere ? _("here") : _("away");
  }
}

/**
 * Where all is to be told that is said comes first; then conversations, whose faces say who is here, which the server
 * tells only who follows them; then where people are: there something is said.
 */
function callsFor({ notify, kind, here }) {
  if (kind === "direct") return Number.MAX_VALUE; // what is said in them it tells anyhow
  return notify === "all" ? Infinity : here;
}

/** The first room of `list` that stands behind `id`: rooms stand in the order of their numbers. */
function after(list, id) {
  return [...list.children].find((each) => Number(each.dataset.room) > id) ?? null;
}

function written(element) {
  const { mark } = element.querySelector(".mark").dataset;
  return {
    element,
    name: element.querySelector(".name").textContent,
    unread: Number(element.dataset.unread),
    mentions: Number(element.dataset.mentions),
    cursor: -1,
    muted: element.classList.contains("muted"),
    kind: mark === "archived" ? "public" : mark,
    closed: mark === "archived",
  };
}
