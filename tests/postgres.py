"""PostgreSQL from the distribution's programs, in a temporary folder, reached by a socket in it: nobody else's."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine, make_url

from chatapp import account_rows, models
from tests.addresses import free_port, make_certificate
from tests.clients import eventually
from tests.documented import commands
from tests.far_machine import Machine
from tests.servers import has_files

NETWORKS = "198.18.0.0/15"  # see far_machine.py
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
}
PORT = 5432  # its usual one, on a machine of its own; also in the name of its socket
STANDBY = "standby"
assert account_rows  # its tables are made, too


def programs() -> Path:
    """The folder with the newest programs that are installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    elsewhere = shutil.which("postgres")
    if not found and not elsewhere:
        raise RuntimeError("the tests need PostgreSQL's programs: apt-get install postgresql")
    return (found[-1] if found else Path(str(elsewhere))).parent


class Postgres:
    """A server that can be stopped and started again, and makes databases. `settings`: beside or in place of SETTINGS.

    `of`: it is a copy of that one, its standby, which takes over when it is told to. `machine`: where it runs; then
    it can be reached over the network, too.
    """

    def __init__(self, of: "Postgres | None" = None, machine: Machine | None = None, **settings: str) -> None:
        self.machine, self.port = machine, PORT
        self.seen_by_standby = machine.own if machine else ""  # the address; none: its socket
        self._settings = {**SETTINGS, **(of._settings if of else {}), **settings}
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        # It refuses to be root.
        self._user = next(
            name for name in ("postgres", "nobody", "") if not name or (os.getuid() == 0 and _is_there(name))
        )
        if self._user:
            shutil.chown(self._folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        self._made, self._lent = 0, False
        try:
            if of:
                self.follow(of)
            else:
                self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        how = ["-U", "chat", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run("initdb", "-D", self._data, *how)
        if self.machine:
            with (self._data / "pg_hba.conf").open("a") as rules:
                rules.write("".join(f"host {what} all {NETWORKS} trust\n" for what in ("all", "replication")))

    @property
    def host(self) -> str:
        return str(self._folder)

    @property
    def log(self) -> str:
        """What it has said."""
        return (self._folder / "log").read_text()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def pids(self) -> list[int]:
        """Of all its processes, the one that starts the others first."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    @property
    def pid(self) -> int:
        """Of the process whose children serve."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> "Postgres":
        reached = {"listen_addresses": self.machine.listens} if self.machine else {}
        settings = {**self._settings, **reached, "unix_socket_directories": self.host}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            command = [*self._as("--pdeathsig", "QUIT"), programs() / "postgres", "-D", self._data, *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.host)
        eventually(self._answers, "PostgreSQL has started", 60)
        return self

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT: those who are connected are cut off, all is written; SIGQUIT: as if it had crashed."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(60)

    def kill(self) -> None:
        """All of it at once, as if its machine had lost its power."""
        self._tell_all(signal.SIGSTOP)  # nobody does anything more when the first of them is gone
        killed = self.pids
        self._tell_all(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(60)
        # Before the last one is gone no other may have what they share.
        eventually(lambda: not any(map(has_files, killed)), "all of it is gone", 60)

    def close(self) -> None:
        """For good."""
        if self._process is not None and self._process.poll() is None:
            self._tell_all(signal.SIGCONT)  # who stands still would not hear it
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def _tell_all(self, number: int) -> None:
        for pid in self.pids:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, number)

    # -- a standby -------------------------------------------------------------------------------------------

    def follow(self, primary: "Postgres") -> None:
        """Whatever this one was: from now on it is a copy of `primary`, and has all that is acknowledged there."""
        shutil.rmtree(self._data, ignore_errors=True)
        # As docs/running.md has it.
        where = f"host={primary.seen_by_standby or primary.host} user=chat application_name={STANDBY}"
        how = [
            "--write-recovery-conf",
            "--create-slot",
            f"--slot={STANDBY}",
            "--checkpoint=fast",
            "--no-sync",
        ]
        primary._do("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
        self._run("pg_basebackup", "-D", self._data, "-d", where, *how)
        self.start()
        primary.wait_for_standby()

    def wait_for_standby(self) -> None:
        """What is acknowledged from now on is on a standby, too: until there is one, nothing is."""
        self._carry_out("Then on the primary:")

    def do_without_standby(self) -> None:
        """What is acknowledged from now on may be here alone, as where a standby is asynchronous."""
        self._do("ALTER SYSTEM SET synchronous_standby_names = ''")
        self._do("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """It takes over: its primary is no more."""
        self._carry_out("When the primary is gone.")

    def has_standby(self) -> bool:
        """Whether another one follows, and has all that there is now."""
        caught_up = (
            "SELECT 1 FROM pg_stat_replication "
            "WHERE sync_state = 'sync' AND state = 'streaming' AND flush_lsn >= pg_current_wal_flush_lsn()"
        )
        return bool(self._do(caught_up))

    def _carry_out(self, heading: str) -> None:
        for command in commands(heading):
            self._do(command)

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
        if self.machine:
            return f"postgresql+psycopg://chat@{self.machine.own}/{name}"
        return f"postgresql+psycopg://chat@/{name}?host={self.host}"

    def connect(self, url: str, **options: Any) -> "psycopg.Connection[Any]":
        """To the database of that `url`, or name."""
        return psycopg.connect(host=self.host, port=self.port, user="chat", dbname=name_in(url), **options)

    def _empty(self) -> None:
        with self.connect(self.url("tables"), autocommit=True) as connection:
            others = "FROM pg_stat_activity WHERE datname = 'tables' AND pid <> pg_backend_pid()"
            connection.execute(f"SELECT pg_terminate_backend(pid) {others}")
            # Not by its own waiting, which looks every tenth of a second, for one after the other.
            eventually(lambda: connection.execute(f"SELECT count(*) {others}").fetchone() == (0,))
            tables = models.db.metadata.sorted_tables
            connection.execute(";".join(f"DELETE FROM {table.name}" for table in reversed(tables)))  # type: ignore[arg-type]
            connection.execute("SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError("PostgreSQL did not start:\n" + self.log)
        try:
            self._do("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _has(self, name: str) -> bool:
        return bool(self._do("SELECT 1 FROM pg_database WHERE datname = %s", name))

    def _do(self, statement: str, *values: object) -> int:
        with self.connect("postgres", autocommit=True) as connection:
            return connection.execute(statement, values or None).rowcount  # type: ignore[arg-type]

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._as(), programs() / program, *arguments]
        subprocess.run([*map(str, command)], check=True, capture_output=True, cwd=self.host)

    def _as(self, *how: str) -> list[str]:
        """In front of a command: whose it is, and where."""
        group = str(pwd.getpwnam(self._user).pw_gid) if self._user else ""
        user = ["--reuid", self._user, "--regid", group, "--clear-groups"] if self._user else []
        there = self.machine.under if self.machine else []
        return [*there, "setpriv", *user, *how]


class EncryptedPostgres(Postgres):
    """One that is reached over TLS alone, at 127.0.0.1. `certificate`: by which it is known."""

    def _begin(self) -> None:
        super()._begin()
        (self._data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 trust\n")
        make_certificate(Path(self.host), "server")
        self.certificate = Path(self.host, "server.pem")
        key = self.certificate.with_suffix(".key")
        if self._user:
            shutil.chown(key, self._user)
        self.port = free_port()
        self._settings |= {"port": str(self.port), "listen_addresses": "127.0.0.1", "ssl": "on"}
        self._settings |= {"ssl_cert_file": str(self.certificate), "ssl_key_file": str(key)}

    def url(self, name: str) -> str:
        verified = f"sslmode=verify-full&sslrootcert={self.certificate}"
        return f"postgresql+psycopg://chat@127.0.0.1:{self.port}/{name}?{verified}"


def name_in(url: str) -> str:
    """The database that `url` names."""
    return str(make_url(url).database) if "://" in url else url


def _is_there(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
