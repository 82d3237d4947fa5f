"""The live rooms of this process: loaded when asked for, kept where the database is, let go when idle.

A room learns of a message in one of four ways, and each may come first: from this process's own commit, from
the bus, from the filler (a gap was noticed) and from the sweep (each 0.25 s, if the database was written to
at all, the revisions of the live rooms are compared with the database's). `Room.deliver` takes them all: what
is old is dropped, a gap is noted and filled from the journal.

Invariants, by which a lost notice is harmless:
- Whatever touches a room in the database adds 1 to its `revision` there, in the same transaction.
- A live room has shown what its own `revision` stands for, or is `behind` and reads that, again if need be.
- The sweep never ends, and nothing that is asked for it waits for ever: an answer that will not come is given
  up after LOOK_SECONDS, or GONE_SECONDS where nobody is there (journal/postgres_connections.py). But a
  database that stands still while its machine goes on is waited for, as long as it does: it keeps nothing
  meanwhile either.
So a room is where the database is a sweep and two answers later, whoever told of it.

What may switch: `load` and `sync`, though not where there is nothing to be read, and `sweep`. What must not:
`deliver` and `recheck`.
"""

import logging
import time
from collections.abc import Callable, Iterator
from itertools import count

import gevent

from chatapp.bus import Committed
from chatapp.errors import ChatError, NoSuchRoom, NotKept
from chatapp.journal import SWEEP_SECONDS, Journal
from chatapp.room import Room
from chatapp.stretches import Stretches

TIDY_SWEEPS = 4  # between two looks at what may be let go: they go through all rooms, and can wait
FILL_LIMIT = 1000  # messages read at once to fill a gap
FIRST_LOOK = 100  # messages read when a room is loaded; up to the backlog's size are remembered as they come
BACKLOG_BYTES = 256 * 1024 * 1024  # of all rooms together
LARGEST_ID = 2**63 - 1

log = logging.getLogger(__name__)


class LiveRooms:
    """`backlog`: messages a room keeps in memory. `forgotten(id)`: called for each room that is let go."""

    def __init__(
        self, journal: Journal, backlog: int, idle_seconds: float, forgotten: Callable[[int], None]
    ) -> None:
        self._journal = journal
        self._backlog, self._idle_seconds, self._forgotten = backlog, idle_seconds, forgotten
        self._first_look = min(backlog, FIRST_LOOK)
        self._stretches = Stretches(journal)
        self._rooms: dict[int, Room] = {}
        self._idle_since: dict[int, float] = {}
        self._filling: set[int] = set()

    def __iter__(self) -> Iterator[Room]:
        """Those of this moment, also while they come and go."""
        return iter(list(self._rooms.values()))

    def get(self, room_id: int) -> Room | None:
        """The room if it is live here."""
        return self._rooms.get(room_id)

    def load(self, room_id: int) -> Room:
        """The live room, loaded on first use. Switches then. Raises NoSuchRoom, NotKept."""
        self._idle_since.pop(room_id, None)
        room = self._rooms.get(room_id)
        if room is None:
            if not 0 < room_id <= LARGEST_ID:
                raise NoSuchRoom()
            room = self._rooms[room_id] = Room(room_id, self._stretches, self._backlog)
            self._read(room)
        elif not room.loaded.is_set():
            room.loaded.wait()
        if room.gone:
            raise room.fault
        return room

    def sync(self, room: Room) -> None:
        """Bring `room` to where the database is now, not earlier than this call. Switches, unless nothing was
        written since before the last time.

        Joining a catch-up that another greenlet began would not do: it may have read before this call.
        """
        version = self._journal.version()  # before the look: what is kept during it has another
        if version is not None and version == room.synced and not room.behind:
            return
        target = self.catch_up(room)
        while room.last < target:
            self.catch_up(room)
        room.synced = version

    def deliver(self, notice: Committed) -> None:
        """Show what was committed, here or elsewhere, to the room's readers, and fill what is missing."""
        room = self._rooms.get(notice.room)
        if room is None:
            return
        room.wanted = max(room.wanted, notice.last)
        if notice.changed or notice.revision > room.revision + 1:
            # More than messages, or something before it that we have not heard of: it may be that the log was
            # replaced, and what follows must not be shown as a part of the old one. Read it all together.
            room.stale = True
        elif room.loaded.is_set() and not room.stale:
            room.deliver(notice.messages)
            room.revision = max(room.revision, notice.revision)
        self.fill_if_needed(room)

    def recheck(self) -> None:
        """Notices may have been lost: look at every room."""
        for room in self:
            room.stale = True
            self.fill_if_needed(room)

    def sweep(self) -> None:
        """Find what nobody told of, and let idle rooms go, every SWEEP_SECONDS for ever."""
        version: int | None = None
        for sweep in count():
            gevent.sleep(SWEEP_SECONDS)
            try:
                if sweep % TIDY_SWEEPS == 0:
                    self._let_idle_rooms_go()
                    self._bound_memory()
                seen, version = version, self._journal.version()
                if self._rooms and (version is None or version != seen):
                    self._compare(list(self))
                for room in self:
                    self.fill_if_needed(room)  # also those that could not be read the last time
            except ChatError:  # the journal has said why
                version = None
            except Exception:
                version = None
                log.exception("the sweep failed")

    # -- within ------------------------------------------------------------------------------------

    def _read(self, room: Room) -> None:
        # Deliveries that come while we read are noted in `wanted` and `stale`, so nothing is missed.
        try:
            found = self._journal.newest(room.id, self._first_look, room.rights.number)
            if found is None:
                raise NoSuchRoom()
            room.load(found)
        except BaseException as error:
            # Those who wait for it are told the same; the next one tries anew.
            self._drop(room, error if isinstance(error, ChatError) else NotKept())
            raise
        self.fill_if_needed(room)

    def _drop(self, room: Room, fault: ChatError | None = None) -> None:
        self._rooms.pop(room.id, None)
        self._idle_since.pop(room.id, None)
        room.drop(fault)
        self._forgotten(room.id)

    def fill_if_needed(self, room: Room) -> None:
        """Read what the room lacks, in a greenlet of its own, one for each room. Does not switch."""
        if room.loaded.is_set() and room.behind and room.id not in self._filling:
            self._filling.add(room.id)
            gevent.spawn(self.fill, room)

    def fill(self, room: Room) -> None:
        """Catch up until there is nothing that the room was told of and lacks. Switches."""
        try:
            while room.behind and not room.gone:
                self.catch_up(room)
        except NoSuchRoom:
            pass  # its readers have been told
        except ChatError:  # the journal has said why; the sweep tries again
            room.stale = True
        finally:
            self._filling.discard(room.id)

    def catch_up(self, room: Room) -> int:
        """Read what follows the room's end and take it over; returns the database's last seq. Switches."""
        room.stale = False
        cursor = room.last
        try:
            found = self._journal.look(room.id, cursor, FILL_LIMIT, room.rights.number)
            moved = found is not None and found.state.epoch != room.epoch
            if moved:
                found = self._journal.newest(room.id, self._first_look, room.rights.number)
        except ChatError:
            room.stale = True
            raise
        if room.gone:  # another one who read it found that
            raise NoSuchRoom()
        if found is None:
            self._drop(room)
            raise NoSuchRoom()
        state = found.state
        if moved and state.epoch != room.epoch:
            room.reset(found)
            return state.last_seq
        room.restrict(found.rights, state.removals)
        room.deliver(found.messages)
        room.refresh(state)
        room.wanted = max(room.wanted, state.last_seq)
        # Where another catch-up has come further meanwhile, ours may end before the room does: no hole.
        if room.last == cursor < state.last_seq:
            self._skip_hole(room)
        return state.last_seq

    def _skip_hole(self, room: Room) -> None:
        log.error("room %d lacks the message behind #%d: it was taken from the database", room.id, room.last)
        found = self._journal.newest(room.id, self._first_look, room.rights.number)
        if found is not None:
            room.reset(found)

    def _compare(self, live: list[Room]) -> None:
        revisions = self._journal.revisions([room.id for room in live])
        # Read a moment ago: a room may be ahead of it by now, so only what lags is read anew.
        for room in live:
            if room.loaded.is_set() and revisions.get(room.id, room.revision + 1) > room.revision:
                room.stale = True

    def _bound_memory(self) -> None:
        """What all rooms remember stays within BACKLOG_BYTES: the largest ones forget first."""
        total = sum(room.weight for room in self)
        for room in sorted(self, key=lambda room: -room.weight) if total > BACKLOG_BYTES else ():
            total -= room.weight
            room.forget()
            total += room.weight
            if total <= BACKLOG_BYTES:
                break

    def _let_idle_rooms_go(self) -> None:
        now = time.monotonic()
        for room in self:
            if not room.loaded.is_set() or room.readers or room.holders or room.id in self._filling:
                self._idle_since.pop(room.id, None)
            elif now - self._idle_since.setdefault(room.id, now) >= self._idle_seconds:
                del self._idle_since[room.id], self._rooms[room.id]
                self._forgotten(room.id)
