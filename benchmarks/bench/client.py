"""The load client: built from benchmarks/load/, run on its own core, believed where it had time to spare."""

import hashlib
import json
import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from benchmarks.bench.machine import Unfit

LOAD = Path(__file__).resolve().parents[1] / "load"
CLIENT_LIMIT = 0.9  # share of its core: above it the client would be what is measured
END_SECONDS = 1200  # then a run is stuck, whatever it says
Words = Mapping[str, object]
Result = dict[str, Any]


class Refused(Exception):
    """A measurement that is not sound, or did not come about."""


def build(cache: Path, sources: Sequence[Path] | None = None, name: str = "load") -> Path:
    """The program made of `sources` (the load client's), compiled anew where they have changed."""
    sources = sources or sorted(LOAD.glob("*.c"))
    headers = sorted(LOAD.glob("*.h"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in [*headers, *sources])).hexdigest()[:16]
    program = cache / f"{name}-{digest}"
    if program.exists():
        return program
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    needed = "a C compiler is needed (on Debian: apt-get install gcc libc6-dev)"
    if compiler is None:
        raise Unfit(needed)
    cache.mkdir(parents=True, exist_ok=True)
    made = program.with_suffix(f".{os.getpid()}")
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"]
    if subprocess.run([compiler, *flags, "-o", str(made), *map(str, sources)]).returncode:
        raise Unfit(f"{name} cannot be compiled, see above; {needed}")
    made.rename(program)
    return program


def arguments(words: Words) -> list[str]:
    """`{"first_path": "/x", "hold": True}` as `--first-path /x --hold`; None and False say nothing, a list
    has the option for each.
    """
    said = []
    for name, value in words.items():
        if value is None or value is False:
            continue
        option = f"--{name.replace('_', '-')}"
        each = value if isinstance(value, list) else [value]
        said += [option] if value is True else [word for one in each for word in (option, str(one))]
    return said


class Client:
    """The program, and the core on which it runs."""

    def __init__(self, program: Path, core: int) -> None:
        self._program, self.core = program, core

    def run(self, port: int, watched: Sequence[int], words: Words, *, timed: bool = True) -> Result:
        """One run to its end: what load/main.c prints. Raises Refused where anything was wrong, and, where it
        is `timed`, where the client was at its limit: of CPU alone the server spends as much for each.
        """
        process = self._start(port, watched, words)
        try:
            out, err = process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            raise Refused(f"the load client has not ended after {END_SECONDS} s") from None
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise Refused(
                err.strip().removeprefix("load: ") or f"the load client ended with {process.returncode}"
            )
        result: Result = json.loads(out)
        return sound(result) if timed else result

    def hold(self, port: int, words: Words) -> "Holding":
        """Bring readers in, and keep them for a block."""
        return Holding(self._start(port, [], {**words, "hold": True}))

    def _start(self, port: int, watched: Sequence[int], words: Words) -> "subprocess.Popen[str]":
        watching = [word for pid in watched for word in ("--watch", str(pid))]
        return subprocess.Popen(
            [str(self._program), "--port", str(port), *watching, *arguments(words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=self._prepare,
        )

    def _prepare(self) -> None:
        os.sched_setaffinity(0, {self.core})


def sound(result: Result) -> Result:
    """The same, if the client was not the one at its limit. Raises Refused."""
    if result["client_cpu"] >= CLIENT_LIMIT:
        raise Refused(f"the load client was at its limit ({result['client_cpu']:.0%} of its core)")
    return result


class Holding:
    """Readers that are there. `opened`: what the client said when all of them were in."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.opened: Result = {}
        self._lines: queue.Queue[str] = queue.Queue()  # "" at the end
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        try:
            self.opened = self._line(END_SECONDS)
        except BaseException:
            self._close()
            raise
        return self

    def wait_for(self, number: int, seconds: float, since: float = 0.0) -> float:
        """Wait until all are in and have `number` messages; returns when it was (time.monotonic)."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            said = self._line(left)
            if said["next"] == number and said["at"] > since:
                return float(said["at"])
        raise Refused(f"not everybody was there with {number} messages within {seconds:g} s")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._process.stdin.close()  # that ends it
        try:
            status = self._process.wait(60)
            if kind is None and status:
                raise Refused(self._process.stderr.read().strip().removeprefix("load: "))
        finally:
            self._close()

    def _close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _line(self, seconds: float) -> Result:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise Refused(f"the load client has said nothing for {seconds:.0f} s") from None
        if not line:
            assert self._process.stderr is not None
            raise Refused(self._process.stderr.read().strip().removeprefix("load: "))
        result: Result = json.loads(line)
        return result

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")
