"""`/admin/bans`: who is kept out of the whole server."""

import time

from flask import Response, request

from chatapp import accounts, auth
from chatapp.errors import ChatError, Term
from chatapp.globals import get_hub, get_identity
from chatapp.localized import gettext
from chatapp.message import format_time
from chatapp.pages.admin.invitations import whole
from chatapp.pages.admin.section import back_to, bp, page
from chatapp.pages.message import durations


@bp.get("/bans")
def bans() -> Response:
    """Those in force, and a form for another one; `?person=`: of whom."""
    return _page(form={"person": request.args.get("person", "")[:100]})


@bp.post("/bans")
def ban() -> Response:
    """Keep somebody out, or let them in again."""
    auth.guard_write()
    form = auth.checked_form("do", "number", "person", "minutes", "network", "why")
    hub, identity = get_hub(), get_identity()
    try:
        if form["do"] == "lift":
            accounts.lift_ban(hub, identity, whole(form["number"], Term("The number")))
            return back_to("bans", gettext("The ban is lifted."))
        seconds = 60 * whole(form["minutes"] or "0", Term("Minutes"))
        network = form["network"].strip()
        whom = accounts.ban(hub, identity, form["person"].strip(), seconds, form["why"], network)
    except ChatError as error:
        return _page(error, form)
    name = gettext("%(name)s (guest)", name=whom.name) if whom.guest else whom.name
    return back_to("bans", gettext("%(name)s is banned from the server.", name=name))


def _page(error: ChatError | None = None, form: dict[str, str] | None = None) -> Response:
    now = format_time(time.time_ns() // 1000)
    bans = [
        each for each in accounts.bans(get_hub(), get_identity()) if each.until is None or each.until > now
    ]
    return page("bans", error=error, bans=bans, durations=durations(), form=form or {})
