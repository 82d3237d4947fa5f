// Where to go next: a room by a part of its name. And the sheet of keys.

const dialog = document.getElementById("switcher");
const sheet = document.getElementById("keys");
const field = dialog.querySelector("input");
const list = dialog.querySelector("[role=listbox]");

let rooms = () => [];
let found = [];
let chosen = 0;

field.addEventListener("input", look);
field.addEventListener("keydown", pressed);
list.addEventListener("click", ({ target }) => go([...list.children].indexOf(target.closest("[role=option]"))));
for (const each of [dialog, sheet]) {
  each.addEventListener("click", ({ target }) => target === each && each.close()); // its backdrop
}

/** `from()`: the rooms to go to, as [{id, name, unread, element}]; `element`: its line at the side. */
export function switcher(from) {
  if (dialog.open) return;
  rooms = from;
  sheet.close();
  field.value = "";
  look();
  dialog.showModal();
}

export function keys() {
  if (!sheet.open && !dialog.open) sheet.showModal();
}

function look() {
  const words = fold(field.value.trim());
  found = rooms().map((room) => ({ ...room, place: fold(room.name).indexOf(words) })).filter(({ place }) => place >= 0);
  // What begins with it, then what is unread, then as they stand at the side.
  found.sort((one, other) => Number(one.place > 0) - Number(other.place > 0) || Number(other.unread > 0) - Number(one.unread > 0));
  list.replaceChildren(...found.map(line));
  dialog.querySelector(".nothing").hidden = found.length > 0;
  choose(0);
}

/** It shows what the line at the side does. */
function line({ id, name, element }) {
  const item = document.createElement("li");
  item.id = `switch-${id}`;
  item.className = "switch";
  item.setAttribute("role", "option");
  const words = document.createElement("bdi");
  words.className = "cut";
  words.textContent = name;
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

function go(index) {
  if (!found[index]) return;
  dialog.close();
  location.assign(`/chats/${found[index].id}/`);
}

function fold(words) {
  return words.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
