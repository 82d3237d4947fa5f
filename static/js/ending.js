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
const SIGNED_OUT = {
  title: () => "You were signed out",
  detail: () => `In another window, or by whoever runs this server. ${KEPT}`,
  again: "Sign in",
};

/** `code`: the close code; `name`: of the room; `by`: who removed this person from it; `member`: no guest. */
export function showEnding({ code, name, by, member }) {
  const signedOut = member && code === CLOSED.SIGN_IN;
  const { title, detail, again } = signedOut ? SIGNED_OUT : ENDINGS[code];
  const section = copyOf("ended");
  section.querySelector("h1").textContent = title(name);
  section.querySelector("p").textContent = detail(by);
  section.querySelector(".again").hidden = !again;
  section.querySelector(".again").textContent = again ?? "";
  if (signedOut) section.querySelector(".again").href = `/sign-in?next=${encodeURIComponent(location.pathname)}`;
  document.querySelector(".conversation").after(section);
  for (const part of [".conversation", ".foot", ".people-button"]) document.querySelector(part).hidden = true;
  document.getElementById("people").hidePopover();
}
