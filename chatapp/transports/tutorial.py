"""The tutorial's own doors: `/chats/<id>/http` (`lastupdate`, `new_message`, JSONP) and the plain socket.

Docs/protocol.md, "The tutorial's own protocol". One message for each poll, the time as the cursor.
"""

import math
import re
import time

from flask import Blueprint, Response, request
from flask_sock import Sock

from chatapp import access, auth, headers, languages, posting
from chatapp.connection import Connection
from chatapp.counts import COUNTS
from chatapp.encodings import PLAIN
from chatapp.errors import BadRequest, ChatError
from chatapp.globals import get_hub, get_identity
from chatapp.hub import Hub
from chatapp.journal import reading
from chatapp.limiter import FrameBudget
from chatapp.localized import language_of_program
from chatapp.message import Author, Message, encode, text_frame
from chatapp.permissions import Identity
from chatapp.posting import Draft
from chatapp.room import Room
from chatapp.transports import json_api
from chatapp.transports.again import offer, tell_refusal
from chatapp.transports.conversation import converse
from chatapp.transports.handshake import WebSocketServer
from chatapp.transports.hijack import client_socket
from chatapp.transports.lines import GREETING, REFUSED
from chatapp.transports.waiting import Poller, check_still, wait_for_news

WAIT_SECONDS = 25
CALLBACK_LIMIT = 64
# A dotted JavaScript name and nothing else, so that a callback cannot carry a program.
CALLBACK = re.compile(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*", re.ASCII)
TIME = re.compile(rb"[0-9]{1,12}(\.[0-9]{1,9})?")

bp = Blueprint("tutorial", __name__)
socket_bp = Blueprint("plain_socket", __name__)
sock = Sock()


@bp.get("/chats/<room_id:room_id>/http")
def poll(room_id: int) -> Response:
    """The first text published after `lastupdate`, at once or as soon as there is one; else 204."""
    tell_refusal()
    callback = _callback(request.args.get("callback"))
    since = _since(request.args.get("lastupdate", "0"))
    # A script of another site's page may ask with this browser's cookie: what JSONP answers is for everybody.
    identity = get_identity() if callback is None else auth.nobody(auth.address())
    hub = get_hub()
    poller = Poller(hub, identity, client_socket())
    with access.entered(hub, identity, room_id) as room:
        if since == -1:
            return _answer(callback, _said(0.0, "connected..."))
        content = _next(hub, room, since, poller, json_api.patience(WAIT_SECONDS))

    def again(lastupdate: str) -> bytes:
        poller.identified(hub.people.still(identity))
        with access.entered(hub, poller.identity, room_id) as room:
            return _next(hub, room, _since(lastupdate), poller, WAIT_SECONDS)

    if content and callback is None:
        offer("lastupdate", TIME, again)
    return _answer(callback, content) if content else Response(status=204)


@bp.post("/chats/<room_id:room_id>/http")
def write(room_id: int) -> Response:
    """Keep a message; empty 200."""
    auth.guard_write(listed_origins=True)
    get_hub().check_open()
    if "new_message" not in request.form:
        raise BadRequest("The form has no field new_message")
    body = auth.checked_form("new_message")["new_message"]
    posting.post(get_hub(), get_identity(), room_id, Draft(body), "visit")
    return Response(status=200, mimetype="text/plain")


@socket_bp.before_request
def guard() -> None:
    """What is refused before the handshake."""
    auth.guard_handshake()
    if request.headers.get("Sec-WebSocket-Protocol", "").strip():
        raise BadRequest("This socket speaks no subprotocol; chatapp.v1 is at /ws")
    get_hub().limiter.connection(get_identity())


@sock.route("/chats/<room_id:room_id>/ws", socket_bp)  # type: ignore[untyped-decorator]
def plain_socket(server: WebSocketServer, room_id: int) -> None:
    """Lines in, lines out: each text frame is a message, each message of the room a frame of its body."""
    hub, identity = get_hub(), get_identity()
    language = language_of_program()
    server.go_on(lambda: _converse(hub, server, identity, room_id, language))


def _converse(hub: Hub, server: WebSocketServer, identity: Identity, room_id: int, language: str) -> None:
    connection = Connection(hub, server.socket, identity, PLAIN, language=language)
    try:
        try:
            connection.admit()
            hub.check_open()
            with access.entered(hub, connection.identity, room_id) as room:
                hub.sync(room)
                connection.join(room, room.last, False, _greeting)
        except ChatError as refusal:
            connection.dismiss(refusal)
        budget = FrameBudget(hub.limiter.frames)
        converse(server, connection, budget, lambda line: _say(connection, room_id, line, budget))
    finally:
        connection.end()


def _greeting(_room: Room, reset: bool) -> bytes:
    return b"" if reset else text_frame(GREETING.encode())


def _say(connection: Connection, room_id: int, line: str, budget: FrameBudget) -> None:
    try:
        with budget:
            posting.post(connection.hub, connection.identity, room_id, Draft(line), "visit")
    except ChatError as refusal:
        COUNTS.refusals[refusal.code] += 1
        said = languages.refusal(connection.language, refusal)
        connection.outlet.send(text_frame(f"{REFUSED}{said}".encode()))


def _next(hub: Hub, room: Room, since: float, poller: Poller, wait: float) -> bytes:
    """What a poll is answered that waits `wait` seconds; nothing where nothing came in time."""
    if poller.identity.known:
        hub.presence.polled(room.id, Author.of(poller.identity))
    message = _next_text(hub, room, since, poller, wait)
    if message is None:
        return b""
    COUNTS.polled += 1
    return _said(message.microseconds / 1_000_000, message.body)


def _next_text(hub: Hub, room: Room, since: float, poller: Poller, wait: float) -> Message | None:
    microseconds, start = _microseconds(since), room.last
    deadline, left = time.monotonic() + wait, wait
    while True:
        arrival = room.arrival  # before the look
        in_memory, message = room.text_after_time(microseconds)
        if not in_memory:
            message = access.read(hub, poller.identity, room, reading.text_after_time, microseconds)
        if message is not None:
            return message
        if left <= 0 or not wait_for_news(hub, room, poller, arrival, left):
            return None
        left = deadline - time.monotonic()
        hub.room(room.id)  # it may have been deleted meanwhile
        check_still(hub, room, poller.identity, start)


def _microseconds(since: float) -> int:
    # Times far outside of any log, clipped to what the database can compare.
    return round(min(max(since, 0.0), 2.0**42) * 1_000_000)


def _since(text: str) -> float:
    try:
        since = float(text)
    except ValueError:
        raise BadRequest("lastupdate is a number of seconds") from None
    if not math.isfinite(since):
        raise BadRequest("lastupdate is a finite number of seconds")
    return since


def _callback(name: str | None) -> str | None:
    if name is None:
        return None
    if len(name) > CALLBACK_LIMIT or not CALLBACK.fullmatch(name):
        raise BadRequest("callback is a dotted JavaScript name of at most 64 characters")
    return name


def _said(timestamp: float, data: str) -> bytes:
    return encode({"status": 1, "timestamp": timestamp, "data": data})


def _answer(callback: str | None, content: bytes) -> Response:
    if callback is None:
        return Response(content, mimetype="application/json")
    response = Response(f"{callback}({content.decode()})", mimetype="application/javascript")
    response.headers[headers.CORP] = "cross-origin"  # a script that any site's page may load: that is its use
    return response
