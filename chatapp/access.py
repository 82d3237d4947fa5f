"""The one way into a room, for every door: load it, ask the tables. What somebody may not see is not there.

Strangers are told so before a room is looked for: their answer is the same whatever rooms there are.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from chatapp.errors import NoSuchRoom
from chatapp.hub import Hub
from chatapp.journal import reading
from chatapp.permissions import Identity, Verb, check, may
from chatapp.room import Room

P = ParamSpec("P")
T = TypeVar("T")


def enter(hub: Hub, identity: Identity, room_id: int, verb: Verb = "read") -> Room:
    """The live room, if `identity` may do `verb` in it. Switches when it is loaded, and where they may not as
    far as is known.

    Raises NoSuchRoom, SignIn and Forbidden as `permissions.check` does.
    """
    check(identity, verb)
    if identity.rooms is not None and room_id not in identity.rooms:
        raise NoSuchRoom()
    room = hub.room(room_id)
    if not may(identity, verb, room.rights):
        room.holders += 1  # else it might be let go meanwhile
        try:
            hub.sync(room)  # this process may be some milliseconds behind the one that let them in
        finally:
            room.holders -= 1
        check(identity, verb, room.rights)
    return room


def oversee(hub: Hub, identity: Identity, room_id: int) -> tuple[Room, Verb]:
    """The room as the database has it now, for who moderates it or (`administer`) runs this server; and which
    of the two. Switches.

    Raises as `enter` does for `moderate`.
    """
    hub.check_open()
    if not may(identity, "administer") or identity.rooms is not None:
        hub.sync(enter(hub, identity, room_id, "moderate"))
        return enter(hub, identity, room_id, "moderate"), "moderate"
    room = hub.room(room_id)
    hub.sync(room)
    return room, "moderate" if may(identity, "moderate", room.rights) else "administer"


class _Entered:
    """By hand: each poll has one, and of a generator it costs three times as much."""

    __slots__ = ("_asked", "_room")

    def __init__(self, *asked: *tuple[Hub, Identity, int, Verb]) -> None:
        self._asked = asked

    def __enter__(self) -> Room:
        self._room = enter(*self._asked)  # the live one, and nothing switches until it is held
        self._room.holders += 1
        return self._room

    def __exit__(self, *_: object) -> None:
        self._room.holders -= 1


def entered(hub: Hub, identity: Identity, room_id: int, verb: Verb = "read") -> AbstractContextManager[Room]:
    """`enter`, for who is going to read the room: it stays the live one within, however long that takes."""
    return _Entered(hub, identity, room_id, verb)


def read(
    hub: Hub,
    identity: Identity,
    room: Room,
    question: Callable[Concatenate[Connection, int, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """The journal's answer to a question about `room`, by the rights of the moment when it was read.
    Switches.

    Here a right may seem to be there that was withdrawn a moment ago in another process.
    """
    rights, answer = hub.journal.read(_with_rights, room.id, question, *args, **kwargs)
    if rights != room.rights.number:
        hub.sync(room)
    # Also where they are the same: this process may have heard of a removal while it waited for the answer.
    check(identity, "read", room.rights)
    return answer


def _with_rights(
    connection: Connection,
    room: int,
    question: Callable[Concatenate[Connection, int, P], T],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> tuple[int, T]:
    state = reading.state(connection, room)
    if state is None:
        raise NoSuchRoom()
    return state.rights, question(connection, room, *args, **kwargs)
