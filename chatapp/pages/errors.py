"""What is shown when something is refused: a page for people, a problem for programs."""

import logging

from flask import Flask, Response, request, url_for
from werkzeug.exceptions import HTTPException

from chatapp import localized
from chatapp.counts import COUNTS
from chatapp.errors import BadRequest, ChatError, Forbidden, SignIn, Term, TooLong
from chatapp.globals import get_hub, get_identity
from chatapp.journal import reading
from chatapp.localized import gettext
from chatapp.message import format_time
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import for_people, lead_to, only_looks
from chatapp.permissions import BANNED_HERE, may
from chatapp.transports import json_api

log = logging.getLogger(__name__)

# Werkzeug's own refusals that have a place in the table of errors.py.
KNOWN: dict[int, type[ChatError]] = {400: BadRequest, 413: TooLong}

# What a page is headed with where the problem's own title speaks to programs.
TITLES = {
    "not_found": Term("There is no such page"),
    "method_not_allowed": Term("This address does not take that"),
    "not_kept": Term("The messages cannot be reached just now"),
}
# What a page says below what happened: what is safe, and the way on.
WAYS_ON = {
    "bad_request": Term("Nothing was changed. Go back and try it another way."),
    "sign_in": Term("Nothing was changed. Say who you are on the page of all rooms, then try again."),
    "forbidden": Term("Nothing was changed. Go back, load that page again, and try once more."),
    "no_such_room": Term(
        "It was deleted, or its address is not quite right. All other rooms are as they were."
    ),
    "too_long": Term("Nothing of it was kept. Go back and send less at once."),
    "too_fast": Term("Nothing was changed. Wait a moment, then try again."),
    "not_kept": Term("What was shown to you as sent is kept. Try again in a moment."),
    "draining": Term("What was shown to you as sent is kept. Try again in a moment."),
    "not_found": Term("The address may be mistyped, or the page is gone. The rooms are all still here."),
    "fault": Term(
        "It is not your fault, and it is in the server’s log. What was shown to you as sent is kept; "
        "what you sent just now may not be."
    ),
}
# To who is not signed in. The same for every room that there is not and that one may not know of.
NOT_SEEN = Term("There is no room here that you can see")
SIGNED_OUT = Term(
    "It may be a room for its members: if you are one of them, sign in. "
    "Or it was deleted, or its address is not quite right."
)
OTHERWISE = Term("Nothing was changed. All rooms are as they were.")


ELSEWHERE = Term("All other rooms are as they were.")
FAULT = Term("Something went wrong here")
NOT_YOURS = Term("This page is not for you")
FOR_ACCOUNTS = Term("This page is there for those who are signed in.")


def init_app(app: Flask) -> None:
    app.register_error_handler(ChatError, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _fault)


def _refused(error: ChatError) -> Response:
    COUNTS.refusals[error.code] += 1
    if not for_people():
        return json_api.refusal(error)
    if isinstance(error, Forbidden) and get_identity().role == "banned":
        return _banned(error, get_hub().people.banned_until(get_identity()))
    if str(error) == BANNED_HERE and request.view_args and "room_id" in request.view_args:
        room = get_hub().room(request.view_args["room_id"])
        return _banned(error, room.rights.bans.until(get_identity()), room.id)
    if isinstance(error, SignIn) and only_looks() and not may(get_identity(), "read"):
        return lead_to(url_for("rooms.index", next=_this_page()))  # where one comes in, by whatever way
    said = "" if str(error) == error.title else localized.refusal(error)
    return _page(error.status, error.code, error.title, said, error.headers)


def _banned(error: ChatError, until: int | None, room: int | None = None) -> Response:
    """`until`: microseconds since 1970; 0 or None: until the ban is lifted. `room`: from which, None: all."""
    html = render_template(
        "banned.html",
        until=format_time(until) if until else None,
        why=get_hub().journal.read(reading.reason, room, "ban", get_identity()),
        from_room=room is not None,
        looks=only_looks(),
    )
    return Response(html, error.status)


def _this_page() -> str:
    return request.full_path.rstrip("?")  # Werkzeug's has a question mark also without a query


def _http(error: HTTPException) -> Response:
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()  # type: ignore[return-value]  # a redirect
    status = error.code or 500
    kind = KNOWN.get(status)
    code = kind.code if kind else error.name.lower().replace(" ", "_")
    title = kind.title if kind else error.name
    COUNTS.refusals[code] += 1
    if for_people():
        response = _page(status, code, title)
    else:
        response = json_api.problem(code, status, title, error.description or title)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _fault(error: Exception) -> Response:
    # Not the address itself: there are some with a secret in it, good for who has it.
    log.exception("%s %s failed", request.method, request.url_rule or "of what is no page")
    COUNTS.refusals["fault"] += 1
    if for_people():
        return _page(500, "fault", FAULT)
    return json_api.problem("fault", 500, FAULT, WAYS_ON["fault"])


def _page(
    status: int, code: str, title: str, said: str = "", headers: dict[str, str] | None = None
) -> Response:
    """`title`: to be said in the reader's language; `said`: what the refusal says beyond it, if anything."""
    ways_on = [WAYS_ON.get(code, OTHERWISE)]
    if code == "forbidden" and only_looks() and not said:
        title, ways_on = NOT_YOURS, [Term("All rooms are as they were.")]
    elif code == "forbidden" and only_looks():  # nothing was tried but to look
        ways_on = [ELSEWHERE if request.path.startswith("/chats/") else OTHERWISE]
    sign_in = ""
    if code == "sign_in" and only_looks():
        ways_on, sign_in = [FOR_ACCOUNTS], _this_page()
    if code == "forbidden" and only_looks() and not get_identity().session:
        sign_in = request.path if request.path.startswith("/chats/") else url_for("rooms.index")
    if code == "no_such_room" and not get_identity().session:
        title, ways_on = NOT_SEEN, [SIGNED_OUT, ELSEWHERE]
        sign_in = request.path if only_looks() else url_for("rooms.index")
    html = render_template(
        "error.html",
        sign_in=sign_in,
        status=status,
        code=code,
        title=gettext(TITLES.get(code, title)),
        said=said,
        way_on=" ".join(map(gettext, ways_on)),
    )
    return Response(html, status, headers)
