// "More" on a message: the part of its own page that has the deeds, over the conversation.

import { pageAt } from "./pages.js";

const GAP = 4; // px between the button and the menu
const NARROW = "(width < 800px)"; // where the menu is a sheet at the foot of the window

export class MessageMenu {
  #menu = document.getElementById("message-menu");
  #opener = null;

  /** `list`: the element that has the rows. */
  constructor(list) {
    list.addEventListener("click", (event) => this.#clicked(event));
    this.#menu.addEventListener("toggle", ({ newState }) => newState === "closed" && this.#closed());
    this.#menu.addEventListener("change", () => this.#keepWhole());
  }

  async #clicked(event) {
    const link = event.target.closest(".more");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const page = await pageAt(link.href);
    if (page === null) return location.assign(link.href);
    this.#menu.replaceChildren(page.getElementById("deeds"));
    this.#opener = link;
    link.closest(".message").classList.add("chosen");
    this.#menu.showPopover();
    this.#place(link.getBoundingClientRect());
    this.#menu.querySelector("button, input:not([type=hidden])")?.focus();
  }

  /** Beside its button, and whole within the window. */
  #place({ top, bottom, right }) {
    if (matchMedia(NARROW).matches) return this.#menu.style.removeProperty("inset");
    const { offsetHeight: height, offsetWidth: width } = this.#menu;
    const below = bottom + GAP + height < innerHeight;
    const y = below ? bottom + GAP : Math.max(GAP, top - GAP - height);
    const x = Math.max(GAP, Math.min(right - width, innerWidth - width - GAP));
    this.#menu.style.inset = `${y}px auto auto ${x}px`;
  }

  /** What is chosen in it may make it taller: then it moves up by as much as it takes. */
  #keepWhole() {
    const over = this.#menu.getBoundingClientRect().bottom + GAP - innerHeight;
    if (over <= 0 || matchMedia(NARROW).matches) return;
    this.#menu.style.insetBlockStart = `${Math.max(GAP, this.#menu.offsetTop - over)}px`;
  }

  #closed() {
    this.#opener?.closest(".message")?.classList.remove("chosen");
    if (document.activeElement === document.body) this.#opener?.focus();
    this.#opener = null;
  }
}
