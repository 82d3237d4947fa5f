// Who is here: the number in the head and, once its pane is opened, the list (people_list.js).

import { figure } from "./i18n.js";

export class People {
  room;
  me;
  parts; // id -> "moderator" or "owner"
  count = 0;

  #here = new Map(); // id -> person; in a large room not all of them
  #pane = document.getElementById("people");
  #menu = document.getElementById("person-menu");

  /** `room`: its id. */
  constructor(room, people, me, parts) {
    this.room = room;
    this.me = me;
    this.parts = new Map(Object.entries(parts));
    this.#take(people);
    this.count = people.length;
    this.#pane.addEventListener("toggle", () => this.#show(true));
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.#close());
    this.#pane.addEventListener("click", (event) => this.#clicked(event));
    this.#show();
  }

  /** A presence frame: all who are here, or who came and went, or in large rooms their number alone. */
  heard({ count, here, joined = [], left = [] }) {
    if (here) {
      const mine = this.#here.get(this.me?.id) ?? this.me;
      this.#here.clear();
      this.#take(here);
      // Of a large room the first ones are told, and one looks for oneself.
      if (mine && count > here.length) this.#take([mine]);
    }
    this.#take(joined);
    for (const { id } of left) this.#here.delete(id);
    this.count = count ?? this.#here.size;
    this.#show();
  }

  /** Who is here: in a large room not all of them. */
  get here() {
    return [...this.#here.values()];
  }

  /** Somebody has a new name or, where there is one, another status. */
  changed({ id, ...news }) {
    const person = this.#here.get(id);
    if (!person) return;
    this.#here.set(id, { ...person, ...news });
    this.#show();
  }

  /** Somebody has another part in the room, or none. */
  became({ id, role }) {
    if (role && role !== "member") this.parts.set(id, role);
    else this.parts.delete(id);
    this.#show(true);
  }

  #take(people) {
    for (const person of people) this.#here.set(person.id, person);
  }

  /** `anew`: who is a member may have changed. Without a line the pane has what the server wrote there. */
  #show(anew) {
    for (const element of document.querySelectorAll(".people-count")) element.textContent = figure(this.count);
    if (!this.#pane.matches(":popover-open")) return;
    import("./people_list.js").then(({ showPeople }) => showPeople(this, anew), () => null);
  }

  /** Where a person leads is shown on this page; with a key held they are a link as any. */
  async #clicked(event) {
    const link = event.target.closest("a.person");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const menu = await import("./person_menu.js").catch(() => null);
    if (menu) await menu.showPerson(link);
    else location.assign(link.href);
  }

  #close() {
    if (!this.#pane.matches(":popover-open") || this.#menu.matches(":popover-open")) return;
    this.#pane.hidePopover();
    document.querySelector(".people-button").focus();
  }
}
