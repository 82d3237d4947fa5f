"""The frames that a server of chatapp.v1 sends, as types: of these the socket's description is made.

What is sent is written by frames.py, presence.py and message.py, which encode it once for many.
"""

from msgspec import UNSET, Struct, UnsetType

from chatapp.message import Author, Message


class Joined(Struct, frozen=True, tag_field="type", tag="joined"):
    """`cursor`: where the room is, not what the client has."""

    room: int
    cursor: int
    epoch: str
    name: str


class Reset(Struct, frozen=True, tag_field="type", tag="reset"):
    """Discard what you show of the room; its newest messages follow."""

    room: int
    cursor: int
    epoch: str
    name: str


class Left(Struct, frozen=True, tag_field="type", tag="left"):
    """After it nothing of that room comes."""

    room: int


class Ack(Struct, frozen=True, tag_field="type", tag="ack"):
    """What you sent is durably kept, under `seq`."""

    room: int
    client_id: str | None
    seq: int
    at: str


class TypingNow(Struct, frozen=True, tag_field="type", tag="typing"):
    """Somebody is writing."""

    room: int
    who: Author


class ReadUpTo(Struct, frozen=True, tag_field="type", tag="read"):
    """You have read the room up to `seq` elsewhere. `unread`: what follows is to be unread again."""

    room: int
    seq: int
    unread: bool | UnsetType = UNSET


class Present(Struct, frozen=True, omit_defaults=True):
    """Somebody who is here. `status`: what they say of themselves."""

    id: str
    name: str
    guest: bool = False
    bot: bool = False
    status: str = ""


class Presence(Struct, frozen=True, tag_field="type", tag="presence"):
    """Who is here: `here` at first, then who `joined` and `left`; in rooms of more than 100 `count` only."""

    room: int
    count: int
    here: list[Present] | UnsetType = UNSET
    joined: list[Present] | UnsetType = UNSET
    left: list[Present] | UnsetType = UNSET


class Renamed(Struct, frozen=True, tag_field="type", tag="person"):
    """Somebody has a new name or, where there is a `status`, says something else of themselves."""

    id: str
    name: str
    status: str | UnsetType = UNSET


class Here(Struct, frozen=True, tag_field="type", tag="here"):
    """Somebody with whom you have a conversation came to this server, or left it."""

    id: str
    here: bool


class RoomsChanged(Struct, frozen=True, tag_field="type", tag="rooms"):
    """Your list of rooms has changed: ask `GET /api/rooms`. `room`, `seq`: by this message, which calls you
    or is written to you.
    """

    room: int | UnsetType = UNSET
    seq: int | UnsetType = UNSET


class Pong(Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to a ping."""


class Error(Struct, frozen=True, tag_field="type", tag="error"):
    """A frame was refused. `re`: its type; `room` and `client_id` as they stood in it."""

    code: str
    message: str
    re: str | None
    room: int | str | UnsetType = UNSET
    client_id: int | str | UnsetType = UNSET
    retry_after: float | UnsetType = UNSET


ServerFrame = (
    Joined
    | Reset
    | Left
    | Ack
    | TypingNow
    | ReadUpTo
    | Presence
    | Renamed
    | Here
    | RoomsChanged
    | Pong
    | Error
    | Message
)
SERVER_FRAMES: tuple[type[Struct], ...] = ServerFrame.__args__
