"""What a run's clients share: where the server is, who they are, and what has been seen."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.torture.history import History


@dataclass(frozen=True)
class Person:
    """A guest; `cookie` as it is sent."""

    name: str
    id: str
    cookie: str


@dataclass
class World:
    """`address`: where clients connect (the fault proxy); `narrow`: where those do who are slow on purpose.
    `stay`: seconds that a reader stays with one transport, at most. `writing`: whether new messages are to be sent;
    `patient`: whether it is still worth trying again; `reading`: whether readers go on. `changing`: rooms in
    which texts are edited, deleted and reacted to; `reacting`: only reacted to. `calm`: all trouble is over, readers stay where they are
    and take what they can get. `newest`: the highest number that was
    acknowledged, of each room. `look(room)`: the last number in the database."""

    seed: int
    address: tuple[str, int]
    narrow: tuple[str, int]
    stay: float
    history: History
    look: Callable[[int], int]
    changing: set[int] = field(default_factory=set)
    reacting: set[int] = field(default_factory=set)
    newest: dict[int, int] = field(default_factory=dict)
    calm: bool = False
    writing: bool = True
    patient: bool = True
    reading: bool = True
    _bodies: dict[str, str] = field(default_factory=dict)

    def changes(self, room: int) -> tuple[str, ...]:
        """The kinds of messages that are about texts of `room`."""
        if room in self.changing:
            return ("edit", "delete", "reaction")
        return ("reaction",) if room in self.reacting else ()

    def same(self, body: str) -> str:
        """`body`, of which only one copy is held however many readers get it."""
        return self._bodies.setdefault(body, body)
