"""How far somebody has read: told to their other tabs at once, kept on disk once in a while."""

import time
from collections.abc import Callable

import gevent

from chatapp.access import enter
from chatapp.errors import ChatError, NotKept, SignIn, TooFast
from chatapp.hub import Hub
from chatapp.journal.requests import MarkRead
from chatapp.outlet import Outlet
from chatapp.permissions import Identity

KEEP_SECONDS = 5


def mark(
    hub: Hub, identity: Identity, room_id: int, seq: int, *, back: bool = False, but: Outlet | None = None
) -> None:
    """Keep that somebody has read a room up to `seq`, and tell their tabs, all of them but `but`; what comes
    too fast is dropped, for the next position says more. Switches.

    `back`: what follows `seq` is unread again, which somebody asks for and is told when it is refused.
    Raises SignIn, NoSuchRoom, NotKept, and of what turns back TooFast.
    """
    if not identity.known:
        raise SignIn()
    room = enter(hub, identity, room_id)
    if back:
        hub.limiter.turning_back(identity)
    elif not hub.limiter.reading(room_id, identity):
        return
    if back:
        # Before the journal is asked: what a timer hands to it meanwhile would come behind this.
        hub.turning_back(room, identity.id, seq)
    request = MarkRead(room.id, identity.id, seq, identity, room.rights.number, back)
    hub.read(room, identity.id, hub.journal.ask(request), but, back=back)


class Reads:
    """The read positions that one connection told; the newest of each room is kept, whatever happens.

    The server owns a position once it was told: it keeps one at once where it has kept none of that room for
    KEEP_SECONDS, else when these are over, and at the latest when the connection ends. What the database
    failed to keep is tried again. So whoever told a position once need not repeat it, unless the line broke.
    """

    def __init__(self, hub: Hub, who: Callable[[], Identity]) -> None:
        """`who()`: the connection's person as they are now."""
        self._hub, self._who = hub, who
        self._told: dict[int, int] = {}
        self._unkept: dict[int, MarkRead] = {}
        self._tried_at: dict[int, float] = {}
        self._due: dict[int, gevent.Greenlet[[int], None]] = {}
        self._ended = False

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
            return  # a position turns back only where that is asked for
        self._told[room.id] = seq
        # What it was permitted by goes along: the journal looks whether that still holds.
        self._unkept[room.id] = MarkRead(room.id, identity.id, seq, identity, room.rights.number)
        self._hub.read(room, identity.id, seq, but)
        self._keep_in_time(room.id)

    def turn_back(self, room_id: int, seq: int, but: Outlet | None = None) -> None:
        """This person wants what follows `seq` to be unread again; `but` is who says so. Switches.

        Raises SignIn, NoSuchRoom, NotKept, TooFast.
        """
        mark(self._hub, self._who(), room_id, seq, back=True, but=but)

    def turned_back(self, room_id: int, seq: int) -> None:
        """What was told here before and is not kept yet is not to come behind it."""
        self._unkept.pop(room_id, None)
        self._told[room_id] = min(seq, self._told.get(room_id, 0))

    def keep(self) -> None:
        """Keep what is not kept yet: the connection ends."""
        self._ended = True
        for due in self._due.values():
            due.kill(block=False)
        for room in list(self._unkept):
            self._keep_one(room)

    def _keep_in_time(self, room: int) -> None:
        if room in self._due:
            return
        wait = self._tried_at.get(room, -KEEP_SECONDS) + KEEP_SECONDS - time.monotonic()
        if wait <= 0:
            self._keep_one(room)
        else:
            self._due[room] = gevent.spawn_later(wait, self._keep_when_due, room)

    def _keep_when_due(self, room: int) -> None:
        del self._due[room]
        if room in self._unkept:
            self._keep_one(room)

    def _keep_one(self, room: int) -> None:
        request = self._unkept.pop(room)
        self._tried_at[room] = time.monotonic()
        try:
            self._hub.journal.submit(request, lambda answer: self._kept(request, answer))
        except ChatError as refusal:
            self._kept(request, refusal)

    def _kept(self, request: MarkRead, answer: object) -> None:
        """The journal's answer. Never switches."""
        if isinstance(answer, NotKept | TooFast) and not self._ended:
            self._unkept.setdefault(request.room, request)  # not where there is a newer one by now
            self._keep_in_time(request.room)
