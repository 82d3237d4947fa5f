"""A table of `bin/simulate`."""

from collections.abc import Sequence
from typing import NamedTuple


class Table(NamedTuple):
    """`name`: of its place in docs/scaling.md."""

    name: str
    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [self.heads, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.heads))]
        cells = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
        cells.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(cells)
