"""The statements of `bulk.Bulk` for PostgreSQL, where many write at once, in several processes and machines.

Who keeps messages holds the rows of their rooms, taken in the order of their ids, so that nobody waits in a
circle; everything else that is asked of the journal (rights, people, rooms, what is collected) is done alone,
as everything is on SQLite: what it looks up first is still so when it writes. Both wait for each other at one
lock without a row: keepers share it.

A transaction is two journeys to the server: its locks, its rooms and what it goes by; all that it writes,
with the commit. Each is one message of several statements (the protocol's simple query). A pipeline would be
one journey as well, but PostgreSQL 15 does not end a transaction whose process stops within a pipeline, or
behind it (`idle_in_transaction_session_timeout`): what is locked would stay so.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect

from chatapp.journal.bulk import COLUMNS, Opened, messages_at
from chatapp.journal.postgres_connections import driver
from chatapp.journal.reading import MESSAGES
from chatapp.journal.requests import MarkRead, Post, Request

LOCK = 0x63686174  # the name of the lock: "chat"

# What is asked needs to see what was committed before it, whatever is usual on that server.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
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
    lock = _SHARED if all(map(_only_keeps, requests)) else _ALONE
    asked = {lock: (), _ROOMS: (sorted(rooms),), _KNOWN: _columns(sent, 3)}
    if driver(connection).autocommit:  # else psycopg begins a transaction by itself
        asked = {_BEGIN: (), **asked}
    *_, locked, known = _say(connection, asked)
    places = [(room, seq) for _, room, seq in known if room is not None]
    return Opened(locked, messages_at(connection, places) if places else [], known[0][0] or 0)


def lock(connection: Connection, rooms: Collection[int]) -> Iterable[tuple[Any, ...]]:
    """See Bulk."""
    return driver(connection).execute(_ROOMS, (sorted(rooms),)).fetchall()


def insert_messages(connection: Connection, rows: list[tuple[object, ...]]) -> None:
    """See Bulk."""
    driver(connection).execute(_insert_into_messages(connection.dialect), (_as_json(rows),))


def finish(
    connection: Connection, rows: list[tuple[object, ...]], moved: list[tuple[int, int, int, int, int]]
) -> None:
    """See Bulk. With the commit."""
    told = {_insert_into_messages(connection.dialect): (_as_json(rows),)} if rows else {}
    _say(connection, {**told, _ADVANCE: _columns(moved, 5), "COMMIT": ()})


def revisions(connection: Connection, rooms: Sequence[int]) -> dict[int, int]:
    """See Bulk."""
    return dict(driver(connection).execute(_REVISIONS, (list(rooms),)).fetchall())


def _say(connection: Connection, statements: Mapping[str, tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    """Carry out `statements`, each with its values, in one journey; the rows of each."""
    from psycopg import ClientCursor

    cursor = ClientCursor(driver(connection))
    values = tuple(value for each in statements.values() for value in each)
    cursor.execute(";".join(statements), values)
    answers = [cursor.fetchall() if cursor.description else []]
    while cursor.nextset():
        answers.append(cursor.fetchall() if cursor.description else [])
    return answers


def _as_json(rows: list[tuple[object, ...]]) -> str:
    return msgspec.json.encode([dict(zip(COLUMNS, row, strict=True)) for row in rows]).decode()


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
