"""Trouble with what keeps: the database, the bus, the disk under them, and the clock."""

import signal
import sqlite3
import subprocess
from contextlib import suppress

import gevent
import psycopg

from tests.faults import Faults
from tests.postgres import Postgres
from tests.servers import Server
from tests.torture.databases import PostgresDatabase
from tests.torture.history import History
from tests.torture.nemesis import Troublemaker, tell
from tests.torture.wire import now

STANDBY_LIMIT = 60.0  # seconds until it follows again


class Store(Troublemaker):
    """Locks the bus from outside, fills and breaks the disk under it, sets the clock: wherever messages are kept."""

    deeds: tuple[str, ...] = ("lock_bus", "break_bus", "set_clock")
    pause = 3.0

    def __init__(self, history: History, seed: int, server: Server, disk: Faults) -> None:
        super().__init__(history, seed)
        self._server, self._disk = server, disk

    def lock_bus(self) -> None:
        """Hold the bus's write lock for a while."""
        self._lock("bus.db")

    def break_bus(self) -> None:
        """The disk under the bus alone is full, fails, or can only be read, for a while: nobody is told of anything,
        and all has to be found."""
        self._break("bus.db")
        self.history.count("disk full or broken under bus.db")

    def set_clock(self) -> None:
        """The servers' clock jumps an hour ahead or back, or to what it should be."""
        self._disk.set_clock(self.chance.choice((-3600, 0, 3600)))
        self.history.count("clock set")

    def heal(self) -> None:
        self._disk.clear()

    def _break(self, name: str) -> None:
        self._disk.set(name, self.chance.choice(("ENOSPC", "EIO on write", "EIO on fsync", "EROFS")))
        self._for_a_while(0.3, 3)
        self._disk.set(name, None)

    def _lock(self, name: str) -> None:
        lock = sqlite3.connect(self._server.instance / name, timeout=0, isolation_level=None)
        try:
            if self._locked(lock):
                self.history.count(f"{name} locked from outside")
                self._for_a_while(0.2, 4)
        finally:
            lock.close()

    @staticmethod
    def _locked(lock: sqlite3.Connection) -> bool:
        """Take the write lock between two commits of the server's; sqlite3 itself would wait without yielding."""
        deadline = now() + 5
        while now() < deadline:
            try:
                lock.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError:
                gevent.sleep(0.002)
        return False


class FileStore(Store):
    """The same with the file that has the messages."""

    deeds = ("lock_database", "lock_bus", "break_disk", "break_bus", "set_clock")

    def lock_database(self) -> None:
        """Hold the database's write lock for a while."""
        self._lock("chat.db")

    def break_disk(self) -> None:
        """The disk under the database is full, fails, or can only be read, for a while."""
        self._break("chat.db")
        self.history.count("disk full or broken")


class PostgresStore(Troublemaker):
    """PostgreSQL ends, crashes, hangs, cuts its clients off, has its standby take over, or somebody holds a lock in it."""

    deeds = (
        "stop_database",
        "crash_database",
        *["crash_backend"] * 2,
        *["end_backends"] * 3,
        *["lock_rooms"] * 2,
        *["freeze_database"] * 2,
        "freeze_standby",
        "kill_standby",
        *["fail_over"] * 2,
    )
    pause = 4.0

    def __init__(self, history: History, seed: int, database: PostgresDatabase) -> None:
        super().__init__(history, seed)
        self._database = database
        self._frozen: list[int] = []

    def stop_database(self) -> None:
        """It ends in good order, and comes back."""
        self._restart(signal.SIGINT)
        self.history.count("databases stopped")

    def crash_database(self) -> None:
        """It ends as if it had crashed, comes back, and recovers."""
        self._restart(signal.SIGQUIT)
        self.history.count("databases crashed")

    def crash_backend(self) -> None:
        """One process of it is killed: it throws all clients out, and recovers."""
        if backends := self._backends():
            tell(self.chance.choice(backends), signal.SIGKILL)
            self.history.count("processes of the database killed")

    def end_backends(self) -> None:
        """Some clients are cut off by an administrator, whatever they are at."""
        backends = self._backends()
        for pid in self.chance.sample(backends, min(len(backends), self.chance.randrange(1, 5))):
            tell(pid, signal.SIGTERM)  # which is what pg_terminate_backend() does
            self.history.count("connections to the database ended")

    def lock_rooms(self) -> None:
        """Somebody holds the rooms' table: nobody else may even read it."""
        with suppress(psycopg.OperationalError), self._database.connect() as connection:
            connection.execute("SET lock_timeout = '5s'")
            connection.execute("LOCK TABLE rooms IN ACCESS EXCLUSIVE MODE")
            self.history.count("rooms locked in the database")
            self._for_a_while(0.2, 4)
            connection.rollback()

    def freeze_database(self) -> None:
        """It stands still for a while, all of it."""
        self._freeze(self._database.primary)
        self.history.count("databases frozen for a while")

    def freeze_standby(self) -> None:
        """The same with the one that has to have what is acknowledged."""
        self._freeze(self._database.standby)
        self.history.count("standbys frozen for a while")

    def kill_standby(self) -> None:
        """It is no more, and follows again with what its disk has: meanwhile nothing is acknowledged."""
        self._database.standby.kill()
        self._for_a_while(0, 3)
        self._database.standby.start()
        self.history.count("standbys killed")

    def fail_over(self) -> None:
        """The primary is no more, its standby takes over, and gets a standby of its own.

        It is one fault, not two: what was committed while the standby was away it has got by then.
        """
        self._wait_for_standby()
        self._database.primary.kill()
        self._for_a_while(0, 3)
        self._database.swap()
        self.history.count("standbys that took over")
        self._for_a_while(0, 1)
        self._follow()

    def heal(self) -> None:
        self._thaw()

    def _follow(self) -> None:
        """Until it does: while it is copied, the one may lose sight of the other."""
        deadline = now() + STANDBY_LIMIT
        while now() < deadline:
            with suppress(psycopg.OperationalError, subprocess.CalledProcessError):
                self._database.standby.follow(self._database.primary)
                return
            gevent.sleep(0.5)
        raise RuntimeError("the primary gets no standby any more")

    def _wait_for_standby(self) -> None:
        deadline = now() + STANDBY_LIMIT
        while now() < deadline:
            with suppress(psycopg.OperationalError):  # it may be just coming back
                if self._database.primary.has_standby():
                    return
            gevent.sleep(0.05)
        raise RuntimeError("the standby does not follow any more")

    def _freeze(self, postgres: Postgres) -> None:
        self._frozen = postgres.pids
        for pid in self._frozen:
            tell(pid, signal.SIGSTOP)
        self._for_a_while(0.5, 6)
        self._thaw()

    def _thaw(self) -> None:
        for pid in self._frozen:
            tell(pid, signal.SIGCONT)
        self._frozen = []

    def _restart(self, number: int) -> None:
        self._database.primary.stop(number)
        self._for_a_while(0, 3)
        self._database.primary.start()

    def _backends(self) -> list[int]:
        """The processes that serve the servers' connections."""
        with suppress(psycopg.OperationalError), self._database.connect() as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'chatapp' ORDER BY pid"
            return [pid for (pid,) in connection.execute(query).fetchall()]
        return []
