"""What a run's clients share: where the server is, who they are, and what has been seen."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from tests.torture.history import History


@dataclass(frozen=True)
class Person:
    """A guest; `cookie` as it is sent."""

    name: str
    id: str
    cookie: str


@dataclass
class World:
    """`address`: where clients connect (the fault proxy). `writing`: whether new messages are to be sent;
    `patient`: whether it is still worth trying again; `reading`: whether readers go on. `changing`: rooms in
    which texts are edited, deleted and reacted to. `look(room)`: the last number in the database."""

    seed: int
    address: tuple[str, int]
    history: History
    look: Callable[[int], int]
    changing: set[int] = field(default_factory=set)
    writing: bool = True
    patient: bool = True
    reading: bool = True
    _bodies: dict[str, str] = field(default_factory=dict)

    def changes(self, room: int) -> bool:
        """Whether texts of `room` are changed after they were kept."""
        return room in self.changing

    def same(self, body: str) -> str:
        """`body`, of which only one copy is held however many readers get it."""
        return self._bodies.setdefault(body, body)

    @staticmethod
    def age(at: str) -> float:
        """How many seconds ago the server's clock said `at`."""
        return time.time() - datetime.fromisoformat(at).timestamp()
