"""The frames that a client of chatapp.v1 may send: their fields, and how many of them."""

import time

import msgspec
from msgspec import Struct

from chatapp.errors import BadRequest, TooFast
from chatapp.limiter import FRAME_SECONDS
from chatapp.posting import Draft

REFUSALS_IN_A_ROW = 100


class Join(Struct, frozen=True):
    room: int
    after: int | None = None
    epoch: str | None = None


class Leave(Struct, frozen=True):
    room: int


class Send(Draft, frozen=True, kw_only=True):
    room: int


class Typing(Struct, frozen=True):
    room: int


class Read(Struct, frozen=True):
    room: int
    seq: int


class Ping(Struct, frozen=True):
    pass


FRAMES: dict[str, type[Struct]] = {
    "join": Join,
    "leave": Leave,
    "send": Send,
    "typing": Typing,
    "read": Read,
    "ping": Ping,
}


def parse(kind: object, frame: object) -> Struct:
    """`frame`, which calls itself `kind`, as one of the types above. Raises BadRequest."""
    if not isinstance(frame, dict) or not isinstance(kind, str):
        raise BadRequest("A frame is a JSON object with a type")
    if kind not in FRAMES:
        raise BadRequest(f"There is no frame type {kind[:20]!r}")
    try:
        return msgspec.convert(frame, FRAMES[kind])
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from None


class FrameBudget:
    """At most `limit` frames in ten seconds; a socket that goes on regardless is exhausted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spent = 0
        self._refused = 0
        self._until = 0.0

    @property
    def exhausted(self) -> bool:
        return self._refused >= REFUSALS_IN_A_ROW

    def spend(self) -> None:
        """Count a frame. Raises TooFast when there were too many."""
        now = time.monotonic()
        if now >= self._until:
            self._until = now + FRAME_SECONDS
            self._spent = 0
        self._spent += 1
        if self._spent > self._limit:
            self._refused += 1
            raise TooFast(retry_after=max(1, round(self._until - now + 0.5)))
        self._refused = 0
