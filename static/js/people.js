// Who is here: the number in the head and, once somebody looks, the pane.

import { figure } from "./i18n.js";

const SPREAD = 500; // ms over which the readers of a room ask, of whom there may be many

export class People {
  #here = new Map(); // id -> person; in a large room not all of them
  #count = 0;
  #panel = document.getElementById("people");

  /** `room`: its id. */
  constructor(room, people, me, parts) {
    this.room = room;
    this.me = me;
    this.parts = new Map(Object.entries(parts)); // id -> "moderator" or "owner"
    this.#take(people);
    this.#count = people.length;
    this.#panel.addEventListener("toggle", () => this.#show(0));
    this.#panel.addEventListener("click", (event) => this.#clicked(event));
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.#close());
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
    this.#count = count ?? this.#here.size;
    this.#show();
  }

  /** Who is here: in a large room not all of them. */
  get here() {
    return [...this.#here.values()];
  }

  /** How many more are here. */
  get rest() {
    return this.#count - this.#here.size;
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
    this.#show(SPREAD);
  }

  #take(people) {
    for (const person of people) this.#here.set(person.id, person);
  }

  /** `within`: ms in which to ask anew who is a member, where that may have changed. */
  #show(within) {
    for (const element of document.querySelectorAll(".people-count")) element.textContent = figure(this.#count);
    if (!this.#panel.matches(":popover-open")) return;
    import("./people_pane.js").then(({ showPane }) => showPane(this, within), () => null);
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
    if (!this.#panel.matches(":popover-open") || document.querySelector("#person-menu:popover-open")) return;
    this.#panel.hidePopover();
    document.querySelector(".people-button").focus();
  }
}
