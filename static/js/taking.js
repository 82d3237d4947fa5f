// What stands about a room, as the server has it now: only asked for when rights have changed.

import { pageAt } from "./pages.js";

const MODERATES = "#foot-state[data-moderates]";

/** `{turned}`: whether who reads here has come to moderate, or does no more; null where it cannot be taken. */
export async function takeAnew(room) {
  const page = await pageAt(`/chats/${room}/about/`);
  if (!page) return null;
  const turned = Boolean(page.querySelector(MODERATES)) !== Boolean(document.querySelector(MODERATES));
  for (const id of turned ? ["about", "foot-state", "ways-on"] : ["about", "foot-state"]) {
    const [news, before] = [page.getElementById(id), document.getElementById(id)];
    if (!news) continue;
    if (before.querySelector(".ours")?.open) news.querySelector(".ours").open = true;
    before.replaceWith(news);
  }
  return { turned };
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
