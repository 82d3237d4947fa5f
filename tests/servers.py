"""Real servers: gunicorn on an address of this machine, with an instance folder of its own."""

import json
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from chatapp.journal.people_reading import USERS
from tests import zygote
from tests.addresses import free_port
from tests.console import Console, Done
from tests.zygote import Born

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
TABLES = sorted(USERS.metadata.tables)
START_SECONDS = 90  # on a machine that is busy with other things
METRICS = "the-word-of-the-tests"  # see tests/figures.py
# Tests say much in a short time; the limits have tests of their own.
GENEROUS = {
    "CHATAPP_RATE_MESSAGES": "100000 per second",
    "CHATAPP_RATE_CONNECTIONS": "100000 per second",
    "CHATAPP_RATE_GUESTS": "100000 per second",
    "CHATAPP_RATE_SIGN_INS": "100000 per second",
    "CHATAPP_RATE_FILES": "100000 per second",
    "CHATAPP_RATE_SEARCHES": "100000 per second",
    "CHATAPP_METRICS": METRICS,
    "CHATAPP_QUICK_LOG": "no",  # of some hundred servers each would write 40 MB
}


class Successor:
    """A master that was started by the one before it: nobody's child here, so how it ends is for the log to say."""

    stdout = None  # goes where its predecessor's went

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        return None if has_files(self.pid) else 0

    def wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(0.01)
        return 0

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class Server:
    """A gunicorn master with `workers`, started and stopped at will; it keeps its instance folder and port."""

    def __init__(self, instance: Path, workers: int = 1, **settings: str) -> None:
        self.instance, self.workers = instance, workers
        self.settings = dict(GENEROUS)
        self.configure(**settings)
        self.root = ROOT  # the checkout that is served
        self.address = "127.0.0.1"  # at which it listens, in the network namespace of that file, if any
        self.network = ""
        self.program = [str(BIN / "gunicorn"), "-k", "gevent", "wsgi:app"]
        self.constants: dict[str, object] = {}  # by dotted names: see impatient.py
        # What gunicorn is started with in front; None: it is forked, and has not this process's surroundings.
        self.under: list[str] | None = None
        self.port = 0  # until it starts for the first time
        self.log: list[str] = []
        self.administrator: Any = None  # see people.py
        self._process: subprocess.Popen[str] | Born | Successor | None = None
        self._console: Console | None = None

    @property
    def host(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def database_url(self) -> str:
        """Of the database of messages."""
        return self.settings.get("CHATAPP_DATABASE_URL") or f"sqlite:///{self.instance / 'chat.db'}"

    @property
    def environ(self) -> dict[str, str]:
        own = {"CHATAPP_INSTANCE_PATH": str(self.instance), "PYTHONUNBUFFERED": "1"}
        constants = {"TEST_CONSTANTS": json.dumps(self.constants)} if self.constants else {}
        return {**os.environ, **self.settings, **own, **constants}

    @property
    def pid(self) -> int:
        """The master's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the master is gone."""
        return self._process is None or self._process.poll() is not None

    @property
    def worker_pids(self) -> list[int]:
        """The process ids of the workers that run now."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(child) for child in children]

    def configure(self, **settings: str) -> None:
        """Set some otherwise, from its next start on."""
        self.settings |= {f"CHATAPP_{name.upper()}": value for name, value in settings.items()}

    def start(self, *arguments: str) -> "Server":
        program = [*self.program[:-1], "tests.impatient:app"] if self.constants else self.program
        command = [*program, "-w", str(self.workers)]
        self.port = self.port or free_port()
        bind = ["-b", self.host]
        self._process = self._run([*command, *bind, *arguments])
        heard: queue.Queue[bool] = queue.Queue()  # True: all workers are ready; False: the output has ended
        threading.Thread(target=self._read_log, args=(self._process, heard), daemon=True).start()
        try:
            up = heard.get(timeout=START_SECONDS)
        except queue.Empty:
            up = False
        if not up:
            self.kill()
            raise RuntimeError("the server did not start:\n" + "".join(self.log))
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal the master and wait for its end; its exit status."""
        assert self._process is not None
        self._close_console()
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(30)

    def upgrade(self) -> None:
        """Have another master start beside this one, as it is on the disk now, and take over from it."""
        self._close_console()
        seen, old = len(self.log), self._process
        assert old is not None
        old.send_signal(signal.SIGUSR2)
        ended = old.wait(START_SECONDS)
        assert ended == 0, "".join(self.log)
        listening = next(line for line in self.log[seen:] if "Listening at" in line)
        self._process = Successor(int(listening.rpartition("(")[2].rstrip(")\n")))

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """End the master and its workers without a word."""
        self._close_console()
        if self._process is not None and self._process.poll() is None:
            workers = self.worker_pids
            for pid in [*workers, self.pid]:
                os.kill(pid, signal.SIGKILL)
            self._process.wait(20)
            # Who is killed while it waits for a disk is not gone at once, and holds the port until then.
            deadline = time.monotonic() + START_SECONDS
            while any(has_files(pid) for pid in workers):
                assert time.monotonic() < deadline, "a worker does not go"
                time.sleep(0.01)

    def kill_worker(self) -> None:
        """Kill one worker, and wait until it is no more: with it its sockets are closed, as their peers can see."""
        victim = self.worker_pids[0]
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + START_SECONDS
        while victim in self.worker_pids:
            assert time.monotonic() < deadline, "the master has not noticed"
            time.sleep(0.01)

    def console(self, *arguments: object, answer: str = "", environ: Mapping[str, str] | None = None) -> Done:
        """Carry out `flask …` beside the running server, in a process that is kept for the next command."""
        if self._console is None:
            self._console = Console(self.root, self.environ)
        return self._console(*arguments, answer=answer, environ=environ)

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database of messages answers; what the statement changes is kept. `?` stands for a value."""
        if self.database_url.startswith("postgresql"):
            with psycopg.connect(self.database_url.replace("+psycopg", "")) as connection:
                done = connection.execute(statement.replace("?", "%s"), values or None)  # type: ignore[call-overload]
                return done.fetchall() if done.description else []
        with closing(sqlite3.connect(self.instance / "chat.db", timeout=30)) as database, database:
            return database.execute(statement, values).fetchall()

    def dump(self) -> str:
        """All that the database of messages has, as text."""
        return "\n".join(str(row) for table in TABLES for row in self.ask(f"SELECT * FROM {table}"))

    def _close_console(self) -> None:
        if self._console is not None:
            self._console.close()
            self._console = None

    def flask(self, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        """Run `flask …` as an administrator does, in a process of its own."""
        return zygote.run(self.root, [str(BIN / "flask"), *arguments], self.environ, input)

    def _run(self, command: list[str]) -> "subprocess.Popen[str] | Born":
        if self.under is None:
            preload = self.settings.get("LD_PRELOAD", "")
            return zygote.start(self.root, command, self.environ, preload=preload, network=self.network)
        return subprocess.Popen(
            [*(self.under or ()), *command],
            cwd=self.root,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _read_log(self, process: "subprocess.Popen[str] | Born", heard: "queue.Queue[bool]") -> None:
        assert process.stdout is not None
        booted = 0
        for line in process.stdout:
            self.log.append(line)
            booted += "Ready" in line
            if booted == self.workers and "Ready" in line:
                heard.put(True)
        heard.put(False)


def has_files(pid: int) -> bool:
    """Whether that process has not come to its end: one of which only the exit status is left has no files.

    Its first thread may be at its end while another one, which waits for the disk, holds what the process has open.
    """
    return any(_goes_on(thread) for thread in Path("/proc").glob(f"{pid}/task/*"))


def _goes_on(thread: Path) -> bool:
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
