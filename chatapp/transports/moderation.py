"""`/api/rooms/<id>/kick`, `/sanctions` and `/audit`: what moderators do."""

from typing import Literal

from flask import Blueprint, Response
from msgspec import Struct

from chatapp import auth, moderation
from chatapp.globals import get_hub, get_identity
from chatapp.transports import json_api

bp = Blueprint("moderation", __name__)


class Kick(Struct, frozen=True):
    """`name`: of everybody who is to go out."""

    name: str
    why: str = ""


class NewSanction(Struct, frozen=True):
    """`seconds`: 0 until it is lifted. `network`: of all guests who come from there, as 192.0.2.0/24."""

    kind: Literal["ban", "timeout"]
    person: str
    seconds: int = 0
    why: str = ""
    network: str = ""


@bp.post("/api/rooms/<room_id:room_id>/kick")
def kick(room_id: int) -> Response:
    """Send people out; they may come back. Their ids."""
    auth.guard_write()
    wanted = json_api.body(Kick)
    people = moderation.kick(get_hub(), get_identity(), room_id, wanted.name, wanted.why)
    return json_api.answer({"removed": people})


@bp.get("/api/rooms/<room_id:room_id>/sanctions")
def index(room_id: int) -> Response:
    """The time-outs and bans in force, the newest first."""
    return json_api.answer({"sanctions": moderation.sanctions(get_hub(), get_identity(), room_id)})


@bp.post("/api/rooms/<room_id:room_id>/sanctions")
def impose(room_id: int) -> Response:
    """Time somebody out, or ban them; 201 with the notice."""
    auth.guard_write()
    hub, identity, wanted = get_hub(), get_identity(), json_api.body(NewSanction)
    if wanted.kind == "timeout":
        notice = moderation.time_out(hub, identity, room_id, wanted.person, wanted.seconds, wanted.why)
    else:
        notice = moderation.ban(
            hub, identity, room_id, wanted.person, wanted.seconds, wanted.why, wanted.network
        )
    return json_api.raw(notice.json, 201)


@bp.delete("/api/rooms/<room_id:room_id>/sanctions/<int:sanction>")
def lift(room_id: int, sanction: int) -> Response:
    """Take one back; the notice."""
    auth.guard_write()
    return json_api.raw(moderation.lift(get_hub(), get_identity(), room_id, sanction).json)


@bp.get("/api/rooms/<room_id:room_id>/audit")
def audit(room_id: int) -> Response:
    """Who did what here, the newest first."""
    return json_api.answer({"entries": moderation.audit(get_hub(), get_identity(), room_id)})
