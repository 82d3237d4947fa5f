"""PostgreSQL from the distribution's programs, in a temporary folder, reached by a socket in it: nobody else's."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine

from chatapp import account_rows, models
from tests.clients import eventually

PR_SET_PDEATHSIG = 1
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
}
assert account_rows  # its tables are made, too


def programs() -> Path:
    """The folder with the newest programs that are installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    elsewhere = shutil.which("postgres")
    if not found and not elsewhere:
        raise RuntimeError("the tests need PostgreSQL's programs: apt-get install postgresql")
    return (found[-1] if found else Path(str(elsewhere))).parent


class Postgres:
    """A server that can be stopped and started again, and makes databases."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        # It refuses to be root.
        self._user = next(
            name for name in ("postgres", "nobody", "") if not name or (os.getuid() == 0 and _is_there(name))
        )
        if self._user:
            shutil.chown(self._folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        self._made, self._lent = 0, False
        data = str(self._folder / "data")
        how = ["-D", data, "-U", "chat", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run([programs() / "initdb", *how], check=True, capture_output=True, **self._as())

    @property
    def host(self) -> str:
        return str(self._folder)

    @property
    def pid(self) -> int:
        """Of the process whose children serve."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> "Postgres":
        settings = {**SETTINGS, "unix_socket_directories": self.host}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [programs() / "postgres", "-D", self._folder / "data", *options],
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,
                **self._as(),
            )
        eventually(self._answers, "PostgreSQL has started", 60)
        return self

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT: those who are connected are cut off, all is written; SIGQUIT: as if it had crashed."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(60)

    def close(self) -> None:
        """For good."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def database(self, how: str = "") -> str:
        """The URL of a new one, without any tables."""
        self._made += 1
        self._do(f"CREATE DATABASE chat{self._made} {how}")
        return self.url(f"chat{self._made}")

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The URL of one with all tables, for one at a time; afterwards who is connected is cut off, and it is emptied."""
        if not self._has("tables"):
            self._do("CREATE DATABASE tables")
            engine = create_engine(self.url("tables"))
            models.db.metadata.create_all(engine)
            engine.dispose()
        assert not self._lent
        self._lent = True
        try:
            yield self.url("tables")
        finally:
            self._empty()
            self._lent = False

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://chat@/{name}?host={self.host}"

    def connect(self, url: str, **options: Any) -> "psycopg.Connection[Any]":
        return psycopg.connect(host=self.host, user="chat", dbname=name_in(url), **options)

    def _empty(self) -> None:
        with self.connect(self.url("tables"), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE datname = 'tables' AND pid <> pg_backend_pid()"
            )
            tables = models.db.metadata.sorted_tables
            connection.execute(";".join(f"DELETE FROM {table.name}" for table in reversed(tables)))  # type: ignore[arg-type]
            connection.execute("SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError("PostgreSQL did not start:\n" + (self._folder / "log").read_text())
        try:
            self._do("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _has(self, name: str) -> bool:
        return bool(self._do("SELECT 1 FROM pg_database WHERE datname = %s", name))

    def _do(self, statement: str, *values: object) -> int:
        with psycopg.connect(host=self.host, user="chat", dbname="postgres", autocommit=True) as connection:
            return connection.execute(statement, values or None).rowcount  # type: ignore[arg-type]

    def _as(self) -> dict[str, Any]:
        if not self._user:
            return {}
        return {
            "user": self._user,
            "group": pwd.getpwnam(self._user).pw_gid,
            "extra_groups": [],
            "cwd": self.host,
        }


def name_in(url: str) -> str:
    """The database that `url` names."""
    return url.partition("@/")[2].partition("?")[0]


def _is_there(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
