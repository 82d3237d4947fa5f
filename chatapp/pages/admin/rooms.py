"""`/admin/rooms`: every room there is. What is said in a private one stays with its members."""

from flask import Response, url_for

from chatapp import administration, auth
from chatapp.errors import ChatError
from chatapp.globals import get_hub, get_identity
from chatapp.journal import overseeing
from chatapp.pages.admin.section import bp, page
from chatapp.pages.responses import see_other


@bp.get("/rooms")
def rooms() -> Response:
    """All rooms, by number."""
    return _page()


@bp.post("/rooms/<room_id:room_id>/enter")
def enter(room_id: int) -> Response:
    """Become a member of a private room: its members are told, and the audit log shows it."""
    auth.guard_write()
    form = auth.checked_form("why")
    try:
        administration.enter_private(get_hub(), get_identity(), room_id, form["why"])
    except ChatError as error:
        return _page(error)
    return see_other(url_for("rooms.show", room_id=room_id))


def _page(error: ChatError | None = None) -> Response:
    hub, identity = get_hub(), get_identity()
    here = {room: len(people) for room, people in hub.presence.everywhere().items()}
    return page("rooms", error=error, rooms=hub.journal.read(overseeing.rooms, identity.id), here=here)
