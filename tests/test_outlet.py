"""The one writer of a socket: who does not read costs nothing, and is served as soon as there is room."""

import select
from collections.abc import Iterator

import gevent
import pytest
from gevent import socket

from chatapp.outlet import Outlet, gathered

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


class CountedSocket:
    """A socket, and what each call of `send` had."""

    def __init__(self, real: socket.socket) -> None:
        self._real, self.sent = real, list[bytes]()

    def send(self, data: bytes) -> int:
        self.sent.append(bytes(data))
        return self._real.send(data)

    def shutdown(self, how: int) -> None:
        self._real.shutdown(how)

    def fileno(self) -> int:
        return self._real.fileno()


@pytest.fixture
def pair() -> Iterator[tuple[CountedSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield CountedSocket(ours), theirs
    ours.close()
    theirs.close()


@pytest.fixture
def outlet(pair: tuple[CountedSocket, socket.socket], monkeypatch: pytest.MonkeyPatch) -> Outlet:
    monkeypatch.setattr("chatapp.outlet.raw", lambda sock: sock)
    return Outlet(pair[0], LIMIT)  # type: ignore[arg-type]


def test_what_there_is_for_a_reader_leaves_at_once_and_without_a_greenlet_of_its_own(
    outlet: Outlet, pair: tuple[CountedSocket, socket.socket]
) -> None:
    outlet.send(b"one ")
    assert outlet.offer(b"two") == len(b"two")
    assert pair[0].sent == [b"one ", b"two"]
    assert outlet._pump is None


def test_where_nobody_else_may_write_it_leaves_by_that_greenlet_whole_and_in_order(
    pair: tuple[CountedSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatapp.outlet.raw", lambda sock: sock)
    outlet, log = Outlet(pair[0], LIMIT, direct=False), Log(left=3)  # type: ignore[arg-type]
    log.outlet = outlet
    assert outlet.offer(b"message") == 0
    outlet.send(b"one ")
    with gathered():
        outlet.send(b"two ")
    outlet.serve(log)
    assert pair[0].sent == []
    with gevent.Timeout(UNIT):
        while log.left:
            gevent.sleep(0)
    outlet.close(b"farewell")
    received = b""
    with gevent.Timeout(UNIT):
        while data := pair[1].recv(LIMIT):
            received += data
    assert received == b"one two " + b"x" * 3072 + b"farewell"


def test_what_is_gathered_leaves_in_one_call_behind_what_was_sent_before(
    outlet: Outlet, pair: tuple[CountedSocket, socket.socket]
) -> None:
    outlet.send(b"before ")
    with gathered():
        outlet.send(b"one ")
        outlet.send(b"two ")
        assert pair[0].sent == [b"before "]
        assert outlet.unsent == len(b"one two ")
    outlet.send(b"after")
    assert pair[0].sent == [b"before ", b"one two ", b"after"]
    assert outlet.unsent == 0


@pytest.mark.parametrize("what", ["a message", "a farewell"])
def test_nothing_goes_past_what_was_gathered(
    what: str, outlet: Outlet, pair: tuple[CountedSocket, socket.socket]
) -> None:
    with gathered():
        outlet.send(b"one ")
        if what == "a message":
            assert outlet.offer(b"message") == len(b"message")
        else:
            outlet.close(b"farewell")
            outlet.send(b"too late")
    assert pair[0].sent == [b"one ", what.removeprefix("a ").encode()]


def test_what_was_gathered_for_a_full_socket_waits_whole_and_in_order(
    outlet: Outlet, pair: tuple[CountedSocket, socket.socket]
) -> None:
    _, theirs = pair
    full = b"x" * 4_000_000
    outlet.keep(full[outlet.offer(full) :])
    with gathered():
        outlet.send(b"one ")
        outlet.send(b"two")
    received = b""
    with gevent.Timeout(UNIT):
        while len(received) < len(full) + len(b"one two"):
            received += theirs.recv(LIMIT)
    assert received == full + b"one two"


def test_who_is_gone_meanwhile_gets_nothing_and_the_others_theirs(
    outlet: Outlet, pair: tuple[CountedSocket, socket.socket]
) -> None:
    ours, theirs = socket.socketpair()
    other = Outlet(CountedSocket(ours), LIMIT)  # type: ignore[arg-type]
    with gathered():
        outlet.send(b"one")
        other.send(b"two")
        outlet.abort()
    assert pair[0].sent == []
    assert theirs.recv(LIMIT) == b"two"
    ours.close()
    theirs.close()


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
