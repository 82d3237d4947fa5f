"""What every transaction asks and writes, for a whole group of messages, straight through the driver: what
SQLAlchemy makes of each statement, and of each row's parameters, takes longer than the database does.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from itertools import chain, islice
from typing import Any, TypeVar

from msgspec import UnsetType, to_builtins
from sqlalchemy import Connection, Dialect, Row, and_, insert, or_, select

from chatapp.journal.reading import MESSAGES
from chatapp.message import Message

T = TypeVar("T")

ASKED_AT_ONCE = 300  # an old SQLite takes 999 parameters
_C = MESSAGES.c

# Nothing that is put into these is anybody's words: question marks, as many as there are values.
_ROOMS = """
SELECT id, last_seq, last_at, revision, closed, rights, slow_seconds FROM rooms WHERE id IN ({}) ORDER BY id
"""
# By all of uq_messages_client_id: many people may send with one and the same client_id.
_SENT_WITH = """
WITH wanted (room_id, client_id, author_id) AS (VALUES {})
SELECT messages.room_id, messages.seq FROM wanted
JOIN messages ON messages.room_id = wanted.room_id AND messages.client_id = wanted.client_id
    AND messages.author_id = wanted.author_id
"""
_ADVANCE = "UPDATE rooms SET last_seq = ?, last_at = ?, revision = ?, rights = ? WHERE id = ?"


def rooms(connection: Connection, numbers: Iterable[int]) -> Iterator[tuple[Any, ...]]:
    """Of each room that there is: id, last_seq, last_at, revision, closed, rights, slow_seconds.

    Nobody else moves them until the transaction ends: who writes holds SQLite's one lock (BEGIN IMMEDIATE).
    """
    for some in _stretches(sorted(numbers)):
        yield from map(tuple, connection.exec_driver_sql(_ROOMS.format(", ".join("?" * len(some))), some))


def sent_with(connection: Connection, sent: Collection[tuple[int, str, str]]) -> list[Row[Any]]:
    """The rows of the messages that were sent so already. `sent`: (room, client_id, author)."""
    found: list[Row[Any]] = []
    for some in _stretches(sent):
        query = _SENT_WITH.format(", ".join(["(?, ?, ?)"] * len(some)))
        places = connection.exec_driver_sql(query, tuple(chain.from_iterable(some))).all()
        if places:  # somebody sends again
            here = or_(*(and_(_C.room_id == room, _C.seq == seq) for room, seq in places))
            found += connection.execute(select(*_C).where(here))
    return found


def row_of(message: Message, at: int) -> tuple[object, ...]:
    """What is written of `message`, which is new, in the order of the table. `at`: microseconds."""
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


def insert_messages(connection: Connection, rows: list[tuple[object, ...]]) -> None:
    """Add `rows`, each from `row_of`."""
    connection.exec_driver_sql(_insert_into_messages(connection.dialect), rows)


def advance(connection: Connection, moved: list[tuple[int, int, int, int, int]]) -> None:
    """Note where rooms are now. `moved`: (last_seq, last_at, revision, rights, id)."""
    connection.exec_driver_sql(_ADVANCE, moved)


def _stretches(values: Iterable[T]) -> Iterator[tuple[T, ...]]:
    asked = iter(values)
    while some := tuple(islice(asked, ASKED_AT_ONCE)):
        yield some


@cache
def _insert_into_messages(dialect: Dialect) -> str:
    columns = [column.name for column in _C if column.name not in ("edited_at", "deleted_at")]
    return str(insert(MESSAGES).compile(dialect=dialect, column_keys=columns))
