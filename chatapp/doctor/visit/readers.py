"""Readers of one room, one over each transport, each in a greenlet of its own."""

import http.client
import json
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

import gevent
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from chatapp.doctor.visit.address import Address
from chatapp.doctor.visit.lodging import Lodger
from chatapp.transports.lines import GREETING
from chatapp.transports.websocket import SUBPROTOCOL

GZIP = 31  # what zlib calls it
CLOSE_SECONDS = 1  # for a goodbye


class Reader(ABC):
    """`heard`: all that has come, as it came. `ended`: how it was cut off. `refused`: the status with which
    it was not let in, or the fault.
    """

    name: str

    def __init__(self, address: Address, lodger: Lodger, wait: float) -> None:
        self._address, self._lodger, self._wait = address, lodger, wait
        self.heard, self.ended, self.refused = b"", "", ""
        self.open = False
        self._greenlet = gevent.spawn(self._run)

    @property
    def settled(self) -> bool:
        return self.open or bool(self.refused or self.ended)

    def stop(self) -> None:
        self._greenlet.kill()

    @abstractmethod
    def _read(self) -> None:
        """Read until it is cut off."""

    def _run(self) -> None:
        try:
            self._read()
            self.ended = "closed"
        except InvalidStatus as answer:
            self._fail(str(answer.response.status_code))
        except (ConnectionClosed, InvalidHandshake, InvalidMessage) as fault:
            self._fail(type(fault).__name__)
        except (OSError, http.client.HTTPException, zlib.error, ValueError) as fault:
            self._fail(str(fault) or type(fault).__name__)

    def _fail(self, how: str) -> None:
        if self.open:
            self.ended = how
        else:
            self.refused = how

    def _let_in(self, response: http.client.HTTPResponse) -> None:
        if response.status not in (200, 204):
            raise ValueError(str(response.status))
        self.open = True


class Socket(Reader):
    _path: str
    _subprotocols: Sequence[Subprotocol] | None = None

    def say(self, text: str) -> None:
        self._connection.send(self._written(text))

    def _read(self) -> None:
        # Without compression and without pings of its own: nothing but the server keeps it going.
        self._connection: ClientConnection = connect(
            self._address.origin.replace("http", "ws", 1) + self._path.format(self._lodger.room),
            ssl=self._address.trust,
            subprotocols=self._subprotocols,
            additional_headers=self._lodger.fields,
            compression=None,
            ping_interval=None,
            close_timeout=CLOSE_SECONDS,
            proxy=None,
            legacy=True,
        )
        with self._connection as connection:
            self._begin()
            while True:
                frame = connection.recv()
                self.heard += frame.encode() if isinstance(frame, str) else frame
                self.open = self.open or self._greeting in self.heard

    _greeting = b""

    def _begin(self) -> None:
        """Say what has to be said first."""

    def _written(self, text: str) -> str:
        return text


class WebSocket(Socket):
    name = "WebSocket"
    _path = "/ws"
    _subprotocols = (Subprotocol(SUBPROTOCOL),)
    _greeting = b'"joined"'

    def _begin(self) -> None:
        self._connection.send(json.dumps({"type": "join", "room": self._lodger.room, "after": 0}))

    def _written(self, text: str) -> str:
        return json.dumps({"type": "send", "room": self._lodger.room, "client_id": text, "body": text})


class PlainSocket(Socket):
    name = "the tutorial's socket"
    _path = "/chats/{}/ws"
    _greeting = GREETING.encode()


class EventStream(Reader):
    name = "event stream"
    kind = "text/event-stream"

    def _read(self) -> None:
        path = f"/api/rooms/{self._lodger.room}/stream?after=0"
        fields = {**self._lodger.fields, "Accept": self.kind, "Accept-Encoding": "gzip"}
        with self._address.asking("GET", path, fields, seconds=None) as response:
            self._let_in(response)
            plain: Callable[[bytes], bytes] = bytes
            if response.getheader("Content-Encoding") == "gzip":
                plain = zlib.decompressobj(GZIP).decompress
            while piece := response.read1(65_536):
                self.heard += plain(piece)


class Poll(Reader):
    """`_path` behind which stands where it has come to."""

    def _read(self) -> None:
        while True:
            with self._address.asking("GET", self._next(), self._lodger.fields, seconds=None) as response:
                self._let_in(response)
                body = response.read()
                self.heard += body
                if body:
                    self._take(json.loads(body))

    @abstractmethod
    def _next(self) -> str:
        """What is asked now."""

    @abstractmethod
    def _take(self, answer: dict[str, object]) -> None:
        """Remember where it has come to."""


class LongPoll(Poll):
    name = "long poll"
    _cursor: object = 0

    def _next(self) -> str:
        wait = max(1, round(self._wait))
        return f"{self._lodger.messages}?{urlencode({'after': self._cursor, 'wait': wait})}"

    def _take(self, answer: dict[str, object]) -> None:
        self._cursor = answer["cursor"]


class TutorialPoll(Poll):
    name = "the tutorial's poll"
    _seen: object = 0

    def _next(self) -> str:
        return f"/chats/{self._lodger.room}/http?{urlencode({'lastupdate': self._seen})}"

    def _take(self, answer: dict[str, object]) -> None:
        self._seen = answer["timestamp"]


ALL = (WebSocket, EventStream, LongPoll, PlainSocket, TutorialPoll)
