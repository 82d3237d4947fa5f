"""The statements of `bulk.Bulk` for PostgreSQL, where many write at once, in several processes and machines.

Who keeps messages holds the rows of their rooms, taken in the order of their ids, so that nobody waits in a
circle; everything else that is asked of the journal (rights, people, rooms, what is collected) is done alone,
as everything is on SQLite: what it looks up first is still so when it writes. Both wait for each other at one
lock without a row: keepers share it.

A transaction is three journeys to the server: its locks and rooms, what it goes by, and all that it writes
with the commit. The first and the last are several statements in one go (psycopg's pipeline). The one between
is a statement by itself, since between a pipeline and the next statement PostgreSQL 15 does not end a
transaction whose process has stopped (`idle_in_transaction_session_timeout`): what is locked would stay so.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect

from chatapp.journal.bulk import COLUMNS, Opened, messages_at
from chatapp.journal.postgres_connections import driver
from chatapp.journal.reading import MESSAGES
from chatapp.journal.requests import MarkRead, Post, Request

LOCK = 0x63686174  # the name of the lock: "chat"

_SHARED = f"SELECT pg_advisory_xact_lock_shared({LOCK})"
_ALONE = f"SELECT pg_advisory_xact_lock({LOCK})"
_ROOMS = """
SELECT id, last_seq, last_at, revision, closed, rights, slow_seconds FROM rooms
WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""
# By all of uq_messages_client_id: many people may send with one and the same client_id.
_KNOWN = """
SELECT server.people, sent.room_id, sent.seq FROM (SELECT (SELECT people FROM server) AS people) AS server
LEFT JOIN (
    SELECT messages.room_id, messages.seq
    FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS wanted (room_id, client_id, author_id)
    JOIN messages ON messages.room_id = wanted.room_id AND messages.client_id = wanted.client_id
        AND messages.author_id = wanted.author_id AND messages.client_id IS NOT NULL
) AS sent ON true
"""
# One statement, however many there are: psycopg looks at the socket twice for each.
_INSERT = """
INSERT INTO messages ({names}) SELECT {values} FROM json_to_recordset(%s) AS message ({types})
"""
_ADVANCE = """
UPDATE rooms SET last_seq = moved.last_seq, last_at = moved.last_at, revision = moved.revision,
    rights = moved.rights
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS moved (last_seq, last_at, revision, rights, id)
WHERE rooms.id = moved.id
"""
_REVISIONS = "SELECT id, revision FROM rooms WHERE id = ANY(%s::bigint[])"


def open(
    connection: Connection,
    requests: Sequence[Request],
    rooms: Collection[int],
    sent: Collection[tuple[int, str, str]],
) -> Opened:
    """See Bulk. Each statement sees what was committed before it began, so after it has its locks."""
    mine = driver(connection)
    with mine.pipeline():
        mine.execute(_SHARED if all(map(_only_keeps, requests)) else _ALONE)
        locked = mine.execute(_ROOMS, (sorted(rooms),)) if rooms else None
    known = mine.execute(_KNOWN, _columns(sent, 3)).fetchall()
    places = [(room, seq) for _, room, seq in known if room is not None]
    return Opened(
        [] if locked is None else locked.fetchall(),
        messages_at(connection, places) if places else [],
        known[0][0] or 0,
    )


def lock(connection: Connection, rooms: Collection[int]) -> Iterable[tuple[Any, ...]]:
    """See Bulk."""
    return driver(connection).execute(_ROOMS, (sorted(rooms),)).fetchall()


def insert_messages(connection: Connection, rows: list[tuple[object, ...]]) -> None:
    """See Bulk."""
    told = msgspec.json.encode([dict(zip(COLUMNS, row, strict=True)) for row in rows]).decode()
    driver(connection).execute(_insert_into_messages(connection.dialect), (told,))


def finish(
    connection: Connection, rows: list[tuple[object, ...]], moved: list[tuple[int, int, int, int, int]]
) -> None:
    """See Bulk. With the commit: then nothing is begun when the pipeline ends."""
    mine = driver(connection)
    with mine.pipeline():
        if rows:
            insert_messages(connection, rows)
        mine.execute(_ADVANCE, _columns(moved, 5))
        mine.execute("COMMIT")


def revisions(connection: Connection, rooms: Sequence[int]) -> dict[int, int]:
    """See Bulk."""
    return dict(driver(connection).execute(_REVISIONS, (list(rooms),)).fetchall())


def _columns(rows: Collection[tuple[Any, ...]], width: int) -> tuple[list[Any], ...]:
    return tuple(map(list, zip(*rows, strict=True))) if rows else ([],) * width


def _only_keeps(request: Request) -> bool:
    """Whether it goes by nothing that another room's keeper may move meanwhile."""
    return (isinstance(request, Post) and not request.effects) or isinstance(request, MarkRead)


@cache
def _insert_into_messages(dialect: Dialect) -> str:
    types = {name: MESSAGES.c[name].type.compile(dialect) for name in COLUMNS}
    # What is JSON is so already, as a text.
    told = {name: "TEXT" if kind == "JSON" else kind for name, kind in types.items()}
    return _INSERT.format(
        names=", ".join(f'"{name}"' for name in COLUMNS),
        values=", ".join(f'"{name}"::{kind}' for name, kind in types.items()),
        types=", ".join(f'"{name}" {kind}' for name, kind in told.items()),
    )
