// The rooms at the side, with what is unread in each: as the server counts it, and one more with
// each message after that where the line follows the room.

import { Problem, request } from "./api.js";
import { copyOf } from "./templates.js";

const REFRESH = 60_000; // ms, where each room is followed
const LOOK = 5_000; // ms between two looks whether it is time
const REFRESH_REST = 15_000; // ms, where there are some that the line cannot follow

const numbers = new Intl.NumberFormat(document.documentElement.lang);

export class RoomsList {
  #list;
  #current;
  #me;
  #connection;
  #rooms = new Map(); // id -> {element, name, unread, cursor}; `cursor`: up to where `unread` counts
  #refreshedAt = 0;
  #followsAll = false;

  /** `list`: the rooms as the server wrote them; `current`: the id of the one on the page. */
  constructor({ list, current, me, connection }) {
    this.#list = list;
    this.#current = current;
    this.#me = me;
    this.#connection = connection;
    for (const element of list.children) this.#rooms.set(Number(element.dataset.room), written(element));
    connection.addEventListener("state", () => connection.state === "live" && this.#refresh());
    document.addEventListener("visibilitychange", () => this.#tick());
    setInterval(() => this.#tick(), LOOK);
  }

  /** A message of any room. */
  heard({ room, seq, kind, author, detail }) {
    const entry = this.#rooms.get(room);
    if (!entry || seq <= entry.cursor) return;
    entry.cursor = seq;
    if (kind === "text" && author.id !== this.#me?.id && room !== this.#current) entry.unread += 1;
    if (detail?.name) entry.name = detail.name;
    this.#show(entry);
  }

  /** The log of a room was begun anew: what follows are old messages. */
  begunAnew({ room, cursor }) {
    const entry = this.#rooms.get(room);
    if (entry) Object.assign(entry, { cursor, unread: 0 });
    this.#refresh();
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

  #tick() {
    if (document.hidden || this.#connection.state !== "live") return;
    const pause = this.#connection.manyRooms && this.#followsAll ? REFRESH : REFRESH_REST;
    if (Date.now() - this.#refreshedAt >= pause) this.#refresh();
  }

  async #refresh() {
    this.#refreshedAt = Date.now();
    try {
      const { rooms } = await request("/api/rooms");
      this.#take(rooms);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }

  #take(rooms) {
    const listed = new Set(rooms.map(({ id }) => id));
    for (const id of this.#rooms.keys()) if (!listed.has(id)) this.remove(id);
    for (const { id, name, unread, cursor } of rooms) {
      const entry = this.#rooms.get(id) ?? this.#add(id);
      // Messages that came while the answer was under way are counted here and not in it.
      if (cursor < entry.cursor) continue;
      Object.assign(entry, { name, cursor, unread: id === this.#current ? 0 : unread });
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
    this.#list.append(element);
    const entry = { element, cursor: -1 };
    this.#rooms.set(id, entry);
    return entry;
  }

  #show({ name, unread, element }) {
    element.querySelector(".name").textContent = name;
    element.classList.toggle("unread", unread > 0);
    element.querySelector(".count").hidden = !(unread > 0);
    element.querySelector(".unread-number").textContent = numbers.format(unread);
  }
}

function written(element) {
  const text = (part) => element.querySelector(part).textContent;
  return { element, name: text(".name"), unread: Number(text(".unread-number").replaceAll(/\D/g, "")), cursor: -1 };
}
