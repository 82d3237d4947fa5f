// What a tab says while another one is in front: a number before its title, and a dot in its icon.

import { short } from "./counts.js";

const icon = document.querySelector('link[rel="icon"]');
const CALM = icon.href;
const CALLED = CALM.replace("mark.svg", "mark-called.svg");

export class Tab {
  #title;
  #counts = { forMe: 0, unread: 0 };

  constructor(title) {
    this.#title = title;
  }

  set title(title) {
    this.#title = title;
    this.show(this.#counts);
  }

  /** `forMe`: what calls this person or is said to them alone, in whichever room; it comes before what is `unread`. */
  show(counts) {
    this.#counts = counts;
    const number = counts.forMe || counts.unread;
    const title = number > 0 ? `(${short(number)}) ${this.#title}` : this.#title;
    if (document.title !== title) document.title = title;
    const href = counts.forMe > 0 ? CALLED : CALM;
    if (icon.href !== href) icon.href = href;
  }
}
