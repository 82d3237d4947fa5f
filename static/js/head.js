// What is said about the room itself: its name and topic.

export class Head extends EventTarget {
  #room;
  #name = document.getElementById("room-name");
  #topic = document.getElementById("room-topic");

  /** `room`: {name, topic, kind}, kept up to date here. Event `name`: when that changed. */
  constructor(room) {
    super();
    this.#room = room;
  }

  /** A notice's `detail`: the administrator changed the room. */
  change({ name, topic }) {
    if (topic !== undefined) this.#room.topic = topic;
    this.rename(name);
    this.#show();
  }

  /** A direct conversation is named after the others, for each person otherwise: its name here stays. */
  rename(name) {
    if (!name || name === this.#room.name || this.#room.kind === "direct") return;
    this.#room.name = name;
    this.#show();
    this.dispatchEvent(new Event("name"));
  }

  #show() {
    const { name, topic } = this.#room;
    this.#name.textContent = name;
    this.#topic.textContent = this.#topic.title = topic;
    for (const element of document.querySelectorAll(".empty-room")) element.textContent = name;
  }
}
