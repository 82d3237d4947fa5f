"""What one of each costs, and what several servers cost together, as `bin/bench costs servers --calibrate`
found.
"""

import json
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "calibration.json"
BATCHES = (1, 4, 64)  # with so many messages in flight it is measured
MICRO, KB, MB = 1e-6, 1000, 1_000_000


class Curve:
    """Straight lines from nothing through `points` (how many, cost of all), and on as the last one."""

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        self._points = [(0.0, 0.0), *points]

    def __call__(self, count: float) -> float:
        at = min(max(1, bisect(self._points, (count,))), len(self._points) - 1)
        (low, below), (high, above) = self._points[at - 1 : at + 1]
        return below + (above - below) * (count - low) / (high - low)


@dataclass(frozen=True)
class Costs:
    """Seconds of CPU and bytes. `message(n)`: a group of n, kept and acknowledged; `delivery(n)`: n of them
    to one reader in one call. `looked`: one look of the bus that finds something, `heard`: each notice in
    it; `redis_alone`: one by Redis that comes by itself, `redis_heard`: with others; `redis_sent`: of
    Redis, to one server. `waiting`, `alone`: each second, of a connection and of a server. `look`: a room's
    revision.
    """

    message: Curve
    delivery: Curve
    connect: float
    waiting: float
    alone: float
    looked: float
    heard: float
    poll: float
    page: float
    look: float
    redis_alone: float
    redis_heard: float
    redis_sent: float
    lease: float
    telling: float
    postgres_message: Curve
    postgres_look: float
    database_message: Curve
    database_look: float
    memory: float
    server: float


@dataclass(frozen=True)
class Measured:
    """What several servers cost: the median, lowest and highest of the repetitions, or the only one."""

    servers: int
    readers: int
    delivery: Sequence[float]  # µs
    connect: Sequence[float]  # µs
    memory: Sequence[float]  # MB


@dataclass(frozen=True)
class Calibration:
    """`found`: by figure `what` was measured, its `unit` and `values`: the median, lowest and highest, or the
    only one.
    """

    about: Mapping[str, Any]
    found: Mapping[str, Mapping[str, Any]]
    costs: Costs
    measured: Sequence[Measured]


def read(file: Path = FILE) -> Calibration:
    found = json.loads(file.read_text())
    return Calibration(
        found["conditions"],
        found["costs"],
        costs_of({name: each["values"][0] for name, each in found["costs"].items()}, found["counts"]),
        [Measured(**each) for each in found["servers"]],
    )


def costs_of(found: Mapping[str, float], counts: Mapping[str, float]) -> Costs:
    """`found`: the medians, as the bench calls and counts them: in µs, KB and MB. `counts`: of what it
    measured.
    """

    def curve(name: str, whose: str = "") -> Curve:
        return Curve([(batch, MICRO * batch * found[f"{name} {batch}{whose}"]) for batch in BATCHES])

    few, many = found["heard"], found["crowded"]
    return Costs(
        message=curve("message"),
        delivery=curve("delivery"),
        connect=MICRO * found["connect"],
        waiting=MICRO * max(0.0, found["waiting"] - found["alone"] / counts["crowd"]),
        alone=MICRO * found["alone"],
        looked=MICRO * max(0.0, few - many) * counts["notices at a look"],
        heard=MICRO * many,
        poll=MICRO * found["poll"],
        page=MICRO * found["page"],
        look=MICRO * found["look"],
        redis_alone=MICRO * found["redis, heard"],
        redis_heard=MICRO * found["redis, crowded"],
        redis_sent=MICRO * found["redis, redis"] / 2,
        lease=MICRO * found["lease"],
        telling=MICRO * found["telling"],
        postgres_message=curve("postgres, message"),
        postgres_look=MICRO * found["postgres, look"],
        database_message=curve("postgres, message", ", database"),
        database_look=MICRO * found["postgres, look, database"],
        memory=KB * found["memory"],
        server=MB * found["server"],
    )
