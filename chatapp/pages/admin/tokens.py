"""`/admin/tokens`: everybody's tokens, and new ones for bots."""

import re
from collections.abc import Sequence

from flask import Response

from chatapp import auth, tokens
from chatapp.errors import BadRequest, ChatError, Term
from chatapp.globals import get_hub, get_identity
from chatapp.localized import gettext
from chatapp.pages.admin.invitations import whole
from chatapp.pages.admin.section import back_to, bp, page, room_names
from chatapp.pages.tokens import REVOKED
from chatapp.permissions import SCOPES


@bp.get("/tokens", endpoint="tokens")
def everybodys() -> Response:
    """Those that nobody has revoked, and a form that makes one for a bot."""
    return _page()


@bp.post("/tokens")
def change_tokens() -> Response:
    """Make one, or revoke one. A new one is in the answer, and nowhere else."""
    auth.guard_write()
    form = auth.checked_form("do", "number", "bot", "name", "rooms", "days", *SCOPES)
    ticked = auth.checked_numbers("room")
    try:
        if form["do"] == "revoke":
            tokens.revoke(get_hub(), get_identity(), whole(form["number"], Term("The number")))
            return back_to("tokens", gettext(REVOKED))
        made = _make(form, ticked)
    except ChatError as error:
        return _page(error, form, ticked=ticked)
    return _page(made=made)


def _make(form: dict[str, str], ticked: list[int]) -> str:
    hub, identity = get_hub(), get_identity()
    name, bot = form["name"].strip(), form["bot"].strip()
    scopes = [scope for scope in SCOPES if form[scope]]
    written = [whole(one, Term("A room")) for one in re.split(r"[\s,]+", form["rooms"].strip()) if one]
    rooms = [*ticked, *written] or None
    days = whole(form["days"], Term("Days")) if form["days"].strip() else None
    if not (name and bot and scopes):
        raise BadRequest("Say whose the token is, what it is for, and what it may do")
    return tokens.make(hub, identity, bot=bot, name=name, scopes=scopes, rooms=rooms, days=days).token


def _page(
    error: ChatError | None = None,
    form: dict[str, str] | None = None,
    made: str = "",
    ticked: Sequence[int] = (),
) -> Response:
    rooms = room_names()
    return page(
        "tokens",
        error=error,
        tokens=tokens.tokens(get_hub(), get_identity(), everybodys=True),
        days=tokens.DAYS,
        form=form or {},
        made=made,
        names={room.id: room.name for room in rooms},
        rooms=[room for room in rooms if room.known],
        ticked=ticked,
    )
