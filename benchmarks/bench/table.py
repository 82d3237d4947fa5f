"""The table: what was measured, beside what it is compared with, its floor and its aim."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Row:
    """One line. `values`: one for each repetition. `theirs`: of what it is compared with, in the same ones;
    their ratio is then the line's value. `fewer`: less is better. `void`: why the aim does not hold here.
    """

    what: str
    values: Sequence[float]
    theirs: Sequence[float] | None = None
    peer: str = ""
    unit: str = ""
    floor: float | None = None
    aim: float | None = None
    fewer: bool = False
    void: str = ""
    refused: list[str] = field(default_factory=list)

    @property
    def measured(self) -> list[float]:
        if self.theirs is None:
            return list(self.values)
        return [ours / theirs for ours, theirs in zip(self.values, self.theirs, strict=True) if theirs]

    @property
    def verdict(self) -> str:
        """`aim`, `floor`, `MISSED`; `REFUSED` where a repetition was not sound; "" where nothing is asked."""
        if self.refused or not self.measured:
            return "REFUSED"
        if self.floor is None and self.aim is None:
            return ""
        if self.void:
            return "void"
        value = median(self.measured)
        for name, limit in (("aim", self.aim), ("floor", self.floor)):
            if limit is not None and (value <= limit if self.fewer else value >= limit):
                return name
        return "MISSED"

    @property
    def cells(self) -> list[str]:
        if self.verdict == "REFUSED":
            return [self.what, "", "", "", *(self._limit(each) for each in (self.floor, self.aim)), "REFUSED"]
        ours = f"{spread(self.values)} {self.unit}".strip()
        theirs = spread(self.theirs) if self.theirs is not None else ""
        ratio = f"{spread(self.measured)} × {self.peer}" if self.theirs is not None else ""
        limits = [self._limit(each) for each in (self.floor, self.aim)]
        return [self.what, ours, theirs, ratio, *limits, self.verdict]

    def _limit(self, limit: float | None) -> str:
        return "" if limit is None else f"{'≤ ' if self.fewer else ''}{number(limit)}"


HEADS = ["", "ours", "theirs", "ratio", "floor", "aim", "met"]


def number(value: float) -> str:
    """As people read it: three figures, thousands apart."""
    if abs(value) >= 100_000:
        return f"{value / 1000:,.0f} k"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def spread(values: Sequence[float]) -> str:
    """`median (lowest – highest)`."""
    if not values:
        return "–"
    if len(values) == 1:
        return number(values[0])
    return f"{number(median(values))} ({number(min(values))} – {number(max(values))})"


def shares(results: Iterable[object]) -> str:
    """In what limits client, server and everybody else had the machine, in all runs within `results`."""
    found: dict[str, list[float]] = {"client_cpu": [], "server_cpu": [], "foreign_cpu": []}
    waiting = list(results)
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.values()
            for name in found.keys() & each.keys():
                found[name].append(each[name])
    client, server, foreign = found.values()
    if not client:
        return ""
    return (
        f"shares of a core: client {max(client):.0%} at most, server {min(server):.0%} – {max(server):.0%}, "
        f"others {max(foreign):.0%} at most"
    )


def render(rows: Sequence[Row]) -> str:
    """The whole table as Markdown, its columns under each other; the reasons of refusals below it."""
    cells = [HEADS, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    lines = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    for row in rows:
        reasons = row.refused or ([] if row.verdict != "REFUSED" else ["nothing was measured"])
        lines += [f"REFUSED: {row.what}: {reason}" for reason in dict.fromkeys(reasons)]
        if row.void:
            lines.append(f"void: {row.what}: {row.void}")
    return "\n".join(lines)
