"""`/api/rooms/<id>/stream`: Server-Sent Events, pushed straight into the socket like WebSocket frames."""

import random
from email.utils import formatdate

import gevent
from flask import Blueprint, Response, g, request
from gevent import socket

from chatapp import access, cursor, frames, headers, log_lines
from chatapp.connection import Connection
from chatapp.encodings import EVENT_STREAM, MARKED_EVENT_STREAM
from chatapp.errors import BadRequest
from chatapp.globals import get_hub, get_identity
from chatapp.hub import Hub
from chatapp.localized import language_of_program
from chatapp.permissions import Identity, check
from chatapp.room import Room
from chatapp.transports import json_api
from chatapp.transports.hijack import Hijacked, client_socket, take_over

READ_SIZE = 4096
RETRY_MILLISECONDS = (1000, 5000)  # random, so that the clients of a server that restarts come back spread

bp = Blueprint("event_stream", __name__)


@bp.get("/api/rooms/<room_id:room_id>/stream")
def stream(room_id: int) -> Response:
    """Follow one room until the client goes."""
    hub, identity = get_hub(), get_identity()
    check(identity, "read")
    hub.check_open()
    hub.limiter.connection(identity)
    with access.entered(hub, identity, room_id) as room:
        if request.method == "HEAD":
            return Response(iter(()), mimetype="text/event-stream")  # without a length, as the stream is
        return _follow(hub, identity, room)


def _follow(hub: Hub, identity: Identity, room: Room) -> Response:
    encoding = MARKED_EVENT_STREAM if json_api.wants_html() else EVENT_STREAM
    start, reset = cursor.begin(hub, room, *_cursor())
    client = client_socket()
    sock = client.dup()
    # A browser says nothing here, and cannot be told later in which language to say why it ends.
    connection = Connection(hub, sock, identity, encoding, answers=False, language=language_of_program())
    try:
        connection.admit()
        check(connection.identity, "read", room.rights)  # behind the head there is no other answer
        connection.outlet.send(_head())
        # A reset brings its own id: a browser that was cut off before it came would never be told of it.
        place = b"" if reset else b"id: %s\n" % _id(room, start)
        connection.outlet.send(b"retry: %d\n%s\n" % (_spread(), place))
        connection.join(room, start, reset, _opening)
    except BaseException:
        connection.end()
        sock.close()
        raise
    take_over(client, sock, lambda: _serve(connection, sock))
    return Hijacked()


def _serve(connection: Connection, sock: socket.socket) -> None:
    try:
        _wait_for_end(sock)
    except OSError:
        pass
    finally:
        connection.end()


def _spread() -> int:
    return random.randint(*RETRY_MILLISECONDS)  # nosec B311  # keeps clients apart, and nothing secret


def _wait_for_end(sock: socket.socket) -> None:
    """Wait until the peer hangs up; nothing else is expected of it."""
    while sock.recv(READ_SIZE):
        gevent.sleep(0)  # a read does not switch while bytes are there: a flood would stop everybody else


def _opening(room: Room, reset: bool) -> bytes:
    if not reset:
        return b""
    data = frames.reset(room.id, room.last, room.epoch, room.name)
    return EVENT_STREAM.event("reset", data, _id(room, room.newest).decode())


def _id(room: Room, seq: int) -> bytes:
    return f"{seq}.{room.epoch}".encode()


def _cursor() -> tuple[int | None, str | None]:
    """Where the reader was: `Last-Event-ID`, which a browser sends by itself, wins over `?after=`."""
    text = request.headers.get("Last-Event-ID") or request.args.get("after")
    if text is None or "." not in text:
        return cursor.parse(text), request.args.get("epoch")
    seq, _, epoch = text.partition(".")
    if not seq:
        raise BadRequest("A cursor is written <seq>.<epoch>")
    return cursor.parse(seq), epoch or None


def _head() -> bytes:
    """The head of an answer without a length: it ends with the connection."""
    fields = {
        "Date": formatdate(usegmt=True),
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
        "Connection": "close",
        log_lines.HEADER: log_lines.REQUEST.get(),
        **headers.of_answer(request, get_hub().config.frame_ancestors),
    }
    if g.origin_listed:
        fields |= {"Access-Control-Allow-Origin": request.headers["Origin"], "Vary": "Origin"}
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin-1")
