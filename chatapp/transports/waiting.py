"""Waiting for news of a room without going deaf: a client that leaves ends its wait at once, and so does
whatever ends a pushed reader, with the same words.
"""

from socket import MSG_PEEK
from typing import Any

import gevent
from gevent import socket

from chatapp.errors import ChatError
from chatapp.hub import Hub
from chatapp.permissions import Identity, may, withdrawn
from chatapp.room import Room
from chatapp.sockets import OutOfTime, raw

READABLE = 1  # libev's EV_READ


class ClientGone(BaseException):
    """The client hung up while its request waited. Not an Exception: nobody may answer it."""


class Poller:
    """Who polls on `sock`: `identity`, by one request and by those behind it on its connection that are the
    same again. What it takes to wait is kept from one to the next: to make it takes longer than to use it.

    While it waits it is in `hub.waiting`, where those find it who end people's connections (people.py,
    hub.py).
    """

    __slots__ = ("_ears", "_greenlet", "_hub", "_over", "_seconds", "_sock", "_timer", "identity")

    def __init__(self, hub: Hub, identity: Identity, sock: socket.socket) -> None:
        self.identity = identity
        self._hub, self._sock, self._greenlet = hub, sock, gevent.getcurrent()
        self._ears: Any = None
        self._timer: Any = None
        self._seconds = -1.0  # of the timer
        self._over = True

    def wait(self, arrival: gevent.event.Event, seconds: float) -> bool:
        """Wait until `arrival` rings, at most `seconds`; False if it did not. Raises ClientGone when the peer
        hangs up, and what this is dismissed with.
        """
        loop = gevent.get_hub().loop
        if self._ears is None:
            self._ears = loop.io(self._sock.fileno(), READABLE)
        if seconds != self._seconds:
            self._timer, self._seconds = loop.timer(0, seconds), seconds
        self._greenlet, self._over = gevent.getcurrent(), False
        self._hub.waiting.add(self)
        self._ears.start(self._readable)
        # Not `start`: libev's goes on with what was left of the last wait.
        self._timer.again(self._throw, OutOfTime())
        try:
            arrival.wait()
        except OutOfTime:
            return False
        finally:
            self._over = True
            self._hub.waiting.discard(self)
            self._ears.stop()
            self._timer.stop()
        return True

    def identified(self, identity: Identity) -> None:
        self.identity = identity

    def dismiss(self, error: ChatError) -> None:
        gevent.get_hub().loop.run_callback(self._throw, error)  # to throw it right here would switch

    def _throw(self, error: BaseException) -> None:
        if not self._over:
            self._greenlet.throw(error)

    def _readable(self) -> None:
        try:
            gone = not raw(self._sock).recv(1, MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        self._ears.stop()  # bytes are the next, pipelined request: they stay, and would call us for ever
        if gone:
            self._throw(ClientGone())


def wait_for_news(hub: Hub, room: Room, poller: Poller, arrival: gevent.event.Event, seconds: float) -> bool:
    """Wait until `arrival` rings, at most `seconds`; False if it did not. Raises ClientGone, and what ends
    the connections of who waits: SignIn, Forbidden, Draining; also where that was before.

    `arrival` is the room's, taken before the caller looked for messages: that order loses no wake-up.
    """
    check_still(hub, room, poller.identity, room.last)  # until it is listed nobody tells it
    if hub.draining.is_set():
        return False
    room.waiting += 1
    try:
        rang = poller.wait(arrival, seconds)
    finally:
        room.waiting -= 1
    hub.turnstile.pass_through()
    return rang and not hub.draining.is_set()


def check_still(hub: Hub, room: Room, identity: Identity, since: int) -> None:
    """Whether somebody who may have waited may still read. May switch. Raises SignIn, Draining and Forbidden,
    the last also where they were removed by a message after `since`.
    """
    identity = hub.people.still(identity)
    removed = room.removed(identity.id, since)
    if removed or not may(identity, "read", room.rights):
        raise withdrawn(identity, room.rights, removed)
