"""What happened in a run, as its clients saw it: plain data, which the checker judges."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Send:
    """Something that a writer sent, perhaps several times under one `client_id`.

    `ordered`: the writer sends the next one only when this one is answered for good, so that its messages
    stand in the log in the order of their `number`. `answers`: the numbers that were acknowledged;
    `answered`: when the first of them came, in seconds of the run.
    """

    writer: str
    author: str
    number: int
    room: int
    body: str
    client_id: str | None = None
    kind: str = "text"
    ordered: bool = True
    answers: list[int] = field(default_factory=list)
    answered: float | None = None
    refusals: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Line:
    """What was sent on one socket to one room, and what was acknowledged on it: client_ids, in order."""

    writer: str
    room: int
    sent: list[str] = field(default_factory=list)
    acked: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Delivery:
    """A message as a reader got it, `at` seconds of the run; over a plain door only its body. `durable`: the
    room's last number in the database, looked up after the message had come; None where nobody looked."""

    seq: int | None
    body: str
    room: int | None = None
    author: str | None = None
    client_id: str | None = None
    kind: str = "text"
    removed: str | None = None
    durable: int | None = None
    at: float = 0.0


@dataclass(slots=True)
class Joined:
    """The reader was told that it goes on in the log `epoch`, at `at` seconds of the run.

    `cursor`: where the room was then, if that was told.
    """

    epoch: str
    at: float
    cursor: int | None = None


@dataclass(slots=True)
class Reset:
    """The reader was told to discard what it shows: the log is now `epoch`, and is at `cursor`."""

    epoch: str
    cursor: int


@dataclass(slots=True)
class Session:
    """One connection, or one chain of polls, in which a reader followed a room.

    `after`: the cursor with which it began; None: from wherever the server begins (then without a gap).
    `epoch`: the log that the reader believed in; empty: it knew none yet.
    `texts_only`: a plain door, which passes on texts that still have a body and nothing else.
    `refused`: the problem's code, status or close code with which the server ended it.
    """

    reader: str
    person: str
    room: int
    transport: str
    after: int | None
    epoch: str = ""
    texts_only: bool = False
    events: list[Delivery | Joined | Reset] = field(default_factory=list)
    fault: str = ""  # what came that no server may send: a cut frame, no JSON
    refused: str = ""


@dataclass(slots=True)
class Poll:
    """A long poll that brought something, first of all `seq`, and those before it, in a row, that did not.

    `wait`: how long each was to wait; `waited`: how long they did, together, until `back` in seconds of the run.
    """

    reader: str
    room: int
    seq: int
    wait: float
    waited: float
    back: float


@dataclass(slots=True)
class Wait:
    """How long, in seconds, a connected reader took over `transport` to get all of `room` up to `seq`, which was
    its newest when all trouble was over. None: it had not got there within `given` seconds of a line that was alive."""

    reader: str
    room: int
    transport: str
    seq: int
    took: float | None
    given: float


@dataclass(slots=True)
class Clear:
    """The room was cleared: the last number of the old log, and the epoch of the new one."""

    room: int
    last: int
    epoch: str


@dataclass(slots=True)
class Removal:
    """A person was removed from a room by the notice `seq`, not before `begun` in seconds of the run."""

    room: int
    person: str
    seq: int
    begun: float


@dataclass(slots=True)
class Absence:
    """A person was no member of a private room: from the notice `left` to the notice `back` of its log. Nobody
    had asked to take them in again before `asked` in seconds of the run."""

    room: int
    person: str
    left: int
    back: int
    asked: float


@dataclass(slots=True)
class Row:
    """A message in the database when everything was over."""

    seq: int
    kind: str
    author: str
    client_id: str | None
    body: str
    at: int
    deleted: bool = False
    edited: bool = False


@dataclass(slots=True)
class Log:
    """A room in the database when everything was over."""

    room: int
    first: int
    last: int
    rows: list[Row]


@dataclass(slots=True)
class History:
    """All of it. `unfinished`: readers that did not have everything although all faults were over; `faults`:
    what the nemesis did; `unsynced`: acknowledgements before which nothing had been synced to the disk."""

    sends: list[Send] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    clears: list[Clear] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    absences: list[Absence] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    unsynced: int = 0
    faults: dict[str, int] = field(default_factory=dict)

    def count(self, fault: str, times: int = 1) -> None:
        """The nemesis did `fault` once more, or several `times`."""
        self.faults[fault] = self.faults.get(fault, 0) + times

    @property
    def figures(self) -> dict[str, Any]:
        """How much there was to judge."""
        deliveries = sum(isinstance(event, Delivery) for session in self.sessions for event in session.events)
        return {
            "messages kept": sum(log.last for log in self.logs),
            "acknowledged": sum(bool(send.answers) for send in self.sends),
            "refused at least once": sum(bool(send.refusals) for send in self.sends),
            "deliveries": deliveries,
            "connections of readers": len(self.sessions),
            "seconds until all had all": round(
                max((wait.took or wait.given for wait in self.waits), default=0), 1
            ),
            "resets": sum(isinstance(event, Reset) for session in self.sessions for event in session.events),
        }
