"""The journal's connections to its database, each used by one native thread at a time.

`sqlite3` does not yield to gevent, and a disk can take its time, so every statement runs in gevent's
threadpool and the hub keeps running. Connections are taken and given back on the hub's side (a gevent
queue): no lock is ever shared between native threads.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from gevent.queue import LifoQueue
from sqlalchemy import Connection, Engine, NullPool, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from chatapp.errors import SetupError
from chatapp.threads import in_thread

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4


def engine_options(url: str, busy_seconds: int) -> dict[str, Any]:
    """Options for the engine of `url`. No pool: `Connections` keeps what it opens. No message in any log.

    Raises SetupError for a URL that names no file of SQLite's.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SetupError(
            f"CHATAPP_DATABASE_URL={url!r} is no URL: write sqlite:////path/to/chat.db"
        ) from None
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite") or parsed.database in (None, "", ":memory:"):
        shown = parsed.render_as_string()
        raise SetupError(
            f"CHATAPP_DATABASE_URL={shown}: messages are kept in a file: sqlite:////path/to/chat.db"
        )
    # Connections move between the threadpool's threads, one at a time.
    connect_args = {"check_same_thread": False, "timeout": busy_seconds}
    return {"poolclass": NullPool, "hide_parameters": True, "connect_args": connect_args}


def listen(engine: Engine) -> None:
    """Set up every connection of a SQLite `engine`: durable commits, transactions that we begin ourselves."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 must not begin transactions of its own
        connection.execute("PRAGMA synchronous=FULL")  # an ack means: on the disk
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock at once: upgrading a read lock later fails without waiting.
        immediate = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


class Connections:
    """One connection that writes and some that read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._readers: LifoQueue[Connection | None] = LifoQueue(items=[None] * READERS)
        self._writer: LifoQueue[Connection | None] = LifoQueue(items=[None])
        self._watcher: Connection | None = None

    def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(connection, …)` in a transaction that sees one state. Switches."""
        return self._run(self._readers, False, function, *args, **kwargs)

    def write(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`function(connection, …)` in a transaction with the write lock, committed when this returns."""
        return self._run(self._writer, True, function, *args, **kwargs)

    def version(self) -> int | None:
        """SQLite's data_version: changes when another connection has written. 6 µs, no lock, no switch."""
        if self._engine.dialect.name != "sqlite":
            return None
        if self._watcher is None:
            self._watcher = self._engine.connect()
        driver: sqlite3.Connection = self._watcher.connection.driver_connection  # type: ignore[assignment]
        version: int = driver.execute("PRAGMA data_version").fetchone()[0]
        return version

    def close(self) -> None:
        """Close what is not in use; what is asked later opens anew."""
        for queue in (self._readers, self._writer):
            for _ in range(queue.qsize()):
                connection = queue.get()
                if connection is not None:
                    connection.close()
                queue.put(None)

    def _run(
        self,
        queue: "LifoQueue[Connection | None]",
        writes: bool,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        kept: Connection | None = queue.get()

        def job() -> T:
            nonlocal kept
            if kept is None:
                kept = self._engine.connect().execution_options(writes=writes)
            try:
                with kept.begin():
                    return function(kept, *args, **kwargs)
            except DBAPIError:
                # Whatever state it is in: the next one opens anew.
                broken, kept = kept, None
                broken.invalidate()
                broken.close()
                raise

        try:
            return in_thread(job)
        finally:
            queue.put(kept)
