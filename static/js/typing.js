// Who is typing: a sign of it fades unless it is renewed, or the message has come.

const FADE = 5_000; // ms
const NAMED = 2;

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
    const names = [...this.#people.values()].map(({ name }) => isolated(name));
    if (names.length === 0) this.#element.replaceChildren();
    else if (names.length === 1) this.#element.replaceChildren(names[0], " is typing…");
    else if (names.length === NAMED) this.#element.replaceChildren(names[0], " and ", names[1], " are typing…");
    else this.#element.replaceChildren(`${names.length} people are typing…`);
  }
}

function isolated(name) {
  const element = document.createElement("bdi");
  element.textContent = name;
  return element;
}
