"""The hub: the live rooms of this process. journal → bus → rooms, and back again from the bus.

What may switch: `room`, `sync`, `post` and whatever reads the journal. What must not: `_committed` (called by
the committer between commit and answer), `_heard` (called by the bus's greenlet), all of room.py but `after`.

A room learns of a message in one of four ways, and each may come first: from this process's own commit, from
the bus, from the filler (a gap was noticed) and from the sweep (once a second, if the database was written to
at all, the revisions of the live rooms are compared with the database's). `Room.deliver` takes them all: what
is old is dropped, a gap is noted and filled from the journal.
"""

import logging
import time

import gevent
from gevent.event import Event

from chatapp import frames
from chatapp.bus import Bus, Committed, Notice, PresenceChanged, ReadUpTo, Typing
from chatapp.config import Config
from chatapp.errors import ChatError, Draining, NoSuchRoom, NotKept
from chatapp.heartbeat import Heartbeat
from chatapp.journal import Journal
from chatapp.journal.requests import Commit
from chatapp.limiter import Limiter
from chatapp.message import Author
from chatapp.outlet import Outlet
from chatapp.presence import Presence
from chatapp.room import Room

SWEEP_SECONDS = 1.0
FILL_LIMIT = 1000  # messages read at once to fill a gap
LARGEST_ID = 2**63 - 1

log = logging.getLogger(__name__)


class Hub:
    """Owns the rooms. Made once a process; `start` it in a process that serves."""

    def __init__(self, config: Config, journal: Journal, bus: Bus) -> None:
        self.config, self.journal, self.bus = config, journal, bus
        self.limiter = Limiter(config)
        self.presence = Presence(bus, self._tell_presence)
        self.heartbeat = Heartbeat(config.heartbeat)
        self.rooms: dict[int, Room] = {}
        self.draining = Event()
        self._idle_since: dict[int, float] = {}
        self._filling: set[int] = set()
        self._started = False
        self._presence: gevent.Greenlet[[], None] | None = None
        journal.on_commit = self._committed

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to listen, sweep and beat. Doing it twice is doing it once."""
        if self._started:
            return
        self._started = True
        gevent.spawn(self.bus.listen, self._heard, self._resync)
        gevent.spawn(self._sweep)
        self._presence = gevent.spawn(self.presence.run)
        gevent.spawn(self.heartbeat.run)

    def drain(self, seconds: float) -> None:
        """Let everybody go: polls are answered, sockets closed with 1012, the journal finished. Switches."""
        if self.draining.is_set():
            return
        self.draining.set()  # from here on nothing new is accepted
        for room in list(self.rooms.values()):
            room.ring()
        # Senders get their answers before their sockets are closed, unless the disk takes too long.
        if not self.journal.finish(seconds / 2):
            log.error("the journal did not finish within %s s: some senders get no answer", seconds / 2)
        for connection in self.heartbeat.connections:
            connection.dismiss(Draining())
        self.bus.flush(seconds / 2)
        if self._presence is not None:
            self._presence.kill(timeout=seconds / 2)  # it would renew the leases that are given up now
        self.bus.close()

    def check_open(self) -> None:
        """Raises Draining when this process is going."""
        if self.draining.is_set():
            raise Draining()

    # -- rooms -------------------------------------------------------------------------------------

    def room(self, room_id: int) -> Room:
        """The live room, loaded on first use. Switches then. Raises NoSuchRoom, NotKept."""
        self._idle_since.pop(room_id, None)
        room = self.rooms.get(room_id)
        if room is None:
            if not 0 < room_id <= LARGEST_ID:
                raise NoSuchRoom()
            room = self.rooms[room_id] = Room(room_id, self.journal, self.config.backlog)
            self._load(room)
        elif not room.loaded.is_set():
            room.loaded.wait()
        if room.gone:
            raise room.fault
        return room

    def sync(self, room: Room) -> None:
        """Bring `room` to where the database is now, not earlier than this call. Switches.

        Joining a catch-up that another greenlet began would not do: it may have read before this call.
        """
        target = self._catch_up(room)
        while room.last < target:
            target = self._catch_up(room)

    def _load(self, room: Room) -> None:
        # Deliveries that come while we read are noted in `wanted` and `stale`, so nothing is missed.
        try:
            found = self.journal.newest(room.id, self.config.backlog)
            if found is None:
                raise NoSuchRoom()
            room.load(*found)
        except BaseException as error:
            # Those who wait for it are told the same; the next one tries anew.
            self._drop(room, error if isinstance(error, ChatError) else NotKept())
            raise
        self._fill_if_needed(room)

    def _drop(self, room: Room, fault: ChatError | None = None) -> None:
        self.rooms.pop(room.id, None)
        self._idle_since.pop(room.id, None)
        room.drop(fault)
        self.presence.forget(room.id)

    def _committed(self, commits: list[Commit]) -> None:
        """This process has kept something: tell the others, then show it here."""
        notices = [_notice(commit) for commit in commits]
        for notice in notices:
            self.bus.publish(notice)
        for notice in notices:
            self._deliver(notice)

    def _heard(self, notice: Notice) -> None:
        match notice:
            case Committed():
                self._deliver(notice)
            case Typing():
                self._show_typing(notice.room, notice.who)
            case ReadUpTo():
                self._show_read(notice.room, notice.person, notice.seq)
            case PresenceChanged():
                self.presence.rang(notice.room)

    def _deliver(self, notice: Committed) -> None:
        room = self.rooms.get(notice.room)
        if room is None:
            return
        room.wanted = max(room.wanted, notice.last)
        if notice.changed:  # more than messages: state and messages are read together
            room.stale = True
        elif room.loaded.is_set() and not room.stale:
            room.deliver(notice.messages)
            # Revisions that come out of order are left to the sweep, which compares.
            if notice.revision == room.revision + 1:
                room.revision = notice.revision
        self._fill_if_needed(room)

    # -- catching up -------------------------------------------------------------------------------

    def _fill_if_needed(self, room: Room) -> None:
        if room.loaded.is_set() and room.behind and room.id not in self._filling:
            self._filling.add(room.id)
            gevent.spawn(self._fill, room)

    def _fill(self, room: Room) -> None:
        try:
            while room.behind and not room.gone:
                self._catch_up(room)
        except NoSuchRoom:
            pass  # its readers have been told
        except ChatError as error:
            log.error("room %d cannot catch up, the sweep tries again: %s", room.id, error)
            room.stale = True
        finally:
            self._filling.discard(room.id)

    def _catch_up(self, room: Room) -> int:
        """Read what follows the room's end and take it over; returns the database's last seq. Switches."""
        room.stale = False
        try:
            state, messages = self.journal.state_and_messages_after(room.id, room.last, FILL_LIMIT)
            moved = state is not None and state.epoch != room.epoch
            found = self.journal.newest(room.id, self.config.backlog) if moved else None
        except ChatError:
            room.stale = True
            raise
        if room.gone:  # another one who read it found that
            raise NoSuchRoom()
        if moved:
            if found is not None and found[0].epoch != room.epoch:
                room.reset(*found)
                return found[0].last_seq
            state = found[0] if found else None
        if state is None:
            self._drop(room)
            raise NoSuchRoom()
        room.deliver(messages)
        room.refresh(state)
        room.wanted = max(room.wanted, state.last_seq)
        return state.last_seq

    def _resync(self) -> None:
        """Notices may have been lost: look at every live room."""
        for room in list(self.rooms.values()):
            room.stale = True
            self._fill_if_needed(room)

    def _sweep(self) -> None:
        version: int | None = None
        while True:
            gevent.sleep(SWEEP_SECONDS)
            try:
                self._let_idle_rooms_go()
                seen, version = version, self.journal.version()
                if self.rooms and (version is None or version != seen):
                    self._compare(self.journal.revisions())
                for room in list(self.rooms.values()):
                    self._fill_if_needed(room)  # also those that could not be read the last time
            except ChatError as error:
                version = None
                log.error("the sweep could not look at the database: %s", error)
            except Exception:
                version = None
                log.exception("the sweep failed")

    def _compare(self, revisions: dict[int, int]) -> None:
        # `revisions` was read a moment ago: a room may be ahead of it by now, so only what lags is read anew.
        for room in list(self.rooms.values()):
            if room.loaded.is_set() and revisions.get(room.id, room.revision + 1) > room.revision:
                room.stale = True

    def _let_idle_rooms_go(self) -> None:
        now = time.monotonic()
        for room in list(self.rooms.values()):
            if not room.loaded.is_set() or room.readers or room.waiting or room.id in self._filling:
                self._idle_since.pop(room.id, None)
            elif now - self._idle_since.setdefault(room.id, now) >= self.config.room_idle_seconds:
                del self._idle_since[room.id], self.rooms[room.id]
                self.presence.forget(room.id)

    # -- what is never stored ----------------------------------------------------------------------

    def typing(self, room: Room, who: Author) -> None:
        """Tell everybody that `who` is writing."""
        self.bus.publish(Typing(room.id, who))
        self._show_typing(room.id, who)

    def read(self, room: Room, person: str, seq: int, but: Outlet | None = None) -> None:
        """Tell the person's other readers how far they have read; `but` is the one that said so."""
        self.bus.publish(ReadUpTo(room.id, person, seq))
        self._show_read(room.id, person, seq, but)

    def _show_typing(self, room_id: int, who: Author) -> None:
        room = self.rooms.get(room_id)
        if room is not None:
            room.tell("typing", frames.typing(room_id, who), lambda reader: reader.identity.id != who.id)

    def _show_read(self, room_id: int, person: str, seq: int, but: Outlet | None = None) -> None:
        room = self.rooms.get(room_id)
        if room is not None:
            data = frames.read(room_id, seq)
            room.tell("read", data, lambda reader: reader.identity.id == person and reader.outlet is not but)

    def _tell_presence(self, room_id: int, data: bytes) -> None:
        room = self.rooms.get(room_id)
        if room is not None:
            room.tell("presence", data)


def _notice(commit: Commit) -> Committed:
    last = commit.messages[-1].seq if commit.messages else 0
    return Committed(commit.room, commit.revision, last, commit.messages, commit.changed)
