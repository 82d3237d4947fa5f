"""`/account/leave`: have one's own account erased. Who is signed in says once more who they are for it."""

from flask import Blueprint, Response, url_for

from chatapp import accounts, auth
from chatapp.errors import ChatError, SignIn
from chatapp.globals import get_hub, get_identity
from chatapp.headers import FORGET_PAGES
from chatapp.localized import gettext
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import done, lead_to, page, said
from chatapp.permissions import check
from chatapp.security import BLUEPRINT, said_lately

bp = Blueprint("leaving", __name__)


@bp.get("/account/leave")
def show() -> Response:
    """What goes and what stays, and the form."""
    if not get_identity().session:
        return lead_to(url_for(f"{BLUEPRINT}.login", next=url_for("leaving.show")))
    check(get_identity(), "change_self")
    return _page() if said_lately() else _verify()


@bp.post("/account/leave")
def leave() -> Response:
    """Have it erased; `sure` has to be said. `messages`: whether what they said stays, without a name."""
    auth.guard_write()
    form = auth.checked_form("messages", "sure")
    identity = get_identity()
    if not identity.session:
        raise SignIn()
    check(identity, "change_self")
    if not said_lately():
        return _verify()
    try:
        accounts.begin_to_erase(get_hub(), identity, identity.id, form["messages"], form["sure"])
    except ChatError as error:
        return _page(error, form)
    auth.forget_who()
    answer = done(url_for("rooms.index"), gettext("Your account is erased."))
    answer.headers.update(FORGET_PAGES)  # and not where this was refused: who stays goes back to them
    return answer


def _page(error: ChatError | None = None, form: dict[str, str] | None = None) -> Response:
    return page(render_template("account/leave.html", error=said(error), form=form or {}), error)


def _verify() -> Response:
    return lead_to(url_for(f"{BLUEPRINT}.verify", next=url_for("leaving.show")))
