"""How far somebody has read: told to their other tabs at once, kept on disk once in a while."""

import time
from collections.abc import Callable
from contextlib import suppress

from chatapp.access import enter
from chatapp.errors import ChatError, SignIn
from chatapp.hub import Hub
from chatapp.journal.requests import MarkRead
from chatapp.outlet import Outlet
from chatapp.permissions import Identity

KEEP_SECONDS = 5


def mark(hub: Hub, identity: Identity, room_id: int, seq: int) -> None:
    """Keep that somebody has read a room up to `seq`, and tell their tabs. Switches.

    Raises SignIn, NoSuchRoom, NotKept.
    """
    if not identity.known:
        raise SignIn()
    room = enter(hub, identity, room_id)
    request = MarkRead(room.id, identity.id, seq, identity, room.rights.number)
    hub.read(room, identity.id, hub.journal.ask(request))


class Reads:
    """The read positions that one connection told; the newest of each room is kept in the end."""

    def __init__(self, hub: Hub, who: Callable[[], Identity]) -> None:
        """`who()`: the connection's person as they are now."""
        self._hub, self._who = hub, who
        self._told: dict[int, int] = {}
        self._unkept: dict[int, MarkRead] = {}
        self._kept_at: dict[int, float] = {}

    def read(self, room_id: int, seq: int, but: Outlet | None = None) -> None:
        """This person has read a room up to `seq`; `but` is who says so. May switch.

        Raises SignIn, NoSuchRoom.
        """
        identity = self._who()
        if not identity.known:
            raise SignIn()
        room = enter(self._hub, identity, room_id)
        if seq > room.last:
            self._hub.sync(room)  # this process may be some milliseconds behind the one that showed it
        seq = min(seq, room.last)
        if seq <= self._told.get(room.id, 0):
            return  # a position never turns back
        self._told[room.id] = seq
        # What it was permitted by goes along: the journal looks whether that still holds.
        self._unkept[room.id] = MarkRead(room.id, identity.id, seq, identity, room.rights.number)
        self._hub.read(room, identity.id, seq, but)
        now = time.monotonic()
        if now - self._kept_at.get(room.id, -KEEP_SECONDS) >= KEEP_SECONDS:
            self._kept_at[room.id] = now
            self._keep_one(room.id)

    def keep(self) -> None:
        """Keep what is not kept yet: the connection ends."""
        for room in list(self._unkept):
            self._keep_one(room)

    def _keep_one(self, room: int) -> None:
        request = self._unkept.pop(room)
        with suppress(ChatError):  # a position that is lost shows a few messages as unread
            self._hub.journal.submit(request, lambda answer: None)
