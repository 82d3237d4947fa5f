"""Connection: one pushed reader's socket, whatever its encoding, with the rooms that it follows.

Used by the WebSocket, the plain socket and the event stream. Everything goes out through its outlet.
"""

import time
from collections.abc import Callable

import msgspec
from gevent import socket

from chatapp import frames, languages, sockets
from chatapp.encodings import Encoding
from chatapp.errors import ChatError, NoSuchRoom
from chatapp.hub import Hub
from chatapp.outlet import Outlet
from chatapp.permissions import Identity, check, may, withdrawn
from chatapp.room import Room
from chatapp.subscriber import Subscriber


class Connection:
    """`many_rooms`: a room that is deleted does not end the connection, for others may be followed on it; nor
    does one that may not be read any more, while others are.

    `answers`: whether the peer answers heartbeats. Where it does not, its machine's acknowledgements count.

    `language`: in which the peer is told why it is refused.
    """

    def __init__(
        self,
        hub: Hub,
        sock: socket.socket,
        identity: Identity,
        encoding: Encoding,
        *,
        many_rooms: bool = False,
        answers: bool = True,
        language: str = languages.SOURCE,
    ) -> None:
        self.hub, self.identity, self.encoding = hub, identity, encoding
        self.language = language
        self._sock = sock
        self._many_rooms, self._answers = many_rooms, answers
        self.outlet = Outlet(sock, hub.config.unsent_limit, hub.config.quick_sends)
        self.subscribers: dict[int, Subscriber] = {}
        self._present: set[int] = set()  # rooms in which this connection makes the person present
        self.heard = time.monotonic()
        self.turned_back: Callable[[int, int], None] = _nothing_told  # (room, seq): see Beating
        self._beaten = 0.0  # when the last heartbeat was sent
        if not answers:
            sockets.wait_for_ever(sock)
        hub.heartbeat.add(self)

    def join(
        self,
        room: Room,
        cursor: int,
        reset: bool,
        opening: Callable[[Room, bool], bytes],
        *,
        present: bool = True,
        encoding: Encoding | None = None,
    ) -> None:
        """Follow `room` from after `cursor`; `opening(room, reset)` is what the reader sees first.

        `present`: whether the person is in the room by that, and is told who else is. `encoding`: of what is
        told of this room, where it is not the connection's. Joining again replaces the subscription. Never
        switches. Raises NoSuchRoom, SignIn and Forbidden.
        """
        check(self.identity, "read", room.rights)  # the caller has waited for the room, or for the database
        old = self.subscribers.pop(room.id, None)
        if old is not None:
            old.end()
        subscriber = Subscriber(
            room,
            self.identity,
            self.outlet,
            encoding or self.encoding,
            on_reset=lambda reader: self.outlet.send(opening(reader.room, True)),
            on_live=self._greet if present else self._greet_in_conversation,
            on_dismissed=self._dismissed,
        )
        self.subscribers[room.id] = subscriber
        if old is not None and room.id in self._present:
            self._absent(old)
        if present and self.identity.known:
            self._present.add(room.id)
            self.hub.presence.enter(room.id, subscriber.author)
        self.outlet.send(opening(room, reset))
        if present:
            self._tell_names(room)
        subscriber.start(cursor)

    def _greet(self, subscriber: Subscriber) -> None:
        self.hub.presence.greet(subscriber)
        self._greet_in_conversation(subscriber)

    def _greet_in_conversation(self, subscriber: Subscriber) -> None:
        if subscriber.room.rights.kind == "direct":
            self.hub.presence.greet_in_conversation(subscriber)

    def _tell_names(self, room: Room) -> None:
        """Of whom the reader may have messages under an earlier name: what it missed is not sent again."""
        if self.hub.people.renamed:
            for person, name in self.hub.people.names_now(room.authors).items():
                self.send_frame("person", frames.person(person, name))

    def admit(self) -> None:
        """Look whether who asked for it may still come in: until now it heard of no change. May switch.

        Raises SignIn and Forbidden.
        """
        self.identified(self.hub.people.still(self.identity))
        check(self.identity, "read")

    def identified(self, identity: Identity) -> None:
        """Its person has another name or role; who may not read a room any more is out. Never switches."""
        before, self.identity = self.identity, identity
        for subscriber in list(self.subscribers.values()):
            subscriber.identity = identity
            if before.role != identity.role and not may(identity, "read", subscriber.room.rights):
                subscriber.dismiss(withdrawn(identity, subscriber.room.rights))

    def leave(self, room_id: int) -> None:
        """Stop following a room, followed or not."""
        subscriber = self.subscribers.pop(room_id, None)
        if subscriber is not None:
            subscriber.end()
            self._absent(subscriber)

    def end(self) -> None:
        """The peer is gone or told to go: forget everything. Doing it twice is doing it once."""
        self.hub.heartbeat.remove(self)
        for room_id in list(self.subscribers):
            self.leave(room_id)
        self.outlet.abort()

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye behind all that is unsent, then end."""
        self.outlet.close(self.encoding.farewell(code, reason))

    def dismiss(self, error: ChatError) -> None:
        """End from this side, with the close code of `error`."""
        reason = (
            ""
            if error.retry_after is None
            else msgspec.json.encode({"retry_after": error.retry_after}).decode()
        )
        self.close(error.close, reason or languages.refusal(self.language, error))

    def send_frame(self, kind: str, data: bytes, droppable: bool = False) -> None:
        """Send a frame that is no message."""
        frame = self.encoding.event(kind, data)
        if frame:
            self.outlet.send(frame, droppable)

    def beat(self, now: float) -> None:
        if self._silent(now):
            self.outlet.abort()
        else:
            self._beaten = now
            self.outlet.send(self.encoding.heartbeat(), droppable=True)

    def _silent(self, now: float) -> bool:
        """Whether there was no sign of life since the last heartbeat."""
        if not self._answers:
            return sockets.unacknowledged(self._sock, now - self._beaten)
        # What it has said and we were kept from reading (by the journal, or by a stop) is a sign as well.
        return self.heard < self._beaten and not sockets.has_unread(self._sock)

    def _dismissed(self, subscriber: Subscriber, error: ChatError, sent_out: bool) -> None:
        self.subscribers.pop(subscriber.room.id, None)
        self._absent(subscriber)
        goes_on = isinstance(error, NoSuchRoom) or (self.subscribers and not sent_out)
        if goes_on and self._many_rooms:
            self.send_frame("error", frames.error(error, "join", subscriber.room.id, language=self.language))
            self.send_frame("left", frames.left(subscriber.room.id))
        else:
            self.dismiss(error)

    def _absent(self, subscriber: Subscriber) -> None:
        if subscriber.room.id in self._present:
            self._present.discard(subscriber.room.id)
            self.hub.presence.leave(subscriber.room.id, subscriber.author)


def _nothing_told(_room: int, _seq: int) -> None:
    pass
