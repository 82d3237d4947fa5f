"""What every transaction asks and writes, for a whole group of messages, straight through the driver: what
SQLAlchemy makes of each statement, and of each row's parameters, takes longer than the database does.

Each database has a module of its own for these statements, all with what `Bulk` says.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import UnsetType, to_builtins
from sqlalchemy import Connection, Row, and_, or_, select

from chatapp.journal.reading import MESSAGES
from chatapp.journal.requests import Request
from chatapp.message import Message

_C = MESSAGES.c
COLUMNS = [column.name for column in _C if column.name not in ("edited_at", "deleted_at")]  # of a new one


class Opened(NamedTuple):
    """What a transaction begins with. `rooms`: of each that there is (id, last_seq, last_at, revision,
    closed, rights, slow_seconds). `sent`: the messages that were sent so already. `people`: the number of who
    anybody is; None: not asked yet.
    """

    rooms: Iterable[tuple[Any, ...]]
    sent: list[Row[Any]]
    people: int | None


class Bulk(Protocol):
    """The statements of one database."""

    def open(
        self,
        connection: Connection,
        requests: Sequence[Request],
        rooms: Collection[int],
        sent: Collection[tuple[int, str, str]],
    ) -> Opened:
        """Begin the transaction that carries out `requests`. `sent`: (room, client_id, author).

        Until it ends nobody else moves `rooms`, nor what else any of `requests` goes by.
        """

    def lock(self, connection: Connection, rooms: Collection[int]) -> Iterable[tuple[Any, ...]]:
        """`Opened.rooms` for some more, in a transaction whose requests are about more than messages."""

    def insert_messages(self, connection: Connection, rows: list[tuple[object, ...]]) -> None:
        """Add `rows`, each from `row_of`."""

    def finish(
        self,
        connection: Connection,
        rows: list[tuple[object, ...]],
        moved: list[tuple[int, int, int, int, int]],
    ) -> None:
        """Add the last `rows`, and note where rooms are now. Nothing follows in the transaction; it may be
        committed here. `moved`: (last_seq, last_at, revision, rights, id).
        """

    def revisions(self, connection: Connection, rooms: Sequence[int]) -> dict[int, int]:
        """The revisions of those of `rooms` that there are: asked four times a second."""


def messages_at(connection: Connection, places: Sequence[Sequence[Any]]) -> list[Row[Any]]:
    """The rows of the messages at `places`, (room, seq)."""
    here = or_(*(and_(_C.room_id == room, _C.seq == seq) for room, seq in places))
    return list(connection.execute(select(*_C).where(here)))


def row_of(message: Message, at: int) -> tuple[object, ...]:
    """What is written of `message`, which is new, in the order of COLUMNS. `at`: microseconds."""
    author = message.author
    return (
        *(message.room, message.seq, at, message.kind),
        *(author.id, author.name, author.guest),
        *(message.body, message.of, message.client_id, message.remove or None),
        None if isinstance(message.detail, UnsetType) else json.dumps(message.detail),
        None if isinstance(message.called, UnsetType) else json.dumps(message.calls),
        None if isinstance(message.files, UnsetType) else json.dumps(to_builtins(message.files)),
        author.bot or None,
    )
