"""`/ws`: chatapp.v1, many rooms on one socket (docs/protocol.md, "WebSocket")."""

import time

import msgspec
from flask import Blueprint
from flask_sock import Sock
from gevent.event import Event
from msgspec import Struct

from chatapp import access, auth, cursor, frames, posting
from chatapp.connection import Connection
from chatapp.counts import COUNTS
from chatapp.encodings import MARKED_WEBSOCKET, WEBSOCKET
from chatapp.errors import CLOSE_NOT_JSON, BadRequest, ChatError
from chatapp.globals import get_hub, get_identity
from chatapp.hub import Hub
from chatapp.journal.requests import Kept
from chatapp.limiter import FrameBudget
from chatapp.localized import language_of_program
from chatapp.permissions import Identity, check
from chatapp.reads import Reads
from chatapp.room import Room
from chatapp.transports.conversation import converse
from chatapp.transports.handshake import WebSocket, WebSocketServer
from chatapp.transports.requests_v1 import Join, Leave, Ping, Read, Send, Typing, frame_of, parse

SUBPROTOCOL = "chatapp.v1"
IN_FLIGHT = 256  # sends of one socket that the journal has not answered; more are not read meanwhile
TYPING_SECONDS = 2
ECHO_LIMIT = 1000  # characters of what was refused that are sent back

bp = Blueprint("websocket", __name__)
sock = Sock()


@bp.before_request
def guard() -> None:
    """What is refused before the handshake, with an HTTP status. Everything else is told by a close code."""
    auth.guard_handshake()
    get_hub().limiter.connection(get_identity())


@sock.route("/ws", bp)  # type: ignore[untyped-decorator]
def chat(server: WebSocketServer) -> None:
    """Many rooms on one socket, by the subprotocol chatapp.v1: each frame is a JSON object."""
    hub, identity, language = get_hub(), get_identity(), language_of_program()
    server.go_on(lambda: Session(hub, server, identity, language).run())


class Session:
    """One socket: frames in, answers out. Runs in the greenlet of the request, which is over."""

    def __init__(self, hub: Hub, server: WebSocket, identity: Identity, language: str) -> None:
        self._hub, self._server = hub, server
        self._connection = Connection(
            hub, server.socket, identity, WEBSOCKET, many_rooms=True, language=language
        )
        self._quick = hub.config.quick_frames
        self._budget = FrameBudget(hub.limiter.frames)
        self._reads = Reads(hub, lambda: self._connection.identity)
        self._connection.turned_back = self._reads.turned_back
        self._typed: dict[int, float] = {}
        self._in_flight = 0
        self._answered = Event()

    def run(self) -> None:
        connection = self._connection
        try:
            self._admit()
            converse(self._server, connection, self._budget, self._hear)
        finally:
            connection.end()
            self._reads.keep()

    def _admit(self) -> None:
        try:
            self._hub.check_open()
            self._connection.admit()
        except ChatError as refusal:
            self._connection.dismiss(refusal)

    def _hear(self, text: str) -> None:
        try:
            frame: object = (self._quick and frame_of(text)) or msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            self._server.fail(CLOSE_NOT_JSON)
            return
        try:
            with self._budget:
                self._perform(frame if isinstance(frame, Struct) else parse(frame))
        except ChatError as refusal:
            fields = msgspec.to_builtins(frame) if isinstance(frame, Struct | dict) else {}
            self._refuse(refusal, fields.get("type"), fields.get("room"), fields.get("client_id"))
        self._wait_for_answers()

    def _perform(self, frame: Struct) -> None:
        match frame:
            case Send():
                self._send(frame)
            case Join():
                self._join(frame)
            case Leave():
                self._connection.leave(frame.room)
                self._connection.send_frame("left", frames.left(frame.room))
            case Typing():
                self._typing(frame.room)
            case Read() if frame.unread:
                self._reads.turn_back(frame.room, frame.seq, self._connection.outlet)
            case Read():
                self._reads.read(frame.room, frame.seq, self._connection.outlet)
            case Ping():
                self._connection.send_frame("pong", frames.PONG)

    def _join(self, frame: Join) -> None:
        self._hub.check_open()
        limit = self._hub.config.rooms_per_socket
        followed = self._connection.subscribers
        if frame.room not in followed and len(followed) >= limit:
            raise BadRequest("One socket follows at most %(limit)s rooms", limit=limit)
        after = cursor.check(frame.after)
        with access.entered(self._hub, self._connection.identity, frame.room) as room:
            start, reset = cursor.begin(self._hub, room, after, frame.epoch)
            encoding = MARKED_WEBSOCKET if frame.html else WEBSOCKET
            self._connection.join(room, start, reset, opening, present=frame.presence, encoding=encoding)

    def _send(self, frame: Send) -> None:
        self._hub.check_open()
        self._in_flight += 1
        identity = self._connection.identity
        try:
            posting.submit(
                self._hub, identity, frame.room, frame, lambda answer: self._acknowledge(frame, answer)
            )
        except ChatError:
            self._in_flight -= 1
            raise

    def _acknowledge(self, frame: Send, answer: Kept | ChatError) -> None:
        # Called by the committer, in the order of the sends: nothing in here switches.
        self._in_flight -= 1
        self._answered.set()
        if isinstance(answer, ChatError):
            self._refuse(answer, "send", frame.room, frame.client_id)
        else:
            message = answer.message
            ack = frames.ack(frame.room, frame.client_id, message.seq, message.at)
            self._connection.send_frame("ack", ack)

    def _typing(self, room_id: int) -> None:
        subscriber = self._connection.subscribers.get(room_id)
        now = time.monotonic()
        if subscriber is None:
            raise BadRequest("Join the room first")
        check(self._connection.identity, "post", subscriber.room.rights)
        if now - self._typed.get(room_id, -TYPING_SECONDS) >= TYPING_SECONDS:
            self._typed[room_id] = now
            self._hub.typing(subscriber.room, subscriber.author)

    def _refuse(self, refusal: ChatError, kind: object, room: object, client_id: object) -> None:
        COUNTS.refusals[refusal.code] += 1
        re = kind[:ECHO_LIMIT] if isinstance(kind, str) else None
        self._connection.send_frame(
            "error", frames.error(refusal, re, _plain(room), _plain(client_id), self._connection.language)
        )

    def _wait_for_answers(self) -> None:
        """Leave the peer's next frames in the kernel while the journal has enough of it."""
        while self._in_flight >= IN_FLIGHT:
            self._answered.clear()
            self._answered.wait()


def opening(room: Room, reset: bool) -> bytes:
    """What a reader of a WebSocket sees first of a room."""
    make = frames.reset if reset else frames.joined
    return WEBSOCKET.event("joined", make(room.id, room.last, room.epoch, room.name))


def _plain(value: object) -> object:
    """`value` if it is small enough to be sent back as it came."""
    if isinstance(value, str):
        return value[:ECHO_LIMIT]
    # Not of a bool, which is an int to Python and no number to JSON.
    return value if type(value) is int and abs(value) < 2**63 else None
