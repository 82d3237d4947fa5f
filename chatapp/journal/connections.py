"""What every database's connections are: a bounded number of them, one that writes and some that read.

They are taken and given back on the hub's side (gevent's queues), so that each is used by one greenlet, or
one native thread, at a time.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from gevent.queue import LifoQueue
from sqlalchemy import Connection, Engine

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4

Place = LifoQueue[Connection | None]  # None: it is not open yet, or not any more


class Connections(ABC):
    """To the database of `engine`. All of it but `version` may switch: the hub goes on meanwhile, or stands
    still for a moment (`SqliteConnections._write`).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._readers: Place = LifoQueue(items=[None] * READERS)
        self._writer: Place = LifoQueue(items=[None])

    def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(connection, …)` in a transaction that sees one state."""
        return self._run(self._readers, False, function, *args, **kwargs)

    def write(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`function(connection, …)` in a transaction that writes, committed when this returns."""
        return self._run(self._writer, True, function, *args, **kwargs)

    @abstractmethod
    def prepare(self) -> None:
        """Do once what else each of those who write first would wait for. Switches; may fail."""

    def close(self) -> None:
        """Close what is not in use; what is asked later opens anew."""
        for place in (self._readers, self._writer):
            for _ in range(place.qsize()):
                connection = place.get()
                if connection is not None:
                    connection.close()
                place.put(None)

    @abstractmethod
    def version(self) -> int | None:
        """Changes when anybody has written. Never switches; None where only reading can tell."""

    @abstractmethod
    def _run(
        self,
        place: Place,
        writes: bool,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """`function(connection, …)` in a transaction on a connection of `place`, which gets it back."""
