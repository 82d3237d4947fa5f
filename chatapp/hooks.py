"""Incoming webhooks: an address at which programs post into one room, under the hook's name."""

import re
import secrets

from msgspec import Struct

from chatapp import posting, text
from chatapp.accounts import hashed
from chatapp.deeds import keep, permitted
from chatapp.errors import NoSuchRoom
from chatapp.hub import Hub
from chatapp.journal import token_reading
from chatapp.journal.requests import Act, Kept, MakeHook, RevokeHook
from chatapp.journal.token_requests import HookLine
from chatapp.message import Message
from chatapp.permissions import Identity
from chatapp.posting import Draft

_SECRET = re.compile(r"[\w-]{43}", re.ASCII)
# Slack's markup: <address>, <address|words>, <@person>, <!channel>; and its three escapes.
_LINK = re.compile(r"<([^<>|\n]+)(?:\|([^<>\n]*))?>")


class NoSuchHook(NoSuchRoom):
    """There is no such hook, its secret is wrong, or it was revoked: all look the same."""


class MadeHook(Struct, frozen=True):
    """A new hook; `path`, with its secret, is shown this once."""

    id: int
    name: str
    path: str

    def address(self, root: str) -> str:
        """What programs are told, on the server whose own address is `root`."""
        return root.rstrip("/") + self.path


def make(hub: Hub, identity: Identity, room_id: int, name: object) -> MadeHook:
    """Make a hook for a room; its readers are told. Raises BadRequest, also for a name that is somebody's."""
    name = text.person_name(name)
    room = permitted(hub, identity, room_id, "manage")
    secret = secrets.token_urlsafe(32)
    said = f"let the hook {name} write here"
    keep(hub, identity, room, "manage", said, {"hook": name}, MakeHook(hashed(secret), name), act=Act(said))
    found = hub.journal.read(token_reading.hook, hashed(secret))
    if found is None:
        raise NoSuchHook("It was revoked meanwhile")
    return MadeHook(found.id, name, f"/hooks/{found.id}/{secret}")


def hooks(hub: Hub, identity: Identity, room_id: int) -> list[HookLine]:
    """The hooks of a room that are not revoked, the newest first."""
    room = permitted(hub, identity, room_id, "manage")
    return hub.journal.read(token_reading.hooks, room.id)


def revoke(hub: Hub, identity: Identity, room_id: int, hook: int) -> Message:
    """A hook is good no longer; what it sent and was not yet kept is refused. Raises BadRequest."""
    room = permitted(hub, identity, room_id, "manage")
    name = next((one.name for one in hub.journal.read(token_reading.hooks, room.id) if one.id == hook), "")
    said = f"revoked the hook {name}"
    return keep(
        hub, identity, room, "manage", said, {"hook": name}, RevokeHook(hook), act=Act(said, f"h{hook}")
    )


def post(hub: Hub, hook: int, secret: str, words: object, address: str) -> Kept:
    """Keep what a program sent to a hook's address. Switches. Raises NoSuchHook, and what `posting` does."""
    found = None
    if _SECRET.fullmatch(secret):
        found = hub.journal.read(token_reading.hook, hashed(secret))
    if found is None or found.id != hook:
        raise NoSuchHook("There is no such hook (any more)")
    identity = Identity(
        f"h{found.id}",
        found.name,
        "hook",
        address,
        rooms=frozenset({found.room}),
        people=hub.people.number,
        bot=True,
    )
    return posting.post(hub, identity, found.room, Draft(plain(words)))


def plain(words: object) -> object:
    """Slack's markup as plain text; what is no text stays as it is."""
    if not isinstance(words, str):
        return words
    words = _LINK.sub(_link, words.replace("\r\n", "\n"))
    return words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _link(found: re.Match[str]) -> str:
    target, label = found[1], found[2]
    if target.startswith("!"):
        return label or "@" + target[1:].partition("^")[0]
    if target.startswith(("@", "#")):
        return label or target
    address = target.removeprefix("mailto:")
    return address if not label or label == address else f"{label} ({address})"
