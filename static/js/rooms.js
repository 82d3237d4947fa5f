// The list of rooms: local times, and the list anew when something in it changed.

import { Problem, request } from "./api.js";
import { markDrafts, show as showDrafts } from "./drafts.js";
import { forMe, showReports } from "./counts.js";
import { sendLeftovers } from "./leftovers.js";
import { pageAt } from "./pages.js";
import { Tab } from "./tab.js";
import { fillShortTime } from "./times.js";

const REFRESH = 10_000; // ms

let shown = null; // what the server said last

const me = document.body.dataset.identity;
const tab = new Tab(document.title);

showTimes();
if (me) sendLeftovers(me);
if (me) markDrafts(me);
refresh(); // the page that led here told what was read there as it was left, when this one was already asked for
setInterval(refresh, REFRESH);
document.addEventListener("visibilitychange", refresh);
addEventListener("pageshow", ({ persisted }) => persisted && awake()); // that the browser has kept asleep

function awake() {
  if (me) sendLeftovers(me);
  refresh();
}

async function refresh() {
  if (document.hidden) return;
  try {
    const { rooms, reports } = await request("/api/rooms");
    tab.show({ forMe: rooms.reduce((sum, room) => sum + forMe(room), 0), unread: 0 });
    showReports(document.querySelectorAll("#to-admin .reports-count"), reports);
    const said = JSON.stringify(rooms);
    if (shown === null) showRead(rooms);
    else if (said !== shown) await takeListAnew();
    shown = said;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
}

/** What was read since the list was made is unread no more: in place, for somebody may be about to press there. */
function showRead(rooms) {
  for (const { id, unread } of rooms) {
    const card = document.querySelector(`.room-card[data-room="${id}"]`);
    if (unread > 0 || !card) continue;
    card.classList.remove("unread");
    card.querySelector(".count").hidden = true;
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
  if (me) showDrafts(me);
  if (focused) news.querySelector(`a[href="${focused}"]`)?.focus();
}

function showTimes() {
  for (const time of document.querySelectorAll(".when time")) fillShortTime(time, time.dateTime);
}
