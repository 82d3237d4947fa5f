// What stands about a room, as the server has it now: only asked for when rights have changed.

import { pageAt } from "./pages.js";

/** Whether it could be taken. What one may do as a moderator changes with it. */
export async function takeAnew(room) {
  const page = await pageAt(`/chats/${room}/about/`);
  if (!page) return false;
  const moderated = "moderates" in document.getElementById("foot-state").dataset;
  const moderates = "moderates" in (page.getElementById("foot-state")?.dataset ?? {});
  for (const id of moderates === moderated ? ["about", "foot-state"] : ["about", "foot-state", "ways-on"]) {
    const [news, before] = [page.getElementById(id), document.getElementById(id)];
    if (!news) continue;
    if (before.querySelector(".ours")?.open) news.querySelector(".ours").open = true;
    before.replaceWith(news);
  }
  return true;
}

/** Sends `form`; whether that did it. What is refused is shown as without a script. */
export async function submitted(form) {
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => null);
  if (answer?.type !== "opaqueredirect") {
    form.submit();
    return false;
  }
  form.closest(".message-menu")?.hidePopover();
  return true;
}
