"""What a bus may lose and no database has: told again when some of it may have been lost.

Guests who have left are known to whoever told of them. What changed in whose list of rooms is known to nobody
any more, so all who are connected here are told that theirs may have, some at a time: each then asks for it.
"""

from collections import deque

import gevent

from chatapp import frames
from chatapp.bus import Bus, GuestLeft, Missed
from chatapp.heartbeat import Beating, Heartbeat

LEFT = 200  # guests at most of whom is told again, the last ones
PAUSE = 0.01  # seconds between two who are told that their lists may have changed


class Telling:
    """Nothing of it switches."""

    def __init__(self, bus: Bus, heartbeat: Heartbeat) -> None:
        self._bus, self._heartbeat = bus, heartbeat
        self._left: deque[str] = deque(maxlen=LEFT)
        self._lists: set[Beating] = set()  # who is still to be told
        self._teller: gevent.Greenlet[[], None] | None = None

    def guest_left(self, person: str) -> None:
        """Tell the other processes, now and whenever one of them may have missed it."""
        self._left.append(person)
        self._bus.publish(GuestLeft(person))

    def missed(self) -> None:
        """Something may have been lost, of what others told and of what was told here."""
        self._bus.publish(Missed())
        self.others_missed()
        self._lists.update(each for each in self._heartbeat.connections if each.identity.known)
        if not self._teller:
            self._teller = gevent.spawn(self._tell_of_lists)

    def others_missed(self) -> None:
        """Another process may have missed what was told here."""
        for person in self._left:
            self._bus.publish(GuestLeft(person))

    def _tell_of_lists(self) -> None:
        while self._lists:
            self._lists.pop().send_frame("rooms", frames.rooms(), droppable=True)
            gevent.sleep(PAUSE)
