// What stands in place of the conversation once the room is no longer ours to show.

import { CLOSED } from "./closing.js";
import { copyOf } from "./templates.js";
import { clockNow } from "./times.js";

const KEPT = "What you had not sent is kept in this browser.";

const ENDINGS = {
  [CLOSED.REMOVED]: {
    title: (name) => `You were removed from ${name}`,
    detail: (by) => `${by} removed you at ${clockNow()}. Your messages stay where they are. ${KEPT}`,
    again: "Come back",
  },
  [CLOSED.GONE]: {
    title: (name) => `${name} is gone`,
    detail: () => "Somebody deleted this room, and its messages with it.",
  },
  [CLOSED.SIGN_IN]: {
    title: () => "Your name is no longer known here",
    detail: () => `Say who you are once more, by the same name. ${KEPT}`,
    again: "Come in again",
  },
};

/** `code`: the close code; `name`: of the room; `by`: who removed this person from it. */
export function showEnding({ code, name, by }) {
  const { title, detail, again } = ENDINGS[code];
  const section = copyOf("ended");
  section.querySelector("h1").textContent = title(name);
  section.querySelector("p").textContent = detail(by);
  section.querySelector(".again").hidden = !again;
  section.querySelector(".again").textContent = again ?? "";
  document.querySelector(".conversation").after(section);
  for (const part of [".conversation", ".foot", ".people-button"]) document.querySelector(part).hidden = true;
  document.getElementById("people").hidePopover();
}
