"""`/api/rooms/<id>/members` and its neighbours: who is in a room, joining, leaving, muting, notifications."""

from typing import Any

from flask import Blueprint, Response, request
from msgspec import Struct

from chatapp import auth, listing, membership
from chatapp.globals import get_hub, get_identity
from chatapp.journal.requests import Level
from chatapp.message import Message
from chatapp.transports import json_api

bp = Blueprint("members", __name__)


class Part(Struct, frozen=True):
    """`role`: without one somebody is taken in, and who is in stays what they are."""

    role: Any = None


class Muting(Struct, frozen=True):
    muted: bool


class Notifying(Struct, frozen=True):
    """`level`: of all that is said, of what calls the asker (and all of a conversation), or of nothing."""

    level: Level


class Party(Struct, frozen=True):
    """`people`: the ids of the others."""

    people: list[str]


@bp.post("/api/direct")
def begin_conversation() -> Response:
    """The direct room of the asker and others, made where there is none."""
    auth.guard_write()
    hub, identity = get_hub(), get_identity()
    room_id = membership.begin_conversation(hub, identity, json_api.body(Party).people)
    return json_api.answer(listing.one(hub, identity, room_id).plain)


@bp.get("/api/rooms/<room_id:room_id>/members")
def index(room_id: int) -> Response:
    """Who is a member, owners first."""
    return json_api.answer({"members": membership.members(get_hub(), get_identity(), room_id)})


@bp.put("/api/rooms/<room_id:room_id>/members/<person>")
def put(room_id: int, person: str) -> Response:
    """Take somebody in, or give a member another part; the notice, or 204 where that was so already."""
    auth.guard_write()
    hub, identity, part = get_hub(), get_identity(), json_api.body(Part)
    return _told(membership.take_in(hub, identity, room_id, person, part.role))


@bp.delete("/api/rooms/<room_id:room_id>/members/<person>")
def remove(room_id: int, person: str) -> Response:
    """End somebody's membership; the notice."""
    auth.guard_write()
    why = request.args.get("why", "")
    return _told(membership.remove(get_hub(), get_identity(), room_id, person, why))


@bp.post("/api/rooms/<room_id:room_id>/join")
def join(room_id: int) -> Response:
    """Become a member of a public room; the notice, or 204 for who is one."""
    auth.guard_write()
    return _told(membership.join(get_hub(), get_identity(), room_id))


@bp.post("/api/rooms/<room_id:room_id>/leave")
def leave(room_id: int) -> Response:
    """Be a member no longer; the notice, or 204 for who is none."""
    auth.guard_write()
    return _told(membership.leave(get_hub(), get_identity(), room_id))


@bp.post("/api/rooms/<room_id:room_id>/mute")
def mute(room_id: int) -> Response:
    """Whether the asker wants to hear of a room; 204."""
    auth.guard_write()
    membership.mute(get_hub(), get_identity(), room_id, json_api.body(Muting).muted)
    return Response(status=204)


@bp.post("/api/rooms/<room_id:room_id>/notify")
def notify(room_id: int) -> Response:
    """Of what the asker's browsers tell them while they do something else; 204."""
    auth.guard_write()
    membership.notify(get_hub(), get_identity(), room_id, json_api.body(Notifying).level)
    return Response(status=204)


def _told(notice: Message | None) -> Response:
    return Response(status=204) if notice is None else json_api.raw(notice.json)
