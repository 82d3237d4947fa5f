"""The verbs on rooms as such: each is one transaction, and each that its readers should know of leaves a
notice.

What is so already is not done again: then there is nothing to tell, and the answer is None.

The doors (pages, API, `flask room`, `flask shell`) call these; `identity` must be allowed to.
"""

from typing import Any

from msgspec import Struct

from chatapp import access, text
from chatapp.deeds import deed, keep, perform, permitted
from chatapp.errors import BadRequest, Forbidden, Term
from chatapp.hub import Hub
from chatapp.journal.requests import (
    Act,
    ChangeRoom,
    Clear,
    Deeds,
    DropRoom,
    MakeRoom,
    Post,
    RenewLog,
    SetMember,
)
from chatapp.message import DAY_SECONDS, Author, Message
from chatapp.permissions import MAKING, SYSTEM, Identity, Posting, RoomKind, check
from chatapp.room import Room

SLOW_LIMIT = DAY_SECONDS
KEEP_LIMIT = 10**9


def make_room(
    hub: Hub, identity: Identity, name: object, topic: object = "", kind: RoomKind = "public"
) -> int:
    """A new room's id; who makes it owns it, if they have an account.

    Raises BadRequest, Forbidden, SignIn, TooFast.
    """
    public, private = MAKING[hub.config.room_makers]
    verb = public if kind == "public" else private
    check(identity, verb)
    if kind not in ("public", "private"):
        raise BadRequest("A room is public or private")
    owner = () if identity.guest or identity.id == SYSTEM.id else ((identity.id, identity.name, "owner"),)
    request = MakeRoom(
        text.room_name(name),
        text.topic(topic),
        kind,
        guests=kind == "public",
        members=owner,  # type: ignore[arg-type]
        by=Author.of(identity),
        act=Act(f"made a {kind} room", text.room_name(name)),
        identity=identity,
        verb=verb,
    )
    if identity.id != SYSTEM.id:
        hub.limiter.room(identity.address)
    room: int = hub.journal.ask(request)
    return room


def enter_private(hub: Hub, identity: Identity, room_id: int, why: str = "") -> Message | None:
    """Become a member of a private room without being taken in, as an administrator: its members are told,
    and the audit log shows it. None for who is a member already.
    """
    check(identity, "administer")
    room, _ = access.oversee(hub, identity, room_id)
    if room.rights.kind == "direct":
        raise Forbidden("A conversation is for those who are in it")
    if identity.id in room.rights.members:
        return None
    if room.rights.kind == "public":
        raise BadRequest("That room is public: join it as everybody does")
    said = "came in as an administrator of this server"
    effect = SetMember(identity.id, identity.name, "member")
    detail = {"member": {"id": identity.id, "name": identity.name, "role": "member"}}
    act = Act(said, identity.id, text.reason(why))
    notice = keep(hub, identity, room, "administer", said, detail, effect, act=act)
    hub.rooms_changed(identity.id)
    return notice


class Change(Struct, frozen=True):
    """A change of a room that is known to be one: `said` in its notice, `columns` as they are then."""

    said: str
    columns: dict[str, Any]


def change(hub: Hub, identity: Identity, room_id: int, *changes: Change) -> None:
    """Make several in one transaction, each with its own notice; where one of them cannot be, or they are too
    many for the rate of messages, none is made.
    """
    room = permitted(hub, identity, room_id, "manage")
    posts = [post for each in changes if (post := _deed(identity, room, each)) is not None]
    for _ in posts:
        hub.limiter.message(identity)
    if posts:
        hub.journal.ask(Deeds(room.id, tuple(posts), identity, "manage", room.rights.number))


def rename(hub: Hub, identity: Identity, room: int, name: object) -> Message | None:
    """Give the room another name."""
    return _change(hub, identity, room, naming(name))


def naming(name: object) -> Change:
    name = text.room_name(name)
    return Change(f"named this room {name}", {"name": name})


def set_topic(hub: Hub, identity: Identity, room: int, topic: object) -> Message | None:
    """Give the room another topic, or none."""
    return _change(hub, identity, room, topic_of(topic))


def topic_of(topic: object) -> Change:
    topic = text.topic(topic)
    return Change(f"set the topic: {topic}" if topic else "removed the topic", {"topic": topic})


def close(hub: Hub, identity: Identity, room: int) -> Message | None:
    """Make the room read-only: it is archived."""
    return _change(hub, identity, room, closing(True))


def reopen(hub: Hub, identity: Identity, room: int) -> Message | None:
    """Let people write again."""
    return _change(hub, identity, room, closing(False))


def closing(closed: bool) -> Change:
    return Change("closed this room" if closed else "opened this room", {"closed": bool(closed)})


def set_kind(hub: Hub, identity: Identity, room: int, kind: RoomKind) -> Message | None:
    """Make the room public or private; who is no member of a private one is out at once.

    A conversation stays what it is: BadRequest.
    """
    return _change(hub, identity, room, kind_of(kind))


def kind_of(kind: RoomKind) -> Change:
    if kind not in ("public", "private"):
        raise BadRequest("A room is public or private")
    return Change(f"made this room {kind}", {"kind": kind})


def set_posting(hub: Hub, identity: Identity, room: int, posting: Posting) -> Message | None:
    """Decide who may write."""
    return _change(hub, identity, room, posting_of(posting))


def posting_of(posting: Posting) -> Change:
    if posting not in ("everyone", "members", "moderators"):
        raise BadRequest("Who may write: everyone, members or moderators")
    return Change(f"let {posting} write here", {"posting": posting})


def set_guests(hub: Hub, identity: Identity, room: int, guests: bool) -> Message | None:
    """Decide whether guests may come in."""
    return _change(hub, identity, room, guests_let_in(guests))


def guests_let_in(guests: bool) -> Change:
    return Change("let guests in" if guests else "closed this room to guests", {"guests": bool(guests)})


def set_pace(hub: Hub, identity: Identity, room: int, seconds: int) -> Message | None:
    """Slow mode: `seconds` between two messages of one person; 0 ends it."""
    return _change(hub, identity, room, pace_of(seconds))


def pace_of(seconds: int) -> Change:
    text.check_between(seconds, 0, SLOW_LIMIT, Term("The pause between two messages, in seconds"))
    said = f"set a pause of {seconds} s between messages" if seconds else "ended the pause between messages"
    return Change(said, {"slow_seconds": seconds})


def set_retention(
    hub: Hub, identity: Identity, room: int, days: int | None, messages: int | None
) -> Message | None:
    """Keep messages for `days`, and at most so many `messages`; None: without end."""
    return _change(hub, identity, room, keeping(days, messages))


def keeping(days: int | None, messages: int | None) -> Change:
    for value, what in ((days, Term("Days")), (messages, Term("Messages"))):
        if value is not None:
            text.check_between(value, 1, KEEP_LIMIT, what)
    parts = [f"{days} days" if days else "", f"{messages} messages" if messages else ""]
    kept = " and at most ".join(filter(None, parts))
    said = f"keeps {kept} of this room" if kept else "keeps all messages of this room"
    return Change(said, {"keep_days": days, "keep_messages": messages})


def clear(hub: Hub, identity: Identity, room_id: int) -> None:
    """Remove all messages for good. Every reader is reset; numbers go on. Raises TooFast."""
    room = permitted(hub, identity, room_id, "manage")
    hub.limiter.message(identity)
    act = Act("cleared the room", room.name)
    hub.journal.ask(Clear(room.id, Author.of(identity), act, identity, room.rights.number))


def renew_log(hub: Hub, room_id: int) -> None:
    """Have every reader start over: the database may lack what they have seen. From a terminal only."""
    room = permitted(hub, SYSTEM, room_id, "manage")
    act = Act("had everybody read the room anew", room.name)
    hub.journal.ask(RenewLog(room.id, Author.of(SYSTEM), act))


def drop(hub: Hub, identity: Identity, room_id: int) -> None:
    """Remove the room and its messages for good. Its number is never given again."""
    room = permitted(hub, identity, room_id, "manage")
    act = Act("deleted the room", room.name)
    hub.journal.ask(DropRoom(room.id, Author.of(identity), act, identity, room.rights.number))


def _change(hub: Hub, identity: Identity, room_id: int, change: Change) -> Message | None:
    post = _deed(identity, permitted(hub, identity, room_id, "manage"), change)
    return None if post is None else perform(hub, post)


def _deed(identity: Identity, room: Room, change: Change) -> Post | None:
    """None where it is so already. Raises BadRequest where it cannot be."""
    _check_kind(room, change)
    said, columns, state = change.said, change.columns, room.state
    # Two who make the same change at once are both told of: that is true, and harmless.
    if all(getattr(state, column) == value for column, value in columns.items()):
        return None
    return deed(identity, room, "manage", said, columns, ChangeRoom(columns), act=Act(said))


def _check_kind(room: Room, change: Change) -> None:
    if "kind" in change.columns and room.rights.kind == "direct":
        raise BadRequest("A conversation stays with the people who are in it")
