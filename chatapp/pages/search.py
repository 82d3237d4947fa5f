"""The page on which somebody looks for messages. It works without JavaScript."""

from typing import Any

from flask import Blueprint, Response, request, url_for

from chatapp import cursor, markdown, marking, searching
from chatapp.errors import BadRequest, ChatError, NoSuchRoom
from chatapp.globals import get_hub, get_identity
from chatapp.listing import ListedRoom, one
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import lead_to, page, said
from chatapp.pages.rooms import plain
from chatapp.permissions import check, may
from chatapp.search.marking import excerpt
from chatapp.search.query import everywhere, with_beginning
from chatapp.searching import Results
from chatapp.threads import in_thread
from chatapp.transports.search import before

NAME_TYPED = 24  # characters of a room's name: for a longer one its number stands
AROUND = 25  # messages behind the one to which a result leads

bp = Blueprint("search", __name__)


@bp.get("/search")
def show() -> Response:
    """What was found for `?q=`, older than `?before=`; `?in=`: the room that one comes from."""
    if not may(get_identity(), "read"):
        if get_identity().role == "banned":
            check(get_identity(), "read")
        return lead_to(url_for("rooms.index", next=request.full_path.rstrip("?")))
    line, error, found = request.args.get("q", ""), None, None
    if line.strip():
        try:
            found = searching.search(get_hub(), get_identity(), line, before(request.args.get("before")))
        except ChatError as refusal:
            error = refusal
    room = _room(request.args.get("in"))
    line = line or _within(room)
    words, narrow = everywhere(line)
    html = render_template(
        "search.html",
        line=line,
        # Where it is looked: both with the same words, and whether it is in some rooms alone.
        here=f"{_within(room)}{words}",
        everywhere=words or " ",
        narrow=narrow,
        room=room,
        given=request.args,
        results=_shown(found) if found else None,
        older=found.cursor if found else None,
        wider=_wider(line.strip()) if found and not found.results else None,
        building=found.building if found else False,
        error=said(error),
    )
    return page(html, error)


def _wider(line: str) -> str | None:
    """`line` with its last word as the beginning of one, where that finds something; that is a search too."""
    wider = with_beginning(line)
    if wider is None:
        return None
    try:
        found = searching.search(get_hub(), get_identity(), wider, limit=1)
    except ChatError:  # too fast, or the index cannot be asked: nothing is offered
        return None
    return wider if found.results else None


def _shown(found: Results) -> list[dict[str, Any]]:
    marking.mark(get_hub().turnstile, (result.message for result in found.results))
    told = [plain(result.message.marked) for result in found.results]
    bodies = [markdown.in_line(each["body"], each.get("html", ""), whole=True) for each in told]
    pieces = in_thread(lambda: [excerpt(body, found.phrases) for body in bodies])
    theirs = searching.still_theirs(get_hub(), get_identity(), found.results)
    return [
        {
            "message": plain(result.message),
            "room": result.room,
            "pieces": those,
            # The page of history in the middle of which it stands.
            "href": url_for(
                "rooms.show",
                room_id=result.message.room,
                before=result.message.seq + AROUND,
                _anchor=f"m{result.message.seq}",
            ),
        }
        for result, those in zip(found.results, pieces, strict=True)
        if result in theirs
    ]


def _room(text: str | None) -> ListedRoom | None:
    """The room that one comes from, where it is one that one may read."""
    try:
        return one(get_hub(), get_identity(), cursor.number(text, "in")) if text else None
    except (BadRequest, NoSuchRoom):
        return None


def _within(room: ListedRoom | None) -> str:
    """What looks for something in that room, to be gone on with."""
    if room is None:
        return ""
    if len(room.name) > NAME_TYPED or any(char in '"“”„‟' for char in room.name):
        return f"in:{room.state.id} "
    return f'in:"{room.name}" ' if " " in room.name else f"in:{room.name} "
