"""The client's side of every transport, on gevent sockets, strict about what a server may send."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from gevent import socket
from websockets.client import ClientProtocol
from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

PATIENCE = 10.0  # seconds for an answer, before the line counts as dead
LINE_LIMIT = 1 << 20
NARROW = 4096  # bytes of a socket's buffers, where a reader is slow on purpose


class Cut(Exception):
    """The line is dead: closed, reset, or silent for too long. Nothing that a network may not do."""


class Garbage(Exception):
    """The server sent what no server may send."""


class Refused(Exception):
    """The server answered with a problem or an error frame."""

    def __init__(self, code: str, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.code, self.retry_after = code, retry_after


def dial(address: tuple[str, int], receive_buffer: int = 0) -> socket.socket:
    """A connection to `address`. Raises Cut."""
    sock = socket.socket()
    sock.settimeout(PATIENCE)
    if receive_buffer:  # before connecting: it decides how much the peer may have under way
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        sock.close()
        raise Cut(str(error)) from None
    return sock


class WebSocket:
    """A socket at `path`; `subprotocol` None: a plain one."""

    def __init__(
        self,
        address: tuple[str, int],
        path: str,
        cookie: str,
        subprotocol: str | None = "chatapp.v1",
        receive_buffer: int = 0,
    ) -> None:
        offered = [Subprotocol(subprotocol)] if subprotocol else None
        uri = parse_uri(f"ws://{address[0]}:{address[1]}{path}")
        self._protocol = ClientProtocol(uri, subprotocols=offered, max_size=None)
        self._sock = dial(address, receive_buffer)
        self._texts: list[str] = []
        self._partial = b""
        self.close_code: int | None = None
        request = self._protocol.connect()
        if cookie:
            request.headers["Cookie"] = cookie
        self._protocol.send_request(request)
        self._flush()
        while self._protocol.state is State.CONNECTING:
            self._receive(PATIENCE)
            if self._protocol.handshake_exc is not None:
                self.close()
                raise Cut(f"no handshake: {self._protocol.handshake_exc}")

    def send(self, text: str) -> None:
        """Raises Cut."""
        if self._protocol.state is not State.OPEN:
            raise Cut("closed")
        self._protocol.send_text(text.encode())
        self._flush()

    def texts(self, seconds: float) -> list[str]:
        """The text messages that have come, waiting up to `seconds` for a first one. Raises Cut, Garbage."""
        if not self._texts:
            with suppress(TimeoutError):
                self._receive(seconds)
        texts, self._texts = self._texts, []
        return texts

    def close(self) -> None:
        """Hang up without a word."""
        self._sock.close()

    def _receive(self, seconds: float) -> None:
        self._sock.settimeout(seconds)
        try:
            data = self._sock.recv(65536)
        except TimeoutError:
            if self._protocol.state is State.CONNECTING:
                raise Cut("no answer to the handshake") from None
            raise
        except OSError as error:
            raise Cut(str(error)) from None
        if not data:
            raise Cut(f"end of file, close code {self.close_code}")
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
        failed = self._protocol.parser_exc
        if (
            isinstance(failed, ProtocolError | UnicodeDecodeError)
            and self._protocol.state is not State.CONNECTING
        ):
            raise Garbage(f"{type(failed).__name__}: {failed}")
        self._flush()

    def _take(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.CONT):
            self._partial += frame.data
            if frame.fin:
                whole, self._partial = self._partial, b""
                try:
                    self._texts.append(whole.decode())
                except UnicodeDecodeError as error:
                    raise Garbage(f"text that is not UTF-8: {error}") from None
        elif frame.opcode is Opcode.BINARY:
            raise Garbage("a binary frame")
        elif frame.opcode is Opcode.CLOSE:
            self.close_code = int.from_bytes(frame.data[:2], "big") if frame.data else 1005

    def _flush(self) -> None:
        data = b"".join(self._protocol.data_to_send())
        if data:
            self._sock.settimeout(PATIENCE)
            try:
                self._sock.sendall(data)
            except OSError as error:
                raise Cut(str(error)) from None


class Http:
    """Requests over one connection that is kept open, or (`fresh`) over a new one each time."""

    def __init__(self, address: tuple[str, int], cookie: str, fresh: bool = False) -> None:
        self._address, self._cookie, self._fresh = address, cookie, fresh
        self._sock: socket.socket | None = None
        self._file: Any = None

    def ask(self, method: str, path: str, body: Any = None, seconds: float = PATIENCE) -> tuple[int, Any]:
        """Status and JSON (None: no body; a string where it is no JSON). Raises Cut, Garbage."""
        try:
            self._send(method, path, body)
            status, fields = self._head(seconds)
            data = self._file.read(int(fields.get("content-length", 0))) if status != 204 else b""
            if len(data) < int(fields.get("content-length", 0)):
                raise Cut("an answer that was cut off")
        except (OSError, ValueError) as error:
            self.close()
            raise Cut(f"{type(error).__name__}: {error}") from None
        except Cut:
            self.close()
            raise
        if self._fresh or fields.get("connection", "").lower() == "close":
            self.close()
        if not data or "json" not in fields.get("content-type", ""):
            return status, data.decode() or None
        try:
            return status, json.loads(data)
        except ValueError:
            raise Garbage(f"an answer that is no JSON: {data[:100]!r}") from None

    def close(self) -> None:
        """Hang up."""
        if self._sock is not None:
            self._file.close()
            self._sock.close()
            self._sock = None

    def _send(self, method: str, path: str, body: Any) -> None:
        if self._sock is None:
            self._sock = dial(self._address)
            self._file = self._sock.makefile("rb")
        host = f"{self._address[0]}:{self._address[1]}"
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Origin: http://{host}"]
        data = b""
        if body is not None:
            kind = "x-www-form-urlencoded" if isinstance(body, str) else "json"
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            lines += [f"Content-Type: application/{kind}", f"Content-Length: {len(data)}"]
        if self._cookie:
            lines.append(f"Cookie: {self._cookie}")
        self._sock.settimeout(PATIENCE)
        self._sock.sendall("\r\n".join([*lines, "", ""]).encode() + data)

    def _head(self, seconds: float) -> tuple[int, dict[str, str]]:
        assert self._sock is not None
        self._sock.settimeout(seconds)
        status_line = self._file.readline(LINE_LIMIT)
        if not status_line.endswith(b"\n"):
            raise Cut("no answer")
        fields = {}
        while (line := self._file.readline(LINE_LIMIT)) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        if not line:
            raise Cut("an answer that was cut off")
        return int(status_line.split()[1]), fields


class Chunks:
    """A body in chunks (RFC 9112, 7.1) that comes in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> bytes:
        """What is whole now. Raises Garbage."""
        self._rest += data
        whole = b""
        while b"\r\n" in self._rest:
            head, _, rest = self._rest.partition(b"\r\n")
            try:
                size = int(head, 16)
            except ValueError:
                raise Garbage(f"no chunk: {head[:100]!r}") from None
            if len(rest) < size + 2:
                break
            whole += rest[:size]
            self._rest = rest[size + 2 :]
        return whole


class EventStream:
    """Server-Sent Events from `path`."""

    def __init__(self, address: tuple[str, int], path: str, cookie: str, receive_buffer: int = 0) -> None:
        self._sock = dial(address, receive_buffer)
        self._rest = b""
        self._chunks: Chunks | None = None
        lines = [f"GET {path} HTTP/1.1", f"Host: {address[0]}:{address[1]}", f"Cookie: {cookie}"]
        try:
            self._sock.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            while b"\r\n\r\n" not in self._rest:
                self._more(PATIENCE)
        except (OSError, Cut) as error:
            self.close()
            raise Cut(str(error)) from None
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        if self.status != 200:
            self.close()
            raise Refused(str(self.status))
        if b"transfer-encoding: chunked" in head.lower():  # by a proxy
            self._chunks = Chunks()
            self._rest = self._chunks.take(self._rest)

    def events(self, seconds: float) -> Iterator[tuple[str, str, Any]]:
        """(id, event, JSON) of what has come, waiting up to `seconds` for something. Raises Cut, Garbage."""
        with suppress(TimeoutError):
            self._more(seconds)
        *records, self._rest = self._rest.split(b"\n\n")
        for record in records:
            yield self._parsed(record.decode())

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def _more(self, seconds: float) -> None:
        self._sock.settimeout(seconds)
        try:
            data = self._sock.recv(65536)
        except TimeoutError:
            raise
        except OSError as error:
            raise Cut(str(error)) from None
        if not data:
            raise Cut("end of file")
        self._rest += self._chunks.take(data) if self._chunks else data

    @staticmethod
    def _parsed(record: str) -> tuple[str, str, Any]:
        ident = event = ""
        data = None
        for line in record.split("\n"):
            name, colon, value = line.partition(":")
            value = value.removeprefix(" ")
            match name:
                case "id":
                    ident = value
                case "event":
                    event = value
                case "data":
                    try:
                        data = json.loads(value)
                    except ValueError:
                        raise Garbage(f"an event that is no JSON: {value[:100]!r}") from None
                case "retry" | "":
                    pass
                case _:
                    raise Garbage(f"a line that no event stream has: {line[:100]!r}")
            if not colon:
                raise Garbage(f"half a line in an event stream: {line[:100]!r}")
        return ident, event, data


def now() -> float:
    """Seconds of the run's clock, which nobody sets."""
    return time.monotonic()
