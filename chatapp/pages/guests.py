"""`/guests`: say who you are, under another name, or leave. For forms and for programs."""

from flask import Blueprint, Response, request, url_for
from msgspec import Struct

from chatapp import auth
from chatapp.errors import ChatError
from chatapp.globals import get_hub, get_identity
from chatapp.pages import rooms
from chatapp.pages.beginning import beginning
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import for_people, lead_to, page, said, see_other
from chatapp.transports import json_api

bp = Blueprint("guests", __name__)


class NewGuest(Struct, frozen=True):
    name: object = None
    code: object = None


@bp.get("/guests")
def show() -> Response:
    """A guest's own page. Who is none is led to the form with which one comes in: it is at the rooms."""
    return _page() if get_identity().role == "guest" else lead_to(url_for("rooms.index"))


@bp.post("/guests")
def become_guest() -> Response:
    """201 with the identity for JSON, 303 to `next` for a form; the cookie with both.

    What refuses a form is said above the same form, filled in as it was.
    """
    auth.guard_write()
    if request.mimetype == "application/json":
        new = json_api.body(NewGuest)
        identity = auth.become_guest(new.name, new.code)
        return json_api.answer({"id": identity.id, "name": identity.name}, 201)
    form = auth.checked_form("name", "code", "next")
    former = get_identity()
    if former.role == "guest" and form["name"].strip() == former.name:
        return see_other(auth.local_path(form["next"]))
    try:
        auth.become_guest(form["name"], form["code"])
    except ChatError as refusal:
        if not for_people():
            raise
        if former.role == "guest":
            return _page(refusal, form)
        if former.known:  # who has an account is not shown the form for a name
            raise
        return rooms.index_page(refusal, {**form, "next": auth.local_path(form["next"])})
    if former.role == "guest":
        get_hub().guest_left(former.id)
    wanted = auth.local_path(form["next"])
    return see_other(wanted if wanted != url_for("rooms.index") else beginning(get_identity()))


@bp.post("/guests/leave")
def leave() -> Response:
    """Be nobody in particular again; to the rooms."""
    auth.guard_write()
    auth.leave_as_guest()
    return see_other(url_for("rooms.index"))


def _page(error: ChatError | None = None, form: dict[str, str] | None = None) -> Response:
    hub = get_hub()
    html = render_template(
        "guest.html",
        identity=get_identity(),
        form=form or {},
        error=said(error),
        sign_up=hub.config.sign_up == "open",
        files=hub.config.file_limit and not hub.config.guest_files,
    )
    return page(html, error)
