"""Reporting a message, and what moderators make of it, by forms that work without JavaScript."""

from flask import Blueprint, Response, url_for

from chatapp import access, auth, reports
from chatapp.errors import BadRequest, ChatError, Term
from chatapp.globals import get_hub, get_identity
from chatapp.journal import reading
from chatapp.journal.requests import Outcome
from chatapp.localized import gettext
from chatapp.message import Message
from chatapp.pages.message import durations
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import done, page, said, see_other
from chatapp.pages.rooms import plain

bp = Blueprint("reports", __name__)

# What the buttons say; what they do is the outcome.
OUTCOMES: dict[Outcome, str] = {
    "dismissed": Term("Dismiss"),
    "deleted": Term("Delete the message"),
    "timed out": Term("Time out"),
    "banned": Term("Ban"),
}
SETTLED: dict[Outcome, str] = {
    "dismissed": Term("Settled: the message stays."),
    "deleted": Term("Settled: the message is deleted."),
    "timed out": Term("Settled: its author may only read in that room."),
    "banned": Term("Settled: its author is banned from that room."),
}


@bp.get("/chats/<room_id:room_id>/report/<int:seq>")
def report_form(room_id: int, seq: int) -> Response:
    """The message, and a form that says why it is reported."""
    return _form(room_id, seq)


@bp.post("/chats/<room_id:room_id>/report/<int:seq>")
def report(room_id: int, seq: int) -> Response:
    """Report it, and say so."""
    auth.guard_write()
    form = auth.checked_form("why")
    try:
        reports.report(get_hub(), get_identity(), room_id, seq, form["why"])
    except BadRequest as error:
        return _form(room_id, seq, error, form)
    return see_other(url_for("reports.reported", room_id=room_id))


@bp.get("/chats/<room_id:room_id>/report/thanks")
def reported(room_id: int) -> Response:
    """It waits for the moderators now."""
    room = access.enter(get_hub(), get_identity(), room_id)
    return Response(render_template("reports/reported.html", room=room))


@bp.get("/chats/<room_id:room_id>/reports/")
def waiting(room_id: int) -> Response:
    """What waits in a room, for who moderates it."""
    return _queue(room_id)


@bp.post("/chats/<room_id:room_id>/reports/<int:number>")
def settle(room_id: int, number: int) -> Response:
    """Settle one, and do what its outcome says."""
    auth.guard_write()
    form = auth.checked_form("outcome", "minutes", "why")
    try:
        what = settled(room_id, number, form)
    except BadRequest as error:
        return _queue(room_id, error)
    return done(url_for("reports.waiting", room_id=room_id), what)


def settled(room_id: int, number: int, form: dict[str, str]) -> str:
    """Do what a form of the queue says: `outcome`, `minutes` (0: until it is lifted), `why`; what is said of
    that then.
    """
    minutes = form["minutes"].strip() or "0"
    if not (minutes.isascii() and minutes.isdigit() and len(minutes) < 10):
        raise BadRequest("Minutes are a whole number, 0 for good")
    outcome: Outcome = form["outcome"]  # type: ignore[assignment]  # settle looks at it
    reports.settle(get_hub(), get_identity(), room_id, number, outcome, 60 * int(minutes), form["why"])
    return gettext(SETTLED[outcome])


def _queue(room_id: int, error: ChatError | None = None) -> Response:
    found = reports.of_room(get_hub(), get_identity(), room_id)
    html = render_template(
        "reports/waiting.html",
        room_id=room_id,
        name=found[0].room_name if found else None,
        reports=found,
        outcomes=OUTCOMES,
        durations=durations(),
        error=said(error),
    )
    return page(html, error)


def _form(
    room_id: int, seq: int, error: ChatError | None = None, form: dict[str, str] | None = None
) -> Response:
    hub, identity = get_hub(), get_identity()
    room = access.enter(hub, identity, room_id, "report")
    found: list[Message] = []
    if 0 < seq < 2**62:
        found = access.read(hub, identity, room, reading.before, seq + 1, 1)
    if not found or found[0].seq != seq or not found[0].readable or found[0].author.id == identity.id:
        error = error or BadRequest(
            "There is no text #%(seq)s of somebody else in this room (any more)", seq=str(seq)
        )
        found = []
    html = render_template(
        "reports/report.html",
        room=room,
        message=plain(found[0].marked) if found else None,
        error=said(error),
        form=form or {},
    )
    return page(html, error)
