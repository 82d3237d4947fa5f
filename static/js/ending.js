// What stands in place of the conversation once the room is no longer ours to show.

import { CLOSED } from "./closing.js";
import { _ } from "./i18n.js";
import { copyOf } from "./templates.js";
import { momentOf } from "./times.js";

// What the server says to a poller who was sent out (chatapp/transports/waiting.py), in this page's
// language; others are told by a notice.
const SENT_OUT = _("You were removed from this room");
const BANNED = _("You are banned here"); // from the whole server (chatapp/people.py)
const BANNED_HERE = _("You are banned from this room"); // chatapp/permissions.py
const LEFT = _("You have left"); // a guest, on another page (chatapp/hub.py)
const STAYS = _("Your messages stay where they are. What you had not sent is kept in this browser.");

const ENDINGS = {
  [CLOSED.REMOVED]: withdrawn,
  [CLOSED.GONE]: ({ name }) => ({
    title: _("%(name)s is gone", { name }),
    detail: _("It was deleted with its messages, or it is not yours to read any more."),
  }),
  [CLOSED.SIGN_IN]: (_room, _removal, reason) => ({
    title: reason === LEFT ? LEFT : _("Your name is no longer known here"),
    detail:
      reason === LEFT
        ? _("In another window. What you said stays where it is.")
        : _("Say who you are once more, by the same name. What you had not sent is kept in this browser."),
    again: _("Come in again"),
  }),
};
const SIGNED_OUT = {
  title: _("You were signed out"),
  detail: _("In another window, or by whoever runs this server. What you had not sent is kept in this browser."),
  again: _("Sign in"),
};

/**
 * `code`: the close code, `reason`: what the server said with it; `removal`: the notice that this person was sent
 * out, if there was one; `member`: no guest.
 */
export function showEnding({ code, reason, room, removal, member }) {
  const isBanned = code === CLOSED.REMOVED && reason === BANNED;
  const signedOut = member && code === CLOSED.SIGN_IN;
  const { title, detail, again } = signedOut ? SIGNED_OUT : ENDINGS[code](room, removal, reason);
  const section = copyOf("ended");
  section.querySelector("h1").textContent = title;
  section.querySelector("p").textContent = detail;
  section.querySelector(".again").hidden = !again;
  section.querySelector(".again").textContent = again ?? "";
  if (signedOut) section.querySelector(".again").href = `/sign-in?next=${encodeURIComponent(location.pathname)}`;
  document.querySelector(".conversation").after(section);
  if (isBanned) section.querySelector(".primary").textContent = _("Until when");
  if (isBanned) for (const part of document.querySelectorAll(".rooms-pane :is(.pane-body > *, .icon-button)")) part.remove();
  for (const part of [".conversation", ".foot", ".people-button"]) document.querySelector(part).hidden = true;
  document.getElementById("people").hidePopover();
  if (code !== CLOSED.SIGN_IN) document.querySelector(".room-link[aria-current]")?.removeAttribute("aria-current");
  section.querySelector("h1").focus(); // which has it read out: what had the focus is gone
}

/** Sent out, which a notice told; or a right that ended, of which the server says what is so now. */
function withdrawn({ name, kind }, removal, reason) {
  const at = momentOf(removal?.at ?? new Date());
  const title = _("You were removed from %(name)s", { name });
  const who = remover(removal);
  const detail = `${_("%(who)s removed you: %(at)s.", { who, at })} ${STAYS}`;
  if (reason === BANNED) return { title: BANNED, detail: `${_("Since %(at)s you cannot read or write here.", { at })} ${STAYS}` };
  if (reason === BANNED_HERE) return banned(name, at);
  if (removal || reason === SENT_OUT) return { title, detail, again: _("Come back") };
  if (kind !== "public") return { title, detail };
  const why = reason ? `${_("%(reason)s, since %(at)s.", { reason, at })} ` : "";
  return { title: _("You can no longer read %(name)s", { name }), detail: why + STAYS };
}

function remover(removal) {
  if (!removal) return _("Somebody who runs this room");
  return removal.author.id === "system" ? _("Somebody who runs this server") : removal.author.name;
}

/** Until when is not told with it: the room's page has that. */
function banned(name, at) {
  const detail = `${_("Since %(at)s you cannot read or write there.", { at })} ${STAYS}`;
  return { title: _("You are banned from %(name)s", { name }), detail, again: _("Until when") };
}
