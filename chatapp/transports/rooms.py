"""`/api/rooms`: the rooms, a new one, its settings; and for those who poll typing, reading and presence."""

from typing import Any

from flask import Blueprint, Response
from msgspec import UNSET, Struct, UnsetType

from chatapp import access, administration, auth, listing, reads
from chatapp.deeds import permitted
from chatapp.errors import NoSuchRoom, SignIn
from chatapp.globals import get_hub, get_identity
from chatapp.message import Author
from chatapp.permissions import check
from chatapp.transports import json_api

bp = Blueprint("rooms_api", __name__)


class NewRoom(Struct, frozen=True):
    name: object = None
    topic: object = ""
    kind: Any = "public"


class Settings(Struct, frozen=True):
    """What a request wants to have changed; what is not in it stays."""

    name: object = UNSET
    topic: object = UNSET
    kind: Any = UNSET
    posting: Any = UNSET
    guests: bool | UnsetType = UNSET
    slow_seconds: int | UnsetType = UNSET
    keep_days: int | UnsetType | None = UNSET
    keep_messages: int | UnsetType | None = UNSET
    closed: bool | UnsetType = UNSET


class ReadUpTo(Struct, frozen=True):
    """`unread`: what follows `seq` is to be unread again."""

    seq: int
    unread: bool = False


@bp.get("/api/rooms")
def index() -> Response:
    """The rooms that the asker may see."""
    check(get_identity(), "read")
    hub, identity = get_hub(), get_identity()
    found = listing.rooms(hub, identity)
    waiting = listing.reports(hub, identity, found)
    return json_api.answer({"rooms": [room.plain for room in found], "reports": waiting})


@bp.post("/api/rooms")
def make() -> Response:
    """Make a room; 201 with it."""
    auth.guard_write()
    get_hub().check_open()
    new = json_api.body(NewRoom)
    room_id = administration.make_room(get_hub(), get_identity(), new.name, new.topic, new.kind)
    return json_api.answer(listing.one(get_hub(), get_identity(), room_id).plain, 201)


@bp.patch("/api/rooms/<room_id:room_id>")
def change(room_id: int) -> Response:
    """Change what the room is, if all that is asked for can be; the room as it is now, 204 where it is
    private now and the asker no member.
    """
    auth.guard_write()
    hub, identity, wanted = get_hub(), get_identity(), json_api.body(Settings)
    state = permitted(hub, identity, room_id, "manage").state
    changes: list[administration.Change] = []
    if wanted.name is not UNSET:
        changes.append(administration.naming(wanted.name))
    if wanted.topic is not UNSET:
        changes.append(administration.topic_of(wanted.topic))
    if wanted.posting is not UNSET:
        changes.append(administration.posting_of(wanted.posting))
    if not isinstance(wanted.guests, UnsetType):
        changes.append(administration.guests_let_in(wanted.guests))
    if not isinstance(wanted.slow_seconds, UnsetType):
        changes.append(administration.pace_of(wanted.slow_seconds))
    if wanted.keep_days is not UNSET or wanted.keep_messages is not UNSET:
        days = state.keep_days if isinstance(wanted.keep_days, UnsetType) else wanted.keep_days
        keep = state.keep_messages if isinstance(wanted.keep_messages, UnsetType) else wanted.keep_messages
        changes.append(administration.keeping(days, keep))
    if wanted.kind is not UNSET:
        changes.append(administration.kind_of(wanted.kind))
    if not isinstance(wanted.closed, UnsetType):
        changes.append(administration.closing(wanted.closed))
    administration.change(hub, identity, room_id, *changes)
    try:
        return json_api.answer(listing.one(hub, identity, room_id).plain)
    except NoSuchRoom:
        return Response(status=204)


@bp.delete("/api/rooms/<room_id:room_id>")
def drop(room_id: int) -> Response:
    """Remove the room and its messages for good; 204."""
    auth.guard_write()
    administration.drop(get_hub(), get_identity(), room_id)
    return Response(status=204)


@bp.post("/api/rooms/<room_id:room_id>/clear")
def clear(room_id: int) -> Response:
    """Remove all messages for good; 204."""
    auth.guard_write()
    administration.clear(get_hub(), get_identity(), room_id)
    return Response(status=204)


@bp.post("/api/rooms/<room_id:room_id>/typing")
def typing(room_id: int) -> Response:
    """Tell the others that the asker is writing; 204."""
    auth.guard_write()
    room = access.enter(get_hub(), get_identity(), room_id, "post")
    if get_hub().limiter.typing(room_id, get_identity()):
        get_hub().typing(room, Author.of(get_identity()))
    return Response(status=204)


@bp.post("/api/rooms/<room_id:room_id>/read")
def read(room_id: int) -> Response:
    """Remember how far the asker has read, or wants to have; 204."""
    auth.guard_write()
    hub, identity = get_hub(), get_identity()
    if not identity.known:
        raise SignIn()
    position = json_api.body(ReadUpTo)
    reads.mark(hub, identity, room_id, position.seq, back=position.unread)
    return Response(status=204)


@bp.get("/api/rooms/<room_id:room_id>/presence")
def presence(room_id: int) -> Response:
    """Who is here, as the frame says it."""
    room = access.enter(get_hub(), get_identity(), room_id)
    return json_api.answer(get_hub().presence.frame(room.id))
