"""Connections to a SQLite file, each used by one native thread at a time.

`sqlite3` does not yield to gevent, and a disk can take its time, so every statement runs in a native thread:
reading in gevent's threadpool, while the hub keeps running, and writing in one of its own, for which the hub
waits as long as it is quick. No lock is ever shared between native threads, but for those by
which the one that writes is asked and answers.
"""

import math
import sqlite3
import time
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from gevent.lock import BoundedSemaphore
from sqlalchemy import URL, Connection, Engine, NullPool, event
from sqlalchemy.exc import DBAPIError

from chatapp.errors import SetupError
from chatapp.journal import faults, sqlite_log
from chatapp.journal.connections import Connections, Place
from chatapp.journal.database_file import DatabaseFile
from chatapp.journal.faults import Unusable
from chatapp.journal.shown import shown
from chatapp.threads import OwnThread, in_thread

P = ParamSpec("P")
T = TypeVar("T")

# The whole hub waits for a write, up to PATIENCE, if the one before it waited less than QUICK_SECONDS for
# lock and disk.
QUICK_SECONDS = 0.001
PATIENCE = 0.01
READER_CACHE = 256  # KiB of pages that each of them keeps


def engine_options(url: URL, busy_seconds: int) -> dict[str, Any]:
    """See databases.py. Raises SetupError for a URL that names no file of SQLite's."""
    no_file = url.database in (None, "", ":memory:") or str(url.database).startswith("file:")
    if url.drivername not in ("sqlite", "sqlite+pysqlite") or no_file:
        raise SetupError(
            f"CHATAPP_DATABASE_URL={shown(url)}: messages are kept in a file, "
            "sqlite:////path/to/chat.db, or in PostgreSQL, postgresql+psycopg://user:password@host/name"
        )
    # Connections move between native threads, one at a time.
    connect_args = {"check_same_thread": False, "timeout": busy_seconds}
    return {"poolclass": NullPool, "hide_parameters": True, "connect_args": connect_args}


def listen(engine: Engine) -> None:
    """Set up every connection of `engine`: durable commits, transactions that we begin ourselves."""

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 must not begin transactions of its own
        connection.execute("PRAGMA synchronous=FULL")  # an ack means: on the disk
        connection.execute(f"PRAGMA wal_autocheckpoint={sqlite_log.PAGES}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # what was removed is not in the file any more

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock at once: upgrading a read lock later fails without waiting.
        immediate = connection.get_execution_options().get("writes")
        driver(connection).execute("BEGIN IMMEDIATE" if immediate else "BEGIN")


class SqliteConnections(Connections):
    """All to one and the same file. Raise DatabaseGone where it is not there any more, also where it went
    meanwhile: what was committed is lost with it. `in_place`: whether the hub waits for writes that take a
    moment.

    One more is never closed. It keeps what the connections share (the index of the write-ahead log) in being:
    on a full disk it could not be made anew, and nothing could be read.
    """

    def __init__(self, engine: Engine, in_place: bool = True) -> None:
        super().__init__(engine)
        self._in_place = in_place
        self._file = DatabaseFile(engine.url.database or "")
        self._anchor: Connection | None = None
        self._lengthening = sqlite_log.Lengthening(engine.url.database or "")
        self._thread = OwnThread()  # of what writes
        self._waited = math.inf  # seconds: the last that wrote, for the lock and for the disk
        self._opening = BoundedSemaphore(1)
        self._log_distrusted = False

    def prepare(self) -> None:
        self._hold_open()  # else the log would end with who made it longer
        self._lengthening.run()

    def close(self) -> None:
        self._lengthening.stopped = True
        super().close()
        self._thread.end()

    def version(self) -> int | None:
        """SQLite's data_version: changes when another connection has written. 6 µs, no lock, no switch.

        None where it cannot be had without waiting.
        """
        if self._anchor is None:
            return None
        try:
            return _data_version(driver(self._anchor))
        except sqlite3.Error:
            return None

    def _run(
        self,
        place: Place,
        writes: bool,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        self._hold_open()
        kept: Connection | None = place.get()

        def job() -> T:
            nonlocal kept
            self._file.check()
            try:
                if kept is None:
                    kept = self._open(writes)
                if writes and self._log_distrusted:
                    sqlite_log.empty(driver(kept))
                    self._log_distrusted = False
                asked = time.perf_counter()
                with kept.begin():
                    begun = time.perf_counter()
                    answer = function(kept, *args, **kwargs)
                    done = time.perf_counter()
                if writes:
                    self._waited = begun - asked + time.perf_counter() - done
            except (DBAPIError, sqlite3.Error, Unusable) as error:
                broken, kept = kept, None
                self._close_broken(broken)
                if writes and faults.code(error) == sqlite3.SQLITE_IOERR:
                    self._log_distrusted = True
                raise
            self._file.check()  # a commit into a file that has no name any more succeeds
            return answer

        try:
            return self._write(job) if writes else in_thread(job)
        finally:
            place.put(kept)

    def _close_broken(self, connection: Connection | None) -> None:
        """Whatever state it is in: the next one opens anew."""
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _write(self, job: Callable[[], T]) -> T:
        """The whole hub waits for what takes a moment: that costs less than to go on and be told. A write
        will take a moment if the last one did; where it takes longer, the hub goes on after all.
        """
        quick = self._in_place and self._waited < QUICK_SECONDS
        self._waited = math.inf
        return self._thread.run(job, PATIENCE if quick else 0)

    def _open(self, writes: bool) -> Connection:
        connection = self._engine.connect().execution_options(writes=writes)
        if not writes:
            # SQLite would fill 2 MB each, by and by, mostly with pages that are read once.
            driver(connection).execute(f"PRAGMA cache_size=-{READER_CACHE}")
        return connection

    def _hold_open(self) -> None:
        """Open the connection that is never closed, and remember to which file. Switches the first time."""
        if self._anchor is None:
            with self._opening:
                if self._anchor is None:
                    self._anchor = in_thread(self._open_anchor)

    def _open_anchor(self) -> Connection:
        anchor = self._engine.connect()
        below = driver(anchor)
        _data_version(below)  # opens the file
        self._file.opened()
        below.execute("PRAGMA busy_timeout=0")  # from here on it is looked at on the hub's own thread
        return anchor


def driver(connection: Connection) -> sqlite3.Connection:
    """What SQLAlchemy's connection has below it."""
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def _data_version(driver: sqlite3.Connection) -> int:
    version: int = driver.execute("PRAGMA data_version").fetchone()[0]
    return version
