"""What processes tell each other, and its bytes."""

import msgspec
from msgspec import Struct

from chatapp.message import Author, Message

LARGEST = 65_536  # bytes of a notice, where a bus takes as much


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


class GuestsLeft(Struct, frozen=True, tag="all_left", array_like=True):
    """The same of several, of whom some processes may have heard."""

    people: list[str]


class Missed(Struct, frozen=True, tag="missed", array_like=True):
    """Who tells this may have missed something: what no database has is to be told again."""


class Lost(Struct, frozen=True, tag="lost", array_like=True):
    """Something that this process told has reached nobody: they do not know what has changed."""


class PeopleChanged(Struct, frozen=True, tag="people", array_like=True):
    """Who somebody is has changed; `number` counts how often that happened."""

    number: int


Notice = (
    Committed
    | Typing
    | ReadUpTo
    | TurningBack
    | PresenceChanged
    | RoomsChanged
    | GuestLeft
    | GuestsLeft
    | Missed
    | Lost
    | PeopleChanged
)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Notice).decode


def encode(notice: Notice, limit: int = LARGEST) -> list[bytes]:
    """As bytes that are no more than `limit`: messages that are more stay away, whoever wants them reads the
    journal; people who are more are told of in several.
    """
    payload = _encode(notice)
    if len(payload) <= limit:
        return [payload]
    if isinstance(notice, Committed):
        return [_encode(msgspec.structs.replace(notice, messages=[]))]
    if isinstance(notice, (RoomsChanged, GuestsLeft)) and len(notice.people) > 1:
        half = len(notice.people) // 2
        first, second = (
            msgspec.structs.replace(notice, people=people)
            for people in (notice.people[:half], notice.people[half:])
        )
        return encode(first, limit) + encode(second, limit)
    return [payload]


def decode(payload: bytes) -> Notice:
    """Raises msgspec.DecodeError for what is no notice of this version."""
    notice: Notice = _decode(payload)
    return notice
