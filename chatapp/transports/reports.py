"""`/api/…/report`, `/reports` and `/api/audit`: messages brought before moderators, and who did what."""

from flask import Blueprint, Response, request
from msgspec import Struct

from chatapp import auditing, auth, cursor, reports
from chatapp.globals import get_hub, get_identity
from chatapp.journal.requests import Outcome
from chatapp.transports import json_api

bp = Blueprint("reports_api", __name__)


class NewReport(Struct, frozen=True):
    why: str = ""


class Settlement(Struct, frozen=True):
    """`seconds`: of a time-out or a ban; 0 until it is lifted."""

    outcome: Outcome
    seconds: int = 0
    why: str = ""


@bp.post("/api/rooms/<room_id:room_id>/messages/<int:seq>/report")
def report(room_id: int, seq: int) -> Response:
    """Bring a message before the moderators; 204, also where the asker has done so before."""
    auth.guard_write()
    reports.report(get_hub(), get_identity(), room_id, seq, json_api.body(NewReport).why)
    return Response(status=204)


@bp.get("/api/rooms/<room_id:room_id>/reports")
def of_room(room_id: int) -> Response:
    """What waits in a room, the oldest first. For who moderates it."""
    return json_api.answer({"reports": reports.of_room(get_hub(), get_identity(), room_id)})


@bp.post("/api/rooms/<room_id:room_id>/reports/<int:number>")
def settle(room_id: int, number: int) -> Response:
    """Settle a report, and do what its outcome says; 204."""
    auth.guard_write()
    hub, identity, wanted = get_hub(), get_identity(), json_api.body(Settlement)
    reports.settle(hub, identity, room_id, number, wanted.outcome, wanted.seconds, wanted.why)
    return Response(status=204)


@bp.get("/api/reports")
def everywhere() -> Response:
    """What waits in all rooms, the oldest first. For administrators."""
    return json_api.answer({"reports": reports.everywhere(get_hub(), get_identity())})


@bp.get("/api/audit")
def audit() -> Response:
    """Who did what on this server, the newest first. For administrators."""
    numbers = {
        name: cursor.number(request.args[name], name)
        for name in ("room", "before", "limit")
        if name in request.args
    }
    about = request.args.get("about", "")
    entries = auditing.entries(
        get_hub(),
        get_identity(),
        about=about,
        room=numbers.get("room"),
        before=numbers.get("before"),
        limit=numbers.get("limit", auditing.PAGE),
    )
    return json_api.answer({"entries": entries})
