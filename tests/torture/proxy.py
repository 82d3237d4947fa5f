"""A TCP proxy between clients and server that does what networks do: delay, stall, cut, dribble, reset."""

import struct
from collections.abc import Callable
from contextlib import suppress

import gevent
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer

from tests.torture.wire import NARROW

CHUNK = 65536
SEGMENT = 536  # bytes: the kernel gives a connection of small segments a small send buffer
DRIBBLE = 0.002  # seconds between two bytes: without them a dribbling link takes a whole core
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: close() sends a reset


class Way:
    """What comes through a proxy at all: `there`, from clients to the server, and `back`. Not set: all waits.

    `refused`: who wants to connect is turned away.
    """

    def __init__(self) -> None:
        self.there, self.back = Event(), Event()
        self.there.set()
        self.back.set()
        self.refused = False


class Link:
    """The connection `number` through the proxy, and what is wrong with it alone."""

    def __init__(self, number: int, near: socket.socket, far: socket.socket, way: Way) -> None:
        self.number, self.near, self.far = number, near, far
        self.way = way
        self.delay = 0.0  # seconds for each chunk
        self.dribbling = False  # one byte at a time
        self.flowing = Event()  # not set: nothing is passed on
        self.flowing.set()
        self.cut_after: int | None = None  # bytes of the next chunk that still pass

    def run(self) -> None:
        """Pass bytes on, both ways, until one side ends."""
        both = [
            gevent.spawn(self._pass, self.near, self.far, self.way.there),
            gevent.spawn(self._pass, self.far, self.near, self.way.back),
        ]
        gevent.joinall(both, count=1)
        self.way.there.wait()  # nor does the end come through
        self.way.back.wait()
        # What the other direction still holds goes out, as on a real connection, unless it takes too long.
        gevent.joinall(both, timeout=2)
        gevent.killall(both)
        self.close()

    def close(self) -> None:
        """An orderly end of both sides."""
        self.near.close()
        self.far.close()

    def reset(self) -> None:
        """An end with a reset to both sides."""
        for sock in (self.near, self.far):
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.close()

    def half_close(self, towards_server: bool) -> None:
        """One side is told that the other will say no more."""
        with suppress(OSError):
            (self.far if towards_server else self.near).shutdown(socket.SHUT_WR)

    def heal(self) -> None:
        """Pass everything on again."""
        self.delay, self.dribbling, self.cut_after = 0.0, False, None
        self.flowing.set()

    def _pass(self, source: socket.socket, target: socket.socket, open_: Event) -> None:
        try:
            while data := source.recv(CHUNK):
                self.flowing.wait()
                open_.wait()
                if self.delay:
                    gevent.sleep(self.delay)
                if self.cut_after is not None:
                    target.sendall(data[: self.cut_after])
                    self.close()
                    return
                self._send(target, data)
            open_.wait()
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _send(self, target: socket.socket, data: bytes) -> None:
        while data and self.dribbling:
            target.sendall(data[:1])
            data = data[1:]
            gevent.sleep(DRIBBLE)
        target.sendall(data)


class Proxy:
    """Listens at `address`, mostly a free port of 127.0.0.1, and connects to `upstream()` for each connection that comes."""

    def __init__(
        self, upstream: Callable[[], tuple[str, int]], address: tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        self._upstream = upstream
        self.links: set[Link] = set()
        self.way = Way()
        self._count = 0
        self._server = StreamServer(address, self._handle)
        self._narrow = StreamServer(("127.0.0.1", 0), self._handle_narrow)
        self._server.start()
        self._narrow.start()

    @property
    def address(self) -> tuple[str, int]:
        return self._server.server_host, self._server.server_port

    @property
    def narrow(self) -> tuple[str, int]:
        """The same, but little is under way at a time: a reader that does not read is felt by the server."""
        return "127.0.0.1", self._narrow.server_port

    def heal(self) -> None:
        """No link is disturbed any more."""
        for link in self.links:
            link.heal()

    def stop(self) -> None:
        """Accept nothing any more and cut what is there."""
        self._server.stop()
        self._narrow.stop()
        for link in list(self.links):
            link.close()

    def _handle_narrow(self, near: socket.socket, address: object) -> None:
        self._handle(near, address, narrow=True)

    def _handle(self, near: socket.socket, _address: object, narrow: bool = False) -> None:
        far = socket.socket()
        if narrow:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NARROW)
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
        try:
            if self.way.refused:
                raise ConnectionRefusedError
            self.way.there.wait()  # without both ways
            self.way.back.wait()  # there is no connection
            far.connect(self._upstream())
        except OSError:
            near.close()
            return
        for sock in (near, far):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._count += 1
        link = Link(self._count, near, far, self.way)
        self.links.add(link)
        try:
            link.run()
        finally:
            self.links.discard(link)
            link.close()
