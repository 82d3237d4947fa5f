"""What can be asked of the journal, and what it answers. Plain values."""

from typing import Any, Literal

from msgspec import Struct

from chatapp.message import Author, Message

REMOVALS_KEPT = 100  # of a room; every process has looked at them within a second

Kind = Literal["text", "edit", "delete", "reaction", "notice"]


class RoomState(Struct, frozen=True):
    """A room as the database has it. `first_seq`: the oldest number that may still be there. `removals`: who
    was removed lately (author ids), and the number of the notice that says so.
    """

    id: int
    name: str
    topic: str
    epoch: str
    first_seq: int
    last_seq: int
    revision: int
    closed: bool
    removals: dict[str, int] = {}


class Post(Struct, frozen=True):
    """Keep a message. `change`: columns of the room set in the same transaction.

    `detail` with `removed`, an author's id: from this message on that person has no part in the room.
    `any_author`: the author may change other people's messages. `forced`: also in a closed room.
    """

    room: int
    author: Author
    body: str = ""
    kind: Kind = "text"
    of: int | None = None
    client_id: str | None = None
    remove: bool = False
    detail: dict[str, Any] | None = None
    change: dict[str, Any] | None = None
    any_author: bool = False
    forced: bool = False


class Clear(Struct, frozen=True):
    """Remove all messages of a room; numbers go on, under a new epoch."""

    room: int


class MakeRoom(Struct, frozen=True):
    name: str
    topic: str = ""


class DropRoom(Struct, frozen=True):
    """Remove a room and its messages for good."""

    room: int


class MarkRead(Struct, frozen=True):
    """Remember how far a person has read; never turns back."""

    room: int
    person: str
    seq: int


Request = Post | Clear | MakeRoom | DropRoom | MarkRead


class Kept(Struct, frozen=True):
    """The answer to a Post. `new` is False where its client_id was known: then it is the first one's."""

    message: Message
    new: bool


class Commit(Struct, frozen=True):
    """What one transaction did to one room. `changed`: more than that messages were added."""

    room: int
    revision: int
    messages: list[Message]
    changed: bool = False
