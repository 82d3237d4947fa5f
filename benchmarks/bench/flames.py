"""Where the worker's time goes under load, as a flame graph for each of what is measured most.

py-spy looks at the worker 200 times a second, at Python's frames and at native ones; who
waits is not counted. It has to be allowed to: by root, or where /proc/sys/kernel/yama/ptrace_scope is 0.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.bench import flamegraph, installing, ours
from benchmarks.bench.client import Words
from benchmarks.bench.machine import Unfit
from benchmarks.bench.scenario import Bench, tag
from benchmarks.bench.scenarios import fanout, page, polls

REQUIREMENTS = Path(__file__).with_name("flames-requirements.txt")
SECONDS, RATE = 10, 200
SLACK = 15  # seconds that the load goes on longer: py-spy reads symbols before it begins


class Picture(NamedTuple):
    """`load`: what the load client is told. `readers`: who are connected before it counts."""

    title: str
    readers: int
    load: Callable[[ours.Chat], Words]


def fan_out(in_flight: int) -> Picture:
    def load(chat: ours.Chat) -> Words:
        told = {"readers": fanout.READERS, "speakers": 1, "in_flight": in_flight}
        return {**ours.by_websocket(chat), **ours.speaking(chat, tag()), **told}

    return Picture(f"Fan-out to 1,000 WebSockets, {in_flight} in flight", fanout.READERS, load)


PICTURES = {
    "fan-out-1": fan_out(1),
    "fan-out-64": fan_out(64),
    "kept": Picture(
        "Messages kept, 64 sockets with 4 in flight each",
        64,
        lambda chat: {**ours.speaking(chat, tag()), "speakers": 64, "in_flight": 4},
    ),
    "polls": Picture(
        "1,000 long polls",
        polls.READERS,
        lambda chat: {**ours.by_poll(chat), **ours.speaking(chat, tag()), **polls.TOLD},
    ),
    "page": Picture(f"Room page, {page.MESSAGES} messages", page.CONNECTIONS, page.asking),
}


def make(bench: Bench, folder: Path) -> None:
    """A picture of each into `folder`. Raises Unfit, and Refused as every measurement."""
    spy = installing.python(bench.cache, "flames", REQUIREMENTS) / "py-spy"
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in PICTURES.items():
        file = folder / f"{name}.svg"
        file.write_text(flamegraph.draw(_stacks(bench, spy, picture), picture.title))
        print(f"{file}: {file.stat().st_size:,} bytes", file=sys.stderr, flush=True)


def _stacks(bench: Bench, spy: Path, picture: Picture) -> str:
    with ThreadPoolExecutor(1) as beside, ours.serve((bench.core,)) as server:  # whose end ends the load
        worker, words = server.pids[1], picture.load(server)
        load = beside.submit(bench.load, server, words, seconds=SECONDS + SLACK)
        while len(os.listdir(f"/proc/{worker}/fd")) < picture.readers and not load.done():
            time.sleep(0.05)
        found = _look(spy, worker, bench.core)
        load.result()
    return found


def _look(spy: Path, worker: int, core: int) -> str:
    """What py-spy sees of `worker`, from any core but its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "stacks.txt")
        command = [str(spy), "record", "--pid", str(worker), "--duration", str(SECONDS), "--rate", str(RATE)]
        done = subprocess.run(
            [*command, "--native", "--function", "--format", "raw", "--output", str(file)],
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, os.sched_getaffinity(0) - {core}),
        )
        if done.returncode or not file.exists():
            raise Unfit(f"py-spy could not look at the server: {done.stderr.strip()}")
        return file.read_text()
