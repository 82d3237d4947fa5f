"""What the doctor says of one thing that is wrong."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

Level = Literal["error", "warning"]


class Finding(Struct, frozen=True):
    """`name`: the same for the same thing, for scripts. `what` is wrong, `why` it matters, what to `do` about
    it: the very command or setting. An error keeps people from something, or loses something; a warning may.
    """

    name: str
    level: Level
    what: str
    why: str
    do: str


Findings = Iterator[Finding]


def error(name: str, what: str, why: str, do: str) -> Finding:
    return Finding(name, "error", what, why, do)


def warning(name: str, what: str, why: str, do: str) -> Finding:
    return Finding(name, "warning", what, why, do)
