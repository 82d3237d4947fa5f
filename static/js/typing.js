// Who is typing: a sign of it fades unless it is renewed, or the message has come.

import { ngettext, pieces } from "./i18n.js";
import { isolated } from "./names.js";

const FADE = 5_000; // ms

export class Typing {
  #element;
  #people = new Map(); // id -> {name, timer}

  constructor(element) {
    this.#element = element;
  }

  heard({ id, name }) {
    this.#stop(id);
    this.#people.set(id, { name, timer: setTimeout(() => this.fade(id), FADE) });
    this.#show();
  }

  fade(id) {
    this.#stop(id);
    if (this.#people.delete(id)) this.#show();
  }

  #stop(id) {
    clearTimeout(this.#people.get(id)?.timer);
  }

  #show() {
    const [name, other, ...more] = [...this.#people.values()].map(({ name }) => isolated(name));
    if (!name) this.#element.replaceChildren();
    else if (!other) this.#element.replaceChildren(...pieces("%(name)s is typing…", { name }));
    else if (!more.length) this.#element.replaceChildren(...pieces("%(name)s and %(other)s are typing…", { name, other }));
    else this.#element.replaceChildren(ngettext("%(num)s person is typing…", "%(num)s people are typing…", this.#people.size));
  }
}
