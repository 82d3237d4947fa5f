// The people's pane: who is here, and below them the members of the room who are not.

import { request, roomPath } from "./api.js";
import { fillFace } from "./faces.js";
import { _, figure, LANGUAGE, ngettext } from "./i18n.js";
import { nameNow } from "./names.js";
import { copyOf } from "./templates.js";

const PARTS = { moderator: _("moderator"), owner: _("owner") };
const AWAY_SHOWN = 50; // the room's details have all
const names = new Intl.Collator(LANGUAGE, { sensitivity: "base", numeric: true });
const byName = (one, other) => names.compare(one.name, other.name);

const hereList = document.getElementById("people-here");
const away = document.getElementById("away");

let people = null; // a People, of people.js
let members = []; // as the server said last
let asked = 0;

/** `within`: ms in which to ask who is a member; undefined where that has not changed. */
export async function showPane(shown, within) {
  people = shown;
  show();
  if (within === undefined) return;
  const mine = ++asked;
  await new Promise((resolve) => setTimeout(resolve, within * Math.random()));
  if (mine !== asked) return; // asked for once more meanwhile
  const answer = await request(roomPath(people.room, "/members")).catch(() => null);
  if (!answer || mine !== asked) return;
  members = answer.members;
  show();
}

function show() {
  const { here, rest } = people;
  fill(hereList, here.sort(byName).map(rowOf));
  showMore(document.getElementById("people-rest"), rest);
  const ids = new Set(here.map(({ id }) => id));
  const others = rest > 0 ? [] : members.filter(({ id }) => !ids.has(id)); // where not all are known who are here
  away.hidden = others.length === 0;
  document.getElementById("away-count").textContent = figure(others.length);
  const named = others.map((member) => ({ ...member, name: nameNow(member), guest: !member.id.startsWith("u") }));
  fill(away.querySelector("ul"), named.sort(byName).slice(0, AWAY_SHOWN).map(awayRow));
  showMore(document.getElementById("away-rest"), others.length - AWAY_SHOWN);
}

function fill(list, rows) {
  const focused = list.contains(document.activeElement) && document.activeElement.getAttribute("href");
  list.replaceChildren(...rows);
  if (focused) list.querySelector(`[href="${focused}"]`)?.focus({ preventScroll: true });
}

function showMore(line, rest) {
  line.hidden = rest <= 0;
  line.textContent = ngettext("and %(num)s more", "and %(num)s more", rest);
}

function rowOf(person) {
  const row = copyOf("person");
  row.querySelector(".person").href = `/chats/${people.room}/details/?person=${person.id}#person`;
  fillFace(row.querySelector(".face"), person, { own: person.id === people.me?.id });
  row.querySelector(".name").textContent = person.name;
  row.querySelector(".says").textContent = person.status ?? "";
  row.querySelector(".says").title = person.status ?? "";
  row.querySelector(".guest").hidden = !person.guest;
  row.querySelector(".program").hidden = !person.bot;
  row.querySelector(".part").hidden = !people.parts.has(person.id);
  row.querySelector(".part").textContent = PARTS[people.parts.get(person.id)] ?? "";
  return row;
}

function awayRow(person) {
  const row = rowOf(person);
  row.querySelector(".present").className = "presence"; // an open ring
  return row;
}
