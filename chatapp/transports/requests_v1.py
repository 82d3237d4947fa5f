"""The frames that a client of chatapp.v1 may send: their fields."""

import msgspec
from msgspec import Struct

from chatapp.errors import BadRequest
from chatapp.posting import Draft


class Join(Struct, frozen=True):
    room: int
    after: int | None = None
    epoch: str | None = None
    presence: bool = True
    html: bool = False


class Leave(Struct, frozen=True):
    room: int


class Send(Draft, frozen=True, kw_only=True):
    room: int


class Typing(Struct, frozen=True):
    room: int


class Read(Struct, frozen=True):
    room: int
    seq: int
    unread: bool = False


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
        raise BadRequest("There is no frame type '%(kind)s'", kind=kind[:20])
    try:
        return msgspec.convert(frame, FRAMES[kind])
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from None
