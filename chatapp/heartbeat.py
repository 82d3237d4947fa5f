"""Heartbeats: every pushed reader hears from us regularly, and whoever is silent for too long is gone."""

import logging
import time
from collections import Counter
from collections.abc import Container
from typing import Protocol

import gevent

from chatapp.errors import ChatError
from chatapp.permissions import Identity

log = logging.getLogger(__name__)


class Beating(Protocol):
    """`subscribers`: the ids of rooms that are followed on it. `transport`: see Encoding."""

    identity: Identity

    @property
    def transport(self) -> str: ...

    @property
    def subscribers(self) -> Container[int]: ...

    def identified(self, identity: Identity) -> None:
        """Its person is this from now on. Must not switch."""

    def send_frame(self, kind: str, data: bytes, droppable: bool = False) -> None:
        """Send a frame that is no message. Must not switch."""

    def turned_back(self, room: int, seq: int) -> None:
        """Its person wants what follows `seq` to be unread again. Must not switch."""

    def beat(self, now: float) -> None:
        """Send a heartbeat, or end the connection if the peer has been silent. Must not switch."""

    def dismiss(self, error: ChatError) -> None:
        """End the connection and say why. Must not switch."""


class Heartbeat:
    """One greenlet for all connections: a wheel with a slot for each second of the interval."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self._slots: list[set[Beating]] = [set() for _ in range(seconds)]
        self._slot_of: dict[Beating, int] = {}
        self._of: dict[str, set[Beating]] = {}  # by the id of its person, which stays the same
        self.by_transport: Counter[str] = Counter()
        self._hand = 0

    def add(self, connection: Beating) -> None:
        """Begin to beat, for the first time after one full interval."""
        slot = (self._hand - 1) % self.seconds
        self._slots[slot].add(connection)
        self._slot_of[connection] = slot
        self.by_transport[connection.transport] += 1
        self._of.setdefault(connection.identity.id, set()).add(connection)

    def remove(self, connection: Beating) -> None:
        slot = self._slot_of.pop(connection, None)
        if slot is not None:
            self._slots[slot].discard(connection)
            self.by_transport[connection.transport] -= 1
            person = connection.identity.id
            self._of[person].discard(connection)
            if not self._of[person]:
                del self._of[person]

    @property
    def connections(self) -> list[Beating]:
        """All pushed connections of this process."""
        return list(self._slot_of)

    def of(self, person: str) -> list[Beating]:
        """Those of one person, by their id."""
        return list(self._of.get(person, ()))

    def run(self) -> None:
        """Turn the wheel for ever."""
        while True:
            gevent.sleep(1)
            self._hand = (self._hand + 1) % self.seconds
            now = time.monotonic()
            for connection in list(self._slots[self._hand]):
                try:
                    connection.beat(now)
                except Exception:  # else nobody would be noticed as gone any more
                    log.exception("a connection could not be given its heartbeat")
