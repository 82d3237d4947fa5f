"""The server's side of a WebSocket: flask-sock's routes around `websockets`' sans-I/O protocol.

Why not the server that flask-sock brings: it calls `socket.send` and ignores how much was sent, so a slow
client gets cut frames, and it sends from several greenlets at once (simple-websocket issue 45). In here
parsing is the library's, reading is the handler's own greenlet, and everything that goes out (pongs and close
frames too) goes through the connection's outlet. No extension is ever negotiated: compression would cost a
zlib window for each connection, ten times what the connection itself costs.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import flask_sock
import gevent
from gevent import socket
from websockets.frames import (  # type: ignore[attr-defined]  # the fast one, where it was compiled
    CloseCode,
    Frame,
    Opcode,
    apply_mask,
)
from websockets.http11 import Request
from websockets.protocol import Protocol, Side, State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from chatapp import log_lines
from chatapp.errors import CLOSE_UNSUPPORTED, BadRequest
from chatapp.outlet import Outlet
from chatapp.transports.hijack import take_over
from chatapp.transports.waiting import ClientGone

READ_SIZE = 4096  # bytes parsed before others have their turn: 680 empty frames, 3 ms
# The head of a text in one frame: FIN and opcode 1, the mask bit and the length, four bytes of mask (RFC 6455
# section 5.2). 126 is no length: one from 126 on follows in two bytes; 127 is for what is larger yet.
FINAL_TEXT, MASKED, LENGTH_FOLLOWS, HEAD, LONGER_HEAD = 0x81, 0x80, 126, 6, 8
CONTROL_SIZE = 125  # bytes: the largest control frame, RFC 6455 section 5.5
FULL_SECONDS = 0.1  # between two looks whether a peer that does not read has begun to

log = logging.getLogger(__name__)
log.setLevel(logging.WARNING)  # the library tells of every connection


class NoHandshake(BadRequest):
    """The request is no handshake, or one of a version that is not spoken here."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Sec-WebSocket-Version": "13"}  # RFC 6455 section 4.4


class TextProtocol(Protocol):
    """`websockets`' protocol, with one item for each frame received: a text message, or None.

    `max_size`: bytes of a message. `quick`: whether texts that are not long are taken out here.

    The connection ends with 1003 for binary messages, 1007 for what is not UTF-8 and 1009 for what is too
    large, and does so right there: nothing behind it is read any more, not even a ping in the same read (RFC
    6455 section 7.1.7).
    """

    def __init__(self, max_size: int, quick: bool = True) -> None:
        # The library takes a ping within a large message for a part of that message: leave room for one.
        super().__init__(Side.SERVER, max_size=max_size + CONTROL_SIZE, logger=log)
        self._max_size = max_size
        self._quick, self._longest_taken = quick, min(max_size, READ_SIZE)
        self._items: list[str | None] = []
        self._partial = bytearray()  # of a message in fragments; bounded by max_size
        self._begun = b""  # the beginning of a text that will be taken out here

    def receive(self, data: bytes) -> list[str | None]:
        """What is complete with `data`: an item for each frame.

        Texts of one frame that are not long, which is what nearly all are, are taken out here, at a fifth of
        what the library takes for them, as long as they stand behind such ones. The library gets everything
        from the first byte on that is anything else, and judges it.
        """
        items: list[str | None] = []
        if self._quick and not (self._partial or self._within_frame or self.expect_continuation_frame):
            data = self._take_texts(self._begun + data, items)
        if data:
            self.receive_data(data)
            self.events_received()
            items += self._items
            self._items = []
        return items

    @property
    def _within_frame(self) -> bool:
        """Whether the library has had the beginning of a frame and not its end."""
        # Its buffer does not tell: the head is out of it before anything of the rest has come. Only between
        # two frames does its parser wait for whether there is one more.
        parser: Any = self.parser  # a generator, which may be exchanged for another one
        return getattr(parser.gi_yieldfrom, "__name__", "") != "at_eof"

    def _take_texts(self, data: bytes, items: list[str | None]) -> bytes:
        """Append the texts at the beginning of `data`; returns what is for the library. The beginning of one
        more text is kept until its end has come.
        """
        self._begun = b""
        start, end = 0, len(data)
        while start < end and data[start] == FINAL_TEXT and self.state is State.OPEN:
            if end - start < HEAD:
                if not self._may_begin(data[start:]):
                    break
                self._begun = data[start:]
                return b""
            size, text = data[start + 1] - MASKED, start + HEAD
            if size == LENGTH_FOLLOWS:
                size, text = int.from_bytes(data[start + 2 : start + 4]), start + LONGER_HEAD
                if size < LENGTH_FOLLOWS:
                    break
            elif size > LENGTH_FOLLOWS:
                break
            if not 0 <= size <= self._longest_taken:
                break
            behind = text + size
            if behind > end:
                self._begun = data[start:]
                return b""
            try:
                items.append(apply_mask(data[text:behind], data[text - 4 : text]).decode())
            except UnicodeDecodeError:
                break
            start = behind
        return data[start:]

    def _may_begin(self, head: bytes) -> bool:
        """Whether `head`, less than a whole one, may be that of a text which is taken out here. What cannot
        is judged by the library at once.
        """
        if len(head) < 2:
            return True
        size, longest = head[1] - MASKED, LENGTH_FOLLOWS
        if size == LENGTH_FOLLOWS and len(head) >= 4:
            size, longest = int.from_bytes(head[2:4]), self._longest_taken
        return 0 <= size <= longest

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            # A message may be given up half-way (RFC 6455 section 5.4); the library would call that a fault.
            self.current_size = None
        super().recv_frame(frame)
        self._items.append(self._text(frame))

    def _text(self, frame: Frame) -> str | None:
        """The message that `frame` completes."""
        if frame.opcode is Opcode.BINARY:
            self.fail(CLOSE_UNSUPPORTED)
        elif frame.opcode in (Opcode.TEXT, Opcode.CONT):
            self._partial += frame.data
            if len(self._partial) > self._max_size:
                self.fail(CloseCode.MESSAGE_TOO_BIG)
            elif frame.fin:
                whole, self._partial = self._partial, bytearray()
                return whole.decode()  # a UnicodeDecodeError is what the library ends with 1007
        return None


class WebSocket:
    """What the peer says on `sock`, whose handshake is over. `max_size`: bytes of a message. `quick`: whether
    texts that are not long are read without the library.
    """

    def __init__(self, sock: socket.socket, max_size: int, quick: bool = True) -> None:
        self.socket = sock
        self._protocol = TextProtocol(max_size, quick)
        self._failed = False

    def messages(self, outlet: Outlet) -> Iterator[str | None]:
        """An item for each frame of the peer until it is gone: a text message, or None for any other frame.

        The protocol itself answers pings and ends the connection with 1002, 1003, 1007 and 1009. Switches at
        least once for each READ_SIZE bytes, and leaves the peer's next frames in the kernel while it does not
        read what is there for it.
        """
        while data := self._read():
            if not outlet.ending:  # else we said goodbye, and wait for the peer to hang up
                for item in self._protocol.receive(data):
                    yield None if self._failed else item
                self._write(outlet)
            gevent.sleep(0)  # a read does not switch while bytes are there: a flood would stop everybody else
            while outlet.full and not outlet.ending:
                gevent.sleep(FULL_SECONDS)

    def fail(self, code: int) -> None:
        """End the connection with `code`, behind the frames that are being read."""
        self._failed = True
        self._protocol.fail(code)

    def _read(self) -> bytes:
        try:
            return self.socket.recv(READ_SIZE)
        except OSError:
            return b""

    def _write(self, outlet: Outlet) -> None:
        data = b"".join(self._protocol.data_to_send())
        if self._protocol.state is not State.OPEN:
            outlet.close(data)
        elif data:
            outlet.send(data)


class WebSocketServer(WebSocket):
    """Accepts the handshake of `environ`; flask-sock makes one for each request of its routes.

    `subprotocols`: what is spoken here by path; None where the path speaks none.
    """

    mode = "gunicorn"  # flask-sock: the response must be over without gunicorn writing one

    def __init__(
        self,
        environ: dict[str, Any],
        max_size: int,
        subprotocols: dict[str, list[str]],
        quick: bool = True,
    ) -> None:
        client: socket.socket = environ["gunicorn.socket"]
        offered = [Subprotocol(name) for name in subprotocols.get(environ["PATH_INFO"], [])]
        accepted = _accept(_request_bytes(environ), offered)
        try:
            client.sendall(accepted)
        except OSError:
            raise ClientGone from None
        super().__init__(client, max_size, quick)

    def go_on(self, serve: Callable[[], None]) -> None:
        """Have `serve` called when the request is over."""
        client, self.socket = self.socket, self.socket.dup()
        take_over(client, self.socket, serve)

    def close(self) -> None:
        """flask-sock calls this when the handler has returned; the connection is over by then."""


def _accept(request: bytes, subprotocols: list[Subprotocol]) -> bytes:
    """The answer to a handshake, by a protocol of its own: it holds the request, taken apart, to its end.

    Raises NoHandshake.
    """
    protocol = ServerProtocol(subprotocols=subprotocols or None, logger=log)
    protocol.receive_data(request)
    events = protocol.events_received()
    if not events or not isinstance(events[0], Request) or "Host" not in events[0].headers:
        raise NoHandshake("That is no WebSocket handshake")
    response = protocol.accept(events[0])
    if response.status_code != 101:
        raise NoHandshake(response.body.decode().strip())
    response.headers[log_lines.HEADER] = log_lines.REQUEST.get()
    protocol.send_response(response)
    return b"".join(protocol.data_to_send())


def _request_bytes(environ: dict[str, Any]) -> bytes:
    """The request as it came, for the protocol's own parser."""
    lines = [f"{environ['REQUEST_METHOD']} / {environ['SERVER_PROTOCOL']}"]
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            lines.append(f"{key[5:].replace('_', '-')}: {value}")
    lines.append(f"Content-Length: {environ.get('CONTENT_LENGTH') or 0}")  # what has a body is no handshake
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


# flask-sock has no setting for the class; its routes and its end of the request are what we use of it.
flask_sock.Server = WebSocketServer
