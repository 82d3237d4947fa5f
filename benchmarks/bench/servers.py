"""A server in a process of its own, pinned to a core, on a port of 127.0.0.1."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.bench.client import Refused

START_SECONDS = 90
STOP_SECONDS = 20


class Server:
    """One that answers. `environ`: with which its own commands find its files."""

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        cores: Sequence[int],
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.port = port
        self.environ = {**(os.environ if environ is None else environ), "PYTHONUNBUFFERED": "1"}
        self._command, self._cores, self._folder = [*command], cores, folder
        self._log: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it accepts connections. Raises Refused where it does not come to that."""
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  # as long as the server
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            preexec_fn=lambda: os.sched_setaffinity(0, self._cores),
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Refused(f"a server did not start: {' '.join(self._command)}\n{self.said()}")
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Signal it and wait for its end; what does not end is killed."""
        if self._process is None or self._process.poll() is not None:
            return
        everybody = self.pids
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in reversed(everybody):
                os.kill(pid, signal.SIGKILL)
            self._process.wait()

    @property
    def pids(self) -> list[int]:
        """Itself and its children, which work for it."""
        assert self._process is not None
        return with_children(self._process.pid)

    @property
    def cpu_s(self) -> float:
        """CPU time of all of its processes so far."""
        return cpu_s(self.pids)

    def said(self) -> str:
        """The end of what it has written."""
        assert self._log is not None
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), 3000, max(0, size - 3000)).decode(errors="replace")

    def memory_kb(self) -> int:
        """Resident memory of all of its processes; what they share counts once (PSS)."""
        total = 0
        for pid in self.pids:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total

    def _answers(self) -> bool:
        """Whether an HTTP request gets any answer: a listening socket alone may have nobody behind it yet."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=START_SECONDS) as sock:
                sock.sendall(f"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
                return bool(sock.recv(1))
        except (ConnectionRefusedError, TimeoutError):
            return False
        except ConnectionError:
            return True  # it knows no HTTP, and hung up


def with_children(pid: int) -> list[int]:
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def cpu_s(pids: Sequence[int]) -> float:
    """CPU time of `pids` and all their threads so far, seconds; the kernel tells hundredths."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # user and system
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Started for the block, and gone after it."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


def free_port() -> int:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
