"""Stretches of old log, read for whoever is far behind: shared, one read at a time, a few kept.

Five hundred readers that were away come back to the same place. Each reading the database by itself would
take every connection and, in the threads that make messages of rows, the interpreter from those who are live.
"""

from collections import OrderedDict
from typing import Protocol, cast

from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

from chatapp.message import Message

LENGTH = 100  # messages: numbers n · LENGTH + 1 to (n + 1) · LENGTH
KEPT = 16  # stretches, over all rooms,
KEPT_BYTES = 32 * 1024 * 1024  # and what they take: a hundred messages of 4,000 emoji are 10 MB


class Log(Protocol):
    """What is read: the journal."""

    def messages_after(self, room: int, cursor: int, limit: int, until: int) -> list[Message]:
        """Up to `limit` messages with cursor < seq ≤ until, oldest first. Switches."""


class Stretches:
    """Answers as the journal does, with a message as it was when its stretch was read or later.

    An edit that is kept while a stretch is read may be missing in it: its reader comes to the edit later on.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._turn = BoundedSemaphore(1)
        self._kept: OrderedDict[tuple[int, int], list[Message]] = OrderedDict()
        self._reading: dict[tuple[int, int], AsyncResult[list[Message]]] = {}

    def messages_after(self, room: int, cursor: int, limit: int, until: int) -> list[Message]:
        """Up to `limit` messages with cursor < seq ≤ until, oldest first. Switches."""
        found: list[Message] = []
        while cursor < until and len(found) < limit:
            number, missing = cursor // LENGTH, limit - len(found)
            end = (number + 1) * LENGTH
            if end > until:  # not complete yet: not worth keeping
                with self._turn:
                    return found + self._log.messages_after(room, cursor, missing, until)
            found += [message for message in self._stretch(room, number) if message.seq > cursor][:missing]
            cursor = end
        return found

    def changed(self, room: int) -> None:
        """Texts of `room` were changed, or it was cleared: what was read before is old. Never switches."""
        for table in (self._kept, self._reading):
            for key in [key for key in table if key[0] == room]:
                del table[key]

    def _stretch(self, room: int, number: int) -> list[Message]:
        key = (room, number)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key in self._reading:
            return cast(list[Message], self._reading[key].get())
        result = self._reading[key] = AsyncResult()
        try:
            with self._turn:
                messages = self._log.messages_after(room, number * LENGTH, LENGTH, (number + 1) * LENGTH)
        except BaseException as error:
            result.set_exception(error)
            raise
        else:
            result.set(messages)
            if self._reading.get(key) is result:  # else it is old by now
                self._keep(key, messages)
            return messages
        finally:
            if self._reading.get(key) is result:
                del self._reading[key]

    def _keep(self, key: tuple[int, int], messages: list[Message]) -> None:
        self._kept[key] = messages
        while len(self._kept) > KEPT or self._weight > KEPT_BYTES:
            self._kept.popitem(last=False)

    @property
    def _weight(self) -> int:
        return sum(message.weight for messages in self._kept.values() for message in messages)
