"""The connections that a worker has accepted, below HTTP: how many there may be, and who is let go first."""

import errno
import logging
import resource
import time
from contextlib import suppress
from socket import SHUT_RD
from typing import Any

import gevent
from gevent import socket

from chatapp import sockets
from chatapp.hub import Hub
from chatapp.transports.again import Again, give_way
from chatapp.transports.hijack import TakenOver, taken_over
from chatapp.transports.quick_handshake import QuickHandshakes

RESERVED_FILES = 100  # for the database, the bus, pages and what gunicorn has open: about 30
ASK_SECONDS = 0.1  # for the request of a connection that comes while we go: it is refused with a word
NEXT_SECONDS = 0.5  # for the next request of a client that was just answered, before it makes room
SAY_SECONDS = 60  # between two lines that say that there is no more room
VANISHED = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH}  # what TCP says of machines

log = logging.getLogger(__name__)


class Accepted:
    """Stands between gunicorn's worker and its connections.

    There are never more than the limit of open files allows: beyond that they wait in the kernel until others
    end, and files can still be opened. Who waits for a request makes room, the longest waiting first; who is
    being served stays. So clients that connect and say nothing shut nobody out.
    """

    def __init__(self, worker: Any, hub: Hub) -> None:
        """`worker`: gunicorn's, with its application loaded."""
        self._heartbeat = hub.config.heartbeat
        self._limit = _limit(worker.worker_connections, len(worker.sockets))
        self._all: set[socket.socket] = set()
        self._waiting: dict[socket.socket, None] = {}  # for a request, in the order in which they began to
        self._said = -float(SAY_SECONDS)
        self._going = self._looking = False
        self._handle, self._handle_request = worker.handle, worker.handle_request
        self._handshakes = QuickHandshakes(worker.wsgi, worker.cfg)
        self._again = Again(hub, worker, self._wait, self._serve)
        worker.worker_connections = self._limit  # gunicorn stops accepting there
        worker.handle, worker.handle_request = self.handle, self.handle_request
        worker.log.error_log.addFilter(_is_error)

    def handle(self, listener: socket.socket, client: socket.socket, address: Any) -> None:
        """Serve the connection `client` until its end, in a greenlet of its own."""
        if client.family != socket.AF_UNIX:
            sockets.prepare(client, self._heartbeat)
        self._all.add(client)
        if self._full:
            self._make_room()
        self._waiting[client] = None
        if self._going:
            gevent.spawn_later(ASK_SECONDS, _shut, client)
        try:
            self._handle(listener, client, address)
        finally:
            self._all.discard(client)
            self._waiting.pop(client, None)
        going_on = taken_over(client)
        if going_on is not None:
            self._go_on(going_on)

    def _go_on(self, connection: TakenOver) -> None:
        self._all.add(connection.sock)
        try:
            connection.serve()
        except Exception:
            log.exception("a connection could not be served")
        finally:
            self._all.discard(connection.sock)
            connection.sock.close()

    def handle_request(self, listener_name: Any, request: Any, client: socket.socket, address: Any) -> None:
        """Serve one request of a connection, and those behind it that are the same again."""
        self._serve(client)
        try:
            if self._handshakes.take(request, client, address):
                raise StopIteration  # so gunicorn lets go of the connection
            self._handle_request(listener_name, request, client, address)
            self._again.go_on(request, client)
            give_way(getattr(request, "unreader", None), client)
        finally:
            self._wait(client)

    def hang_up(self) -> None:
        """Let all go that are idle or still sending, and those yet to come: they would hold the stop."""
        self._going = True
        for client in list(self._all):
            _shut(client)

    def _serve(self, client: socket.socket) -> None:
        self._waiting.pop(client, None)

    def _wait(self, client: socket.socket) -> None:
        self._waiting[client] = None
        if self._full and not self._looking:  # nobody is accepted who would make room
            self._looking = True
            gevent.spawn_later(NEXT_SECONDS, self._look)

    @property
    def _full(self) -> bool:
        return len(self._all) >= self._limit

    def _look(self) -> None:
        self._looking = False
        if self._full and self._waiting:
            self._make_room()

    def _make_room(self) -> None:
        for client in self._waiting:
            _shut(client)
            self._waiting.pop(client)
            self._all.discard(client)  # on its way out: nobody else has to go for the same room
            return
        now = time.monotonic()
        if now - self._said >= SAY_SECONDS:
            self._said = now
            log.warning("%d connections, as many as there may be (ulimit -n): new ones wait", self._limit)


def _limit(wanted: int, listeners: int) -> int:
    """How many connections each of `listeners` may have: `wanted`, if so many files can be opened."""
    files = wanted + RESERVED_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        most = files if hard == resource.RLIM_INFINITY else min(files, hard)
        with suppress(ValueError, OSError):  # what macOS calls unlimited is not
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        files = min(files, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return max(1, min(wanted, max(files - RESERVED_FILES, files // 2)) // listeners)


def _is_error(record: logging.LogRecord) -> bool:
    """Whether it is to be logged: to gunicorn a client whose machine has vanished is an error."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, OSError) and error.errno in VANISHED)


def _shut(client: socket.socket) -> None:
    with suppress(OSError):
        # The socket below gevent's: its own shutdown would raise in the handler that waits.
        sockets.raw(client).shutdown(SHUT_RD)
