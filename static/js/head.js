// What is said about the room itself: its name and topic above, and whether one may write below.

export class Head extends EventTarget {
  #room;
  #name = document.getElementById("room-name");
  #topic = document.getElementById("room-topic");
  #closed = document.getElementById("closed");

  /** `room`: {name, topic, closed}, kept up to date here. Event `name`: when that changed. */
  constructor(room) {
    super();
    this.#room = room;
  }

  /** A notice's `detail`: the administrator changed the room. */
  change({ name, topic, closed }) {
    if (topic !== undefined) this.#room.topic = topic;
    if (closed !== undefined) this.#room.closed = closed;
    this.rename(name);
    this.#show();
  }

  rename(name) {
    if (!name || name === this.#room.name) return;
    this.#room.name = name;
    this.#show();
    this.dispatchEvent(new Event("name"));
  }

  #show() {
    const { name, topic, closed } = this.#room;
    this.#name.textContent = name;
    this.#topic.textContent = this.#topic.title = topic;
    for (const element of document.querySelectorAll(".empty-room")) element.textContent = name;
    this.#closed.hidden = !closed;
    for (const form of document.querySelectorAll(".foot form")) form.hidden = closed;
  }
}
