"""Every route that the application registers, with addresses that lead to it: what is new is attacked too."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from tests.servers import Server

WRITES = {"POST", "PUT", "PATCH", "DELETE"}
# What stands in a path for something that there is; a converter that is new needs a line here.
SAMPLES = {"int": "1", "path": "css/base.css", "": "x"}


class Route(NamedTuple):
    """`rule`: as Flask has it. `websocket`: whether it is one of the sockets, which are GET too."""

    endpoint: str
    method: str
    rule: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.rule}"

    @property
    def websocket(self) -> bool:
        return self.rule.endswith("/ws")

    def path(self, room: int) -> str:
        """An address that leads here; where it names a room, to `room`."""

        def sample(found: re.Match[str]) -> str:
            kind = found[1] or ""
            return str(room) if kind == "room_id:" else SAMPLES[kind.rstrip(":")]

        return re.sub(r"<(\w+:)?\w+>", sample, self.rule)


@cache
def routes(server: Server) -> list[Route]:
    """All routes of `server`, one for each method."""
    listed = server.flask("routes")
    found = list(_parsed(listed.stdout))
    assert len(found) > 20, listed.stdout + listed.stderr
    return found


def _parsed(table: str) -> Iterator[Route]:
    for line in table.splitlines():
        if row := re.fullmatch(r"(\S+)\s{2,}([A-Z, ]+?)\s{2,}(/.*?)\s*", line):
            for method in row[2].split(", "):
                yield Route(row[1], method, row[3])
