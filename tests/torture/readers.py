"""Readers: each follows one room from its first message on, over one transport after another."""

import json
import random
from collections.abc import Sequence
from typing import Any

import gevent

from tests.torture.history import Delivery, Joined, Poll, Reset, Session
from tests.torture.wire import NARROW, PATIENCE, Cut, EventStream, Garbage, Http, Refused, WebSocket, now
from tests.torture.world import Person, World

SILENCE = 6.0  # seconds without a word (heartbeats come every 2) after which a reader gives its line up
WAIT = 12  # seconds that a poll asks to wait; a machine that is busy for half of that is not a lost wake-up
DEAF = (
    WAIT + PATIENCE
)  # seconds until a reader gives up a line on which nothing comes any more, at the latest
FAR_BEHIND = 2000  # messages behind which a slow reader takes what it can get: the run is to end some day
TURNED_AWAY = (4403, 4404)  # close codes
AGAIN = (0.01, 0.3)  # seconds before the next connection, at random


class Reader:
    """Follows `room` with a cursor, over `transports` in turn by chance.

    `slow`: takes its bytes in gulps. `looks`: looks up in the database whether what it got is there. `rests`:
    seconds before it asks again, at most, so that its polls meet what is just being said.
    """

    def __init__(
        self,
        world: World,
        person: Person,
        room: int,
        transports: Sequence[str],
        slow: bool = False,
        looks: bool = False,
        rests: float = 0,
    ) -> None:
        self.world, self.person, self.room = world, person, room
        self.name = f"{person.name} in room {room}"
        self.cursor, self.epoch = 0, ""
        self._transports, self._slow, self._looks, self._rests = transports, slow, looks, rests
        self._chance = random.Random(f"{world.seed} {self.name}")
        self.heard = 0.0  # when its line last gave a sign of life, or it began another one
        self._until = 0.0
        self._waiting_since: float | None = None  # in polls that bring nothing
        self._session: Session | None = None

    def run(self) -> None:
        """Until `world.reading` is over."""
        while self.world.reading:
            self.read()
            gevent.sleep(self._chance.uniform(*AGAIN))

    def read(self) -> None:
        """One session, until it is cut or its time is up."""
        transport = self._chance.choice(self._transports)
        self.heard = now()
        self._until = self.heard + self._chance.uniform(0.5, 1) * self.world.stay
        if "poll" not in transport:
            self._waiting_since = None
        self._session = session = Session(
            self.name, self.person.id, self.room, transport, self.cursor, self.epoch
        )
        self.world.history.sessions.append(session)
        try:
            getattr(self, f"_over_{transport}")()
        except Garbage as fault:
            session.fault = str(fault)
        except Refused as refusal:
            session.refused = refusal.code
        except Cut:
            pass

    def has(self, last: int) -> bool:
        """Whether everything up to `last` has come."""
        return self.cursor >= last

    @property
    def transport(self) -> str:
        """Over which it reads now; or tries to."""
        return self._session.transport if self._session else "nothing"

    # -- transports --------------------------------------------------------------------------------------

    def _over_websocket(self) -> None:
        ws = WebSocket(self._address, "/ws", self.person.cookie, receive_buffer=self._buffer)
        try:
            join = {"type": "join", "room": self.room, "after": self.cursor}
            ws.send(json.dumps({**join, "epoch": self.epoch} if self.epoch else join))
            self.heard = now()
            while self._goes_on:
                texts = ws.texts(1.0)
                for text in texts:
                    self._frame(_json(text))
                if texts:
                    self.heard = now()
                elif now() - self.heard > SILENCE:
                    raise Cut("silence")
                elif now() - self.heard > SILENCE / 2:
                    ws.send('{"type":"ping"}')
                self._dawdle()
        except Cut:
            if ws.close_code in TURNED_AWAY:
                raise Refused(str(ws.close_code)) from None
            raise
        finally:
            ws.close()

    def _over_stream(self) -> None:
        after = f"{self.cursor}.{self.epoch}" if self.epoch else str(self.cursor)
        path = f"/api/rooms/{self.room}/stream?after={after}"
        stream = EventStream(self._address, path, self.person.cookie, self._buffer)
        self.heard = now()
        try:
            while self._goes_on:
                for ident, event, data in stream.events(1.0):
                    self.heard = now()
                    seq, _, epoch = ident.partition(".")
                    if ident and not event:
                        self._joined(epoch)
                    if event in ("message", "reset"):
                        self._frame({**data, "type": event})
                    if event == "reset":
                        self.cursor = int(seq)
                if now() - self.heard > SILENCE:
                    raise Cut("silence")
                self._dawdle()
        finally:
            stream.close()

    def _over_poll(self, fresh: bool = False) -> None:
        http = Http(self.world.address, self.person.cookie, fresh)
        try:
            while self._goes_on:
                epoch = f"&epoch={self.epoch}" if self.epoch else ""
                path = f"/api/rooms/{self.room}/messages?after={self.cursor}&wait={WAIT}{epoch}"
                if self._waiting_since is None:
                    self._waiting_since = now()
                status, batch = http.ask("GET", path, seconds=DEAF)
                self.heard = now()
                if status != 200:
                    raise Refused(str(status))
                self._take_batch(batch)
                self._dawdle()
        finally:
            http.close()

    def _over_polls_anywhere(self) -> None:
        """Each on a connection of its own, so that any worker may answer."""
        self._over_poll(fresh=True)

    # -- what came ---------------------------------------------------------------------------------------

    def _take_batch(self, batch: dict[str, Any]) -> None:
        if batch.get("reset"):
            self._reset(batch["epoch"], batch["cursor"])
        elif batch["epoch"] != self.epoch:
            self._joined(batch["epoch"])
        for message in batch["messages"]:
            self._message(message)
        if batch["messages"]:
            assert self._waiting_since is not None
            back, seq = now(), batch["messages"][0]["seq"]
            poll = Poll(self.name, self.room, seq, WAIT, back - self._waiting_since, back)
            self.world.history.polls.append(poll)
            self._waiting_since = None
        self.cursor = batch["cursor"]

    def _frame(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "joined":
                self._joined(frame["epoch"], frame["cursor"])
            case "reset":
                self._reset(frame["epoch"], frame["cursor"])
            case "message":
                self._message(frame)
            case "error":
                raise Refused(frame["code"])

    def _joined(self, epoch: str, cursor: int | None = None) -> None:
        assert self._session is not None
        self.epoch = epoch
        self._session.events.append(Joined(epoch, now(), cursor))

    def _reset(self, epoch: str, cursor: int) -> None:
        assert self._session is not None
        self.epoch, self.cursor = epoch, 0  # cut off before the messages that follow: from the first
        self._session.events.append(Reset(epoch, cursor))

    def _message(self, message: dict[str, Any]) -> None:
        assert self._session is not None
        detail = message.get("detail") or {}
        self._session.events.append(
            Delivery(
                message["seq"],
                self.world.same(message["body"]),
                message["room"],
                self.world.same(message["author"]["id"]),
                self.world.same(message["client_id"]) if message["client_id"] else None,
                self.world.same(message["kind"]),
                detail.get("removed"),
                self.world.look(self.room) if self._looks else None,
                now(),
            )
        )
        self.cursor = message["seq"]

    # -- pace --------------------------------------------------------------------------------------------

    @property
    def _goes_on(self) -> bool:
        return self.world.reading and (now() < self._until or self.world.calm)

    @property
    def _address(self) -> tuple[str, int]:
        return self.world.narrow if self._slow else self.world.address

    @property
    def _buffer(self) -> int:
        return NARROW if self._slow else 0

    def _dawdle(self) -> None:
        if self._rests:
            gevent.sleep(self._chance.uniform(0, self._rests))
        behind = self.world.newest.get(self.room, 0) - self.cursor
        if self._slow and not self.world.calm and behind < FAR_BEHIND:
            gevent.sleep(self._chance.choice((0, 0, 0.1, 0.5, 3)))


class TextReader:
    """Over the tutorial's own client's way: one text for each request, its time as the cursor."""

    def __init__(self, world: World, person: Person, room: int) -> None:
        self.world, self.person, self.room = world, person, room
        self.name = f"{person.name} in room {room}, by lastupdate"
        self.count = 0
        self._last = "0"
        self._chance = random.Random(f"{world.seed} {self.name}")

    def run(self) -> None:
        while self.world.reading:
            self.read()
            gevent.sleep(self._chance.uniform(*AGAIN))

    def read(self) -> None:
        """A chain of polls, until one is cut."""
        session = Session(self.name, self.person.id, self.room, "lastupdate", self.count, texts_only=True)
        self.world.history.sessions.append(session)
        http = Http(self.world.address, "", fresh=self._chance.random() < 0.5)
        try:
            while self.world.reading:
                path = f"/chats/{self.room}/http?lastupdate={self._last}"
                status, answer = http.ask("GET", path, seconds=25 + PATIENCE)
                if status == 200:
                    session.events.append(Delivery(None, self.world.same(answer["data"])))
                    self._last = repr(answer["timestamp"])
                    self.count += 1
                elif status != 204:
                    raise Refused(str(status))
        except Garbage as fault:
            session.fault = str(fault)
        except (Cut, Refused):
            pass
        finally:
            http.close()


class LineReader:
    """On the plain socket: bare bodies from now on, without a cursor."""

    def __init__(self, world: World, person: Person, room: int) -> None:
        self.world, self.person, self.room = world, person, room
        self.name = f"{person.name} in room {room}, by lines"
        self._chance = random.Random(f"{world.seed} {self.name}")

    def run(self) -> None:
        while self.world.reading:
            self.read()
            gevent.sleep(self._chance.uniform(*AGAIN))

    def read(self) -> None:
        """One socket, until it is cut."""
        session = Session(self.name, self.person.id, self.room, "plain socket", None, texts_only=True)
        self.world.history.sessions.append(session)
        try:
            path = f"/chats/{self.room}/ws"
            ws = WebSocket(self.world.address, path, self.person.cookie, subprotocol=None)
        except Cut:
            return
        try:
            while self.world.reading:
                for text in ws.texts(1.0):
                    if text != "connected ...." and not text.startswith("! "):
                        session.events.append(Delivery(None, self.world.same(text), at=now()))
        except Garbage as fault:
            session.fault = str(fault)
        except Cut:
            if ws.close_code in TURNED_AWAY:
                session.refused = str(ws.close_code)
        finally:
            ws.close()


def _json(text: str) -> dict[str, Any]:
    try:
        frame = json.loads(text)
    except ValueError:
        raise Garbage(f"a frame that is no JSON: {text[:100]!r}") from None
    if not isinstance(frame, dict):
        raise Garbage(f"a frame that is no object: {text[:100]!r}")
    return frame
