"""How far somebody has read: told to their other tabs at once, kept on disk once in a while."""

import time
from contextlib import suppress

from chatapp.errors import ChatError, SignIn
from chatapp.hub import Hub
from chatapp.journal.requests import MarkRead
from chatapp.outlet import Outlet
from chatapp.permissions import Identity
from chatapp.room import Room

KEEP_SECONDS = 5


class Reads:
    """The read positions of one connection, until they are kept."""

    def __init__(self, hub: Hub, identity: Identity) -> None:
        self._hub, self._identity = hub, identity
        self._unkept: dict[int, int] = {}
        self._kept_at: dict[int, float] = {}

    def read(self, room: Room, seq: int, but: Outlet | None = None) -> None:
        """This person has read `room` up to `seq`. Raises SignIn. Does not switch."""
        if not self._identity.known:
            raise SignIn()
        seq = max(0, min(seq, room.last))
        self._hub.read(room, self._identity.id, seq, but)
        self._unkept[room.id] = seq
        now = time.monotonic()
        if now - self._kept_at.get(room.id, -KEEP_SECONDS) >= KEEP_SECONDS:
            self._kept_at[room.id] = now
            self._keep_one(room.id)

    def keep(self) -> None:
        """Keep what is not kept yet: the connection ends."""
        for room in list(self._unkept):
            self._keep_one(room)

    def _keep_one(self, room: int) -> None:
        seq = self._unkept.pop(room)
        with suppress(ChatError):  # a position that is lost shows a few messages as unread
            self._hub.journal.submit(MarkRead(room, self._identity.id, seq), lambda answer: None)
