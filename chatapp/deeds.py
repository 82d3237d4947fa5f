"""A deed: what somebody does to a room or to people in it. It is permitted by the room's rights, and one
transaction keeps its notice in the room's log, its effects and its entry in the audit log.

It counts towards the rate of messages of who does it: its notice goes to as many.

`said` is a sentence without its subject, for people: "set the topic: ships". `detail` is the same for
programs.
"""

from typing import Any

from chatapp.access import enter
from chatapp.hub import Hub
from chatapp.journal.requests import Act, Effect, Kept, Post
from chatapp.message import Author, Message
from chatapp.permissions import Identity, Verb
from chatapp.room import Room


def permitted(hub: Hub, identity: Identity, room_id: int, verb: Verb) -> Room:
    """The room, as the database has it now, if `identity` may do `verb` in it. Switches.

    Raises NoSuchRoom, SignIn and Forbidden.
    """
    hub.check_open()
    room = enter(hub, identity, room_id, verb)
    hub.sync(room)
    return enter(hub, identity, room_id, verb)


def keep(
    hub: Hub,
    identity: Identity,
    room: Room,
    verb: Verb,
    said: str,
    detail: dict[str, Any],
    *effects: Effect,
    act: Act | None = None,
    over: str | None = None,
) -> Message:
    """Keep a deed, which is permitted by `verb`; returns its notice. Switches.

    `over`: whom it is done to, where that takes a higher rank. Raises TooFast, and what the journal refuses,
    also where the right was withdrawn, or the rank reached, meanwhile.
    """
    return perform(hub, deed(identity, room, verb, said, detail, *effects, act=act, over=over))


def perform(hub: Hub, deed: Post) -> Message:
    """Keep a deed; as `keep`."""
    hub.limiter.message(deed.identity)
    kept: Kept = hub.journal.ask(deed)
    return kept.message


def deed(
    identity: Identity,
    room: Room,
    verb: Verb,
    said: str,
    detail: dict[str, Any],
    *effects: Effect,
    act: Act | None = None,
    over: str | None = None,
) -> Post:
    """A deed as it is asked of the journal."""
    return Post(
        room.id,
        Author.of(identity),
        said,
        kind="notice",
        detail=detail,
        effects=effects,
        act=act,
        identity=identity,
        verb=verb,
        rights=room.rights.number,
        over=over,
        forced=True,
    )
