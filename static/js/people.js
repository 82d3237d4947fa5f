// Who is here: the number in the head and, on demand, the list.

import { fillFace } from "./faces.js";
import { _, figure, LANGUAGE, ngettext } from "./i18n.js";
import { copyOf } from "./templates.js";

const PARTS = { moderator: _("moderator"), owner: _("owner") };
const names = new Intl.Collator(LANGUAGE, { sensitivity: "base" });

export class People {
  #me;
  #parts; // id -> "moderator" or "owner"
  #here = new Map(); // id -> person; in a large room not all of them
  #count = 0;
  #panel = document.getElementById("people");
  #list = document.getElementById("people-here");
  #rest = document.getElementById("people-rest");
  #menu = document.getElementById("person-menu");
  #room;

  /** `room`: its id. */
  constructor(room, people, me, parts) {
    this.#room = room;
    this.#me = me;
    this.#parts = new Map(Object.entries(parts));
    this.#take(people);
    this.#count = people.length;
    this.#panel.addEventListener("toggle", () => this.#show(true));
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.#close());
    this.#panel.addEventListener("click", (event) => this.#clicked(event));
    this.#show();
  }

  /** A presence frame: all who are here, or who came and went, or in large rooms their number alone. */
  heard({ count, here, joined = [], left = [] }) {
    if (here) {
      const mine = this.#here.get(this.#me?.id) ?? this.#me;
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

  /** Somebody has a new name or, where there is one, another status. */
  changed({ id, ...news }) {
    const person = this.#here.get(id);
    if (!person) return;
    this.#here.set(id, { ...person, ...news });
    this.#show();
  }

  /** Somebody has another part in the room, or none. */
  became({ id, role }) {
    if (role && role !== "member") this.#parts.set(id, role);
    else this.#parts.delete(id);
    this.#show(true);
  }

  #take(people) {
    for (const person of people) this.#here.set(person.id, person);
  }

  /** `anew`: who is a member may have changed. */
  #show(anew) {
    for (const element of document.querySelectorAll(".people-count")) element.textContent = figure(this.#count);
    if (!this.#panel.matches(":popover-open")) return;
    const people = [...this.#here.values()].sort((one, other) => names.compare(one.name, other.name));
    const focused = this.#list.contains(document.activeElement) && document.activeElement.getAttribute("href");
    this.#list.replaceChildren(...people.map((person) => this.#row(person)));
    if (focused) this.#list.querySelector(`[href="${focused}"]`)?.focus({ preventScroll: true });
    const rest = this.#count - people.length;
    this.#rest.hidden = rest <= 0;
    this.#rest.textContent = ngettext("and %(num)s more", "and %(num)s more", rest);
    const row = (person) => this.#row(person);
    import("./away.js").then(({ showAway }) => showAway(this.#room, rest > 0 ? null : this.#here, row, anew), () => null);
  }

  #row(person) {
    const row = copyOf("person");
    row.querySelector(".person").href = `/chats/${this.#room}/details/?person=${person.id}#person`;
    fillFace(row.querySelector(".face"), person, { own: person.id === this.#me?.id });
    row.querySelector(".name").textContent = person.name;
    row.querySelector(".says").textContent = person.status ?? "";
    row.querySelector(".says").title = person.status ?? "";
    row.querySelector(".guest").hidden = !person.guest;
    row.querySelector(".part").hidden = !this.#parts.has(person.id);
    row.querySelector(".part").textContent = PARTS[this.#parts.get(person.id)] ?? "";
    return row;
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
    if (!this.#panel.matches(":popover-open") || this.#menu.matches(":popover-open")) return;
    this.#panel.hidePopover();
    document.querySelector(".people-button").focus();
  }
}
