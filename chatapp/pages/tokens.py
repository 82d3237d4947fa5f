"""`/account/tokens`: one's tokens, a new one, which is shown this once, and revoking them."""

from collections.abc import Sequence

from flask import Blueprint, Response, url_for

from chatapp import auth, listing, tokens
from chatapp.errors import BadRequest, ChatError, Term
from chatapp.globals import get_hub, get_identity
from chatapp.localized import gettext
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import done, lead_to, page, said
from chatapp.permissions import SCOPES
from chatapp.security import BLUEPRINT

REVOKED = Term("The token is revoked.")

bp = Blueprint("token_pages", __name__)


@bp.get("/account/tokens")
def show() -> Response:
    """The tokens of who is signed in."""
    if not get_identity().session:
        return lead_to(url_for(f"{BLUEPRINT}.login", next=url_for("token_pages.show")))
    return _page()


@bp.post("/account/tokens")
def make() -> Response:
    """Make one, and show it."""
    auth.guard_write()
    form, rooms = auth.checked_form("name", "days", *SCOPES), auth.checked_numbers("room")
    try:
        made = tokens.make(
            get_hub(),
            get_identity(),
            name=form["name"],
            scopes=[scope for scope in SCOPES if form[scope]],
            rooms=rooms or None,
            days=_days(form["days"]),
        )
    except ChatError as error:
        return _page(error=error, form=form, ticked=rooms)
    return _page(made.token)


@bp.post("/account/tokens/revoke")
def revoke() -> Response:
    """A token is good no longer."""
    auth.guard_write()
    number = auth.checked_form("token")["token"]
    try:
        if not number.isascii() or not number.isdigit() or len(number) > 18:
            raise BadRequest("There is no such token (any more)")
        tokens.revoke(get_hub(), get_identity(), int(number))
    except ChatError as error:
        return _page(error=error)
    return done(url_for("token_pages.show"), gettext(REVOKED))


def _days(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadRequest(
            "Days are a whole number from 1 to %(limit)s, or nothing for ever",
            limit=tokens.DAYS_LIMIT,
        )
    return int(text)


def _page(
    made: str | None = None,
    error: ChatError | None = None,
    form: dict[str, str] | None = None,
    ticked: Sequence[int] = (),
) -> Response:
    hub, identity = get_hub(), get_identity()
    rooms = [
        {"id": room.state.id, "name": room.name, "kind": room.state.kind}
        for room in listing.rooms(hub, identity)
    ]
    html = render_template(
        "account/tokens.html",
        tokens=tokens.tokens(hub, identity),
        rooms=rooms,
        names={room["id"]: room["name"] for room in rooms},
        ticked=ticked,
        made=made,
        days=tokens.DAYS,
        error=said(error),
        form=form or {},
    )
    return page(html, error)
