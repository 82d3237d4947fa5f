// The people's pane: who is here, and below them the members of the room who are not. Loaded once it is opened.

import { request, roomPath } from "./api.js";
import { fillFace } from "./faces.js";
import { _, figure, LANGUAGE, ngettext } from "./i18n.js";
import { nameNow } from "./names.js";
import { copyOf } from "./templates.js";

const PARTS = { moderator: _("moderator"), owner: _("owner") };
const AWAY_SHOWN = 50; // the room's details have all
const names = new Intl.Collator(LANGUAGE, { sensitivity: "base" });
const away = document.getElementById("away");

let members = [];

/** `people`: see people.js; `anew`: who is a member may have changed. */
export async function showPeople(people, anew) {
  show(people);
  const answer = anew && (await request(roomPath(people.room, "/members")).catch(() => null));
  if (!answer) return;
  members = answer.members;
  show(people);
}

function show(people) {
  const { here, count } = people;
  fill(document.getElementById("people-here"), here.sort(byName).map((person) => rowOf(person, people)));
  sayRest("people-rest", count - here.length);
  const rows = count > here.length ? [] : absent(here).map((person) => awayRow(person, people));
  away.hidden = rows.length === 0;
  document.getElementById("away-count").textContent = figure(rows.length);
  fill(away.querySelector("ul"), rows.slice(0, AWAY_SHOWN));
  sayRest("away-rest", rows.length - AWAY_SHOWN);
}

/** What had the focus has it still. */
function fill(list, rows) {
  const focused = list.contains(document.activeElement) && document.activeElement.getAttribute("href");
  list.replaceChildren(...rows);
  if (focused) list.querySelector(`[href="${focused}"]`)?.focus({ preventScroll: true });
}

function sayRest(id, more) {
  const element = document.getElementById(id);
  element.hidden = more <= 0;
  element.textContent = ngettext("and %(num)s more", "and %(num)s more", more);
}

function absent(here) {
  const present = new Set(here.map(({ id }) => id));
  const others = members.filter(({ id }) => !present.has(id));
  return others.map((person) => ({ ...person, name: nameNow(person), guest: !person.id.startsWith("u") })).sort(byName);
}

function byName(one, other) {
  return names.compare(one.name, other.name);
}

function rowOf(person, { room, me, parts }) {
  const row = copyOf("person");
  row.querySelector(".person").href = `/chats/${room}/details/?person=${person.id}#person`;
  fillFace(row.querySelector(".face"), person, { own: person.id === me?.id });
  row.querySelector(".name").textContent = person.name;
  row.querySelector(".says").textContent = person.status ?? "";
  row.querySelector(".says").title = person.status ?? "";
  row.querySelector(".guest").hidden = !person.guest;
  row.querySelector(".part").hidden = !parts.has(person.id);
  row.querySelector(".part").textContent = PARTS[parts.get(person.id)] ?? "";
  return row;
}

function awayRow(person, people) {
  const row = rowOf(person, people);
  row.querySelector(".present").className = "presence"; // an open ring
  return row;
}
