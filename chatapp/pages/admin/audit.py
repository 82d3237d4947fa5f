"""`/admin/audit`: who did what, in all rooms and on the server."""

from flask import Response, request

from chatapp import auditing, cursor
from chatapp.errors import ChatError, Term
from chatapp.globals import get_hub, get_identity
from chatapp.journal import overseeing
from chatapp.pages.admin.section import bp, page, room_names


@bp.get("/audit")
def audit() -> Response:
    """Entries, the newest first: those `?before=` a number, `?about=` some words, of one `?room=`."""
    given = {name: request.args.get(name, "").strip() for name in ("about", "room", "before")}
    rooms = room_names()
    names = {room.id: room.name for room in rooms}
    try:
        room = cursor.number(given["room"], Term("A room")) if given["room"] else None
        before = cursor.number(given["before"], "before") if given["before"] else None
        entries = auditing.entries(
            get_hub(),
            get_identity(),
            about=given["about"],
            room=room,
            before=before,
            limit=auditing.PAGE + 1,
        )
    except ChatError as error:
        return page("audit", error=error, entries=[], older=None, given=given, rooms=rooms, names=names)
    shown = entries[: auditing.PAGE]
    older = shown[-1].id if len(entries) > len(shown) else None
    return page(
        "audit",
        entries=shown,
        older=older,
        given=given,
        rooms=rooms,
        names=names,
        people=get_hub().journal.read(overseeing.names_of, [entry.whom for entry in shown]),
        has_account=get_hub().people.has_account,
    )
