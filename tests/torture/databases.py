"""The database of a run, seen from outside: what servers are told of it, what it has, whether it is whole."""

import sqlite3
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gevent
import psycopg

from tests.far_machine import Machine
from tests.postgres import PORT as POSTGRES
from tests.postgres import Postgres, name_in, programs
from tests.torture.checker import Violation
from tests.torture.history import Log, Row
from tests.torture.nets import Net

LOG_LINES = 60  # of each of two
AWAY = 120.0  # seconds for which a database may be away
AGAIN = 0.05  # seconds until it is asked again
COMMIT_DELAY = 20_000  # microseconds, as for the other one: see run.SYNC
# The tests' servers trust the disk with nothing; here what is acknowledged is on it, and late.
DURABLE = {
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "commit_delay": str(COMMIT_DELAY),
    "commit_siblings": "0",
    # What no commit has brought to the disk is not there by luck.
    "wal_writer_delay": "10s",
    "wal_writer_flush_after": "256MB",
    # Who has lost the other one finds out, and is there again soon.
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "wal_retrieve_retry_interval": "500ms",
    # For a client that cannot be heard even a server that stops waits for so long.
    "authentication_timeout": "5s",
}


class Database(ABC):
    """`settings`: of the servers that use it. Queries have `?` for their values."""

    settings: dict[str, str]

    @abstractmethod
    def start(self) -> None:
        """Before any server."""

    @abstractmethod
    def rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        """What is kept, as another process sees it. While the database is away this waits."""

    @abstractmethod
    def damage(self) -> list[Violation]:
        """What is wrong with it as a whole, when everything is over."""

    @property
    def log(self) -> list[str]:
        """What it has said, if it says anything."""
        return []

    @abstractmethod
    def close(self) -> None:
        """Nobody uses it any more."""

    def value(self, query: str, *values: object) -> Any:
        """The first of the first row."""
        return self.rows(query, *values)[0][0]

    def logs(self) -> list[Log]:
        """All rooms with their messages."""
        query = (
            "SELECT seq, kind, author_id, client_id, body, at, deleted_at IS NOT NULL, edited_at IS NOT NULL "
            "FROM messages WHERE room_id = ? ORDER BY seq"
        )
        return [
            Log(
                room,
                first,
                last,
                [Row(*row[:6], bool(row[6]), bool(row[7])) for row in self.rows(query, room)],
            )
            for room, first, last in self.rows("SELECT id, first_seq, last_seq FROM rooms")
        ]


class ChatFile(Database):
    """chat.db in `instance`."""

    def __init__(self, instance: Path) -> None:
        self.settings = {}
        self.path = instance / "chat.db"
        self._open: sqlite3.Connection | None = None

    def start(self) -> None:
        """A server makes it."""

    def rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        if self._open is None:
            self._open = sqlite3.connect(self.path, timeout=30)
        return self._open.execute(query, values).fetchall()

    def damage(self) -> list[Violation]:
        said = [row[0] for row in self.rows("PRAGMA integrity_check")]
        found = [Violation("database damaged", line) for line in said if line != "ok"]
        orphans = self.rows("PRAGMA foreign_key_check")
        return found + [Violation("orphaned rows", str(orphan)) for orphan in orphans]

    def close(self) -> None:
        if self._open is not None:
            self._open.close()


class PostgresDatabase(Database):
    """One in a PostgreSQL of the run's own, with a synchronous standby; `primary` is the one that writes now.

    `machines`: of both, where they have their own, and the `net` between these.
    """

    def __init__(self, machines: Sequence[Machine] = (), net: Net | None = None) -> None:
        self._machines, self._net = machines, net
        self.primary = Postgres(machine=machines[0] if machines else None, **DURABLE)
        self._made = [self.primary]
        self._open: psycopg.Connection[Any] | None = None

    def start(self) -> None:
        self.name = name_in(self.primary.start().database())
        self._tell_where_it_is()
        one, other = self._machines or (None, None)
        if self._net and one and other:
            self.primary.seen_by_standby = self._net.address(one, other, POSTGRES)
        self.standby = Postgres(self.primary, other)
        self._made.append(self.standby)
        if self._net and one and other:
            self.standby.seen_by_standby = self._net.address(other, one, POSTGRES)
        self.settings = {"database_url": self.url(f"{self.primary.host},{self.standby.host}")}

    def url(self, hosts: str) -> str:
        """For a server that reaches it there."""
        return f"postgresql+psycopg://chat@/{self.name}?host={hosts}&target_session_attrs=read-write"

    def swap(self) -> None:
        """The standby takes over. Nobody has the place of the primary, which is no more, until `standby` follows."""
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary
        self._tell_where_it_is()

    def _tell_where_it_is(self) -> None:
        if self._net and self.primary.machine:
            self._net.move(self.primary.machine)

    def connect(self, **options: Any) -> "psycopg.Connection[Any]":
        """To the one that writes, as an administrator."""
        return self.primary.connect(self.name, **options)

    def rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        with gevent.Timeout(AWAY, RuntimeError("PostgreSQL does not come back")):
            while True:
                try:
                    if self._open is None or self._open.closed:
                        self._open = self.connect(autocommit=True)
                    return self._open.execute(query.replace("?", "%s"), values or None).fetchall()  # type: ignore[arg-type]
                except psycopg.OperationalError:
                    gevent.sleep(AGAIN)

    @property
    def log(self) -> list[str]:
        return [
            line for one in (self.standby, self.primary) for line in one.log.splitlines(True)[-LOG_LINES:]
        ]

    def damage(self) -> list[Violation]:
        """By its own program: each index has all of its table, and no others."""
        name = ["-h", self.primary.host, "-U", "chat", "-d", self.name]
        command = [programs() / "pg_amcheck", *name, "--install-missing", "--heapallindexed"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        said = (done.stdout + done.stderr).splitlines() if done.returncode else []
        return [Violation("database damaged", line) for line in said]

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        for postgres in self._made:
            postgres.close()
