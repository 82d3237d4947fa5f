"""`/admin/invitations`: links with which people make accounts."""

from flask import Response, url_for

from chatapp import accounts, auth
from chatapp.errors import BadRequest, ChatError, Term
from chatapp.globals import get_hub, get_identity
from chatapp.links import link_to
from chatapp.localized import gettext
from chatapp.pages.admin.section import back_to, bp, page, room_names
from chatapp.pages.responses import showing, shown_once


@bp.get("/invitations")
def invitations() -> Response:
    """Those that are still good, and a form for another one; once, the link of one that was just made."""
    return _page(link=shown_once())


@bp.post("/invitations")
def invite() -> Response:
    """Make one, or take one back. The link of a new one is on the page to which that leads, once."""
    auth.guard_write()
    form = auth.checked_form("do", "number", "uses", "days", "note", "room")
    hub, identity = get_hub(), get_identity()
    try:
        if form["do"] == "take-back":
            accounts.take_invitation_back(hub, identity, whole(form["number"], Term("The number")))
            return back_to("invitations", gettext("The invitation is taken back."))
        code = accounts.invite(
            hub,
            identity,
            uses=whole(form["uses"], Term("How many may use it")),
            days=whole(form["days"], Term("Days")),
            note=form["note"],
            room=whole(form["room"], Term("A room")) if form["room"].strip() else None,
        )
    except ChatError as error:
        return _page(error, form)
    return showing(url_for("admin.invitations"), link_to("sign_up.invited", code=code))


def whole(text: str, what: Term) -> int:
    """The whole number that somebody wrote into a form. Raises BadRequest."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 16):
        raise BadRequest("%(what)s: a whole number", what=what)
    return int(digits)


def _page(error: ChatError | None = None, form: dict[str, str] | None = None, link: str = "") -> Response:
    rooms = room_names()
    return page(
        "invitations",
        error=error,
        invitations=accounts.invitations(get_hub(), get_identity()),
        days=accounts.INVITATION_DAYS,
        sign_up=get_hub().config.sign_up,
        form=form or {},
        names={room.id: room.name for room in rooms},
        rooms=[room for room in rooms if room.known and room.kind != "direct"],
        link=link,
    )
