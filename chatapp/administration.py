"""The verbs on rooms: each is one transaction, and each that its readers should know of leaves a notice.

What is so already is not done again: then there is nothing to tell, and the answer is None.

The doors (pages, API, `flask room`, `flask shell`) call these; `identity` must be allowed to.
"""

from typing import Any

from chatapp import text
from chatapp.errors import BadRequest, NoSuchRoom
from chatapp.hub import Hub
from chatapp.journal import reading
from chatapp.journal.requests import Clear, DropRoom, Kept, MakeRoom, Post
from chatapp.message import Author, Message
from chatapp.permissions import Identity, check


def make_room(hub: Hub, identity: Identity, name: object, topic: object = "") -> int:
    """A new room's id. Raises BadRequest for a name or topic that cannot be, TooFast for too many."""
    check(identity, "make_room")
    request = MakeRoom(text.room_name(name), text.topic(topic))
    if identity.id != "system":
        hub.limiter.room(identity.address)
    room: int = hub.journal.ask(request)
    return room


def rename(hub: Hub, identity: Identity, room: int, name: object) -> Message | None:
    """Give the room another name."""
    name = text.room_name(name)
    return _change(hub, identity, room, f"named this room {name}", {"name": name})


def set_topic(hub: Hub, identity: Identity, room: int, topic: object) -> Message | None:
    """Give the room another topic, or none."""
    topic = text.topic(topic)
    said = f"set the topic: {topic}" if topic else "removed the topic"
    return _change(hub, identity, room, said, {"topic": topic})


def close(hub: Hub, identity: Identity, room: int) -> Message | None:
    """Make the room read-only."""
    return _change(hub, identity, room, "closed this room", {"closed": True})


def reopen(hub: Hub, identity: Identity, room: int) -> Message | None:
    """Let people write again."""
    return _change(hub, identity, room, "opened this room", {"closed": False})


def clear(hub: Hub, identity: Identity, room: int) -> None:
    """Remove all messages for good. Every reader is reset; numbers go on."""
    check(identity, "administer")
    hub.journal.ask(Clear(room))


def drop(hub: Hub, identity: Identity, room: int) -> None:
    """Remove the room and its messages for good. Its number is never given again."""
    check(identity, "administer")
    hub.journal.ask(DropRoom(room))


def kick(hub: Hub, identity: Identity, room: int, name: str) -> list[str]:
    """Send everybody called `name` out of the room (they may come back); their ids. Raises BadRequest."""
    check(identity, "administer")
    # Presence lags by half a second, and who follows a room without being in it has none. So where nobody of
    # that name shows, those are meant who wrote under it lately.
    here = {who.id for who in hub.presence.people(room) if who.name == name}
    people = here or set(hub.journal.read(reading.authors_called, room, name))
    if not people:
        raise BadRequest(f"Nobody called {name!r} is in this room or wrote in it lately")
    for person in sorted(people):
        _notice(hub, identity, room, f"removed {name}", {"removed": person})
    return sorted(people)


def _change(hub: Hub, identity: Identity, room: int, said: str, change: dict[str, Any]) -> Message | None:
    check(identity, "administer")
    state = hub.journal.read(reading.state, room)
    if state is None:
        raise NoSuchRoom()
    # Two who make the same change at once are both told of: that is true, and harmless.
    if all(getattr(state, column) == value for column, value in change.items()):
        return None
    return _notice(hub, identity, room, said, change, change)


def _notice(
    hub: Hub,
    identity: Identity,
    room: int,
    said: str,
    detail: dict[str, Any],
    change: dict[str, Any] | None = None,
) -> Message:
    """Keep a notice in the room's log and, in the same transaction, change the room's row."""
    request = Post(room, Author.of(identity), said, kind="notice", detail=detail, change=change, forced=True)
    kept: Kept = hub.journal.ask(request)
    return kept.message
