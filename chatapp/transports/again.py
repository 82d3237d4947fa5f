"""The next poll of a connection, answered without gunicorn's parser and Flask, if it is the last again.

Who polls sends one request after the other on one connection, the same to the byte but for the cursor. The
first two are served as any request. If their answer can be given again (`offer`), `Again` reads the next
head itself: with the same bytes around another cursor it is answered by the same rules, with the same
headers. Whatever is not exactly that goes back to gunicorn unread: another request, one that was refused
(`tell_refusal`), a server that goes, keys that have changed, and, each REVIEWED_SECONDS, any. So nothing is
decided here but who may still read, by what every poll that waited is asked (`waiting.check_still`).

Of gunicorn this wants `unreader` of its request and `headers` of its response. Where they are missing, or
requests are logged or counted by gunicorn, it does nothing. `CHATAPP_QUICK_POLLS=no` switches it off.
"""

import re
import time
from collections.abc import Callable
from typing import Any

import gevent
from flask import current_app, request
from gevent import socket
from msgspec import Struct

from chatapp.counts import COUNTS
from chatapp.headers import date_now
from chatapp.hub import Hub
from chatapp.keys import Keys
from chatapp.sockets import has_unread, receive_now, receive_within, send_all
from chatapp.transports.waiting import ClientGone

HEAD_LIMIT = 8192  # bytes of a head that comes in one piece
REVIEWED_SECONDS = 30
# Set on gunicorn's request, and on its reader of a connection.
OFFER, HEAD, REFUSAL = "chatapp_offer", "chatapp_head", "chatapp_refusal"


class Offer(Struct):
    """How a request can be answered again: `answer` gets the bytes of its cursor, the value of `parameter` in
    its query. It gives the body, which is empty for 204, and may switch and raise.
    """

    parameter: bytes
    cursor: re.Pattern[bytes]
    answer: Callable[[str], bytes]
    response: Any
    keys: Keys
    signed_by: tuple[str, ...]


def tell_refusal() -> None:
    """Raises what the request that is being handled was refused with here, or failed with: that may have been
    true once, as that somebody was sent out while they waited.
    """
    gunicorn_request = getattr(request.environ.get("chatapp.gunicorn_response"), "req", None)
    refusal: Exception | None = getattr(getattr(gunicorn_request, "unreader", None), REFUSAL, None)
    if refusal is not None:
        raise refusal


def give_way(unreader: Any, client: socket.socket) -> None:
    """Let others have their turn where the next request is there already, as of a client that waits for no
    answer: to read it does not switch. `unreader`: gunicorn's of that connection, which may have read some.
    """
    if has_unread(client) or (unreader is not None and _holds(unreader)):
        gevent.sleep(0)


def offer(parameter: str, cursor: re.Pattern[bytes], answer: Callable[[str], bytes]) -> None:
    """Let the request that is being handled be answered again. `cursor`: what its `parameter` may be then."""
    environ, response = request.environ, request.environ.get("chatapp.gunicorn_response")
    gunicorn_request = getattr(response, "req", None)
    has_body = {"CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_EXPECT"} & environ.keys()
    if gunicorn_request is None or request.method != "GET" or has_body:
        return
    if environ["SERVER_PROTOCOL"] != "HTTP/1.1":  # which is how `_headers` answers
        return
    keys: Keys = current_app.session_interface.keys  # type: ignore[attr-defined]  # sessions.py
    found = Offer(parameter.encode(), cursor, answer, response, keys, keys.all)
    setattr(gunicorn_request, OFFER, found)


class Again:
    """Of one worker. `idle`, `busy`: told of a connection that waits for a request, and that has it."""

    def __init__(
        self,
        hub: Hub,
        worker: Any,
        idle: Callable[[socket.socket], None],
        busy: Callable[[socket.socket], None],
    ) -> None:
        self._hub, self._idle, self._busy = hub, idle, busy
        settings = worker.cfg
        self._keepalive = settings.keepalive
        watched = settings.accesslog or settings.statsd_host or settings.max_requests
        self._on = hub.config.quick_polls and bool(self._keepalive) and not watched

    def go_on(self, gunicorn_request: Any, client: socket.socket) -> None:
        """Answer what comes next on `client`, whose request was just answered, as long as that is possible.

        Raises StopIteration where the connection is to be closed, as gunicorn wants it. Switches.
        """
        # Taken off: it holds the request, and only the collector would undo such a ring.
        found: Offer | None = vars(gunicorn_request).pop(OFFER, None)
        unreader = getattr(gunicorn_request, "unreader", None)
        if unreader is not None:
            setattr(unreader, REFUSAL, None)  # it was told
        if not self._on or found is None or unreader is None or _holds(unreader):
            return
        if not _is_plain(found.response):
            return
        around = _around(getattr(unreader, HEAD, b""), found.parameter, found.cursor)
        headers, review = _headers(found.response), time.monotonic() + REVIEWED_SECONDS
        setattr(unreader, HEAD, b"")
        while (head := self._next_head(client)) is not None:
            cursor = around and _between(head, around, found.cursor)
            body = None
            if cursor and time.monotonic() < review:
                body = self._answer(found, cursor, unreader)
            if body is None or self._hub.draining.is_set():
                unreader.unread(head)
                setattr(unreader, HEAD, head if _is_one(head) else b"")
                return
            COUNTS.quick_polls += 1
            send_all(client, headers(body) + body)

    def _next_head(self, client: socket.socket) -> bytes | None:
        """What comes next, if anything comes in time. None at the end. A connection waits for a request only
        as long as none is there: who waits may be shut.
        """
        found = receive_now(client, HEAD_LIMIT)
        if found is not None:
            gevent.sleep(0)  # others have their turn: to read what is there does not switch
            return found or None
        self._idle(client)
        try:
            found = receive_within(client, HEAD_LIMIT, self._keepalive)
        finally:
            self._busy(client)
        if found is None:
            raise StopIteration
        return found or None

    def _answer(self, found: Offer, cursor: bytes, unreader: Any) -> bytes | None:
        if self._hub.draining.is_set() or not found.keys.are(found.signed_by):
            return None
        try:
            return found.answer(cursor.decode())
        except ClientGone:
            raise StopIteration from None
        except Exception as refusal:  # also a fault of ours: gunicorn would answer with a page of its own
            setattr(unreader, REFUSAL, refusal)  # is told as any other
            return None


def _is_plain(response: Any) -> bool:
    """Whether a response has gone out, and the next one may have its headers."""
    names = {name.lower() for name, _ in response.headers}
    gone_out = response.headers_sent and not response.should_close()
    return bool(gone_out and response.status_code == 200 and "set-cookie" not in names)


def _holds(unreader: Any) -> bool:
    """Whether gunicorn has read bytes of a next request."""
    return unreader.buf.tell() > 0 or bool(unreader.buf.getvalue())


def _is_one(head: bytes) -> bool:
    """Whether that is a head, and nothing behind it."""
    return head.find(b"\r\n\r\n") == len(head) - 4


def _around(head: bytes, parameter: bytes, cursor: re.Pattern[bytes]) -> tuple[bytes, bytes] | None:
    """The bytes before and behind the cursor in `head`, if it has one, and just as Flask reads it."""
    target = head[: head.find(b"\r\n")].rpartition(b" ")[0]
    path, _, query = target.partition(b"?")
    fields = [field.partition(b"=") for field in query.split(b"&")]
    values = [value for name, _, value in fields if name == parameter]
    if b"%" in query or b"#" in query or len(values) != 1 or not cursor.fullmatch(values[0]):
        return None
    place = [name for name, _, _ in fields].index(parameter)
    start = len(path) + 1 + sum(len(b"".join(field)) + 1 for field in fields[:place]) + len(parameter) + 1
    return head[:start], head[start + len(values[0]) :]


def _between(head: bytes, around: tuple[bytes, bytes], cursor: re.Pattern[bytes]) -> bytes | None:
    before, behind = around
    if not (head.startswith(before) and head.endswith(behind)) or len(head) < len(before) + len(behind):
        return None
    found = head[len(before) : len(head) - len(behind)]
    return found if cursor.fullmatch(found) else None


def _headers(response: Any) -> Callable[[bytes], bytes]:
    """What makes the head of an answer to a body: as `response` of gunicorn had it."""
    server = f"Server: {response.version}\r\nConnection: keep-alive\r\n"
    fields = [(name, value) for name, value in response.headers if name.lower() != "content-length"]
    bare = [(name, value) for name, value in fields if name.lower() != "content-type"]
    with_text, without = (
        server + "".join(f"{name}: {value}\r\n" for name, value in each) for each in (fields, bare)
    )

    def of(body: bytes) -> bytes:
        date = f"Date: {date_now()}\r\n"
        if not body:
            head = f"HTTP/1.1 204 NO CONTENT\r\n{date}{without}\r\n"
        else:
            head = f"HTTP/1.1 200 OK\r\n{date}{with_text}Content-Length: {len(body)}\r\n\r\n"
        return head.encode("latin-1")

    return of
