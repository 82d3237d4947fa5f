"""The server's side of a WebSocket: flask-sock's routes around `websockets`' sans-I/O protocol.

Why not the server that flask-sock brings: it calls `socket.send` and ignores how much was sent, so a slow
client gets cut frames, and it sends from several greenlets at once (simple-websocket issue 45). In here
parsing is the library's, reading is the handler's own greenlet, and everything that goes out (pongs and close
frames too) goes through the connection's outlet. Compression is never negotiated: a zlib window for each
connection costs ten times what the connection itself costs.
"""

import logging
from collections.abc import Iterator
from typing import Any

import flask_sock
import gevent
from flask import abort
from gevent import socket
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from chatapp.errors import CLOSE_NOT_JSON, CLOSE_UNSUPPORTED
from chatapp.outlet import Outlet

READ_SIZE = 4096  # bytes parsed before others have their turn: 680 empty frames, 3 ms
FULL_SECONDS = 0.1  # between two looks whether a peer that does not read has begun to

log = logging.getLogger(__name__)
log.setLevel(logging.WARNING)  # the library tells of every connection


class WebSocketServer:
    """Accepts the handshake of `environ`; flask-sock makes one for each request of its routes.

    `subprotocols`: what is spoken here by path; None where the path speaks none.
    """

    mode = "gunicorn"  # flask-sock: the response must be over without gunicorn writing one

    def __init__(self, environ: dict[str, Any], max_size: int, subprotocols: dict[str, list[str]]) -> None:
        self.socket: socket.socket = environ["gunicorn.socket"]
        offered = [Subprotocol(name) for name in subprotocols.get(environ["PATH_INFO"], [])]
        self._protocol = ServerProtocol(max_size=max_size, subprotocols=offered or None, logger=log)
        self._failed = False
        self._partial = bytearray()  # of a message in fragments; bounded by max_size
        self._protocol.receive_data(_request_bytes(environ))
        events = self._protocol.events_received()
        if not events or not isinstance(events[0], Request):
            abort(400, "That is no WebSocket handshake")
        response = self._protocol.accept(events[0])
        if response.status_code != 101:
            abort(response.status_code, response.body.decode().strip())
        self._protocol.send_response(response)
        self.socket.sendall(b"".join(self._protocol.data_to_send()))

    def messages(self, outlet: Outlet) -> Iterator[str | None]:
        """An item for each frame of the peer until it is gone: a text message, or None for any other frame.

        Ends the connection with 1003 for binary messages and 1007 for what is not UTF-8; the protocol itself
        answers pings and ends it with 1002 and 1009. Switches at least once for each READ_SIZE bytes, and
        leaves the peer's next frames in the kernel while it does not read what is there for it.
        """
        while data := self._read():
            if not outlet.ending:  # else we said goodbye, and wait for the peer to hang up
                self._protocol.receive_data(data)
                for event in self._protocol.events_received():
                    yield self._text(event)
                self._write(outlet)
            gevent.sleep(0)  # a read does not switch while bytes are there: a flood would stop everybody else
            while outlet.full and not outlet.ending:
                gevent.sleep(FULL_SECONDS)

    def fail(self, code: int) -> None:
        """End the connection with `code`, behind the frames that are being read."""
        self._failed = True
        self._protocol.fail(code)

    def close(self) -> None:
        """flask-sock calls this when the handler has returned; the connection is over by then."""

    def _read(self) -> bytes:
        try:
            return self.socket.recv(READ_SIZE)
        except OSError:
            return b""

    def _text(self, event: object) -> str | None:
        """The message that `event` completes."""
        if not isinstance(event, Frame) or self._failed:
            return None
        if event.opcode is Opcode.BINARY:
            self.fail(CLOSE_UNSUPPORTED)
        elif event.opcode in (Opcode.TEXT, Opcode.CONT):
            self._partial += event.data
            if event.fin:
                whole, self._partial = self._partial, bytearray()
                try:
                    return whole.decode()
                except UnicodeDecodeError:
                    self.fail(CLOSE_NOT_JSON)
        return None

    def _write(self, outlet: Outlet) -> None:
        data = b"".join(self._protocol.data_to_send())
        if self._protocol.state is not State.OPEN:
            outlet.close(data)
        elif data:
            outlet.send(data)


def _request_bytes(environ: dict[str, Any]) -> bytes:
    """The request as it came, for the protocol's own parser; without the offer to compress."""
    lines = [f"{environ['REQUEST_METHOD']} / {environ['SERVER_PROTOCOL']}"]
    for key, value in environ.items():
        if key.startswith("HTTP_") and key != "HTTP_SEC_WEBSOCKET_EXTENSIONS":
            lines.append(f"{key[5:].replace('_', '-')}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


# flask-sock has no setting for the class; its routes and its end of the request are what we use of it.
flask_sock.Server = WebSocketServer
