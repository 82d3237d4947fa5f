"""A database in a file: its journal mode, and whether somebody holds its lock."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from chatapp.config import Config
from chatapp.doctor.finding import Findings, error

LOCKS = Path("/proc/locks")


def open_file(path: str, busy_seconds: int) -> Engine:
    """An engine for what is there: connecting makes no file."""

    def connect() -> sqlite3.Connection:
        uri = f"{Path(path).absolute().as_uri()}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=busy_seconds, isolation_level=None)

    return create_engine(f"sqlite:///{path}", creator=connect, poolclass=NullPool)


def examine(engine: Engine, config: Config, _workers: int) -> Findings:
    path = engine.url.database or ""
    with closing(engine.connect()) as connection:
        mode = connection.scalar(text("PRAGMA journal_mode"))
        if mode != "wal":
            yield error(
                "no-wal",
                f"{path} is not in WAL mode, but in {mode} mode",
                "readers and the one who writes wait for each other, and messages are late",
                "restart the server, which sets it; if it does not stay so, another program opens the file",
            )
        try:
            connection.execute(text("BEGIN IMMEDIATE"))
            connection.execute(text("ROLLBACK"))
        except OperationalError as fault:
            if getattr(fault.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            yield error(
                "database-locked",
                f"{path} is locked, for {config.busy_seconds} s and longer{_holders(path)}",
                "nothing is kept meanwhile: who writes is told not_kept",
                "end the program that holds the lock: a copy, a shell with an open transaction, another "
                "server",
            )


def _holders(path: str) -> str:
    """By whom, where the kernel tells."""
    files = {os.stat(each).st_ino for each in (path, f"{path}-shm") if os.path.exists(each)}
    found = set()
    with suppress(OSError):
        for line in LOCKS.read_text().splitlines():
            fields = line.replace("->", "").split()
            if fields[3] == "WRITE" and int(fields[5].rpartition(":")[2]) in files:
                found.add(int(fields[4]))
    return "".join(f", by process {pid} ({_name(pid)})" for pid in sorted(found - {os.getpid()}))


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return "gone"
