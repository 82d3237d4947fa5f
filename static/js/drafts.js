// A pencil at each room in which this browser has something that was begun and not sent.

import { _ } from "./i18n.js";
import { hearOthers, keys } from "./storage.js";

const NAME = "draft";

/** `author`: the id of who writes; `current`: the room of this page, where the field shows it; 0 for none. */
export function markDrafts(author, current = 0) {
  show(author, current);
  hearOthers((key) => key.startsWith(`${NAME}.`) && show(author, current));
}

export function show(author, current = 0) {
  for (const mark of document.querySelectorAll(".draft")) mark.remove();
  for (const key of keys(`${NAME}.`)) {
    const [, room, by] = key.split(".");
    if (by !== author || Number(room) === current) continue;
    for (const line of document.querySelectorAll(`[data-room="${Number(room)}"]`)) line.querySelector(".bell").before(mark());
  }
}

function mark() {
  const element = document.createElement("span");
  element.className = "draft";
  element.title = _("Draft");
  const words = document.createElement("span");
  words.className = "said-only";
  words.textContent = ` ${_("Draft")}`;
  element.append(words);
  return element;
}
