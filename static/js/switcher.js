// Where to go next: a room by a part of its name, or somebody by how theirs begins. And the sheet of keys.

import { request } from "./api.js";
import { fillFace } from "./faces.js";
import { copyOf } from "./templates.js";

const dialog = document.getElementById("switcher");
const sheet = document.getElementById("keys");
const field = dialog.querySelector("input");
const list = dialog.querySelector("[role=listbox]");

const nothing = dialog.querySelector(".nothing");
const NOTHING = nothing.textContent;

let rooms = () => [];
let me = null;
let people = []; // with an account, whose names begin with what is written
let found = [];
let chosen = 0;

field.addEventListener("input", look);
field.addEventListener("keydown", pressed);
list.addEventListener("click", ({ target }) => go([...list.children].indexOf(target.closest("[role=option]"))));
for (const each of [dialog, sheet]) {
  each.addEventListener("click", ({ target }) => target === each && each.close()); // its backdrop
}

/** `from()`: the rooms to go to, as [{id, name, unread, element}]; `element`: its line at the side. `who`: who asks. */
export function switcher(from, who) {
  if (dialog.open) return;
  rooms = from;
  me = who;
  sheet.close();
  field.value = "";
  people = [];
  look();
  dialog.showModal();
}

export function keys() {
  if (!sheet.open && !dialog.open) sheet.showModal();
}

async function look() {
  show();
  const { value } = field;
  if (!value.trim() || !me || me.guest) return;
  const answer = await request(`/api/people?${new URLSearchParams({ q: value.trim() })}`).catch(() => ({ people: [] }));
  if (field.value !== value) return;
  people = answer.people;
  show();
}

function show() {
  const words = fold(field.value.trim());
  found = rooms().map((room) => ({ ...room, place: fold(room.name).indexOf(words) })).filter(({ place }) => place >= 0);
  // What begins with it, then what is unread, then as they stand at the side.
  found.sort((one, other) => Number(one.place > 0) - Number(other.place > 0) || Number(other.unread > 0) - Number(one.unread > 0));
  const talks = found.filter(({ element }) => element.closest("#direct")); // a room may be called as somebody is
  const known = new Set([me?.name, ...talks.map(({ name }) => name)]);
  const others = people.filter(({ name }) => words && !known.has(name) && fold(name).startsWith(words));
  found.push(...others.map(({ id, name }) => ({ person: id, name })));
  list.replaceChildren(...found.map(line));
  Object.assign(nothing, { hidden: found.length > 0, textContent: NOTHING });
  choose(0);
}

/** A room's shows what the line at the side does. */
function line({ id, name, element, person }) {
  const item = document.createElement("li");
  item.id = `switch-${id ?? person}`;
  item.className = "switch";
  item.setAttribute("role", "option");
  const words = document.createElement("bdi");
  words.className = "cut";
  words.textContent = name;
  if (person) {
    const face = copyOf("completion").querySelector(".face");
    fillFace(face, { id: person, name }, { own: false });
    item.append(face, words);
    return item;
  }
  const parts = [...element.querySelectorAll(".bell:not([hidden]), .count:not([hidden])")];
  item.append(element.querySelector(".mark").cloneNode(true), words, ...parts.map((part) => part.cloneNode(true)));
  return item;
}

function pressed(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.isComposing || (!step && event.key !== "Enter")) return;
  event.preventDefault();
  if (event.key === "Enter") go(chosen);
  else if (found.length) choose((chosen + step + found.length) % found.length);
}

function choose(index) {
  chosen = index;
  for (const [at, item] of [...list.children].entries()) item.setAttribute("aria-selected", String(at === index));
  const item = list.children[index];
  if (item) field.setAttribute("aria-activedescendant", item.id);
  else field.removeAttribute("aria-activedescendant");
  item?.scrollIntoView({ block: "nearest" });
}

async function go(index) {
  if (!found[index]) return;
  const { person, id = await conversationWith(person) } = found[index];
  if (!id) return;
  dialog.close();
  location.assign(`/chats/${id}/`);
}

/** The one that there is, or a new one; null where that is refused, which is said below. */
async function conversationWith(person) {
  try {
    return (await request("/api/direct", { json: { people: [person] } })).id;
  } catch (problem) {
    Object.assign(nothing, { hidden: false, textContent: problem.message });
    return null;
  }
}

function fold(words) {
  return words.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
