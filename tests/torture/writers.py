"""Writers: each sends its own numbered messages through one door, again and again until they are answered."""

import json
import random
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import gevent

from tests.torture.history import Line, Send
from tests.torture.readers import Reader
from tests.torture.wire import PATIENCE, Cut, Http, Refused, WebSocket, now
from tests.torture.world import Person, World

RETRY = (0.05, 0.5)  # seconds between two tries of the same message, at random
FOR_GOOD = {"bad_request", "forbidden", "no_such_room", "too_long", "room_closed"}


class Writer:
    """Writes into `room` until told to stop; then finishes what is under way."""

    door = ""
    sizes: tuple[int, ...] = (0, 20, 20, 200, 200, 2000)  # of what fills a body up, by chance

    def __init__(self, world: World, person: Person, room: int, pause: float) -> None:
        self.world, self.person, self.room, self._pause = world, person, room, pause
        self.name = f"{person.name} over {self.door}"
        self.chance = random.Random(f"{world.seed} {self.name} {room}")
        self.written = 0
        self.kept: list[int] = []

    def run(self) -> None:
        """Until `world.writing` is over."""
        while self.world.writing:
            self.write()
            gevent.sleep(self.chance.random() * 2 * self._pause)
        self.close()

    def write(self) -> None:
        """One message, however often it takes."""
        raise NotImplementedError

    def close(self) -> None:
        """Hang up."""

    def _next(self, client_id: bool = True, ordered: bool = True, **fields: Any) -> Send:
        """What is sent next; recorded before it leaves, so that nothing can be seen that nobody sent."""
        self.written += 1
        size = self.chance.choice(self.sizes)
        body = fields.pop("body", f"{self.name} {self.room} {self.written} " + "x" * size)
        send = Send(
            self.name, self.person.id, self.written, self.room, body.strip(), ordered=ordered, **fields
        )
        if client_id:
            send.client_id = uuid.UUID(int=self.chance.getrandbits(128)).hex
        self.world.history.sends.append(send)
        return send

    def _answered(self, send: Send, seq: int) -> None:
        send.answers.append(seq)
        send.answered = send.answered or now()
        self.world.newest[self.room] = max(self.world.newest.get(self.room, 0), seq)

    def _rest(self) -> None:
        gevent.sleep(self.chance.uniform(*RETRY))


class Poster(Writer):
    """POST, one after the other, each until it is answered for good."""

    door = "POST"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._http = Http(self.world.address, self.person.cookie)

    def write(self) -> None:
        self._latest = send = self._next()
        while not self._try(send) and self.world.patient:
            self._rest()

    def _try(self, send: Send) -> bool:
        try:
            status, answer = self._http.ask(
                "POST",
                f"/api/rooms/{self.room}/messages",
                {"body": send.body, "client_id": send.client_id, "kind": send.kind},
            )
        except Cut:
            return False
        if status in (200, 201):
            self._answered(send, answer["seq"])
            return True
        code = answer["code"] if isinstance(answer, dict) else str(status)
        send.refusals.append(code)
        if code not in FOR_GOOD:
            return False
        self._rest()
        return True

    def close(self) -> None:
        self._http.close()


class Partner(Poster):
    """Says something only when `listeners` have got what it said before: each message is alone."""

    door = "POST, in turn"
    listeners: Sequence[Reader] = ()

    def write(self) -> None:
        super().write()
        last = self._latest.answers[-1] if self._latest.answers else 0
        while self.world.writing and not all(reader.has(last) for reader in self.listeners):
            gevent.sleep(0.002)


class SocketWriter(Writer):
    """Frames on /ws, up to `in_flight` of them; what is not acknowledged is sent again on the next socket."""

    door = "websocket"
    in_flight = 1

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._ws: WebSocket | None = None
        self._open: dict[str, tuple[Send, dict[str, Any]]] = {}
        self._line = Line(self.name, self.room)
        self._asked = 0.0
        self._turned_away = False  # what was heard last has refused something for good

    def write(self) -> None:
        if len(self._open) < self.in_flight:
            frame = self._frame()
            self._open[frame["client_id"]] = self._latest, frame
            self._say(frame)
        while len(self._open) >= self.in_flight and self.world.patient:
            self._hear()

    def close(self) -> None:
        while self._open and self.world.patient:
            self._hear()
        if self._ws is not None:
            self._ws.close()

    def _frame(self) -> dict[str, Any]:
        """A new one: mostly a text; in rooms where that is done also an edit, a delete or a reaction."""
        kind, fields = "text", {}
        changes = self.world.changes(self.room)
        if changes and self.kept and self.chance.random() < 0.1:
            kind = self.chance.choice(changes)
            fields = {"of": self.kept.pop(0) if kind == "delete" else self.chance.choice(self.kept)}
        body = {"delete": "", "reaction": "👍"}.get(kind)
        self._latest = self._next(
            ordered=self.in_flight == 1, kind=kind, **({} if body is None else {"body": body})
        )
        frame = {"type": "send", "room": self.room, "client_id": self._latest.client_id, "kind": kind}
        return {**frame, **fields, "body": self._latest.body}

    def _say(self, frame: dict[str, Any]) -> None:
        try:
            if self._ws is None:
                self._ws = WebSocket(self.world.address, "/ws", self.person.cookie)
                self._line = Line(self.name, self.room)
                self.world.history.lines.append(self._line)
                for _, unanswered in self._open.values():
                    self._send(self._ws, unanswered)
            else:
                self._send(self._ws, frame)
            self._asked = now()
        except Cut:
            self._lost()

    def _send(self, ws: WebSocket, frame: dict[str, Any]) -> None:
        self._line.sent.append(frame["client_id"])
        ws.send(json.dumps(frame))

    def _hear(self) -> None:
        if self._ws is None:
            self._say({})
            return
        try:
            texts = self._ws.texts(1.0)
        except Cut:
            self._lost()
            return
        self._turned_away = False
        refused = [frame for text in texts if (frame := self._take(json.loads(text)))]
        if refused or self._turned_away:
            self._rest()
        for frame in refused:
            if frame["client_id"] in self._open:
                self._say(frame)
        if now() - self._asked > PATIENCE and self._open:
            self._lost()

    def _take(self, frame: dict[str, Any]) -> dict[str, Any] | None:
        """Returns what was refused and is to be sent again."""
        if frame["type"] == "ack":
            self._line.acked.append(frame["client_id"])
        send, said = self._open.get(frame.get("client_id") or "", (None, None))
        if send is None or said is None:
            return None
        if frame["type"] == "ack":
            self._answered(send, frame["seq"])
            del self._open[frame["client_id"]]
            if send.kind == "text":
                self.kept = [*self.kept[-20:], frame["seq"]]
        elif frame["type"] == "error":
            send.refusals.append(frame["code"])
            if frame["code"] in FOR_GOOD:
                self._turned_away = True
                del self._open[frame["client_id"]]
            elif frame["code"] == "sign_in":  # a socket is whoever opened it
                self._lost()
            else:
                return said
        return None

    def _lost(self) -> None:
        if self._ws is not None:
            self._ws.close()
            self._ws = None
        self._rest()


class PipeliningWriter(SocketWriter):
    """The same with many under way; a refusal in the middle changes their order, which is nobody's promise.

    Most of what a run says comes from here: a whole burst leaves at once, and waits for its acks as a whole.
    """

    door = "websocket, pipelined"
    in_flight = 96
    sizes = (0, 20, 20, 20, 200, 200, 2000)

    def write(self) -> None:
        while len(self._open) < self.in_flight:
            frame = self._frame()
            self._open[frame["client_id"]] = self._latest, frame
            self._say(frame)
            if self._ws is None:
                break
        while len(self._open) > self.in_flight // 2 and self.world.patient:
            self._hear()


class HastyWriter(PipeliningWriter):
    """Has some under way at any time, so that whatever is done to its rights finds them in front of the journal."""

    door = "websocket, hasty"
    in_flight = 16


class TutorialWriter(Writer):
    """`new_message=`, without a client_id: what is not answered may have been kept, and is not sent again."""

    door = "new_message"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._http = Http(self.world.address, self.person.cookie)

    def write(self) -> None:
        send = self._next(client_id=False, ordered=False)
        try:
            status, _ = self._http.ask(
                "POST", f"/chats/{self.room}/http", urlencode({"new_message": send.body})
            )
        except Cut:
            self._rest()
            return
        if status != 200:
            send.refusals.append(str(status))
            self._rest()

    def close(self) -> None:
        self._http.close()


class LineWriter(Writer):
    """Lines on the plain socket, which acknowledges nothing."""

    door = "plain socket"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._ws: WebSocket | None = None

    def write(self) -> None:
        try:
            if self._ws is None:
                path = f"/chats/{self.room}/ws"
                self._ws = WebSocket(self.world.address, path, self.person.cookie, subprotocol=None)
            self._ws.send(self._next(client_id=False, ordered=False).body)
            self._ws.texts(0.01)
        except (Cut, Refused):
            self.close()
            self._rest()

    def close(self) -> None:
        if self._ws is not None:
            self._ws.close()
            self._ws = None
