"""The end of a server: everybody is let go with the right word, and what was acknowledged is there afterwards."""

import os
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.clients import UNIT, Person, Socket, eventually
from tests.raw_socket import RawSocket
from tests.servers import Server
from tests.test_workers import Follower, everything, say_until

SIGNALS = [signal.SIGTERM, signal.SIGINT]
LOUD = "👍" * 4000  # 16 KB: five hundred of them are more than any kernel holds for a socket


class Gathering:
    """Readers and clients of every kind at one server, each doing what it should not hold the server up with."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ada = Person(server, "ada")
        self.board, self.loud = self.ada.make_room("board"), self.ada.make_room("loud")
        self.ada.say(self.board, "one")
        self._threads = ThreadPoolExecutor(8)
        self.sockets = {"two rooms": self._joined(self.board, self.loud), "no room": self._joined()}
        self.sockets["plain"] = self.ada.socket(path=f"/chats/{self.board}/ws", subprotocols=None)
        messages, stream = self.ada.messages(self.board), f"/api/rooms/{self.board}/stream"
        self.poll = self._waiting("GET", f"{messages}?after=1&wait=50")
        self.tutorial_poll = self._waiting("GET", f"/chats/{self.board}/http?lastupdate=9999999999")
        self.stream = self._raw(lambda raw: raw.request("GET", f"{stream}?after=0"))
        self.others = {
            "silent": self._raw(lambda raw: None),
            "idle": self._raw(lambda raw: (raw.request("GET", "/healthz"), raw.answer())),
            "half a head": self._raw(lambda raw: raw.send(b"GET /healthz HTTP/1.1\r\nHost: chat")),
            "half a body": self._raw(
                lambda raw: raw.request("POST", messages, b'{"body": "', Content_Length="99")
            ),
            "half a frame": self._raw(lambda raw: (raw.handshake(), raw.send(b"\x81\xfe\x00"))),
            "deaf": self._raw(self._listen_to_nothing),
        }
        eventually(lambda: b"one" in self._peek(self.stream), "the stream is open")
        eventually(lambda: self._waiting_polls() == 2, "both polls wait")

    def leave(self) -> None:
        for each in [self.stream, *self.others.values()]:
            each.sock.close()
        for each in self.sockets.values():
            each.close()
        self.ada.close()
        self._threads.shutdown()

    def _joined(self, *rooms: int) -> Socket:
        socket = self.ada.socket()
        for room in rooms:
            assert socket.join(room)["type"] == "joined"
        return socket

    def _waiting(self, method: str, path: str) -> "Future[httpx.Response]":
        return self._threads.submit(httpx.request, method, self.server.url + path, timeout=70)

    def _raw(self, begin: Callable[[RawSocket], object]) -> RawSocket:
        raw = RawSocket(self.server)
        begin(raw)
        return raw

    def _listen_to_nothing(self, raw: RawSocket) -> None:
        with_much = self.ada.socket()
        for _ in range(500):
            with_much.send({"type": "send", "room": self.loud, "body": LOUD})
        eventually(lambda: len(with_much.of("ack")) == 500, "much is said", 3 * UNIT)
        with_much.close()
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.handshake()
        raw.frame(f'{{"type": "join", "room": {self.loud}, "after": 0}}')
        eventually(lambda: self._unread(raw) > 100_000, "the kernel holds what is not read")

    def _unread(self, raw: RawSocket) -> int:
        """Bytes that the server's kernel could not pass on to this client."""
        ends = f"0100007F:{self.server.port:04X} 0100007F:{raw.sock.getsockname()[1]:04X}"
        line = next(line for line in Path("/proc/net/tcp").read_text().splitlines() if ends in line)
        return int(line.split()[4].split(":")[0], 16)

    @staticmethod
    def _peek(raw: RawSocket) -> bytes:
        return raw.sock.recv(65_536, socket.MSG_PEEK)

    def _waiting_polls(self) -> int:
        return sum(not poll.done() for poll in (self.poll, self.tutorial_poll))


@pytest.fixture(scope="module", params=SIGNALS, ids=lambda number: number.name)
def parted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gathering]:
    """A gathering whose server was told to go, and went."""
    server = Server(tmp_path_factory.mktemp("parted") / "instance").start()
    try:
        gathering = Gathering(server)
        server.status = server.stop(request.param)  # type: ignore[attr-defined]
        yield gathering
        gathering.leave()
    finally:
        server.kill()


def test_the_server_goes_by_itself_whatever_its_clients_do(parted: Gathering) -> None:
    server = parted.server
    assert server.status == 0  # type: ignore[attr-defined]
    eventually(lambda: "Shutting down" in server.log[-1], "the last line is in")
    log = "".join(server.log)
    assert "timeout" not in log, "nobody had to be waited for until gunicorn lost patience"
    assert log.count("Worker exiting") == 1
    assert "ERROR" not in log
    assert "Traceback" not in log
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


@pytest.mark.parametrize("kind", ["two rooms", "no room", "plain"])
def test_a_socket_is_closed_with_1012(kind: str, parted: Gathering) -> None:
    assert eventually(lambda: parted.sockets[kind].closed)[0] == 1012


def test_a_waiting_poll_is_answered_with_an_empty_batch_that_loses_nothing(parted: Gathering) -> None:
    answer = parted.poll.result(UNIT)
    assert answer.status_code == 200
    batch = answer.json()
    assert (batch["messages"], batch["cursor"], batch.get("reset", False)) == ([], 1, False)
    assert answer.headers["Connection"].lower() == "close"


def test_a_waiting_poll_of_the_tutorial_is_answered_as_if_nothing_had_come(parted: Gathering) -> None:
    answer = parted.tutorial_poll.result(UNIT)
    assert answer.status_code == 204
    assert answer.headers["Connection"].lower() == "close"


def test_a_stream_ends_after_a_whole_event(parted: Gathering) -> None:
    said = parted.stream.wait_for_end()
    assert b"one" in said
    assert said.endswith(b"\n\n")


@pytest.mark.parametrize("kind", ["silent", "idle", "half a head", "half a body", "half a frame"])
def test_a_connection_that_waits_for_nothing_is_closed(kind: str, parted: Gathering) -> None:
    parted.others[kind].wait_for_end()


# -- under load ----------------------------------------------------------------------------------------


class Crowd:
    """People who say things without end, each thing again until it is acknowledged; and some who follow."""

    def __init__(self, server: Server, followers: int = 0) -> None:
        self.server = server
        self.ada = Person(server, "ada")
        self.board = self.ada.make_room()
        self.acked: dict[str, int] = {}
        self._people = [Person(server, f"guest {number}") for number in range(4)]
        self._enough = threading.Event()
        self._followers = [Follower(self.ada, self.board) for _ in range(followers)]
        self._threads = [
            threading.Thread(
                target=say_until, args=(person, self.board, self.acked, self._enough), daemon=True
            )
            for person in self._people
        ]
        for thread in self._threads:
            thread.start()

    def wait_for(self, more: int) -> None:
        goal = len(self.acked) + more
        eventually(lambda: len(self.acked) >= goal, f"{more} more are acknowledged", 3 * UNIT)

    def fall_silent(self) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(3 * UNIT)
            assert not thread.is_alive()

    def check(self, acked: dict[str, int]) -> None:
        """All of `acked` is in the log under its number, nothing twice, no number is missing, all followers have all."""
        kept = everything(self.ada, self.board)
        assert [message["seq"] for message in kept] == list(range(1, len(kept) + 1))
        numbers = {message["client_id"]: message["seq"] for message in kept}
        assert len(numbers) == len(kept)
        assert acked.items() <= numbers.items()
        for follower in self._followers:
            eventually(lambda follower=follower: len(follower.seqs) >= len(kept), "everybody has everything")
            cut_off = list(follower.closes)
            follower.close()
            assert follower.seqs == list(range(1, len(kept) + 1))
            assert set(cut_off) <= {1012}, "come back soon, with your cursor"

    def leave(self) -> None:
        for person in [self.ada, *self._people]:
            person.close()


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_what_was_acknowledged_under_load_is_there_after_a_restart(
    number: signal.Signals, new_server: Callable[..., Server]
) -> None:
    server = new_server(workers=2).start()
    crowd = Crowd(server, followers=2)
    sockets = [crowd.ada.socket() for _ in range(2)]
    pushing = [threading.Thread(target=push, args=(each, crowd.board), daemon=True) for each in sockets]
    for thread in pushing:
        thread.start()
    crowd.wait_for(50)
    assert server.stop(number) == 0
    server.start()
    crowd.fall_silent()
    for thread in pushing:
        thread.join(UNIT)
    acked = dict(crowd.acked)
    for each in sockets:
        assert eventually(lambda each=each: each.closed)[0] == 1012
        acked |= {frame["client_id"]: frame["seq"] for frame in each.of("ack")}
    assert len(acked) > len(crowd.acked), "some of it was acknowledged over the sockets"
    crowd.check(acked)
    crowd.leave()


def push(sender: Socket, room: int) -> None:
    """Send, up to 32 messages ahead of their acks, until the socket is closed."""
    sent = 0
    while sender.closed is None:
        for _ in range(32):
            frame = {"type": "send", "room": room, "body": "word", "client_id": uuid.uuid4().hex}
            with suppress(ConnectionClosed):
                sender.send(frame)
        sent += 32
        eventually(
            lambda sent=sent: sender.closed or len(sender.of("ack")) >= sent, "all are acknowledged", 3 * UNIT
        )


@pytest.mark.parametrize("how", ["SIGHUP", "--max-requests"])
def test_workers_are_replaced_while_people_talk_and_nobody_misses_anything(
    how: str, new_server: Callable[..., Server]
) -> None:
    server = new_server(workers=2).start(*(["--max-requests", "60"] if how == "--max-requests" else []))
    old = set(server.worker_pids)
    crowd = Crowd(server, followers=2)
    crowd.wait_for(20)
    if how == "SIGHUP":
        os.kill(server.pid, signal.SIGHUP)
    eventually(
        lambda: len(now := set(server.worker_pids)) == 2 and not now & old, "both are replaced", 3 * UNIT
    )
    crowd.wait_for(20)
    crowd.fall_silent()
    crowd.check(crowd.acked)
    crowd.leave()
    assert server.stop() == 0
