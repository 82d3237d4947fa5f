"""Clients that can be as wrong as they like: bytes onto a socket, and what comes back taken apart."""

import json
import socket
import struct
from functools import partial
from typing import Any

import httpx

from tests.clients import UNIT
from tests.servers import Server

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
MASK = b"\x01\x02\x03\x04"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 section 1.3


def frame_bytes(
    payload: bytes | str = b"",
    opcode: int = TEXT,
    *,
    fin: bool = True,
    key: bytes = MASK,
    rsv: int = 0,
    length: bytes | None = None,
) -> bytes:
    """One frame, right or wrong (RFC 6455 section 5.2).

    `key`: the masking key, none where it is empty. `length`: the seven bits of the length and what extends them,
    where they shall say something else than the right thing.
    """
    data = payload.encode() if isinstance(payload, str) else payload
    if length is None:
        if len(data) < 126:
            length = struct.pack("!B", len(data))
        elif len(data) < 65_536:
            length = struct.pack("!BH", 126, len(data))
        else:
            length = struct.pack("!BQ", 127, len(data))
    head = bytes((0x80 * fin | rsv << 4 | opcode, 0x80 * bool(key) | length[0])) + length[1:]
    return head + key + (_masked(data, key) if key else data)


def _masked(data: bytes, key: bytes) -> bytes:
    pattern = (key * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data) ^ int.from_bytes(pattern)).to_bytes(len(data))


def handshake_fields(path: str) -> dict[str, str]:
    """The headers of a handshake, with underscores in their names."""
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": KEY,
        "Sec_WebSocket_Protocol": "chatapp.v1" if path == "/ws" else "",
    }


class Answer:
    """A response: `status`, `headers` by their names in small letters, `body`."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self) -> str:
        """The problem's code."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        return json.loads(self.body)["code"]


class RawSocket:
    """A connection to `server`. Use it in a `with` block."""

    def __init__(self, server: Server) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.port), timeout=UNIT)
        self._host = server.host
        self._buffer = b""

    def __enter__(self) -> "RawSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def take_little(self) -> None:
        """Let the kernel hold only a few kilobytes for us, as for somebody far away who does not read."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)

    def reset(self) -> None:
        """Hang up without a goodbye, as a machine does that crashes."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def hang_up(self) -> None:
        """Say nothing more, but listen to what is still said."""
        self.sock.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_in_pieces(self, data: bytes, size: int) -> None:
        """Send `data` in segments of `size` bytes."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), size):
            self.send(data[start : start + size])

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> None:
        """Send a request; underscores in the names of `headers` stand for hyphens."""
        fields = {"Host": self._host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body is not None:
            fields.setdefault("Content-Length", str(len(body)))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))

    def answer(self) -> Answer:
        """The next response, by its Content-Length."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        status = int(first.split()[1])
        body = self._take(int(headers.get("content-length", 0)))
        return Answer(status, headers, body)

    def handshake(self, path: str = "/ws", **headers: str) -> Answer:
        """Ask for a WebSocket; a header given as "" is left out."""
        fields = handshake_fields(path) | headers
        self.request("GET", path, **{name: value for name, value in fields.items() if value})
        return self.answer()

    def frame(
        self, payload: bytes | str, opcode: int = TEXT, *, fin: bool = True, mask: bool = True, rsv: int = 0
    ) -> None:
        """Send one frame, right or wrong (RFC 6455 section 5.2)."""
        self.send(frame_bytes(payload, opcode, fin=fin, key=MASK if mask else b"", rsv=rsv))

    def next_frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame from the server."""
        first, size = self._take(2)
        if size == 126:
            (size,) = struct.unpack("!H", self._take(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._take(8))
        return first & 0x0F, self._take(size)

    def frames_until_the_end(self) -> list[tuple[int, bytes]]:
        """Opcode and payload of each frame up to where the server hangs up; all of them as RFC 6455 has them."""
        frames = []
        self._buffer = self.wait_for_end()
        while self._buffer:
            whole = self._buffer
            opcode, payload = self.next_frame()
            frames.append((opcode, payload))
            sent = whole[: len(whole) - len(self._buffer)]
            assert sent == frame_bytes(payload, opcode, key=b""), (
                "whole, unmasked, without reserved bits, short"
            )
        return frames

    def texts_until(self, text: str) -> list[str]:
        """The text frames up to the first that contains `text`."""
        texts: list[str] = []
        while not texts or text not in texts[-1]:
            opcode, payload = self.next_frame()
            assert opcode != CLOSE, payload
            if opcode == TEXT:
                texts.append(payload.decode())
        return texts

    def close_code(self) -> int:
        """The code with which the server says goodbye; what comes before is skipped."""
        while True:
            opcode, payload = self.next_frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big")

    def read_until(self, end: bytes) -> bytes:
        """Whatever comes up to `end`."""
        while end not in self._buffer[-100_000:]:
            self._more()
        before, end, self._buffer = self._buffer.partition(end)
        return before + end

    def wait_for_anything(self) -> None:
        """Return when there is something that was not taken yet: it may have come with what was."""
        if not self._buffer:
            self._more()

    def wait_for_end(self) -> bytes:
        """Whatever comes until the server hangs up."""
        try:
            while True:
                self._more()
        except (ConnectionError, EOFError):
            rest, self._buffer = self._buffer, b""
            return rest

    def drip(self, data: bytes, seconds: float = 0.05) -> bytes:
        """Send `data` byte by byte, again and again, until the server hangs up; what it said meanwhile."""
        self.sock.settimeout(seconds)  # the pace: how long to listen after each byte
        sent = 0
        while sent * seconds < 2 * UNIT:
            try:
                self.send(data[sent % len(data) :][:1])
                sent += 1
                self._more()
            except TimeoutError:
                continue
            except (ConnectionError, EOFError):
                rest, self._buffer = self._buffer, b""
                return rest
        raise AssertionError(f"the server still listens after {sent} bytes")

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _more(self) -> None:
        data = self.sock.recv(65_536)
        if not data:
            raise EOFError("the server hung up")
        self._buffer += data


# Requests without a cookie, each on a connection of its own. Not to verify certificates, of which plain HTTP has
# none, saves the 20 ms that it takes to load those of the whole world.
nobody_gets = partial(httpx.get, verify=False)
nobody_posts = partial(httpx.post, verify=False)
nobody_streams = partial(httpx.stream, verify=False)


def problem(answer: Any) -> str:
    """The code of an httpx response that must be a problem (RFC 9457), checked against its status."""
    assert answer.headers["content-type"] == "application/problem+json", (answer.status_code, answer.text)
    fields = answer.json()
    assert fields["status"] == answer.status_code
    assert fields["title"]
    assert STATUS[fields["code"]] == answer.status_code
    return fields["code"]


STATUS = {
    "bad_request": 400,
    "sign_in": 401,
    "forbidden": 403,
    "no_such_room": 404,
    "not_found": 404,
    "room_closed": 410,
    "too_long": 413,
    "too_fast": 429,
    "not_kept": 503,
    "draining": 503,
}
