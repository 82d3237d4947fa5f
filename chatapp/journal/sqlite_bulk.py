"""The statements of `bulk.Bulk` for SQLite, where who writes holds its one lock (BEGIN IMMEDIATE): nobody
else moves anything until the transaction ends.

They go to the driver's connection: SQLAlchemy's result alone takes as long as all six statements do.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Row, insert

from chatapp.journal.bulk import COLUMNS, Opened, messages_at
from chatapp.journal.reading import MESSAGES
from chatapp.journal.requests import Request
from chatapp.journal.sqlite_connections import driver

T = TypeVar("T")

ASKED_AT_ONCE = 300  # an old SQLite takes 999 parameters

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
_PEOPLE = "SELECT people FROM server"
_ADVANCE = "UPDATE rooms SET last_seq = ?, last_at = ?, revision = ?, rights = ? WHERE id = ?"
_REVISIONS = "SELECT id, revision FROM rooms WHERE id IN (SELECT value FROM json_each(?))"


def open(
    connection: Connection,
    requests: Sequence[Request],
    rooms: Collection[int],
    sent: Collection[tuple[int, str, str]],
) -> Opened:
    """See Bulk."""
    (people,) = driver(connection).execute(_PEOPLE).fetchone() or (0,)
    return Opened(lock(connection, rooms), _sent_with(connection, sent), people)


def lock(connection: Connection, rooms: Collection[int]) -> Iterator[tuple[Any, ...]]:
    """See Bulk. They are read as they are asked for."""
    for some in _stretches(sorted(rooms)):
        yield from driver(connection).execute(_ROOMS.format(", ".join("?" * len(some))), some)


def insert_messages(connection: Connection, rows: list[tuple[object, ...]]) -> None:
    """See Bulk."""
    driver(connection).executemany(_insert_into_messages(connection.dialect), rows)


def finish(
    connection: Connection, rows: list[tuple[object, ...]], moved: list[tuple[int, int, int, int, int]]
) -> None:
    """See Bulk."""
    if rows:
        insert_messages(connection, rows)
    driver(connection).executemany(_ADVANCE, moved)


def revisions(connection: Connection, rooms: Sequence[int]) -> dict[int, int]:
    """See Bulk."""
    return dict(connection.exec_driver_sql(_REVISIONS, (json.dumps(rooms),)).all())


def _sent_with(connection: Connection, sent: Collection[tuple[int, str, str]]) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    for some in _stretches(sent):
        query = _SENT_WITH.format(", ".join(["(?, ?, ?)"] * len(some)))
        places = driver(connection).execute(query, tuple(chain.from_iterable(some))).fetchall()
        if places:  # somebody sends again
            found += messages_at(connection, places)
    return found


def _stretches(values: Iterable[T]) -> Iterator[tuple[T, ...]]:
    asked = iter(values)
    while some := tuple(islice(asked, ASKED_AT_ONCE)):
        yield some


@cache
def _insert_into_messages(dialect: Dialect) -> str:
    return str(insert(MESSAGES).compile(dialect=dialect, column_keys=COLUMNS))
