// Where to go next: Ctrl+K (or Cmd+K) asks for a room by a part of its name. And the sheet of keys, on "?".

const switcher = document.getElementById("switcher");
const keys = document.getElementById("keys");
const field = switcher.querySelector("input");
const list = switcher.querySelector("[role=listbox]");
const FIELDS = "input, textarea, select, [contenteditable]";

let found = [];
let chosen = 0;

/** `rooms()`: those to go to, as [{id, name, kind, unread}]. */
export function openBy(rooms) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey) return;
    const control = event.ctrlKey || event.metaKey;
    if (control && !event.shiftKey && event.key.toLowerCase() === "k") open(event, rooms);
    else if (event.key === "?" && !control && !event.target.closest(FIELDS)) showKeys(event);
  });
  for (const button of document.querySelectorAll("[data-opens=switcher]")) button.addEventListener("click", (event) => open(event, rooms));
  for (const button of document.querySelectorAll("[data-opens=keys]")) button.addEventListener("click", showKeys);
  field.addEventListener("input", () => look(rooms));
  field.addEventListener("keydown", pressed);
  list.addEventListener("click", ({ target }) => go([...list.children].indexOf(target.closest("[role=option]"))));
  for (const dialog of [switcher, keys]) {
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close()); // its backdrop
  }
}

function open(event, rooms) {
  event.preventDefault();
  if (switcher.open) return;
  keys.close();
  field.value = "";
  look(rooms);
  switcher.showModal();
}

function showKeys(event) {
  event.preventDefault();
  if (!keys.open && !switcher.open) keys.showModal();
}

function look(rooms) {
  const words = fold(field.value.trim());
  found = rooms().map((room) => ({ ...room, place: fold(room.name).indexOf(words) })).filter(({ place }) => place >= 0);
  // What begins with it, then what is unread, then as they stand at the side.
  found.sort((one, other) => Number(one.place > 0) - Number(other.place > 0) || Number(other.unread > 0) - Number(one.unread > 0));
  list.replaceChildren(...found.map(line));
  switcher.querySelector(".nothing").hidden = found.length > 0;
  choose(0);
}

function line({ id, name, unread }) {
  const item = document.createElement("li");
  item.id = `switch-${id}`;
  item.className = "switch";
  item.setAttribute("role", "option");
  const words = document.createElement("bdi");
  words.className = "cut";
  words.textContent = name;
  item.append(words);
  if (unread > 0) {
    const count = document.createElement("span");
    count.className = "count";
    count.textContent = unread > 99 ? "99+" : unread;
    item.append(count);
  }
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
  switcher.close();
  location.assign(`/chats/${found[index].id}/`);
}

function fold(words) {
  return words.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
