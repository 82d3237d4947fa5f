"""What is shown when something is refused: a page for people, a problem for programs."""

import logging

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

from chatapp.errors import BadRequest, ChatError, TooLong
from chatapp.transports import json_api

log = logging.getLogger(__name__)

# Werkzeug's own refusals that have a place in the table of errors.py.
KNOWN: dict[int, type[ChatError]] = {400: BadRequest, 413: TooLong}


def init_app(app: Flask) -> None:
    app.register_error_handler(ChatError, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _fault)


def _refused(error: ChatError) -> Response:
    if not for_people():
        return json_api.refusal(error)
    return _page(error.status, error.code, error.title, str(error), error.headers)


def _http(error: HTTPException) -> Response:
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()  # type: ignore[return-value]  # a redirect
    status = error.code or 500
    kind = KNOWN.get(status)
    code = kind.code if kind else error.name.lower().replace(" ", "_")
    title = kind.title if kind else error.name
    if for_people():
        response = _page(status, code, title, error.description or title)
    else:
        response = json_api.problem(code, status, title, error.description or title)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _fault(error: Exception) -> Response:
    log.exception("%s %s failed", request.method, request.path)
    title = "Something went wrong here"
    detail = "It is not your fault. What you sent may not be kept; what was shown to you is."
    if for_people():
        return _page(500, "fault", title, detail)
    return json_api.problem("fault", 500, title, detail)


def for_people() -> bool:
    """Whether a browser asks for a page: it says that it takes HTML, and this is no door for programs."""
    programs = (
        request.path.startswith("/api/") or request.path.endswith(("/http", "/ws")) or request.path == "/ws"
    )
    return not programs and "text/html" in request.headers.get("Accept", "")


def _page(status: int, code: str, title: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    html = render_template("error.html", status=status, code=code, title=title, detail=detail)
    return Response(html, status, headers)
