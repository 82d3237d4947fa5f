"""The one writer of a socket: who does not read costs nothing, and is served as soon as there is room."""

import select

import gevent
from gevent import socket

from chatapp.outlet import Outlet

UNIT = 5.0  # seconds: when a test gives up
LOOKS = 200
LIMIT = 65_536


class Log:
    """A late reader with `left` more things to get, each of them a kilobyte."""

    def __init__(self, left: int) -> None:
        self.left, self.tries = left, 0
        self.outlet: Outlet | None = None

    def advance(self) -> bool:
        assert self.outlet is not None
        self.tries += 1
        frame = b"x" * 1024
        sent = self.outlet.offer(frame)
        if sent:
            self.outlet.keep(frame[sent:])
            self.left -= 1
        return self.left == 0


def let_others_run() -> None:
    for _ in range(LOOKS):
        gevent.sleep(0)


def test_a_late_reader_whose_socket_is_full_is_let_alone_until_there_is_room() -> None:
    ours, theirs = socket.socketpair()
    log = Log(left=3000)  # far more than the kernel holds
    log.outlet = Outlet(ours, LIMIT)
    log.outlet.serve(log)
    with gevent.Timeout(UNIT):
        while select.select([], [ours], [], 0)[1]:
            gevent.sleep(0)
    let_others_run()
    tries = log.tries
    let_others_run()
    assert log.tries == tries
    assert log.left > 0
    received = 0
    with gevent.Timeout(UNIT):
        while received < 3000 * 1024:
            received += len(theirs.recv(LIMIT))
    assert log.left == 0
    ours.close()
    theirs.close()
