"""The frames that a client of chatapp.v1 may send: their fields."""

import msgspec
from msgspec import Struct

from chatapp.errors import BadRequest
from chatapp.posting import Draft


class Join(Struct, frozen=True, tag="join"):
    """Follow a room from the cursor `after` on: -1: only what is new, nothing: the newest messages first.
    `epoch`: of the log that the cursor is of. `presence`: whether one is in the room by it. `html`: messages
    with their HTML, where they have markup.
    """

    room: int
    after: int | None = None
    epoch: str | None = None
    presence: bool = True
    html: bool = False


class Leave(Struct, frozen=True, tag="leave"):
    """Follow a room no longer."""

    room: int


class Send(Draft, frozen=True, kw_only=True, tag="send"):
    """Say something, or change what was said: answered with an ack once it is kept. Of what is sent twice
    under one `client_id` one message is made. `of`: the seq that it is about.
    """

    room: int


class Typing(Struct, frozen=True, tag="typing"):
    """Tell the others in a joined room that one is writing."""

    room: int


class Read(Struct, frozen=True, tag="read"):
    """Tell how far one has read. `unread`: what follows `seq` is unread again."""

    room: int
    seq: int
    unread: bool = False


class Ping(Struct, frozen=True, tag="ping"):
    """Ask for a pong."""


Frame = Join | Leave | Send | Typing | Read | Ping
FRAMES: dict[str, type[Struct]] = {
    "join": Join,
    "leave": Leave,
    "send": Send,
    "typing": Typing,
    "read": Read,
    "ping": Ping,
}
_decode = msgspec.json.Decoder(Frame).decode


def frame_of(text: str) -> Frame | None:
    """The frame that `text` is; None where it is none, or has something in it that is to be refused."""
    try:
        frame: Frame = _decode(text)
        return frame
    except (msgspec.DecodeError, RecursionError):
        return None


def parse(frame: object) -> Struct:
    """What was decoded as one of the types above. Raises BadRequest, which says what is wrong with it."""
    kind = frame.get("type") if isinstance(frame, dict) else None
    if not isinstance(kind, str):
        raise BadRequest("A frame is a JSON object with a type")
    if kind not in FRAMES:
        raise BadRequest("There is no frame type “%(kind)s”", kind=kind[:20])
    try:
        return msgspec.convert(frame, FRAMES[kind])
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from None
