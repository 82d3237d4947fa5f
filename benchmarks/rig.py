"""What the single benchmarks share: servers on one core, clients on another."""

import http.client
import json
import math
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
START_SECONDS = 90
STOP_SECONDS = 15
IDLE_LOOK_SECONDS, IDLE_LOOKS, IDLE_LIMIT_SECONDS = 0.1, 4, 60
FREE = "10000000 per second"  # a rate that nobody comes to
ROOM = 1  # the lobby, which a new instance folder comes with


class RigError(Exception):
    """The benchmark cannot be run here, or what it would print would not be sound."""


@dataclass
class Running:
    """A server that answers on 127.0.0.1; `worker` is the process id of its one worker."""

    port: int
    worker: int


def prepare() -> tuple[int, int]:
    """Raise the limit of open files; returns the servers' core and the clients', to which we move."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RigError("two cores are needed: server and client on the same one would measure each other")
    os.sched_setaffinity(0, {cores[1]})
    return cores[0], cores[1]


def check_readers(readers: int) -> None:
    """Raises RigError where so many connections cannot be opened."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if not 1 <= readers <= limit - 200:
        raise RigError(f"{readers} readers: with this limit of open files 1 to {limit - 200} are possible")


@contextmanager
def chatapp(core: int, **settings: str) -> Iterator[Running]:
    """Our server as it comes, one worker, a new instance folder; only the rate limits are out of the way.

    `settings`: environment variables beside.
    """
    with tempfile.TemporaryDirectory(prefix="chat-instance-") as instance:
        rates = {f"CHATAPP_RATE_{what}": FREE for what in ("MESSAGES", "CONNECTIONS", "GUESTS")}
        environ = environment({**rates, "CHATAPP_INSTANCE_PATH": instance, **settings})
        with gunicorn("wsgi:app", CHECKOUT, environ, core) as server:
            yield server


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Ours, with these settings of the chat and no others."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("CHATAPP_")}
    return {**ours, **settings}


def flask(settings: Mapping[str, str], *arguments: str) -> None:
    """Carry out `flask …`. Raises RigError with what it said where it fails."""
    command = [sys.executable, "-m", "flask", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment(settings), capture_output=True, text=True)
    if done.returncode:
        raise RigError(done.stderr)


@contextmanager
def gunicorn(
    app: str, folder: Path, environ: dict[str, str], core: int, *arguments: str
) -> Iterator[Running]:
    """One gevent worker on a free port, pinned to `core`, gone at the end of the block."""
    environ = {**environ, "PYTHONUNBUFFERED": "1"}
    environ.pop("GUNICORN_CMD_ARGS", None)
    command = [sys.executable, "-m", "gunicorn", "-k", "gevent", app, "-w", "1", "-b", "127.0.0.1:0"]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            env=environ,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        try:
            yield _started(process, log)
        finally:
            _stop(process)


def _started(process: "subprocess.Popen[bytes]", log: Any) -> Running:
    deadline = time.monotonic() + START_SECONDS
    while True:
        text = _written(log)
        port = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", text)
        worker = re.search(r"Booting worker with pid: (\d+)", text)
        if port and worker and _answers(int(port[1])):
            return Running(int(port[1]), int(worker[1]))
        if process.poll() is not None or time.monotonic() > deadline:
            raise RigError(f"a server did not start:\n{_written(log)}")
        time.sleep(0.05)


def _written(log: Any) -> str:
    size = os.fstat(log.fileno()).st_size
    return os.pread(log.fileno(), size, 0).decode(errors="replace")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", "/healthz")  # any answer will do: the peer has no such page
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in [*map(int, children), process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.wait()


def wait_until_idle(*pids: int) -> None:
    """Wait until the processes have hardly computed anything for a while: all that was under way is done."""
    deadline = time.monotonic() + IDLE_LIMIT_SECONDS
    looks = 0
    spent = ticks(pids)
    while looks < IDLE_LOOKS:
        time.sleep(IDLE_LOOK_SECONDS)
        before, spent = spent, ticks(pids)
        looks = looks + 1 if spent - before <= 1 else 0
        if time.monotonic() > deadline:
            raise RigError(f"the server is still busy after {IDLE_LIMIT_SECONDS} s")


def ticks(pids: Sequence[int]) -> int:
    """CPU time of `pids` and their threads, in hundredths of a second."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # user and system
    return ticks


def guest(server: Running, name: str) -> str:
    """Become a guest of our server; returns the cookie."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/guests", json.dumps({"name": name}), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    cookie = answer.getheader("Set-Cookie")
    if answer.status != 201 or cookie is None:
        raise RigError(f"POST /guests answered {answer.status}")
    return cookie.partition(";")[0]


def fsync_ms(count: int = 50) -> float:
    """The median time of one bare fsync where the instance folders are."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(count):
            file.write(b"x" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least `share` of them do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def spread(values: Sequence[float], form: str = ",.0f") -> str:
    """`median (lowest – highest)`."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} – {max(values):{form}})"


def versions() -> str:
    """What ran, for whoever compares figures later."""
    from importlib.metadata import version

    names = ("gunicorn", "gevent", "flask-sock", "simple-websocket", "websockets")
    python = ".".join(map(str, sys.version_info[:3]))
    return ", ".join([f"Python {python}", *(f"{name} {version(name)}" for name in names)])
