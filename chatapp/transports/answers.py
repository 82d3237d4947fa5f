"""What the HTTP doors answer, as types: of these the API's description is made (pages/operations.py)."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from chatapp.journal.people_requests import AccountRole, InvitationLine
from chatapp.journal.requests import AuditLine, Level, Member, ReportLine, Sanction
from chatapp.journal.token_requests import HookLine, TokenLine
from chatapp.message import Message
from chatapp.permissions import Posting, RoomKind, RoomRole
from chatapp.transports.frames_v1 import Present


class Problem(Struct, frozen=True):
    """A refusal (RFC 9457). `code` is stable; `detail` is a sentence for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str


class Batch(Struct, frozen=True):
    """Messages, oldest first. `reset`: they are all that there is; discard what you show of the room.

    `names`: what those of their authors are called now, by id, who had another name before.
    """

    messages: list[Message]
    cursor: int
    epoch: str
    names: dict[str, str] | UnsetType = UNSET
    reset: bool | UnsetType = UNSET


class Other(Struct, frozen=True):
    """Who else is in a direct conversation. `here`: is on this server, in whichever room."""

    id: str
    name: str
    here: bool


class Found(Struct, frozen=True):
    """Messages that were found, the newest first. `cursor`: what to send as `before` for the older ones;
    null: there are none. `building`: the index is being made, older messages may be missing.
    """

    messages: list[Message]
    cursor: int | None
    names: dict[str, str] | UnsetType = UNSET
    building: bool | UnsetType = UNSET


class Room(Struct, frozen=True):
    """A room as the asker sees it. `cursor`: its newest number; `role`: the asker's part in it.

    `unread`: texts of others, not deleted, that the asker has not read; `mentions`: those that call them; at
    most 100 of each. `notify`: of what the asker's browsers tell them while they do something else.
    `reports`: how many wait there for who moderates it; 0 for everybody else.
    """

    id: int
    name: str
    topic: str
    cursor: int
    epoch: str
    unread: int
    mentions: int
    here: int
    closed: bool
    kind: RoomKind
    role: RoomRole | None
    muted: bool
    notify: Level
    posting: Posting
    guests: bool
    slow_seconds: int
    keep_days: int | None
    keep_messages: int | None
    party: list[Other]
    reports: int


class Rooms(Struct, frozen=True):
    """`reports`: how many wait for the asker; for administrators also those of rooms that they are not in."""

    rooms: list[Room]
    reports: int


class Presence(Struct, frozen=True):
    """Who is here: how many, and the first hundred of them."""

    type: Literal["presence"]
    room: int
    count: int
    here: list[Present]


class Members(Struct, frozen=True):
    members: list[Member]


class Removed(Struct, frozen=True):
    """Ids of those who were sent out."""

    removed: list[str]


class Sanctions(Struct, frozen=True):
    sanctions: list[Sanction]


class Bans(Struct, frozen=True):
    bans: list[Sanction]


class Audit(Struct, frozen=True):
    entries: list[AuditLine]


class Reports(Struct, frozen=True):
    reports: list[ReportLine]


class Me(Struct, frozen=True):
    """`status`: of people with an account."""

    id: str
    name: str
    role: Literal["guest", "member", "administrator"]
    status: str | UnsetType = UNSET


class Person(Struct, frozen=True):
    """Somebody with an account. `bot` and `disabled` are left out where it is not so."""

    id: str
    name: str
    role: AccountRole
    status: str
    bot: bool | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class People(Struct, frozen=True):
    people: list[Person]


class Ended(Struct, frozen=True):
    """How many sessions were ended."""

    ended: int


class Invitations(Struct, frozen=True):
    invitations: list[InvitationLine]


class Invitation(Struct, frozen=True):
    """A new one. `link` is never shown again."""

    link: str
    uses: int
    days: int


class Tokens(Struct, frozen=True):
    tokens: list[TokenLine]


class Hooks(Struct, frozen=True):
    hooks: list[HookLine]


class Hook(Struct, frozen=True):
    """A new one. `url` is never shown again."""

    id: int
    name: str
    url: str


class Tutorial(Struct, frozen=True):
    """An answer of the tutorial's protocol. `timestamp`: seconds since 1970."""

    status: int
    timestamp: float
    data: str
