"""The operator's address, and what is asked there: one connection for each request, as from nobody's pool."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import gevent
from msgspec import Struct

from chatapp.config import ORIGIN
from chatapp.log_lines import HEADER

TIMED_OUT = 504  # a proxy has waited in vain for the server
SECONDS = 15  # for an answer that waits for nothing
ANSWER_SECONDS = 2  # until a body is refused that has come
BODY_SECONDS, BODY_LIMIT = 10, 64 * 2**20  # of a body no more is sent, for no longer
ZEROS = bytes(65_536)
JSON = {"Content-Type": "application/json"}


class Unreached(Exception):
    """No answer, or none of the server's. `timed_out`: the proxy had no patience; `how`: with what."""

    def __init__(self, said: str, how: str = "", *, timed_out: bool = False) -> None:
        super().__init__(said)
        self.how, self.timed_out = how, timed_out


class Answer(Struct, frozen=True):
    """`head`: the fields by their names in small letters, those that came several times joined."""

    status: int
    head: dict[str, str]
    body: bytes

    @property
    def ours(self) -> bool:
        """Whether the server itself gave it, and no proxy in front."""
        return HEADER.lower() in self.head

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Address:
    """`url`: of the server, without a path. Raises ValueError for anything else."""

    def __init__(self, url: str) -> None:
        self.origin = url.rstrip("/")
        if not ORIGIN.fullmatch(self.origin):
            raise ValueError(f"{url!r} is no address of a server: write https://chat.example.org")
        parts = urlsplit(self.origin)
        self.host, self.port, self.tls = parts.hostname or "", parts.port, parts.scheme == "https"
        self.netloc = parts.netloc
        self.here = self.host in ("localhost", "::1") or self.host.startswith("127.")
        self.trust = ssl.create_default_context() if self.tls else None

    def ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] | None = None,
        body: bytes | None = None,
        seconds: float = SECONDS,
    ) -> Answer:
        """Raises OSError and HTTPException where there is no answer."""
        with self.asking(method, path, fields, body, seconds) as response:
            return _answer(response, response.read())

    @contextmanager
    def asking(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] | None = None,
        body: bytes | None = None,
        seconds: float | None = SECONDS,
    ) -> Iterator[http.client.HTTPResponse]:
        """The same, to read it as it comes; `seconds`: between two pieces."""
        with closing(self.connect(seconds)) as connection:
            connection.request(method, path, body, {"Connection": "close", **(fields or {})})
            yield connection.getresponse()

    def answered_early(self, path: str, fields: Mapping[str, str], size: int) -> int:
        """The status of what is answered to a request whose body of `size` bytes lacks the last one; 0: that
        is waited for. Some proxies go by the head alone, others count what comes.
        """
        with closing(self.connect(SECONDS)) as connection:
            connection.putrequest("POST", path)
            for name, value in {**fields, "Connection": "close", "Content-Length": str(size)}.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = gevent.spawn(_status, connection.sock)  # it comes while the body still goes out
            try:
                end, left = time.monotonic() + BODY_SECONDS, min(size, BODY_LIMIT) - 1
                with suppress(OSError):  # who has refused it may hang up
                    while left and not answer.ready() and time.monotonic() < end:
                        left -= connection.sock.send(ZEROS[:left])
                        gevent.sleep(0)
                answer.join(ANSWER_SECONDS)
                return answer.value or 0
            finally:
                answer.kill()

    def connect(self, seconds: float | None) -> http.client.HTTPConnection:
        if self.trust is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        return http.client.HTTPSConnection(self.host, self.port, timeout=seconds, context=self.trust)


def _status(sock: socket.socket) -> int:
    """Of the answer that comes; 0 where there is none."""
    with suppress(OSError, ValueError), sock.makefile("rb") as answer:
        words = answer.readline(1000).split()
        return int(words[1]) if len(words) > 1 else 0
    return 0


def _answer(response: http.client.HTTPResponse, body: bytes) -> Answer:
    head: dict[str, str] = {}
    for name, value in response.getheaders():
        head[name.lower()] = f"{head[name.lower()]}, {value}" if name.lower() in head else value
    return Answer(response.status, head, body)
