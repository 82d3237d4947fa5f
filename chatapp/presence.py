"""Who is here: identities, not sockets, by leases that expire, over all processes.

Each process counts its own readers and holds a lease on the bus for each person and room. What changed is
gathered for half a second and told as one frame, so a thousand people who join cost a thousand frames at
most each half second, not a million.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from msgspec import structs

from chatapp.bus import LEASE_SECONDS, Bus, Lease, PresenceChanged
from chatapp.message import Author
from chatapp.trouble import Trouble

GATHER_SECONDS = 0.5
RENEW_SECONDS = 20
AGAIN_LIMIT = 10  # seconds: the longest pause before leases that the bus did not take are tried again
POLL_SECONDS = 60  # a poll counts as present for this long
SERVERS = 0  # the room of servers, which is none (same_keys.py)
NAMED = 100  # in a larger room changes are told as a count only

log = logging.getLogger(__name__)


@dataclass
class _Local:
    """A person in a room, as this process sees them."""

    who: Author
    readers: int = 0
    until: float = 0.0  # a poll's presence, on time.monotonic()


class Reader(Protocol):
    """Whom to tell: a live subscriber."""

    room: Any
    ended: bool

    def tell(self, kind: str, data: bytes) -> None:
        """Send an ephemeral frame. Must not switch."""


class Presence:
    """`tell(room, data, but)` sends a frame to the readers of a room in this process, `but` to those not.
    `status_of(person)`: what somebody says of themselves, "" where that is nothing. `awaited()`: whether
    anybody in this process is to hear who comes to the server and who leaves it, whatever the room; these are
    told by `tell_server(here, moved, newcomers)`: who is on it, of whom that has changed (ids), and the
    readers who have heard nothing yet.
    """

    def __init__(
        self,
        bus: Bus,
        tell: Callable[[int, bytes, Container[object]], None],
        status_of: Callable[[str], str],
        awaited: Callable[[], bool],
        tell_server: Callable[[set[str], set[str], Container[object]], None],
    ) -> None:
        self._bus, self._tell, self._status_of = bus, tell, status_of
        self._awaited, self._tell_server = awaited, tell_server
        self._on_server: set[str] | None = None  # ids, as told last; None: nobody awaits it
        self._moved = False  # whether somebody came or went since then
        self._newcomers: set[Reader] = set()  # readers of conversations who have heard nothing yet
        self._local: defaultdict[int, dict[str, _Local]] = defaultdict(dict)
        self._shown: dict[int, dict[str, Author]] = {}
        self._dirty: set[tuple[int, str]] = set()  # local changes that the bus does not know yet
        self._failed: set[tuple[int, str]] = set()  # what the bus should know and has not taken
        # Of these, leases that it should have let go, and when they are over by themselves.
        self._unreleased: dict[tuple[int, str], float] = {}
        self._pause, self._again_at = 0.0, 0.0  # before that is tried again
        self._rung: set[int] = set()  # rooms in which another process changed something
        self._ungreeted: defaultdict[int, set[Reader]] = defaultdict(set)
        self._forgotten: set[int] = set()  # rooms that left the hub
        self._renewed = time.monotonic()
        self._elsewhere: list[Lease] = []  # of all rooms, as the bus knew them at `_asked`
        self._asked = -GATHER_SECONDS
        self._asking = BoundedSemaphore(1)
        self._news = 0  # counts what was heard and told of who is elsewhere,
        self._known = 0  # and how much of it `_elsewhere` has
        self._ending = Event()
        self._mute = Trouble(log, "the bus does not take our leases")
        self._deaf = Trouble(log, "the bus does not say who is present elsewhere")

    def greet(self, reader: Reader) -> None:
        """Tell `reader` who is here when changes are told next, and no change before. Never switches."""
        self._ungreeted[reader.room.id].add(reader)

    def greet_in_conversation(self, reader: Reader) -> None:
        """Tell `reader` who of its conversation is on this server, when changes are told next. Never
        switches.
        """
        self._newcomers.add(reader)

    def enter(self, room: int, who: Author) -> None:
        """Another reader of this person in this room."""
        self._entry(room, who).readers += 1

    def leave(self, room: int, who: Author) -> None:
        entry = self._local.get(room, {}).get(who.id)
        if entry is not None:
            entry.readers -= 1
            self._dirty.add((room, who.id))

    def polled(self, room: int, who: Author) -> None:
        """This person asked for news of this room."""
        self._entry(room, who).until = time.monotonic() + POLL_SECONDS

    def end(self, gone: Callable[[str], bool]) -> None:
        """Those whose id is `gone` are here no longer for having polled; readers leave by themselves."""
        for room, people in self._local.items():
            for person in filter(gone, people):
                people[person].until = 0
                self._dirty.add((room, person))

    def rang(self, room: int) -> None:
        """Another process says that somebody came or went."""
        self._rung.add(room)
        self._news += 1

    def recheck(self) -> None:
        """The bus may have lost our leases, and we what rang: all is told and looked at anew. Never
        switches.
        """
        self._dirty.update((room, person) for room, people in self._local.items() for person in people)
        self.look_anew()

    def look_anew(self) -> None:
        """Another process may have rung for any room, unheard. Never switches."""
        self._rung.update(self._shown)
        self._moved = True
        self._news += 1

    def renamed(self, person: str, name: str) -> None:
        """Somebody is called otherwise from now on."""
        for room, people in self._local.items():
            if (entry := people.get(person)) and entry.who.name != name:
                entry.who = structs.replace(entry.who, name=name)
                self._dirty.add((room, person))
        for shown in self._shown.values():
            if person in shown:
                shown[person] = structs.replace(shown[person], name=name)

    def shown_in(self, person: str) -> list[int]:
        """Rooms whose readers in this process were told that this person is here."""
        return [room for room, people in self._shown.items() if person in people]

    def frame(self, room: int) -> dict[str, Any]:
        """The full form: how many are here, and the first hundred of them. May switch."""
        here = self._here(room)
        return {
            "type": "presence",
            "room": room,
            "count": len(here),
            "here": [self.plain(who) for who in list(here.values())[:NAMED]],
        }

    def plain(self, who: Author) -> dict[str, Any]:
        """Somebody who is here, as its JSON."""
        status = self._status_of(who.id)
        return {**msgspec.to_builtins(who), **({"status": status} if status else {})}

    def people(self, room: int) -> list[Author]:
        """Everybody who is here, by name. Asks the bus: switches."""
        return by_name(self._merged(room).values())

    def everywhere(self) -> dict[int, list[Author]]:
        """Everybody who is anywhere, by room; elsewhere as it was at most GATHER_SECONDS ago, and not before
        what this process has heard or told of it. May switch.
        """
        rooms: dict[int, dict[str, Author]] = defaultdict(dict)
        for lease in self._all_elsewhere():
            rooms[lease.room][lease.who.id] = lease.who
        for room in list(self._local):
            rooms[room].update(self._here_locally(room))
        rooms.pop(SERVERS, None)
        return {room: list(people.values()) for room, people in rooms.items() if people}

    def run(self) -> None:
        """Gather and tell changes, renew leases, until `stop`."""
        while not self._ending.wait(GATHER_SECONDS):
            try:
                self.gather()
            except Exception:
                log.exception("presence could not be told")

    def stop(self) -> None:
        """Let `run` end behind what it is just doing: the bus must not be left in the middle of that."""
        self._ending.set()

    def gather(self) -> None:
        """Tell what has changed since the last time: the bus what is ours, our readers everything."""
        self._expire_polls()
        dirty, self._dirty = self._dirty, set()
        if self._failed and time.monotonic() >= self._again_at:
            dirty, self._failed = dirty | self._failed, set()
        ours = {room for room, _ in dirty}
        rooms, self._rung = self._rung | ours, set()
        self._hold(dirty)
        if rooms:
            self._news += 1
        for room in rooms:
            if room in ours:
                self._bus.publish(PresenceChanged(room))
            self._tell_changes(room)
        self._tell_who_came(bool(rooms))
        self._greet_all()
        self._forget_empty()

    def forget(self, room: int) -> None:
        """Nobody in this process reads the room any more; those who just left are still to be told of."""
        self._forgotten.add(room)
        self._forget_empty()

    def _forget_empty(self) -> None:
        for room in [room for room in self._forgotten if not self._local.get(room)]:
            self._forgotten.discard(room)
            self._local.pop(room, None)
            self._shown.pop(room, None)

    def _greet_all(self) -> None:
        for room in list(self._ungreeted):
            data = msgspec.json.encode(self.frame(room))
            for reader in self._ungreeted.pop(room):  # between the list and the telling nothing switches
                if not reader.ended:
                    reader.tell("presence", data)

    def _tell_who_came(self, moved: bool) -> None:
        self._newcomers = {reader for reader in self._newcomers if not reader.ended}
        if not self._awaited():
            self._on_server, self._moved = None, False
            return
        self._moved = self._moved or moved
        if not (self._moved or self._newcomers or self._on_server is None):
            return
        now = self._anywhere()
        if now is None:
            return  # the next time compares with what was told, and tells who moved by then
        before, self._on_server, self._moved = self._on_server, now, False
        newcomers, self._newcomers = self._newcomers, set()
        self._news += 1  # the bus may know more by now than it has rung for
        self._tell_server(now, now ^ (now if before is None else before), newcomers)

    def _anywhere(self) -> set[str] | None:
        """The ids of all who are on this server; None where that cannot be known."""
        try:
            found = self._bus.present()
        except Exception as error:
            self._deaf.tell(str(error))
            return None
        self._deaf.over()
        return found.union(*(self._here_locally(room) for room in list(self._local)))

    def _entry(self, room: int, who: Author) -> _Local:
        self._forgotten.discard(room)
        entry = self._local[room].get(who.id)
        if entry is None:
            entry = self._local[room][who.id] = _Local(who)
            self._dirty.add((room, who.id))
        return entry

    def _here(self, room: int) -> dict[str, Author]:
        if room not in self._shown:
            self._shown[room] = self._merged(room)
        return {**self._shown[room], **self._here_locally(room)}

    def _merged(self, room: int) -> dict[str, Author]:
        return {**{lease.who.id: lease.who for lease in self._held(room)}, **self._here_locally(room)}

    def _here_locally(self, room: int) -> dict[str, Author]:
        now = time.monotonic()
        people = self._local.get(room, {})
        return {key: entry.who for key, entry in people.items() if entry.readers > 0 or entry.until > now}

    def _held(self, room: int | None) -> list[Lease]:
        try:
            held = self._bus.held(room)
        except Exception as error:
            self._deaf.tell(str(error))
            return []
        self._deaf.over()
        return held

    def _all_elsewhere(self) -> list[Lease]:
        """The leases of other processes. One question is for all who came before it was asked."""
        needed = self._news
        with self._asking:
            now, news = time.monotonic(), self._news
            if self._known < needed or now - self._asked > GATHER_SECONDS:
                self._elsewhere, self._asked, self._known = self._held(None), now, news
            return self._elsewhere

    def _expire_polls(self) -> None:
        now = time.monotonic()
        for room, people in self._local.items():
            for key, entry in people.items():
                if entry.readers <= 0 and entry.until <= now:
                    self._dirty.add((room, key))

    def _hold(self, dirty: Iterable[tuple[int, str]]) -> None:
        now = time.monotonic()
        leases, released = [], []
        for room, person in dirty:
            people = self._local.get(room, {})
            entry = people.get(person)
            if entry is not None and (entry.readers > 0 or entry.until > now):
                leases.append(Lease(room, entry.who, now + LEASE_SECONDS))
            elif people.pop(person, None) is not None:
                self._unreleased[room, person] = now + LEASE_SECONDS
                released.append((room, person))
            elif self._unreleased.get((room, person), now) > now:
                released.append((room, person))
            else:  # the lease is over, or there is none
                self._unreleased.pop((room, person), None)
        if now - self._renewed > RENEW_SECONDS:
            self._renewed = now
            leases = [
                Lease(room, entry.who, now + LEASE_SECONDS)
                for room, people in self._local.items()
                for entry in people.values()
            ]
            # A process that died releases nothing: look everywhere who is still here.
            self._rung.update(self._shown)
        if not leases and not released:
            return  # nothing that says how the bus is
        try:
            self._bus.hold(leases, released)
        except Exception as error:
            self._mute.tell(str(error))
            # Again the next time: else who has left is here to other processes until the lease runs out.
            self._failed.update(released, ((lease.room, lease.who.id) for lease in leases))
            self._pause = min(AGAIN_LIMIT, 2 * self._pause or GATHER_SECONDS)
            self._again_at = now + self._pause
        else:
            self._mute.over()
            for each in dirty:
                self._unreleased.pop(each, None)
            self._pause = self._again_at = 0.0

    def _tell_changes(self, room: int) -> None:
        before = self._shown.get(room)
        if before is None:  # nobody here has been told anything yet
            return
        now = self._merged(room)
        self._shown[room] = now
        joined = [who for key, who in now.items() if key not in before]
        left = [who for key, who in before.items() if key not in now]
        if joined or left:
            frame: dict[str, Any] = {"type": "presence", "room": room, "count": len(now)}
            if len(now) <= NAMED:
                frame |= {
                    "joined": [self.plain(who) for who in joined],
                    "left": [self.plain(who) for who in left],
                }
            # Who is still to be greeted gets the list, in which these changes are.
            self._tell(room, msgspec.json.encode(frame), self._ungreeted.get(room, set()))


def by_name(people: Iterable[Author]) -> list[Author]:
    return sorted(people, key=lambda who: who.name.casefold())
