// The list of rooms: local times, and the list anew when something in it changed.

import { Problem, request } from "./api.js";
import { sendLeftovers } from "./leftovers.js";
import { pageAt } from "./pages.js";
import { fillShortTime } from "./times.js";

const REFRESH = 10_000; // ms

let shown = null;

const me = document.body.dataset.identity;

showTimes();
if (me) sendLeftovers(me);
setInterval(refresh, REFRESH);
document.addEventListener("visibilitychange", refresh);
addEventListener("pageshow", ({ persisted }) => persisted && refresh());

async function refresh() {
  if (document.hidden) return;
  try {
    const rooms = JSON.stringify(await request("/api/rooms"));
    if (shown !== null && rooms !== shown) await takeListAnew();
    shown = rooms;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
}

/** The server has the markup; the forms beside the list keep what is written in them. */
async function takeListAnew() {
  const page = await pageAt(location.pathname);
  if (page === null) return;
  const list = document.getElementById("room-lists");
  const news = page.getElementById("room-lists");
  if (!list || !news) return;
  const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  list.replaceWith(news);
  showTimes();
  if (focused) news.querySelector(`a[href="${focused}"]`)?.focus();
}

function showTimes() {
  for (const time of document.querySelectorAll(".when time")) fillShortTime(time, time.dateTime);
}
