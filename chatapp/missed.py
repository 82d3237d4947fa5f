"""What a bus may lose and no database has: told again when some of it may have been lost.

Guests who have left are known to whoever told of them. What changed in whose list of rooms is known to nobody
any more, so all who are connected where that may not have been heard are told that theirs may have, some at a
time: each then asks for it.

Where a bus comes back all processes miss and lose something within about a second, and each tells all others:
what that calls for is done once, a second behind the first of it.
"""

import time
from collections import deque

import gevent

from chatapp import frames
from chatapp.bus import Bus, GuestLeft, GuestsLeft, Lost, Missed
from chatapp.heartbeat import Beating, Heartbeat

LEFT = 200  # guests at most of whom is told again, the last ones,
LEFT_SECONDS = 3600  # and those who left no longer ago: a bus is hardly away for that long
GATHER_SECONDS = 1  # from the first who missed or lost something until that is made up for
PAUSE = 0.01  # seconds between two who are told that their lists may have changed


class Telling:
    """Nothing that is asked of it switches; greenlets of its own do the rest."""

    def __init__(self, bus: Bus, heartbeat: Heartbeat) -> None:
        self._bus, self._heartbeat = bus, heartbeat
        self._left: deque[tuple[str, float]] = deque(maxlen=LEFT)  # and when, on time.monotonic()
        self._who_left: gevent.Greenlet[[], None] | None = None
        self._lists: set[Beating] = set()  # who is still to be told
        self._teller: gevent.Greenlet[[], None] | None = None

    def guest_left(self, person: str) -> None:
        """Tell the other processes, now and whenever one of them may have missed it."""
        self._left.append((person, time.monotonic()))
        self._bus.publish(GuestLeft(person))

    def missed(self) -> None:
        """Something may have been lost, of what others told and of what was told here."""
        self._bus.publish(Missed())
        self.tell_who_left()
        self.tell_of_lists()

    def lost(self) -> None:
        """Something was lost that was told here."""
        self._bus.publish(Lost())
        self.tell_who_left()

    def tell_who_left(self) -> None:
        """Another process may not have heard who has left here."""
        if not self._who_left:
            self._who_left = gevent.spawn_later(GATHER_SECONDS, self._tell_who_left)

    def tell_of_lists(self) -> None:
        """Those who are connected here may have other rooms, of which this process has not heard."""
        self._lists.update(each for each in self._heartbeat.connections if each.identity.known)
        if not self._teller:
            self._teller = gevent.spawn_later(GATHER_SECONDS, self._tell_of_lists)

    def _tell_who_left(self) -> None:
        since = time.monotonic() - LEFT_SECONDS
        while self._left and self._left[0][1] < since:
            self._left.popleft()
        if self._left:
            self._bus.publish(GuestsLeft([person for person, _ in self._left]))

    def _tell_of_lists(self) -> None:
        while self._lists:
            self._lists.pop().send_frame("rooms", frames.rooms(), droppable=True)
            gevent.sleep(PAUSE)
