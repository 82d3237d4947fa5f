"""Outlet: the one writer of one socket. It never blocks its caller and never cuts a frame.

Invariants
- Bytes leave in the order in which they were given. While `_unsent` holds something nothing goes past it.
- `_unsent` holds control frames and the rest of at most one message's frame; further messages are not
  buffered: their reader is late, and the pump greenlet serves it from its cursor when the socket takes
  bytes again. So the unsent bytes of a reader are bounded, and nobody is cut off for being slow.
- `offer`, `send`, `serve` and `close` never switch. Only the pump does, and it exists only while there is
  something unsent or somebody late.
- `_gathered` holds what was sent within `gathered`, where nothing switches: whatever else is to leave through
  the same outlet leaves behind it, and nobody else ever sees it.
"""

import logging
import socket as stdlib_socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import gevent
from gevent import socket

from chatapp.errors import ChatError
from chatapp.log_lines import REQUEST
from chatapp.sockets import raw
from chatapp.turnstile import Turnstile

log = logging.getLogger(__name__)

TURNSTILE = Turnstile()  # of all who are late one stretch goes out at a time, and all else in between
AGAIN_SECONDS = 1  # until the log is read again when it could not be
CLOSE_SECONDS = 2  # for a peer that does not take its close frame


_gathering: "list[Outlet] | None" = None  # those with something gathered, within `gathered`
_pumped: "set[Outlet]" = set()  # those with something unsent, or that had some a moment ago


@contextmanager
def gathered() -> Iterator[None]:
    """What is sent within leaves at its end, for each socket in one system call. Nothing in it may switch."""
    global _gathering
    outlets: list[Outlet] = []
    _gathering = outlets
    try:
        yield
    finally:
        _gathering = None
        for outlet in outlets:
            outlet.let_go()


def nothing_waits(outlets: "frozenset[Outlet]") -> bool:
    """Whether in none of `outlets` there is something that is to leave first: then `send_now` may be called
    in the place of `offer`, with what it raises.
    """
    return not _gathering and _pumped.isdisjoint(outlets)


class Late(Protocol):
    """A reader that is served at the pace of its socket."""

    def advance(self) -> bool:
        """Offer what comes next; True once there is nothing more to do. May switch."""


class Outlet:
    """`limit`: unsent bytes beyond which nothing that can be done without is accepted any more. `direct`:
    whether the socket is written to by whoever has something for it; otherwise only by the pump.
    `send_now`: the socket's own `send`, or what does as if it was full. For `offer`, and see `nothing_waits`.
    """

    def __init__(self, sock: socket.socket, limit: int, direct: bool = True) -> None:
        self._sock = sock
        self._raw = raw(sock)
        self.send_now = self._raw.send if direct else self._send_by_pump
        self._limit = limit
        self._unsent = bytearray()
        self._gathered = b""
        self._late: deque[Late] = deque()
        self._pump: gevent.Greenlet[[], None] | None = None
        self._closing = False
        self.closed = False
        self.request = REQUEST.get()  # whose socket it is, for the log

    @property
    def unsent(self) -> int:
        """Bytes that wait for the socket."""
        return len(self._unsent) + len(self._gathered)

    @property
    def full(self) -> bool:
        """Whether the peer should be left alone until it has read what is there for it."""
        return self.unsent > self._limit

    @property
    def ending(self) -> bool:
        """Whether nothing more will be sent."""
        return self.closed or self._closing

    def offer(self, data: bytes) -> int:
        """How many bytes of `data` the socket took at once; the caller looks after the rest."""
        if self._gathered:
            self.let_go()
        if self._unsent or self.closed or self._closing:
            return 0
        send_now = self.send_now  # Python 3.11 finds a method fast, but an attribute that is called slowly
        try:
            return send_now(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.abort()
            return 0

    def keep(self, rest: bytes) -> None:
        """Hold the rest of a frame whose beginning the socket took. Only right after `offer`."""
        if not self.closed:
            self._unsent += rest
            _pumped.add(self)
            self._start_pump()

    def send(self, frame: bytes, droppable: bool = False) -> None:
        """Send a control frame. A `droppable` one is dropped when the reader is far behind."""
        if self.closed or self._closing or (droppable and self.full):
            return
        if _gathering is None:
            self._write(frame)
        else:
            if not self._gathered:
                _gathering.append(self)
            self._gathered += frame

    def let_go(self) -> None:
        """Write what was gathered."""
        frames, self._gathered = self._gathered, b""
        if frames:
            self._write(frames)

    def _write(self, frames: bytes) -> None:
        rest = frames[self.offer(frames) :]
        if rest:
            self.keep(rest)

    def serve(self, reader: Late) -> None:
        """Let `reader` advance at the pace of the socket until it says that it is done."""
        if not self.closed and not self._closing and reader not in self._late:
            self._late.append(reader)
            self._start_pump()

    def close(self, frame: bytes = b"") -> None:
        """Send `frame` behind all that is unsent and write no more. The peer has a moment to hang up."""
        if self.closed or self._closing:
            return
        self._late.clear()
        self.let_go()
        self._write(frame)
        self._closing = True
        gevent.spawn_later(CLOSE_SECONDS, self.abort)
        if not self._unsent:
            self._hang_up()

    def abort(self) -> None:
        """End the connection now; whoever reads from it sees its end."""
        self.closed = True
        self._unsent.clear()
        self._gathered = b""
        self._late.clear()
        self._shut(stdlib_socket.SHUT_RDWR)

    def _hang_up(self) -> None:
        # Only our half: closing with unread bytes of the peer's in the kernel would send a reset, which
        # can overtake the close frame.
        self.closed = True
        self._shut(stdlib_socket.SHUT_WR)

    def _shut(self, how: int) -> None:
        with suppress(OSError):  # the peer was faster
            self._raw.shutdown(how)

    def _start_pump(self) -> None:
        if self._pump is None:
            self._pump = gevent.spawn(self._run)

    def _run(self) -> None:
        REQUEST.set(self.request)
        try:
            while not self.closed:
                if self._unsent:
                    self._flush()
                elif self._closing:
                    self._hang_up()
                elif self._late:
                    socket.wait_write(self._sock.fileno())  # a peer that reads nothing keeps nobody busy
                    TURNSTILE.pass_through()
                    self._advance_one()
                else:
                    return  # nothing switches between this look and `_pump = None`
        except OSError:
            self.abort()
        except Exception:
            log.exception("a reader could not be served")
            self.abort()
        finally:
            self._pump = None
            _pumped.discard(self)

    def _advance_one(self) -> None:
        if self._late:  # the connection may have ended while we stood in the queue
            reader = self._late.popleft()
            try:
                done = reader.advance()
            except ChatError:  # the log cannot be read just now (which is logged): the reader stays late
                gevent.sleep(AGAIN_SECONDS)
                done = False
            if not done:
                self.serve(reader)

    def _send_by_pump(self, data: bytes | bytearray) -> int:
        if gevent.getcurrent() is not self._pump:
            raise BlockingIOError  # as a socket does that is full: all the rest is what follows from that
        return self._raw.send(data)

    def _flush(self) -> None:
        try:
            sent = self.send_now(self._unsent)
        except BlockingIOError:
            socket.wait_write(self._sock.fileno())
        else:
            del self._unsent[:sent]
