"""The bus of one machine: a second SQLite file, which every process looks at when it was written to.

`PRAGMA data_version` changes when another connection has committed; looking at it takes 6 µs and no lock.
The file may be lost without harm, so it is not fsync'd.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import TypeVar

import gevent
import msgspec
from gevent.lock import BoundedSemaphore

from chatapp.bus.base import LONGEST_LEASE, Bus, Lease
from chatapp.bus.file_watch import FileWatch
from chatapp.bus.listeners import Listeners
from chatapp.counts import COUNTS
from chatapp.errors import SetupError
from chatapp.message import Author
from chatapp.threads import in_thread

T = TypeVar("T")

LOOK_SECONDS = 0.01  # between two readings, and two looks where the kernel does not tell of writing
# Between looks once the kernel has told of writing: a commit is to be seen a moment after its last byte.
SOON = (0.0005, 0.001, 0.002, 0.004, *[LOOK_SECONDS] * 10)
IDLE_SECONDS = 0.25  # a look at the latest, should a commit have taken longer than that
BUSY_SECONDS = 0.5  # notices are not worth waiting longer for; the sweep finds what they would have told
KEEP_SECONDS = 30  # how long a notice stays for slow processes
FETCH = 500  # notices read and handed on before others have their turn
PRUNE_EVERY = 500  # notices sent between two rounds of removing old ones, or less in KEEP_SECONDS

SCHEMA = """
CREATE TABLE IF NOT EXISTS notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT, process TEXT NOT NULL, at REAL NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS present (
    process TEXT NOT NULL, room INTEGER NOT NULL, person TEXT NOT NULL, who BLOB NOT NULL,
    expires REAL NOT NULL, PRIMARY KEY (process, room, person)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS present_by_room ON present (room);
DROP TABLE IF EXISTS leases; -- of an earlier version, with names
"""

OF_OTHERS = (
    " FROM present WHERE process <> ? AND expires > ? "
    "AND expires < ?"  # a longer one was written before the machine was started
)

_author = msgspec.json.Decoder(Author)


class SqliteBus(Bus):
    """`path`: the file, made on first use."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._opened: int | None = None  # which file the connection is to
        self._turn = BoundedSemaphore(1)  # one native thread at a time on the connection
        self._listeners = Listeners(f"{path}.lock")
        self._unpruned = PRUNE_EVERY
        self._pruned_at = 0.0

    def prepare(self) -> None:
        try:
            connection = _connect(self._path)
            with suppress(sqlite3.OperationalError):  # somebody holds it: it can be used all the same
                _prune(connection, time.monotonic())  # what is left of those who were here before
            connection.close()
        except sqlite3.Error as error:
            raise SetupError(
                f"the bus {self._path} cannot be used ({error}): remove it, it holds no messages"
            ) from None

    def _is_heard(self) -> bool:
        return self._listeners.are_others

    def _send(self, payloads: list[bytes]) -> None:
        self._unpruned += len(payloads)
        prune = self._is_to_prune()

        def job(connection: sqlite3.Connection) -> None:
            now = time.monotonic()
            connection.execute("BEGIN IMMEDIATE")
            rows = [(self.process, now, payload) for payload in payloads]
            connection.executemany("INSERT INTO notices (process, at, payload) VALUES (?, ?, ?)", rows)
            if prune:
                _prune(connection, now)
            connection.execute("COMMIT")

        self._run(job)

    def _is_to_prune(self) -> bool:
        """Whether old notices are to be removed now, with what is done anyway."""
        now = time.monotonic()
        due = self._unpruned >= PRUNE_EVERY or now - self._pruned_at >= KEEP_SECONDS
        if due:
            self._unpruned, self._pruned_at = 0, now
        return due

    def _receive(self) -> Iterator[bytes | None]:
        self._listeners.join()  # who keeps something from here on tells us; before that, we read it
        listener = _connect(self._path)
        file = _file(self._path)
        writing = _Writing(f"{self._path}-wal")
        try:
            seen: int = in_thread(lambda: _newest(listener))
            yield None
            version, more = 0, False
            while True:
                if _file(self._path) != file or self._listeners.moved:
                    return  # somebody removed the file: listen to the new one
                # On the hub's own thread: no lock, no disk, a few microseconds.
                moved = listener.execute("PRAGMA data_version").fetchone()[0]
                if moved == version and not more:
                    writing.wait()
                    continue
                version = moved
                rows = in_thread(partial(_after, listener, seen))  # others have their turn meanwhile
                more = len(rows) == FETCH
                now = time.monotonic()
                for number, process, at, payload in rows:
                    if number != seen + 1:
                        return  # pruned before we came to it
                    seen = number
                    if process != self.process:
                        COUNTS.bus_seconds.add(now - at)
                        yield payload
                if not more:
                    gevent.sleep(LOOK_SECONDS)  # while many are told they are read together
        finally:
            writing.close()
            listener.close()

    def hold(self, leases: Iterable[Lease], released: Iterable[tuple[int, str]]) -> None:
        rows = [
            (self.process, lease.room, lease.who.id, msgspec.json.encode(lease.who), lease.expires)
            for lease in leases
        ]
        gone = [(self.process, room, person) for room, person in released]
        if not (rows or gone):
            return
        prune = self._is_to_prune()  # who is alone tells nothing, but is present

        def job(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO present VALUES (?, ?, ?, ?, ?)", rows)
            connection.executemany("DELETE FROM present WHERE process=? AND room=? AND person=?", gone)
            if prune:
                _prune(connection, time.monotonic())
            connection.execute("COMMIT")

        self._run(job)

    def held(self, room: int | None = None) -> list[Lease]:
        query, arguments = "SELECT room, who, expires" + OF_OTHERS, self._of_others()
        if room is not None:
            query, arguments = query + " AND room = ?", [*arguments, room]
        rows = self._run(lambda connection: connection.execute(query, arguments).fetchall())
        return [Lease(room, _author.decode(who), expires) for room, who, expires in rows]

    def present(self) -> set[str]:
        query, arguments = "SELECT DISTINCT person" + OF_OTHERS, self._of_others()
        rows = self._run(lambda connection: connection.execute(query, arguments).fetchall())
        return {row[0] for row in rows}

    def _of_others(self) -> list[object]:
        now = time.monotonic()
        return [self.process, now, now + LONGEST_LEASE]

    def close(self) -> None:
        with suppress(sqlite3.Error):  # the leases expire by themselves
            self._run(lambda connection: _release_all(connection, self.process))
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._listeners.close()

    def _run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        def connected() -> T:
            if self._connection is not None and _file(self._path) != self._opened:
                self._connection.close()
                self._connection = None
            if self._connection is None:
                self._connection = _connect(self._path)
                self._opened = _file(self._path)
            try:
                return job(self._connection)
            except sqlite3.Error:
                # Whatever state it is in, and should the file have been replaced: open anew next time.
                self._connection.close()
                self._connection = None
                raise

        with self._turn:
            return in_thread(connected)


class _Writing:
    """Waiting until somebody writes to the file at `path`; for the next look, where nobody tells of that."""

    def __init__(self, path: str) -> None:
        try:
            self._watch: FileWatch | None = FileWatch(path)
        except OSError:  # another system, another kind of disk, too many watches
            self._watch = None
        self._soon: Iterator[float] = iter(())

    def wait(self) -> None:
        """Wait until there may be something to see. Switches."""
        if self._watch is None:
            gevent.sleep(LOOK_SECONDS)
        elif self._watch.wait(next(self._soon, IDLE_SECONDS)):
            self._soon = iter(SOON)

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA secure_delete=ON")  # notices have messages in them, leases names
    connection.executescript(SCHEMA)
    return connection


def _file(path: str) -> int | None:
    """Which file is at `path`, to notice that it was removed or replaced."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _newest(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'notices'").fetchone()
    return row[0] if row else 0


def _after(connection: sqlite3.Connection, seen: int) -> list[tuple[int, str, float, bytes]]:
    return connection.execute(
        "SELECT id, process, at, payload FROM notices WHERE id > ? ORDER BY id LIMIT ?", (seen, FETCH)
    ).fetchall()


def _prune(connection: sqlite3.Connection, now: float) -> None:
    # What lies far ahead was written before the machine was started: its clock began anew.
    old = "DELETE FROM {} WHERE {} NOT BETWEEN ? AND ?"
    connection.execute(old.format("notices", "at"), (now - KEEP_SECONDS, now + KEEP_SECONDS))
    connection.execute(old.format("present", "expires"), (now, now + LONGEST_LEASE))


def _release_all(connection: sqlite3.Connection, process: str) -> None:
    connection.execute("DELETE FROM present WHERE process = ?", (process,))
