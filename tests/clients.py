"""People and readers as the tests know them: every transport behind the same few verbs."""

import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.servers import Server

UNIT = 10.0  # seconds: how long anything may take before a test gives up; never how long it should


def eventually(condition: Callable[[], Any], what: str = "", seconds: float = UNIT) -> Any:
    """Wait until `condition()` is true and return it."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.01)


class Person:
    """A guest with a cookie; `name=None`: nobody in particular."""

    def __init__(self, server: Server, name: str | None = None) -> None:
        self.server = server
        self.http = httpx.Client(
            base_url=server.url, timeout=70, headers={"Origin": server.url}, verify=False
        )  # there is no TLS here, and loading certificates takes 20 ms
        self.id = ""
        self.name = name or ""
        if name is not None:
            answer = self.http.post("/guests", json={"name": name})
            assert answer.status_code == 201, answer.text
            self.id = answer.json()["id"]

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())

    def say(self, room: int, body: str, client_id: str | None = None) -> dict[str, Any]:
        answer = self.http.post(
            self.messages(room), json={"body": body, "client_id": client_id or uuid.uuid4().hex}
        )
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def say_all(self, room: int, bodies: Sequence[str]) -> None:
        """One after the other through one socket: a small part of the work of as many requests."""
        with closing(self.socket()) as socket:
            for body in bodies:
                socket.send({"type": "send", "room": room, "body": body})
            eventually(lambda: len(socket.of("ack")) == len(bodies), "all are kept")

    def read(self, room: int, **query: Any) -> dict[str, Any]:
        answer = self.http.get(self.messages(room), params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def make_room(self, name: str = "board") -> int:
        answer = self.http.post("/api/rooms", json={"name": name})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def socket(self, **arguments: Any) -> "Socket":
        return Socket(self, **arguments)

    def close(self) -> None:
        self.http.close()

    @staticmethod
    def messages(room: int) -> str:
        return f"/api/rooms/{room}/messages"


class Socket:
    """A chatapp.v1 socket: frames out, and everything that came in."""

    def __init__(
        self, person: Person, path: str = "/ws", subprotocols: Any = ("chatapp.v1",), **headers: str
    ) -> None:
        fields = {"Cookie": person.cookie, **headers} if person.cookie else headers
        self.ws: ClientConnection = connect(
            f"ws://{person.server.host}{path}",
            subprotocols=subprotocols,
            additional_headers=fields,
            legacy=True,
            max_size=None,
        )
        self.frames: list[Any] = []
        self.closed: tuple[int, str] | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def send(self, frame: Any) -> None:
        self.ws.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def join(self, room: int, **fields: Any) -> dict[str, Any]:
        seen = len(self.frames)
        self.send({"type": "join", "room": room, **fields})
        return self.expect(
            lambda f: f["type"] in ("joined", "reset", "error") and f.get("room") == room, seen
        )

    def expect(self, matches: Callable[[Any], bool], since: int = 0) -> Any:
        """The first frame from number `since` on that matches, as soon as there is one."""
        return eventually(
            lambda: next((frame for frame in self.frames[since:] if matches(frame)), None),
            f"a frame among {self.frames[since:][-5:]}, closed: {self.closed}",
        )

    def of(self, kind: str) -> list[Any]:
        return [frame for frame in list(self.frames) if isinstance(frame, dict) and frame["type"] == kind]

    def close(self) -> None:
        self.ws.close()

    def _run(self) -> None:
        try:
            for data in self.ws:
                try:
                    self.frames.append(json.loads(data))
                except ValueError:
                    self.frames.append(data)
        except ConnectionClosed:
            pass
        received = self.ws.protocol.close_rcvd
        self.closed = (received.code, received.reason) if received else (1006, "")


def here(person: Person, room: int) -> set[str]:
    """The ids of who is in `room`, as `person` is told; who waits for its next message by a poll is."""
    return {who["id"] for who in person.http.get(f"/api/rooms/{room}/presence").json()["here"]}


# Close codes by the problem that they stand for.
BY_CLOSE = {1012: "draining", 4401: "sign_in", 4403: "forbidden", 4404: "no_such_room"}


class Reader:
    """Somebody who reads one room over one transport, in a thread of its own, until closed.

    `patience`: seconds of one request that waits. `ending`: the problem code and the reason with which the
    server has ended it.
    """

    name = ""
    sees_everything = True  # kinds other than text, and numbers
    patience = 1

    def __init__(
        self,
        person: Person,
        room: int,
        after: int | None = None,
        epoch: str | None = None,
        html: bool = False,
    ) -> None:
        self.person, self.room = person, room
        self.asked = {"html": 1} if html else {}
        self.cursor, self.epoch = after, epoch
        self.messages: list[dict[str, Any]] = []
        self.resets = 0
        self.ready = threading.Event()
        self.stopping = False
        self.may_end = False  # from the other side
        self.ending: tuple[str, str] | None = None
        self._thread = threading.Thread(target=self._guarded, daemon=True)
        self._thread.start()
        assert self.ready.wait(UNIT), f"{self.name} did not open"

    @property
    def bodies(self) -> list[str]:
        return [message["body"] for message in list(self.messages)]

    @property
    def seqs(self) -> list[int]:
        return [message["seq"] for message in list(self.messages)]

    @property
    def over(self) -> bool:
        """Whether it has come to its end."""
        return not self._thread.is_alive()

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        eventually(
            lambda: len(self.messages) >= count, f"{count} messages over {self.name}, got {self.bodies}"
        )
        return list(self.messages)

    def close(self) -> tuple[int | None, str | None]:
        """Stop reading; the cursor and epoch with which another one may go on."""
        self.stopping = True
        self._stop()
        self._thread.join(UNIT)
        assert not self._thread.is_alive(), f"{self.name} did not stop"
        return self.cursor, self.epoch

    def _take(self, message: dict[str, Any]) -> None:
        if not self.stopping:
            self.messages.append(message)
            self.cursor = message.get("seq", self.cursor)

    def _reset(self) -> None:
        self.resets += 1
        self.messages.clear()

    def _guarded(self) -> None:
        try:
            self._run()
        except (httpx.HTTPError, ConnectionClosed, OSError) as error:
            if isinstance(error, httpx.HTTPStatusError):
                problem = error.response.json()
                self.ending = (problem["code"], problem["detail"])
            elif isinstance(error, ConnectionClosed) and error.rcvd:
                self.ending = (BY_CLOSE.get(error.rcvd.code, ""), error.rcvd.reason)
            if not (self.stopping or self.may_end):
                raise

    def _run(self) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        pass


class WebSocketReader(Reader):
    name = "websocket"

    def _run(self) -> None:
        self._ws = connect(
            f"ws://{self.person.server.host}/ws",
            subprotocols=["chatapp.v1"],
            additional_headers={"Cookie": self.person.cookie} if self.person.cookie else {},
            legacy=True,
        )
        join: dict[str, Any] = {"type": "join", "room": self.room, "html": bool(self.asked)}
        self._ws.send(json.dumps({**join, "after": self.cursor, "epoch": self.epoch}))
        for data in self._ws:
            frame = json.loads(data)
            if frame["type"] == "reset":
                self._reset()
            if frame["type"] in ("joined", "reset"):
                self.epoch = frame["epoch"]
                if self.cursor in (None, -1):
                    self.cursor = frame["cursor"]
                self.ready.set()
            elif frame["type"] == "message":
                self._take(frame)
            elif frame["type"] == "error" and frame["re"] == "join":  # the socket stays, for other rooms
                self.ending = (frame["code"], frame["message"])

    def _stop(self) -> None:
        self._ws.close()


class EventStreamReader(Reader):
    name = "sse"

    def _run(self) -> None:
        query = {**self.asked} if self.cursor is None else {**self.asked, "after": self.cursor}
        if self.epoch:
            query["epoch"] = self.epoch  # type: ignore[assignment]
        self._client = httpx.Client(
            base_url=self.person.server.url, cookies=self.person.http.cookies, timeout=None, verify=False
        )
        with self._client.stream("GET", f"/api/rooms/{self.room}/stream", params=query) as self._answer:
            assert self._answer.status_code == 200
            for ident, event, data in self._events(self._answer.iter_lines()):
                if ident:
                    seq, self.epoch = ident.split(".")
                    if event != "message":  # a message moves the cursor when it is taken
                        self.cursor = int(seq)
                self.ready.set()
                if event == "reset":
                    self._reset()
                elif event == "message":
                    self._take(json.loads(data))
                elif event in ("close", "going"):
                    self.ending = (BY_CLOSE[json.loads(data)["code"]], json.loads(data)["reason"])

    @staticmethod
    def _events(lines: Iterator[str]) -> Iterator[tuple[str, str, str]]:
        ident = event = data = ""
        for line in lines:
            if not line:
                yield ident, event, data
                ident = event = data = ""
            field, _, value = line.partition(": ")
            if field == "id":
                ident = value
            elif field == "event":
                event = value
            elif field == "data":
                data = value

    def _stop(self) -> None:
        stream = self._answer.extensions["network_stream"].get_extra_info("socket")
        with suppress(OSError):  # it has just ended by itself
            stream.shutdown(socket.SHUT_RDWR)


class Line:
    """What requests with these `extensions` are asked over, so that who waits for an answer need not wait to its end."""

    def __init__(self) -> None:
        self.extensions = {"trace": self._note}
        self._stream: Any = None

    def cut(self) -> None:
        if self._stream is not None:
            with suppress(OSError):  # it has just ended by itself
                self._stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def _note(self, event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self._stream = info["return_value"]


class LongPollReader(Reader):
    name = "long poll"

    def _run(self) -> None:
        self._line = Line()
        with httpx.Client(
            base_url=self.person.server.url, cookies=self.person.http.cookies, timeout=70, verify=False
        ) as http:
            if self.cursor is None:
                self._batch(http, {})
            elif self.cursor == -1:
                self._batch(http, {"after": -1})
            self.ready.set()
            while not self.stopping:
                self._batch(http, {"after": self.cursor, "epoch": self.epoch or "", "wait": self.patience})

    def _stop(self) -> None:
        self._line.cut()

    def _batch(self, http: httpx.Client, query: dict[str, Any]) -> None:
        path, more = f"/api/rooms/{self.room}/messages", self._line.extensions
        answer = http.get(path, params={**self.asked, **query}, extensions=more).raise_for_status().json()
        if answer.get("reset"):
            self._reset()
        for message in answer["messages"]:
            self._take(message)
        if not self.stopping:
            self.cursor, self.epoch = answer["cursor"], answer["epoch"]


class PlainSocketReader(Reader):
    """The tutorial's socket: bodies only, from now on only."""

    name = "plain socket"
    sees_everything = False

    def _run(self) -> None:
        self._ws = connect(
            f"ws://{self.person.server.host}/chats/{self.room}/ws",
            additional_headers={"Cookie": self.person.cookie} if self.person.cookie else {},
            legacy=True,
        )
        assert self._ws.recv(UNIT) == "connected ...."
        self.ready.set()
        for line in self._ws:
            self._take({"body": line, "kind": "text"})

    def _stop(self) -> None:
        self._ws.close()


class TutorialReader(Reader):
    """The tutorial's own client: one message for each poll, the time as the cursor."""

    name = "tutorial"
    sees_everything = False

    def _run(self) -> None:
        self._line, path = Line(), f"/chats/{self.room}/http"
        last = time.time() if self.cursor == -1 else 0.0
        with httpx.Client(
            base_url=self.person.server.url, cookies=self.person.http.cookies, timeout=70, verify=False
        ) as http:
            hello = http.get(path, params={"lastupdate": -1}).json()
            assert hello == {"status": 1, "timestamp": 0.0, "data": "connected..."}
            self.ready.set()
            while not self.stopping:
                try:
                    query, more = {"lastupdate": repr(last)}, self._line.extensions
                    answer = http.get(path, params=query, timeout=self.patience, extensions=more)
                except httpx.TimeoutException:
                    continue  # as the tutorial's client: give up and ask again
                if answer.raise_for_status().status_code == 200:
                    last = answer.json()["timestamp"]
                    self._take({"body": answer.json()["data"], "kind": "text"})

    def _stop(self) -> None:
        self._line.cut()


RESUMING: list[type[Reader]] = [WebSocketReader, EventStreamReader, LongPollReader]
READERS: list[type[Reader]] = [*RESUMING, PlainSocketReader, TutorialReader]
