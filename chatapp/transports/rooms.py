"""`/api/rooms`: the rooms, a new one, its settings; and for those who poll typing, reading and presence."""

from typing import Any

from flask import Blueprint, Response
from msgspec import UNSET, Struct, UnsetType

from chatapp import access, administration, auth, listing, reads
from chatapp.deeds import permitted
from chatapp.errors import SignIn
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
    seq: int


@bp.get("/api/rooms")
def index() -> Response:
    """The rooms that the asker may see."""
    check(get_identity(), "read")
    return json_api.answer({"rooms": [room.plain for room in listing.rooms(get_hub(), get_identity())]})


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
    """Change what the room is; the room as it is now."""
    auth.guard_write()
    hub, identity, wanted = get_hub(), get_identity(), json_api.body(Settings)
    state = permitted(hub, identity, room_id, "manage").state
    if wanted.name is not UNSET:
        administration.rename(hub, identity, room_id, wanted.name)
    if wanted.topic is not UNSET:
        administration.set_topic(hub, identity, room_id, wanted.topic)
    if wanted.posting is not UNSET:
        administration.set_posting(hub, identity, room_id, wanted.posting)
    if not isinstance(wanted.guests, UnsetType):
        administration.set_guests(hub, identity, room_id, wanted.guests)
    if not isinstance(wanted.slow_seconds, UnsetType):
        administration.set_pace(hub, identity, room_id, wanted.slow_seconds)
    if wanted.keep_days is not UNSET or wanted.keep_messages is not UNSET:
        days = state.keep_days if isinstance(wanted.keep_days, UnsetType) else wanted.keep_days
        keep = state.keep_messages if isinstance(wanted.keep_messages, UnsetType) else wanted.keep_messages
        administration.set_retention(hub, identity, room_id, days, keep)
    if wanted.kind is not UNSET:
        administration.set_kind(hub, identity, room_id, wanted.kind)
    if not isinstance(wanted.closed, UnsetType):
        (administration.close if wanted.closed else administration.reopen)(hub, identity, room_id)
    return json_api.answer(listing.one(hub, identity, room_id).plain)


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
    """Remember how far the asker has read; 204."""
    auth.guard_write()
    hub, identity = get_hub(), get_identity()
    if not identity.known:
        raise SignIn()
    seq = json_api.body(ReadUpTo).seq
    access.enter(hub, identity, room_id)
    if hub.limiter.reading(room_id, identity):
        reads.mark(hub, identity, room_id, seq)
    return Response(status=204)


@bp.get("/api/rooms/<room_id:room_id>/presence")
def presence(room_id: int) -> Response:
    """Who is here, as the frame says it."""
    room = access.enter(get_hub(), get_identity(), room_id)
    return json_api.answer(get_hub().presence.frame(room.id))
