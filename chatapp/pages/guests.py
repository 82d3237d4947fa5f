"""`/guests`: say who you are. For forms and for programs."""

from flask import Blueprint, Response, request, url_for
from msgspec import Struct

from chatapp import auth
from chatapp.errors import ChatError
from chatapp.globals import get_identity
from chatapp.pages import rooms
from chatapp.pages.responses import for_people, lead_to, see_other
from chatapp.transports import json_api

bp = Blueprint("guests", __name__)


class NewGuest(Struct, frozen=True):
    name: object = None
    code: object = None


@bp.get("/guests")
def show_form() -> Response:
    """The address on which a refused form is shown again; loaded by itself it leads back to the form."""
    return lead_to(url_for("rooms.index"))


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
    try:
        auth.become_guest(form["name"], form["code"])
    except ChatError as refusal:
        if get_identity().known or not for_people():  # who has a name is not shown the form for one
            raise
        return rooms.index_page(refusal, {**form, "next": auth.local_path(form["next"])})
    return see_other(auth.local_path(form["next"]))
