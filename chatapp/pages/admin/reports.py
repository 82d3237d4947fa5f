"""`/admin/reports`: what waits in all rooms. Moderators have the same for one room: pages/reports.py."""

from flask import Response

from chatapp import auth, reports
from chatapp.errors import ChatError, Term
from chatapp.globals import get_hub, get_identity
from chatapp.pages.admin.invitations import whole
from chatapp.pages.admin.section import back_to, bp, page
from chatapp.pages.message import durations
from chatapp.pages.reports import OUTCOMES, settled


@bp.get("/reports", endpoint="reports")
def waiting() -> Response:
    """The queue, the oldest first."""
    return _page()


@bp.post("/reports/<int:number>")
def settle_report(number: int) -> Response:
    """Settle one, and do what its outcome says."""
    auth.guard_write()
    form = auth.checked_form("room", "outcome", "minutes", "why")
    try:
        what = settled(whole(form["room"], Term("The room")), number, form)
    except ChatError as error:
        return _page(error)
    return back_to("reports", what)


def _page(error: ChatError | None = None) -> Response:
    found = reports.everywhere(get_hub(), get_identity())
    return page("reports", error=error, reports=found, outcomes=OUTCOMES, durations=durations())
