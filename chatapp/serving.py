"""Between the WSGI server and Flask: proxies, what bodies may cost, headers, and Connection: close."""

from functools import partial
from io import BytesIO
from typing import Any

import gevent
from flask import Flask, Response, current_app, g, request
from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.routing import BaseConverter, IntegerConverter, Map

from chatapp import auth, headers, localized, log_lines, proxies
from chatapp.config import Config
from chatapp.errors import BadRequest, TooFast, TooLong
from chatapp.globals import get_hub
from chatapp.held import LARGE, Held
from chatapp.transports import hijack, uploading
from chatapp.transports.json_api import LIVE_HEADERS
from chatapp.transports.waiting import ClientGone

# What pages of a listed origin may send, beyond what every page may (Fetch standard, 3.2.3).
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Last-Event-ID, Content-Type",
    "Access-Control-Max-Age": "600",
}


class RoomId(BaseConverter):
    """A room's number in a path. What is no number is a room that there is not: the same answer."""

    regex = r"[^/]+"

    def to_python(self, value: str) -> int:
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else 0


class Number(IntegerConverter):
    """A number in a path, as far as the database counts."""

    def __init__(self, map: Map) -> None:
        super().__init__(map, max=2**63 - 1)


def init_app(app: Flask, config: Config) -> None:
    """Prepare `app` to be served."""
    app.url_map.converters["int"] = Number
    app.config["MAX_CONTENT_LENGTH"] = config.request_limit
    app.config["MAX_FORM_PARTS"] = auth.FIELDS_LIMIT
    app.url_map.converters["room_id"] = RoomId
    app.wsgi_app = proxies.believe(app.wsgi_app, config.trusted_proxies)  # type: ignore[method-assign]
    app.wsgi_app = UnderGunicorn(app.wsgi_app, bool(config.trusted_proxies))  # type: ignore[method-assign]
    app.request_class = uploading.Request
    localized.init_app(app)
    app.before_request(_start)
    app.before_request(auth.identify)  # first: what refuses the rest says so on a page for somebody
    held = Held()
    app.before_request(partial(_read_body, held))
    app.after_request(partial(_finish, held))
    app.teardown_request(partial(_forget_body, held))
    app.teardown_request(uploading.forget)


def _start() -> None:
    get_hub().start()


def _read_body(held: Held) -> None:
    """Read the whole body now, in bounded time and size, so that no handler waits for a slow client.

    Not one with files in it: see uploading.py.
    """
    if uploading.streams(request):
        uploading.prepare(request)
        return
    config, environ = get_hub().config, request.environ
    length = request.content_length
    if length is None and "HTTP_TRANSFER_ENCODING" not in environ:
        return
    too_long = TooLong("A request has at most %(limit)s bytes", limit=config.request_limit)
    if length is not None and length > config.request_limit:
        raise too_long
    # Of a body that does not say its length, one byte more than may come, to see whether it does.
    most = config.request_limit + 1 if length is None else length
    if most > LARGE:
        held.take(most, auth.address())
        g.body_held = most
    try:
        with gevent.Timeout(config.request_seconds, BadRequest("The body took too long to arrive")):
            data = environ["wsgi.input"].read(most)
    except (NoMoreData, ParseException):  # an end in the middle of a chunk, or chunks that are none
        _close_afterwards()
        raise BadRequest("The body was cut off, or its chunks are not well-formed") from None
    except OSError:
        raise ClientGone from None
    if len(data) > config.request_limit:
        raise too_long
    if length is not None and len(data) < length:
        get_hub().check_open()  # a server that goes has cut it off itself
        raise BadRequest("The body was cut off")
    if request.mimetype == "application/x-www-form-urlencoded" and data.count(b"&") >= auth.FIELDS_LIMIT:
        raise BadRequest("The form has too many fields")  # half a million take a second to be taken apart
    environ["wsgi.input"] = BytesIO(data)
    request.get_data()  # keeps the bytes beside what a form parser makes of them


def _forget_body(held: Held, _error: BaseException | None) -> None:
    if "body_held" in g:
        held.give_back(g.body_held, auth.address())


def _finish(held: Held, response: Response) -> Response:
    if hijack.went_over():
        return response
    response = _hold(held, response)
    if request.path.startswith("/api/") or request.path.endswith("/http"):
        response.headers.update(LIVE_HEADERS)
    elif response.mimetype == "text/html":
        response.headers.update(headers.of_page(request) | localized.of_page())
        response.vary.update(("Accept-Language", "Cookie"))
    if response.status_code == 204:
        response.headers.pop("Content-Type", None)  # of nothing; Flask's is that of a page
    if "Allow" in response.headers:
        response.headers["Allow"] = ", ".join(sorted(response.allow))  # else in the order of a set
    for name, value in headers.of_answer(request, get_hub().config.frame_ancestors).items():
        response.headers.setdefault(name, value)
    response.headers[log_lines.HEADER] = log_lines.REQUEST.get()
    if getattr(g, "origin_listed", False):
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers.add("Vary", "Origin")
        if request.method == "OPTIONS":
            response.headers.update(PREFLIGHT)
    # What is left of a body that was refused gunicorn reads and throws away, but not one without an end.
    endless = uploading.streams(request) and request.content_length is None and response.status_code >= 400
    if get_hub().draining.is_set() or response.status_code == TooLong.status or endless:
        _close_afterwards()
    return response


def _hold(held: Held, response: Response) -> Response:
    """Count a large answer until it was sent, or could not be; a refusal where too much is held already."""
    size = (response.content_length or 0) if response.is_sequence else 0
    if size > LARGE:
        try:
            held.take(size, auth.address())
        except TooFast as refusal:
            return current_app.make_response(current_app.handle_user_exception(refusal))
        response.call_on_close(partial(held.give_back, size, auth.address()))
    return response


def _close_afterwards() -> None:
    """Have gunicorn say and do `Connection: close`; it ignores the header when an application sets it."""
    response = request.environ.get("chatapp.gunicorn_response")
    if response is not None:
        response.force_close()


class UnderGunicorn:
    """WSGI middleware: gives each request its id, remembers gunicorn's response object, and ends requests
    whose client has gone.
    """

    def __init__(self, application: Any, proxied: bool) -> None:
        self._application, self._proxied = application, proxied

    def __call__(self, environ: Any, start_response: Any) -> Any:
        log_lines.begin(environ.get("HTTP_X_REQUEST_ID", "") if self._proxied else "")
        response = getattr(start_response, "__self__", None)
        if hasattr(response, "force_close"):
            environ["chatapp.gunicorn_response"] = response
        try:
            return self._application(environ, start_response)
        except ClientGone:
            raise StopIteration from None  # gunicorn closes the connection and writes nothing
