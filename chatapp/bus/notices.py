"""What processes tell each other, and its bytes."""

import msgspec
from msgspec import Struct

from chatapp.message import Author, Message

# Notices above this size carry only the number; whoever wants the messages reads the journal.
MESSAGES_LIMIT = 65_536


class Committed(Struct, frozen=True, tag="committed", array_like=True):
    """A transaction touched a room: its revision after it, its last seq, the messages if they are small."""

    room: int
    revision: int
    last: int
    messages: list[Message]
    changed: bool


class Typing(Struct, frozen=True, tag="typing", array_like=True):
    room: int
    who: Author


class ReadUpTo(Struct, frozen=True, tag="read", array_like=True):
    room: int
    person: str
    seq: int
    back: bool = False


class TurningBack(Struct, frozen=True, tag="turning_back", array_like=True):
    """What somebody has read of a room behind `seq` is about to be unread again."""

    room: int
    person: str
    seq: int


class PresenceChanged(Struct, frozen=True, tag="presence", array_like=True):
    room: int


class RoomsChanged(Struct, frozen=True, tag="rooms", array_like=True):
    """The rooms of `people`, author ids, are others, or stand otherwise in their lists.

    `room`: who follows this one knows it already; 0: nobody does. `seq`: of the message in it that calls
    them or is written to them; 0: it is none.
    """

    people: list[str]
    room: int = 0
    seq: int = 0


class GuestLeft(Struct, frozen=True, tag="left", array_like=True):
    """The guest `person` has left in their browser, whose other pages are to know it."""

    person: str


class PeopleChanged(Struct, frozen=True, tag="people", array_like=True):
    """Who somebody is has changed; `number` counts how often that happened."""

    number: int


Notice = (
    Committed | Typing | ReadUpTo | TurningBack | PresenceChanged | RoomsChanged | GuestLeft | PeopleChanged
)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Notice).decode


def encode(notice: Notice) -> bytes:
    payload = _encode(notice)
    if isinstance(notice, Committed) and len(payload) > MESSAGES_LIMIT:
        return _encode(msgspec.structs.replace(notice, messages=[]))
    return payload


def decode(payload: bytes) -> Notice:
    """Raises msgspec.DecodeError for what is no notice of this version."""
    notice: Notice = _decode(payload)
    return notice
