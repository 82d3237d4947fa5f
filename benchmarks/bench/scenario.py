"""What a scenario is: lanes, which are measured in turns, and the rows that are made of what they gave."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from benchmarks.bench import peers
from benchmarks.bench.client import Client, Result, Words
from benchmarks.bench.results import Results
from benchmarks.bench.servers import Server
from benchmarks.bench.table import Row

SIZE = 50  # characters of a message, with its mark
MARK = len("~00000.0000000000~ ")
APeer = TypeVar("APeer", bound=peers.Peer)


def text(size: int = SIZE) -> str:
    """What a message of `size` characters says behind its mark."""
    words = "the quick brown fox jumps over the lazy dog "
    return (words * (size // len(words) + 1))[: max(1, size - MARK)].rstrip() or "x"


@dataclass
class Bench:
    """Where and how long everything is measured. `everybody`: whether all peers are. `timed`: whether time
    counts, and not CPU alone.
    """

    cache: Path
    core: int
    client: Client
    seconds: float = 3.0
    warmup: float = 1.0
    everybody: bool = False
    timed: bool = True
    _installed: dict[type[peers.Peer], peers.Peer] = field(default_factory=dict)

    def peer(self, kind: type[APeer]) -> APeer:
        """One of its kind, installed when it is first asked for."""
        found = self._installed.get(kind)
        if found is None:
            found = self._installed[kind] = kind(self.cache)
            found.install()
        assert isinstance(found, kind)
        return found

    def load(self, server: Server, *words: Words, **more: object) -> Result:
        """One run of the load client on `server`, for as long as everything is measured."""
        told: dict[str, object] = {"seconds": self.seconds, "warmup": self.warmup, "text": text()}
        for each in words:
            told |= each
        return self.client.run(server.port, server.pids, told | more, timed=self.timed)


def tag() -> str:
    """A word that no other run has."""
    return "b" + secrets.token_hex(4)


Lane = Callable[[], Result]  # measures one repetition


class Measure(NamedTuple):
    """One figure of a lane: `path` leads to it in the lane's result."""

    lane: str
    path: Sequence[str]


class Scenario(ABC):
    """`name`: what `bin/bench NAME` calls it. `about`: one line for --help."""

    name: str
    about: str
    repetitions = 5

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    @cached_property
    def lanes(self) -> Mapping[str, Lane]:
        return self.make_lanes()

    @abstractmethod
    def make_lanes(self) -> Mapping[str, Lane]: ...

    @abstractmethod
    def rows(self, results: Results) -> list[Row]: ...

    def row(
        self, results: Results, what: str, ours: Measure, theirs: Measure | None = None, /, **more: Any
    ) -> Row:
        """The row of one figure, of all repetitions that ours and theirs have both."""
        mine = results.of(self.name, ours.lane)
        others = results.of(self.name, theirs.lane) if theirs else mine
        refused = [each["refused"] for each in (*mine.values(), *others.values()) if "refused" in each]
        pairs = [
            (_figure(mine[number], ours.path), _figure(others[number], theirs.path) if theirs else 0.0)
            for number in mine
            if number in others and "refused" not in mine[number] and "refused" not in others[number]
        ]
        return Row(
            what,
            [each[0] for each in pairs],
            [each[1] for each in pairs] if theirs else None,
            refused=list(dict.fromkeys(refused)),
            **more,
        )


def _figure(result: Result, path: Sequence[str]) -> float:
    found: Any = result
    for word in path:
        found = found[word]
    return float(found)
