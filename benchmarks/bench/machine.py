"""The machine: its cores, its disk, what else runs on it, and how it is named beside figures."""

import hashlib
import os
import platform
import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from statistics import median

CHECKOUT = Path(__file__).resolve().parents[2]
LIBRARIES = ("gunicorn", "gevent", "flask-sock", "websockets", "SQLAlchemy", "msgspec")
QUIET_LOAD = 0.5  # load average above which others are at work here


class Unfit(Exception):
    """The bench cannot be run here."""


def cores() -> tuple[int, int]:
    """The servers' core, and the load client's. Raises Unfit where there is one only."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise Unfit("two cores are needed: server and client on the same one would measure each other")
    return usable[0], usable[1]


def put_first(pids: Iterable[int], core: int) -> None:
    """These processes, and what they start from now on, are on `core`, and come before all else there. Linux
    would have them wait some ms for whoever is at it, however nice that is: niceness counts within a session
    (sched(7), "The autogroup feature"). Where the bench may not say so (CAP_SYS_NICE), they wait.
    """
    for pid in pids:
        os.sched_setaffinity(pid, {core})
        with suppress(PermissionError):
            os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))


def raise_limits() -> int:
    """Raise the limit of open files as far as it may be; returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def fsync_ms(folder: Path | None = None, count: int = 200) -> tuple[float, float]:
    """How long one bare fsync takes in `folder`: median and 99th percentile, milliseconds.

    Appends 4 KB each time, as a commit to a write-ahead log does.
    """
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(count):
            file.write(b"x" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - start) * 1000)
    return median(times), sorted(times)[int(0.99 * count)]


def commit() -> str:
    """What is measured: the commit, and where the files differ from it, a plus and a digest of how."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=CHECKOUT, capture_output=True, text=True).stdout

    name = git("rev-parse", "--short=12", "HEAD").strip()
    differs = git("diff", "HEAD", "--", "chatapp", "benchmarks", "templates", "static", "gunicorn.conf.py")
    if not name:
        return "unknown"
    return f"{name}+{hashlib.sha256(differs.encode()).hexdigest()[:8]}" if differs else name


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def kernel() -> str:
    """Its number, without what its distribution calls it."""
    return re.split(r"[^\d.]", platform.release())[0]


def describe() -> dict[str, str]:
    """What figures depend on, for whoever compares them later."""
    return {
        "commit": commit(),
        "machine": f"{len(os.sched_getaffinity(0))} cores of {processor()}, Linux {kernel()}",
        "versions": ", ".join(
            [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in LIBRARIES)]
        ),
    }
