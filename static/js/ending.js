// What stands in place of the conversation once the room is no longer ours to show.

import { CLOSED } from "./closing.js";
import { copyOf } from "./templates.js";
import { clockNow } from "./times.js";

// What the server says to a poller who was sent out (chatapp/transports/waiting.py); a socket is told by a notice.
const SENT_OUT = "You were removed from this room";
const BANNED = "You are banned here"; // from the whole server (chatapp/people.py)
const STAYS = "Your messages stay where they are. What you had not sent is kept in this browser.";

const ENDINGS = {
  [CLOSED.REMOVED]: withdrawn,
  [CLOSED.GONE]: ({ name }) => ({
    title: `${name} is gone`,
    detail: "It was deleted with its messages, or it is not yours to read any more.",
  }),
  [CLOSED.SIGN_IN]: () => ({
    title: "Your name is no longer known here",
    detail: "Say who you are once more, by the same name. What you had not sent is kept in this browser.",
    again: "Come in again",
  }),
};
const SIGNED_OUT = {
  title: "You were signed out",
  detail: "In another window, or by whoever runs this server. What you had not sent is kept in this browser.",
  again: "Sign in",
};

/**
 * `code`: the close code, `reason`: what the server said with it; `by`: who sent this person out, if known;
 * `member`: no guest.
 */
export function showEnding({ code, reason, room, by, member }) {
  const banned = code === CLOSED.REMOVED && reason === BANNED;
  const signedOut = member && code === CLOSED.SIGN_IN;
  const { title, detail, again } = signedOut ? SIGNED_OUT : ENDINGS[code](room, by, reason);
  const section = copyOf("ended");
  section.querySelector("h1").textContent = title;
  section.querySelector("p").textContent = detail;
  section.querySelector(".again").hidden = !again;
  section.querySelector(".again").textContent = again ?? "";
  if (signedOut) section.querySelector(".again").href = `/sign-in?next=${encodeURIComponent(location.pathname)}`;
  document.querySelector(".conversation").after(section);
  if (banned) section.querySelector(".primary").textContent = "Until when";
  if (banned) for (const part of document.querySelectorAll(".rooms-pane :is(.pane-body > *, .icon-button)")) part.remove();
  for (const part of [".conversation", ".foot", ".people-button"]) document.querySelector(part).hidden = true;
  document.getElementById("people").hidePopover();
  section.querySelector("h1").focus(); // which has it read out: what had the focus is gone
}

/** Sent out, which a notice told; or a right that ended, of which the server says what is so now. */
function withdrawn({ name, kind }, by, reason) {
  const at = clockNow();
  const title = `You were removed from ${name}`;
  const detail = `${by ?? "Somebody who runs this room"} removed you at ${at}. ${STAYS}`;
  if (reason === BANNED) return { title: BANNED, detail: `Since ${at} you neither read nor write here. ${STAYS}` };
  if (by || reason === SENT_OUT) return { title, detail, again: "Come back" };
  if (kind !== "public") return { title, detail };
  const why = reason ? `${reason}, since ${at}. ` : "";
  return { title: `You may not read ${name} any more`, detail: why + STAYS };
}
