"""Waiting for news of a room without going deaf: a client that leaves ends its wait at once, and so does
whatever ends a pushed reader, with the same words.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from socket import MSG_PEEK

import gevent
from gevent import socket

from chatapp.errors import ChatError
from chatapp.hub import Hub
from chatapp.permissions import Identity, may, withdrawn
from chatapp.room import Room
from chatapp.sockets import raw

READABLE = 1  # libev's EV_READ


class ClientGone(BaseException):
    """The client hung up while its request waited. Not an Exception: nobody may answer it."""


class Waiting:
    """A request that waits, as those see it who end people's connections (people.py, hub.py)."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.over = False
        self._greenlet = gevent.getcurrent()

    def identified(self, identity: Identity) -> None:
        self.identity = identity

    def dismiss(self, error: ChatError) -> None:
        gevent.get_hub().loop.run_callback(self._throw, error)  # to throw it right here would switch

    def _throw(self, error: ChatError) -> None:
        if not self.over:
            self._greenlet.throw(error)


def wait_for_news(
    hub: Hub,
    room: Room,
    identity: Identity,
    arrival: gevent.event.Event,
    seconds: float,
    sock: socket.socket,
) -> bool:
    """Wait until `arrival` rings, at most `seconds`; False if it did not. Raises ClientGone, and what ends
    the connections of `identity`: SignIn, Forbidden, Draining; also where that was before.

    `arrival` is the room's, taken before the caller looked for messages: that order loses no wake-up.
    """
    check_still(hub, room, identity, room.last)  # until it is listed nobody tells it
    if hub.draining.is_set():
        return False
    room.waiting += 1
    try:
        with _ears_open(sock), _listed(hub, identity):
            rang = bool(arrival.wait(seconds))
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


@contextmanager
def _listed(hub: Hub, identity: Identity) -> Iterator[None]:
    """Within the block this greenlet is among those who are ended with their person."""
    waiting = Waiting(identity)
    hub.waiting.add(waiting)
    try:
        yield
    finally:
        waiting.over = True
        hub.waiting.discard(waiting)


@contextmanager
def _ears_open(sock: socket.socket) -> Iterator[None]:
    """Throw ClientGone into this greenlet when the peer of `sock` hangs up within the block."""
    greenlet = gevent.getcurrent()
    watcher = gevent.get_hub().loop.io(sock.fileno(), READABLE)

    def readable() -> None:
        try:
            gone = not raw(sock).recv(1, MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        watcher.stop()  # bytes are the next, pipelined request: they stay readable and would call us for ever
        if gone:
            greenlet.throw(ClientGone())

    watcher.start(readable)
    try:
        yield
    finally:
        watcher.stop()
        watcher.close()
