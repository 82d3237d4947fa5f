// Somebody of those who are here: what the room's details say of them, in a popover beside their row.

import { pageAt } from "./pages.js";
import { keepWhole, placeBeside } from "./placing.js";

const menu = document.getElementById("person-menu");
let opener = ""; // the address that the row leads to: rows are made anew as people come and go

menu.addEventListener("toggle", ({ target, newState }) => {
  if (target !== menu) keepWhole(menu); // a part of it was opened
  else if (newState === "closed" && (document.activeElement === document.body || menu.contains(document.activeElement))) row()?.focus();
}, { capture: true }); // toggling does not bubble
menu.addEventListener("change", () => keepWhole(menu));
addEventListener("resize", () => menu.matches(":popover-open") && place());

/** Where nothing can be shown, as of who has just left, `link` leads on as any does. */
export async function showPerson(link) {
  const card = (await pageAt(link.href))?.getElementById("person");
  if (!card) return location.assign(link.href);
  opener = link.getAttribute("href");
  menu.replaceChildren(card);
  menu.showPopover();
  place();
  menu.querySelector("button, a, summary")?.focus();
}

function row() {
  return document.querySelector(`#people a[href="${opener}"]`);
}

function place() {
  const origin = row() ?? document.getElementById("people");
  placeBeside(menu, origin.getBoundingClientRect());
}
