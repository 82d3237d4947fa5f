"""The bus of several machines by PostgreSQL's own means: NOTIFY, and a table of leases that a crash empties.

Nothing of it is worth waiting for a disk or a standby, so its transactions do not. A chat has the database
of its bus to itself.
"""

import time
from base64 import b64decode, b64encode
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import gevent.socket
import msgspec
import psycopg
from psycopg.conninfo import make_conninfo

from chatapp.bus.base import LONGEST_LEASE, Lease
from chatapp.bus.network import COVER, HEAD, NetworkBus
from chatapp.errors import SetupError
from chatapp.journal.postgres_connections import PATIENCE, was_left
from chatapp.message import Author

CHANNEL = "chatapp"
PREPARING = 0x62757320  # the name of a lock: "bus "
NOTIFY_LIMIT = 7_999  # bytes of text in one NOTIFY
PRUNE_SECONDS = 30  # between two rounds of removing leases of processes that are no more

SCHEMA = f"""
SET synchronous_commit = off;
SELECT pg_advisory_xact_lock({PREPARING});
CREATE SCHEMA IF NOT EXISTS chatapp_bus;
CREATE UNLOGGED TABLE IF NOT EXISTS chatapp_bus.present (
    process text NOT NULL, room bigint NOT NULL, person text NOT NULL, who bytea NOT NULL,
    expires timestamptz NOT NULL, PRIMARY KEY (process, room, person));
CREATE INDEX IF NOT EXISTS present_by_room ON chatapp_bus.present (room);
"""
HOLD = """
INSERT INTO chatapp_bus.present
SELECT %s, room, person, who, clock_timestamp() + seconds * interval '1 second'
FROM unnest(%s::bigint[], %s::text[], %s::bytea[], %s::float8[]) AS held (room, person, who, seconds)
ON CONFLICT (process, room, person) DO UPDATE SET who = excluded.who, expires = excluded.expires
"""
RELEASE = """
DELETE FROM chatapp_bus.present WHERE process = %s
AND (room, person) IN (SELECT * FROM unnest(%s::bigint[], %s::text[]))
"""
# Of those that nobody is just renewing: in another order the two would wait for each other.
PRUNE = """
DELETE FROM chatapp_bus.present WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM chatapp_bus.present WHERE expires < clock_timestamp() FOR UPDATE SKIP LOCKED))
"""
OF_OTHERS = f"""
FROM chatapp_bus.present WHERE process <> %s AND expires > clock_timestamp()
AND expires < clock_timestamp() + interval '{LONGEST_LEASE} seconds'
"""  # a longer one was written before the server's clock was set back
LEFT = "extract(epoch FROM expires - clock_timestamp())::float8"

CONNECT_SECONDS = 2  # for one address, which is the least that libpq takes

_author = msgspec.json.Decoder(Author)

Connection = psycopg.Connection[Any]


class PostgresBus(NetworkBus[Connection]):
    """`url`: as SQLAlchemy writes it, or libpq."""

    largest = NOTIFY_LIMIT // 4 * 3 - COVER - HEAD  # base64: four letters for three bytes
    pace = 0.002  # each sending is a transaction, and one at a time of all processes
    gone = (psycopg.OperationalError,)

    def __init__(self, url: str) -> None:
        super().__init__()
        wanted: dict[str, Any] = {
            **PATIENCE,
            "application_name": "chatapp bus",
            "connect_timeout": CONNECT_SECONDS,
        }
        try:
            given = psycopg.conninfo.conninfo_to_dict(url.replace("+psycopg", "", 1))
        except psycopg.Error:
            # It is not shown: with a slip in it, it may have a password all the same.
            raise SetupError(
                "CHATAPP_BUS_URL is no URL of PostgreSQL: write postgresql+psycopg://user:password@host/name"
            ) from None
        self._address = make_conninfo("", **{**wanted, **given})
        self._pruned_at = 0.0

    def hold(self, leases: Iterable[Lease], released: Iterable[tuple[int, str]]) -> None:
        held, gone, now = list(leases), list(released), time.monotonic()
        if not held and not gone:
            return

        def job(connection: Connection) -> None:
            if held:
                rows = [
                    (each.room, each.who.id, msgspec.json.encode(each.who), each.expires - now)
                    for each in held
                ]
                connection.execute(HOLD, (self.process, *map(list, zip(*rows, strict=True))))
            if gone:
                connection.execute(RELEASE, (self.process, *map(list, zip(*gone, strict=True))))
            if now - self._pruned_at > PRUNE_SECONDS:
                self._pruned_at = now
                connection.execute(PRUNE)

        self._ask(job)

    def held(self, room: int | None = None) -> list[Lease]:
        return self._ask(lambda connection: self._held(connection, room))

    def look(self, room: int) -> list[Lease]:
        with closing(self._open()) as connection:
            made = connection.execute("SELECT to_regclass('chatapp_bus.present') IS NOT NULL").fetchone()
            return self._held(connection, room) if made == (True,) else []

    def _held(self, connection: Connection, room: int | None) -> list[Lease]:
        query, values = f"SELECT room, who, {LEFT} {OF_OTHERS}", [self.process]
        if room is not None:
            query, values = query + " AND room = %s", [self.process, room]  # type: ignore[list-item]
        rows = connection.execute(query, values).fetchall()
        now = time.monotonic()
        return [Lease(room, _author.decode(who), now + left) for room, who, left in rows]

    def present(self) -> set[str]:
        query = f"SELECT DISTINCT person {OF_OTHERS}"
        rows = self._ask(lambda connection: connection.execute(query, [self.process]).fetchall())
        return {row[0] for row in rows}

    def _listen(self) -> "_Ear":
        return _Ear(self._open())

    def _connect(self) -> Connection:
        connection = self._open()
        connection.execute(SCHEMA)
        return connection

    def _open(self) -> Connection:
        return psycopg.connect(self._address, autocommit=True)

    def _was_left(self, connection: Connection) -> bool:
        return was_left(connection)

    def _post(self, connection: Connection, envelopes: list[bytes]) -> None:
        texts = [b64encode(envelope).decode() for envelope in envelopes]
        connection.execute(f"SELECT pg_notify('{CHANNEL}', unnest(%s::text[]))", (texts,))

    def _release_all(self, connection: Connection) -> None:
        connection.execute("DELETE FROM chatapp_bus.present WHERE process = %s", (self.process,))


class _Ear:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        connection.execute(f"LISTEN {CHANNEL}")

    def wait(self, seconds: float) -> bool:
        try:
            gevent.socket.wait_read(self._connection.fileno(), seconds)
        except TimeoutError:
            return False
        return True

    def read(self) -> list[bytes]:
        # psycopg's own `notifies` looks ten times a second whether somebody has pressed Ctrl-C.
        mine, found = self._connection.pgconn, []
        mine.consume_input()
        while notice := mine.notifies():
            found.append(_decoded(notice.extra))
        return found

    def close(self) -> None:
        self._connection.close()


def _decoded(text: bytes) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return text  # somebody else's: it is passed over
