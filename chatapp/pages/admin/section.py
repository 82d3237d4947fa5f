"""What the sections of `/admin/` share: who comes in, what a page and the answer to a form look like.

For everybody but administrators who are signed in there is nothing here: any address below `/admin/`
answers like a page that there is not. A token opens none of it; programs have the API.
"""

from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, abort, request, url_for

from chatapp.errors import ChatError, Term
from chatapp.globals import get_hub, get_identity
from chatapp.journal import overseeing
from chatapp.journal.overseeing import RoomName
from chatapp.pages import responses
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import lead_to, only_looks, said
from chatapp.permissions import may

bp = Blueprint("admin", __name__, url_prefix="/admin")

# Of so many rooms a form has names to choose from; of more it takes a number.
FEW_ROOMS = 100

# The endpoints of the sections, in the order in which they are shown.
SECTIONS = {
    "overview": Term("Overview"),
    "people": Term("People"),
    "rooms": Term("Rooms"),
    "invitations": Term("Invitations"),
    "bans": Term("Bans"),
    "tokens": Term("Tokens"),
    "reports": Term("Reports"),
    "audit": Term("Audit log"),
    "settings": Term("Settings"),
}


@bp.before_app_request
def hide() -> Response | None:
    """Before any page: also where an address is not quite right, or does not take the method, it is not
    there. Who sees it is led to a page that they have written with a slash behind it.
    """
    path = request.path.lstrip("/")  # of several slashes Werkzeug makes one, by a redirect that would tell
    if path != "admin" and not path.startswith("admin/"):
        return None
    identity = get_identity()
    if not identity.session or not may(identity, "administer"):
        abort(404)
    if not only_looks() or path.count("/") == 1 or not path.endswith("/"):
        return None
    asked = request.query_string.decode(errors="replace")
    return lead_to(f"{request.script_root}/{quote(path.rstrip('/'))}" + (f"?{asked}" if asked else ""))


def room_names() -> list[RoomName]:
    """All rooms, as they are called before who asks for the page."""
    return get_hub().journal.read(overseeing.room_names, get_identity().id)


def page(section: str, template: str = "", error: ChatError | None = None, **values: Any) -> Response:
    """The page of a section; `error`: what refused its form, which is said above it."""
    html = render_template(
        f"admin/{template or section}.html",
        section=section,
        sections=SECTIONS,
        error=said(error),
        few_rooms=FEW_ROOMS,
        **values,
    )
    return responses.page(html, error)


def back_to(section: str, what: str, **values: Any) -> Response:
    """A form has done what it should: `what`, in the reader's language."""
    return responses.done(url_for(f"admin.{section}", **values), what)
