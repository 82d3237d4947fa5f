"""What is behind the buses, and what can go wrong with it: a file, PostgreSQL, Redis."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import gevent.select
import gevent.selectors
import gevent.socket
import psycopg.waiting
import pytest
import redis._parsers.hiredis
import redis.connection

from tests.clients import UNIT
from tests.postgres import Postgres, name_in
from tests.redis_server import RedisServer

BROKERS = ("sqlite", "postgresql", "redis")


class SqliteBroker:
    """What is behind the buses of one machine."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bus.db"
        self.url = f"sqlite:///{self.path}"

    def lose_notices(self) -> None:
        """Make a few notices of another process that nobody will ever see."""
        with closing(self.connect()) as other:
            other.execute("BEGIN IMMEDIATE")
            other.executemany(
                "INSERT INTO notices (process, at, payload) VALUES ('other', ?, ?)",
                [(time.monotonic(), b"")] * 3,
            )
            other.execute("DELETE FROM notices WHERE id < (SELECT max(id) FROM notices)")
            other.execute("COMMIT")

    def hang(self) -> Callable[[], None]:
        """Let no bus through until what is returned is called."""
        lock = self.connect()
        lock.execute("BEGIN IMMEDIATE")
        return lock.close

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, isolation_level=None, timeout=UNIT)


class PostgresBroker:
    """A database of its own on a server that may be stopped and started."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self.url = postgres.database()

    def lose_notices(self) -> None:
        """Have everybody cut off."""
        self._do(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", self._name
        )

    def hang(self) -> Callable[[], None]:
        """Neither those who are connected nor others get an answer until what is returned is called."""
        found = self._do("SELECT pid FROM pg_stat_activity WHERE datname = %s", self._name)
        return stopped([self._postgres.pid, *(pid for (pid,) in found)])

    def shut(self) -> None:
        """Cut everybody off and let nobody in, until `open`."""
        self._do(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        self.lose_notices()

    def open(self) -> None:
        self._do(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")

    def go(self) -> None:
        """As in a crash: what was not on its disk is lost."""
        self._postgres.stop(signal.SIGQUIT)

    def come_back(self) -> None:
        self._postgres.start()

    @property
    def _name(self) -> str:
        return name_in(self.url)

    def _do(self, statement: str, *values: str) -> list[Any]:
        with self._postgres.connect(self._postgres.url("postgres"), autocommit=True) as other:
            done = other.execute(statement, values or None)  # type: ignore[arg-type]
            return done.fetchall() if done.description else []


class RedisBroker:
    """A server of its own."""

    def __init__(self, redis: RedisServer) -> None:
        self._redis = redis
        self.url = redis.url

    def lose_notices(self) -> None:
        """Have everybody who listens cut off."""
        self._redis.do("CLIENT", "KILL", "TYPE", "pubsub")

    def hang(self) -> Callable[[], None]:
        """Nobody gets an answer until what is returned is called."""
        return stopped([self._redis.pid])

    def cut_off_slow(self, size: int) -> None:
        """Have those cut off for whom more than `size` bytes wait."""
        self._redis.do("CONFIG", "SET", "client-output-buffer-limit", f"pubsub {size} 0 0")

    def go(self) -> None:
        """All is lost."""
        self._redis.kill()

    def come_back(self) -> None:
        self._redis.start()

    shut, open = go, come_back

    def forget(self) -> None:
        self._redis.do("FLUSHALL")

    @property
    def has_nothing(self) -> bool:
        return self._redis.do("DBSIZE") == 0

    @property
    def lives(self) -> list[float]:
        """For how many seconds it will have each thing that it has; -0.001 for ever."""
        return [self._redis.do("PTTL", key) / 1000 for key in self._redis.do("KEYS", "*")]


def stopped(pids: list[int]) -> Callable[[], None]:
    """Have these processes stand still until what is returned is called."""

    def signalled(number: int) -> None:
        for pid in pids:
            os.kill(pid, number)

    signalled(signal.SIGSTOP)
    return lambda: signalled(signal.SIGCONT)


@contextmanager
def yielding() -> Iterator[None]:
    """The drivers of buses wait as in a server, where gevent has replaced what they wait by: so several buses run in
    one process that gevent has left as it is.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.waiting, "wait", psycopg.waiting.wait_poll)
        patch.setattr(psycopg.waiting, "select", gevent.select)
        patch.setattr(psycopg.waiting, "selectors", gevent.selectors)
        patch.setattr(redis.connection, "socket", gevent.socket)
        patch.setattr(redis._parsers.hiredis, "select", gevent.select)
        yield


@contextmanager
def broker_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """What is behind a bus of the test's own."""
    if kind == "sqlite":
        yield SqliteBroker(folder)
        return
    with yielding():
        yield request.getfixturevalue(f"{kind}_broker")
