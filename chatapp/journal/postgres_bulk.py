"""The statements of `bulk.Bulk` for PostgreSQL, where many write at once, in several processes and machines.

Who keeps messages holds the rows of their rooms, taken in the order of their ids, so that nobody waits in a
circle; everything else that is asked of the journal (rights, people, rooms, what is collected) is done alone,
as everything is on SQLite: what it looks up first is still so when it writes. Both wait for each other at one
lock without a row: keepers share it.

A transaction is two journeys to the server: its locks, its rooms and what it goes by; all that it writes,
with the commit. Each is one script of statements that the server has prepared (the protocol's simple query).
A pipeline would be one journey as well, but PostgreSQL 15 does not end a transaction whose process stops
within a pipeline, or behind it (`idle_in_transaction_session_timeout`): what is locked would stay so.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect

from chatapp.journal.bulk import COLUMNS, Opened, messages_at
from chatapp.journal.postgres_connections import driver
from chatapp.journal.postgres_scripts import is_begun, literal, run_script
from chatapp.journal.reading import MESSAGES
from chatapp.journal.requests import MarkRead, Post, Request

LOCK = 0x63686174  # the name of the lock: "chat"

# What is asked needs to see what was committed before it, whatever is usual on that server.
_BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED;"
_SHARED = f"SELECT count(pg_advisory_xact_lock_shared({LOCK}))".encode()  # what it gives is no number
_ALONE = f"SELECT count(pg_advisory_xact_lock({LOCK}))".encode()
# `chat_sent` goes by all of uq_messages_client_id: many people may send with one and the same client_id.
_PREPARE = """
PREPARE chat_rooms (bigint[]) AS
    SELECT id, last_seq, last_at, revision, closed::int, rights, slow_seconds FROM rooms
    WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE;
PREPARE chat_people AS SELECT (SELECT people FROM server);
PREPARE chat_sent (json) AS
    SELECT room_id, (
        SELECT seq FROM messages WHERE messages.room_id = wanted.room_id
            AND messages.client_id = wanted.client_id AND messages.author_id = wanted.author_id
    ) FROM json_to_recordset($1) AS wanted (room_id bigint, client_id text, author_id text);
PREPARE chat_insert (json) AS
    INSERT INTO messages ({names}) SELECT {values} FROM json_to_recordset($1) AS message ({types});
PREPARE chat_advance (json) AS
    UPDATE rooms SET last_seq = moved.last_seq, last_at = moved.last_at, revision = moved.revision,
        rights = moved.rights
    FROM json_to_recordset($1)
        AS moved (last_seq bigint, last_at bigint, revision bigint, rights bigint, id bigint)
    WHERE rooms.id = moved.id
"""
# Of a table that has just begun the server knows nothing: any index that begins with the room seems as good
# to it as the right one, and longer with each message, until it analyzes the table after a minute or two.
_UNKNOWN = 1000  # messages after which it is told to, if it has not
_ANALYZE = b"""
DO 'BEGIN
    IF (SELECT reltuples <= 0 FROM pg_class WHERE oid = ''messages''::regclass) THEN
        ANALYZE (SKIP_LOCKED) messages;
    END IF;
END'"""
_SENT = ("room_id", "client_id", "author_id")
_MOVED = ("last_seq", "last_at", "revision", "rights", "id")
_REVISIONS = "SELECT id, revision FROM rooms WHERE id = ANY(%s::bigint[])"


def open(
    connection: Connection,
    requests: Sequence[Request],
    rooms: Collection[int],
    sent: Collection[tuple[int, str, str]],
) -> Opened:
    """See Bulk. Each statement sees what was committed before it began, so after it has its locks."""
    _prepare(connection)
    script = b"" if is_begun(connection) else _BEGIN
    script += _SHARED if all(map(_only_keeps, requests)) else _ALONE
    script += b";EXECUTE chat_people;" + _rooms(rooms)
    if sent:
        script += b";" + _with(connection, b"chat_sent", _SENT, sent)
    _, people, locked, *known = run_script(connection, script)[-4 if sent else -3 :]
    places = [(room, seq) for room, seq in known[0] if seq is not None] if known else []
    return Opened(locked, messages_at(connection, places) if places else [], people[0][0] or 0)


def lock(connection: Connection, rooms: Collection[int]) -> Iterable[tuple[Any, ...]]:
    """See Bulk."""
    return run_script(connection, _rooms(rooms))[0]


def insert_messages(connection: Connection, rows: list[tuple[object, ...]]) -> None:
    """See Bulk."""
    run_script(connection, _with(connection, b"chat_insert", COLUMNS, rows))


def finish(
    connection: Connection, rows: list[tuple[object, ...]], moved: list[tuple[int, int, int, int, int]]
) -> None:
    """See Bulk. With the commit."""
    script = _with(connection, b"chat_insert", COLUMNS, rows) + b";" if rows else b""
    script += _with(connection, b"chat_advance", _MOVED, moved) + b";COMMIT"
    run_script(connection, script)
    _note_kept(connection, len(rows))


def revisions(connection: Connection, rooms: Sequence[int]) -> dict[int, int]:
    """See Bulk."""
    return dict(driver(connection).execute(_REVISIONS, (list(rooms),)).fetchall())


def _note_kept(connection: Connection, messages: int) -> None:
    """Behind the commit: no fault of this may have what is kept said not to be."""
    from psycopg import Error

    before = connection.info["kept"]
    connection.info["kept"] += messages
    if before <= _UNKNOWN < connection.info["kept"]:
        with suppress(Error):
            run_script(connection, _ANALYZE)


def _prepare(connection: Connection) -> None:
    # `info` is the driver's connection's, and ends with it, as what is prepared does.
    if "kept" not in connection.info:
        run_script(connection, _preparing(connection.dialect))
        connection.info["kept"] = 0  # messages


def _preparing(dialect: Dialect) -> bytes:
    types = {name: MESSAGES.c[name].type.compile(dialect) for name in COLUMNS}
    # What is JSON is so already, as a text.
    told = {name: "TEXT" if kind == "JSON" else kind for name, kind in types.items()}
    return _PREPARE.format(
        names=", ".join(f'"{name}"' for name in COLUMNS),
        values=", ".join(f'"{name}"::{kind}' for name, kind in types.items()),
        types=", ".join(f'"{name}" {kind}' for name, kind in told.items()),
    ).encode()


def _rooms(rooms: Collection[int]) -> bytes:
    return b"EXECUTE chat_rooms('{%s}')" % ",".join(map(str, sorted(rooms))).encode()


def _with(
    connection: Connection, prepared: bytes, names: Sequence[str], rows: Iterable[tuple[object, ...]]
) -> bytes:
    """Has `prepared` carried out with `rows`, of which each value is called as in `names`."""
    said = [
        {name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows
    ]
    values = msgspec.json.encode(said)  # what is not said is NULL
    return b"EXECUTE %s(%s)" % (prepared, literal(connection, values))


def _only_keeps(request: Request) -> bool:
    """Whether it goes by nothing that another room's keeper may move meanwhile."""
    return (isinstance(request, Post) and not request.effects) or isinstance(request, MarkRead)
