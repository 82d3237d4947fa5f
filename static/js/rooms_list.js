// The rooms at the side, with what is unread in each: as the server counts it, and one more with
// each message after that where the line follows the room.

import { Problem, request } from "./api.js";
import { fillFace } from "./faces.js";
import { copyOf } from "./templates.js";

const REFRESH = 60_000; // ms, where each room is followed
const LOOK = 5_000; // ms between two looks whether it is time
const REFRESH_REST = 15_000; // ms, where there are some that the line cannot follow

const numbers = new Intl.NumberFormat(document.documentElement.lang);

export class RoomsList {
  #lists;
  #current;
  #me;
  #connection;
  #rooms = new Map(); // id -> {element, unread, cursor, …}; `cursor`: up to where `unread` counts
  #refreshedAt = 0;
  #followsAll = false;

  /**
   * `lists`: {rooms, direct, archived}, as the server wrote them; `current`: the id of the room on the page.
   */
  constructor({ lists, current, me, connection }) {
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

  /** A message of any room. */
  heard({ room, seq, kind, author, detail }) {
    const entry = this.#rooms.get(room);
    if (!entry || seq <= entry.cursor) return;
    entry.cursor = seq;
    if (kind === "text" && author.id !== this.#me?.id && room !== this.#current) entry.unread += 1;
    for (const field of ["name", "kind", "closed"]) if (detail?.[field] !== undefined) entry[field] = detail[field];
    this.#show(entry);
  }

  /** The log of a room was begun anew: what follows are old messages. */
  begunAnew({ room, cursor }) {
    const entry = this.#rooms.get(room);
    if (entry) Object.assign(entry, { cursor, unread: 0 });
    this.refresh();
  }

  /** This person has read `room`, here or elsewhere. */
  read(room) {
    const entry = this.#rooms.get(room);
    if (!entry || room === this.#current) return;
    entry.unread = 0;
    this.#show(entry);
  }

  /** The room is gone. */
  remove(room) {
    this.#rooms.get(room)?.element.remove();
    this.#rooms.delete(room);
  }

  /** Asks the server for the list. */
  async refresh() {
    this.#refreshedAt = Date.now();
    try {
      const { rooms } = await request("/api/rooms");
      this.#take(rooms);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
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

  #take(rooms) {
    const listed = new Set(rooms.map(({ id }) => id));
    for (const id of this.#rooms.keys()) if (!listed.has(id)) this.remove(id);
    for (const { id, unread, cursor, name, kind, closed, muted, party } of rooms) {
      const entry = this.#rooms.get(id) ?? this.#add(id);
      Object.assign(entry, { muted, party });
      // Messages that came while the answer was under way are counted here and not in it.
      if (cursor >= entry.cursor) {
        Object.assign(entry, { name, kind, closed, cursor, unread: id === this.#current ? 0 : unread });
      }
      this.#show(entry);
    }
    const others = rooms.filter(({ id }) => id !== this.#current);
    // Where people are something is said: those first.
    this.#followsAll = this.#connection.follow(others.sort((one, other) => other.here - one.here));
  }

  #add(id) {
    const element = copyOf("room");
    element.dataset.room = id;
    element.querySelector("a").href = `/chats/${id}/`;
    const entry = { element, cursor: -1 };
    this.#rooms.set(id, entry);
    return entry;
  }

  #show({ element, name, unread, muted, ...room }) {
    const counts = unread > 0 && !muted;
    element.querySelector(".name").textContent = name;
    element.classList.toggle("unread", counts);
    element.classList.toggle("muted", Boolean(muted));
    element.querySelector(".bell").hidden = !muted;
    element.querySelector(".count").hidden = !counts;
    element.querySelector(".unread-number").textContent = numbers.format(unread);
    this.#place(element, room);
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
    if (party?.[0]) fillFace(element.querySelector(".face"), party[0], { own: false });
  }
}

/** The first room of `list` that stands behind `id`: rooms stand in the order of their numbers. */
function after(list, id) {
  return [...list.children].find((each) => Number(each.dataset.room) > id) ?? null;
}

function written(element) {
  const text = (part) => element.querySelector(part).textContent;
  const { mark } = element.querySelector(".mark").dataset;
  return {
    element,
    name: text(".name"),
    unread: Number(text(".unread-number").replaceAll(/\D/g, "")),
    cursor: -1,
    muted: element.classList.contains("muted"),
    kind: mark === "archived" ? "public" : mark,
    closed: mark === "archived",
  };
}
