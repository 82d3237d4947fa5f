"""The scoreboard: memory that the workers of one master share, with a place for each worker's figures.

The master makes it before it forks and gives each worker a place. A worker writes there what it counts, about
once a second; whoever is asked adds up all of them. What a worker counted stays when it is gone, what it held
goes: the master adds the one to the first place, and gives the place to another worker.

No file, so there is nothing to clear away, and a full disk stops nobody (to write to a mapped file of which
the disk has no room ends the process). The master runs this file without the rest of the application, which
must not be imported there (gunicorn.conf.py): it may import nothing of it.

Invariants
- One process writes to a place: its worker, and once that is gone, or in the first place, the master.
- A reader sees what was written whole: each place has two halves, and one byte that says which one is read.
- A worker is counted once, also while it is being added to the first place: that names it from then on.
"""

import json
import mmap
from collections.abc import Collection
from typing import Any

PLACES = 128
SIZE = 16_384  # bytes of a place; pages that nobody writes to take no memory
_HALF = (SIZE - 1) // 2
_LENGTH = 4  # bytes before what is written

# By name and then by label, which is "" where there is none.
Figures = dict[str, dict[str, float]]


class Scoreboard:
    """`places`: how many workers there may be at a time, and one more for those that are gone."""

    def __init__(self, places: int = PLACES) -> None:
        self._memory = mmap.mmap(-1, places * SIZE)  # anonymous, and shared with whoever is forked
        self._places = places

    def free(self, taken: Collection[int]) -> int | None:
        """A place that is not one of those `taken`; None where there is none."""
        self.settle(taken)
        return next((place for place in range(1, self._places) if place not in taken), None)

    def settle(self, living: Collection[int]) -> None:
        """Add what was counted by those whose places are not of the `living` to the first place."""
        gone = self._read(0) or {"workers": [], "counters": {}}
        for place in range(1, self._places):
            left = None if place in living else self._read(place)
            if left is None:
                continue
            _add(gone["counters"], left["counters"])
            gone["workers"] = [*gone["workers"], left["worker"]][-self._places :]
            self._write(0, gone)
            self._write(place, None)

    def tell(self, place: int, worker: int, counters: Figures, gauges: Figures) -> None:
        """`worker`: a number that no other worker of this master has."""
        self._write(place, {"worker": worker, "counters": counters, "gauges": gauges})

    def total(self) -> tuple[Figures, Figures, int]:
        """Counters and gauges of all workers, and how many of these there are."""
        living = [told for place in range(1, self._places) if (told := self._read(place))]
        gone = self._read(0) or {"workers": [], "counters": {}}  # behind the others: see the invariants
        counters: Figures = gone["counters"]
        gauges: Figures = {}
        living = [told for told in living if told["worker"] not in gone["workers"]]
        for told in living:
            _add(counters, told["counters"])
            _add(gauges, told["gauges"])
        return counters, gauges, len(living)

    def _read(self, place: int) -> Any:
        start = self._half(place, self._memory[place * SIZE])
        length = int.from_bytes(self._memory[start : start + _LENGTH], "big")
        return json.loads(self._memory[start + _LENGTH : start + _LENGTH + length]) if length else None

    def _write(self, place: int, value: object) -> None:
        data = b"" if value is None else json.dumps(value, separators=(",", ":")).encode()
        if _LENGTH + len(data) > _HALF:
            raise ValueError(f"{len(data)} bytes of figures are more than a place holds")
        other = 1 - self._memory[place * SIZE]
        start = self._half(place, other)
        self._memory[start : start + _LENGTH + len(data)] = len(data).to_bytes(_LENGTH, "big") + data
        self._memory[place * SIZE] = other

    @staticmethod
    def _half(place: int, which: int) -> int:
        return place * SIZE + 1 + which * _HALF


def _add(sums: Figures, more: Figures) -> None:
    for name, by_label in more.items():
        into = sums.setdefault(name, {})
        for label, value in by_label.items():
            into[label] = into.get(label, 0) + value
