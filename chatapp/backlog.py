"""The backlog: the newest messages of one room in memory, a ring that answers "what comes after?"."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import islice

from chatapp.message import AMENDING, Message


class Backlog:
    """At most `size` messages with consecutive numbers. Plain data: nothing in here switches or waits.

    `weight`: the bytes that they take, at most.
    """

    def __init__(self, size: int, messages: Sequence[Message] = ()) -> None:
        self._messages: deque[Message] = deque()
        self._authors: frozenset[str] | None = None  # counted when somebody asks, until that changes
        self._size = size
        self.weight = 0
        self.extend(messages)

    def __len__(self) -> int:
        return len(self._messages)

    def extend(self, messages: Sequence[Message]) -> None:
        """Append what follows; what amends a text among `messages` also changes what it is about."""
        for message in messages:
            if self._messages and message.seq != self._messages[-1].seq + 1:
                self._forget(len(self._messages))  # somebody took a row from the database
            if message.kind in AMENDING:
                self._amend(message)
            self._messages.append(message)
            self.weight += message.weight
        self._authors = None
        self._forget(len(self._messages) - self._size)

    def halve(self) -> None:
        """Forget the older half."""
        self._forget((len(self._messages) + 1) // 2)

    def forget_before(self, seq: int) -> None:
        """Forget what has a lower number: retention took it."""
        while self._messages and self._messages[0].seq < seq:
            self._forget(1)

    def reaches(self, cursor: int) -> bool:
        """Whether everything after `cursor` is in here (also when that is nothing)."""
        return bool(self._messages) and cursor >= self._messages[0].seq - 1

    def after(self, cursor: int, limit: int) -> list[Message]:
        """Up to `limit` messages after `cursor`, oldest first. Only where `reaches(cursor)`."""
        start = cursor - self._messages[0].seq + 1
        return list(islice(self._messages, start, start + limit))

    def authors(self) -> frozenset[str]:
        """The ids of those who wrote what is in here."""
        if self._authors is None:
            self._authors = frozenset(message.author.id for message in self._messages)
        return self._authors

    def after_time(self, microseconds: int) -> Message | None:
        """The first readable text published after that time."""
        times = _Times(self._messages)
        start = bisect_right(times, microseconds)
        # By index: a deque is as quick near its end as at its beginning, and `islice` walks all the way.
        later = map(self._messages.__getitem__, range(start, len(self._messages)))
        return next((message for message in later if message.readable), None)

    def reaches_time(self, microseconds: int) -> bool:
        """Whether everything published after that time is in here."""
        return bool(self._messages) and self._messages[0].microseconds <= microseconds

    def _forget(self, count: int) -> None:
        for _ in range(count):
            self.weight -= self._messages.popleft().weight
            self._authors = None

    def _amend(self, change: Message) -> None:
        if change.kind == "edit":
            index = (change.of or 0) - self._messages[0].seq if self._messages else -1
            if 0 <= index < len(self._messages):
                self._replace(index, self._messages[index].amended_by(change))
            return
        for index, message in enumerate(self._messages):
            amended = message.amended_by(change)
            if amended is not message:
                self._replace(index, amended)

    def _replace(self, index: int, message: Message) -> None:
        self.weight += message.weight - self._messages[index].weight
        self._messages[index] = message


class _Times(Sequence[int]):
    """The publication times of a deque of messages, without building the list."""

    def __init__(self, messages: deque[Message]) -> None:
        self._messages = messages

    def __len__(self) -> int:
        return len(self._messages)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._messages[index].microseconds
