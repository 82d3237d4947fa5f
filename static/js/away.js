// Members of the room who are not here, below those who are: asked for once the pane is open.

import { request, roomPath } from "./api.js";
import { figure, LANGUAGE, ngettext } from "./i18n.js";
import { nameNow } from "./names.js";

const SHOWN = 50; // the room's details have all
const names = new Intl.Collator(LANGUAGE, { sensitivity: "base" });
const part = document.getElementById("away");
const list = part.querySelector("ul");
const rest = document.getElementById("away-rest");

let members = [];
let here = null;

/**
 * `room`: its id; `present`: who is here, a Map by their ids, or null where not all of them are known; `row(person)`: as
 * of those who are here; `anew`: who is a member may have changed.
 */
export async function showAway(room, present, row, anew) {
  here = present;
  show(row);
  const answer = anew && (await request(roomPath(room, "/members")).catch(() => null));
  if (!answer) return;
  members = answer.members;
  show(row);
}

function show(row) {
  const people = here ? members.filter(({ id }) => !here.has(id)) : [];
  people.sort((one, other) => names.compare(nameNow(one), nameNow(other)));
  part.hidden = people.length === 0;
  document.getElementById("away-count").textContent = figure(people.length);
  const focused = list.contains(document.activeElement) && document.activeElement.getAttribute("href");
  list.replaceChildren(...people.slice(0, SHOWN).map((person) => awayRow(person, row)));
  if (focused) list.querySelector(`[href="${focused}"]`)?.focus({ preventScroll: true });
  const more = people.length - SHOWN;
  rest.hidden = more <= 0;
  rest.textContent = ngettext("and %(num)s more", "and %(num)s more", more);
}

function awayRow(person, row) {
  const element = row({ ...person, name: nameNow(person), guest: !person.id.startsWith("u") });
  element.querySelector(".present").className = "presence"; // an open ring
  return element;
}
