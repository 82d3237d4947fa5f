"""`/admin/`: how many there are of what, and what waits."""

from flask import Response

from chatapp.globals import get_hub, get_identity
from chatapp.journal import overseeing
from chatapp.pages.admin.section import bp, page


@bp.get("/")
def overview() -> Response:
    """The server in numbers."""
    hub = get_hub()
    here = {person.id for people in hub.presence.everywhere().values() for person in people}
    return page("overview", totals=hub.journal.read(overseeing.totals, get_identity().id), here=len(here))
