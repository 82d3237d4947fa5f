"""`/api/rooms`: the list of rooms, a new room, typing, reading and presence for those who poll."""

from flask import Blueprint, Response
from msgspec import Struct

from chatapp import access, administration, auth, listing, reads
from chatapp.errors import SignIn
from chatapp.globals import get_hub, get_identity
from chatapp.message import Author
from chatapp.permissions import check
from chatapp.transports import json_api

bp = Blueprint("rooms_api", __name__)


class NewRoom(Struct, frozen=True):
    name: object = None
    topic: object = ""


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
    room_id = administration.make_room(get_hub(), get_identity(), new.name, new.topic)
    room = get_hub().room(room_id)
    fields = {"id": room.id, "name": room.name, "topic": room.topic, "cursor": room.last, "epoch": room.epoch}
    return json_api.answer({**fields, "unread": 0, "here": 0, "closed": False}, 201)


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
