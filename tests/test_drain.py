"""The end of a server: everybody is let go with the right word, and what was acknowledged is there afterwards."""

import json
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.clients import UNIT, Person, Socket, eventually
from tests.raw_socket import RawSocket
from tests.servers import Server
from tests.test_workers import AGAIN_SECONDS, Follower, everything

SIGNALS = [signal.SIGTERM, signal.SIGINT]
PATIENT = ["--graceful-timeout", "20"]  # a busy machine is no reason to kill a worker
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
        eventually(lambda: self._unread(raw) > 50_000, "the kernel holds what is not read")

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
    server = Server(tmp_path_factory.mktemp("parted") / "instance").start(*PATIENT)
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

RETURN_SECONDS = 5.0  # within which a page comes back: RETURN_SPREAD of static/js/connection.js
PACE_SECONDS = 0.02  # leaves the machine to the others, and something in flight at any moment
HOWS = ["SIGTERM", "SIGINT", "SIGHUP", "--max-requests"]


@pytest.mark.parametrize("how", [HOWS[0], *(pytest.param(how, marks=pytest.mark.long) for how in HOWS[1:])])
def test_workers_go_while_everybody_talks_and_reads_and_nothing_is_lost_or_left_unanswered(
    how: str, new_server: Callable[..., Server]
) -> None:
    more = ["--max-requests", "200"] if how == "--max-requests" else []
    server = new_server(workers=2).start(*PATIENT, *more)
    old = set(server.worker_pids)
    crowd = Crowd(server)
    crowd.wait_for(10)
    if how in ("SIGTERM", "SIGINT"):
        assert server.stop(signal.Signals[how]) == 0
        server.start(*PATIENT)
    elif how == "SIGHUP":
        os.kill(server.pid, signal.SIGHUP)
    eventually(
        lambda: len(now := set(server.worker_pids)) == 2 and not now & old, "both are replaced", 6 * UNIT
    )
    crowd.wait_for(10)
    crowd.fall_silent()
    crowd.check()
    crowd.leave()
    assert server.stop() == 0
    log = "".join(server.log)
    assert log.count("Worker exiting") == log.count("Ready"), "each went by itself"
    assert "ERROR" not in log


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """What a service of Type=notify tells."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(UNIT)
        yield told


def test_an_upgrade_beside_the_running_server_loses_nothing_and_at_no_moment_is_nobody_there(
    new_server: Callable[..., Server], systemd: socket.socket, tmp_path: Path
) -> None:
    server, pid_file = new_server(workers=2), tmp_path / "pid"
    server.settings["NOTIFY_SOCKET"] = systemd.getsockname()
    server.start(*PATIENT, "--pid", str(pid_file))
    crowd = Crowd(server, RETURN_SECONDS)
    crowd.wait_for(10)
    server.upgrade()
    crowd.wait_for(10)
    crowd.fall_silent()
    crowd.check()
    crowd.leave()
    assert crowd.refused == 0, "there was always somebody to connect to"
    away, back = (
        max(getattr(reader, name) for reader in crowd.returning)
        for name in ("longest_away", "longest_return")
    )
    assert away, "they were cut off"
    print(f"\nThe longest wait for an answer was {crowd.longest_wait:.1f} s.")
    print(f"Readers were away for up to {away:.1f} s, and up to {back:.2f} s were not their own wait.")
    told = [systemd.recv(4096).decode().split()[0] for _ in range(3)]
    assert told == ["READY=1", "READY=1", f"MAINPID={server.pid}"], "systemd goes by who is there now"
    eventually(lambda: pid_file.exists() and int(pid_file.read_text()) == server.pid, "so does the file")
    server.stop()
    log = "".join(server.log)
    assert log.count("Worker exiting") == log.count("Ready") == 4, "each went by itself"
    assert log.count("Shutting down") == 2
    assert "ERROR" not in log


def test_a_version_that_cannot_start_leaves_the_running_server_as_it_is(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(workers=2).start(*PATIENT)
    workers = server.worker_pids
    (server.instance / "config.py").write_text("CHATAPP_HEARTBEAT = 0\n")
    os.kill(server.pid, signal.SIGUSR2)
    eventually(lambda: any("CHATAPP_HEARTBEAT" in line for line in server.log), "it says why", 6 * UNIT)
    eventually(lambda: server.worker_pids == workers, "it is gone")
    Person(server, "ada").say(1, "still here")


def test_those_who_come_while_the_server_goes_do_not_hold_it_up(new_server: Callable[..., Server]) -> None:
    server = new_server().start(*PATIENT)
    came: list[RawSocket] = []
    gone = threading.Event()

    def keep_coming() -> None:
        while not gone.wait(0.01):
            with suppress(OSError):
                came.append(RawSocket(server))

    coming = threading.Thread(target=keep_coming)
    coming.start()
    eventually(lambda: len(came) > 10)
    assert server.stop() == 0
    gone.set()
    coming.join()
    for raw in came:
        raw.wait_for_end()
        raw.sock.close()
    assert "Worker exiting" in "".join(server.log), "it went by itself"


class Crowd:
    """People who talk without end over every door, and people who read over every transport.

    What is not acknowledged is said again with its `client_id`; who is cut off comes back with the cursor, over a
    WebSocket after a while of at most `spread` seconds.
    """

    def __init__(self, server: Server, spread: float = 0.0) -> None:
        self.ada = Person(server, "ada")
        self.board = self.ada.make_room()
        self.acked: dict[str, int] = {}
        self._enough = threading.Event()
        self._talkers = [Poster(self), Poster(self), SocketTalker(self), SocketTalker(self)]
        self.returning = [Follower(self.ada, self.board, spread) for _ in range(2)]
        self._followers = [
            *self.returning,
            *(kind(self.ada, self.board) for kind in (StreamFollower, PollFollower) * 2),
        ]

    @property
    def enough(self) -> bool:
        return self._enough.is_set()

    @property
    def refused(self) -> int:
        """How many connections were refused to those who talk."""
        return sum(talker.refused for talker in self._talkers)

    @property
    def longest_wait(self) -> float:
        """Seconds from when something was said for the first time until it was acknowledged."""
        return max(talker.longest_wait for talker in self._talkers)

    def wait_for(self, more: int) -> None:
        """Until every one of them has had so many things acknowledged."""
        goals = [(talker, talker.acked + more) for talker in self._talkers]
        eventually(
            lambda: all(talker.acked >= goal for talker, goal in goals), f"{more} more from each", 9 * UNIT
        )

    def fall_silent(self, *closes: int) -> None:
        """Each says their last word until it is acknowledged; who was cut off, was told 1012 or one of `closes`."""
        self._enough.set()
        for talker in self._talkers:
            talker.thread.join(3 * UNIT)
            assert not talker.thread.is_alive()
            assert talker.unanswered == 0, "every request was answered or its connection closed"
            assert talker.closes <= {1012, *closes}

    def check(self) -> None:
        """What was acknowledged is in the log under its number, nothing twice, and everybody has all of it."""
        kept = everything(self.ada, self.board)
        assert [message["seq"] for message in kept] == list(range(1, len(kept) + 1))
        assert {message["client_id"]: message["seq"] for message in kept} == self.acked
        for follower in self._followers:
            eventually(lambda follower=follower: len(follower.seqs) >= len(kept), "all of it", 3 * UNIT)
        closes = [set(follower.closes) for follower in self._followers]
        with ThreadPoolExecutor(len(self._followers)) as pool:  # each goes on to the end of what it waits for
            list(pool.map(lambda follower: follower.close(), self._followers))
        for follower, cut_off in zip(self._followers, closes, strict=True):
            assert follower.seqs == list(range(1, len(kept) + 1))
            assert cut_off <= {1012}, "come back soon, with your cursor"

    def leave(self) -> None:
        self.ada.close()


class Talker:
    """Somebody of a crowd, in a thread of their own."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.acked = self.unanswered = self.refused = 0
        self.longest_wait = 0.0
        self.closes: set[int] = set()
        self._begun: dict[str, float] = {}
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _new(self) -> str:
        """The `client_id` of what is now said for the first time."""
        client_id = uuid.uuid4().hex
        self._begun[client_id] = time.monotonic()
        return client_id

    def _acknowledged(self, client_id: str, seq: int) -> None:
        self.longest_wait = max(self.longest_wait, time.monotonic() - self._begun[client_id])
        assert self.crowd.acked.setdefault(client_id, seq) == seq
        self.acked += 1

    def _run(self) -> None:
        raise NotImplementedError


class Poster(Talker):
    def _run(self) -> None:
        ada = self.crowd.ada
        with httpx.Client(
            base_url=ada.server.url,
            cookies=ada.http.cookies,
            headers={"Origin": ada.server.url},
            timeout=3 * UNIT,
            verify=False,
        ) as http:
            while not self.crowd.enough:
                self._say(http, self._new())

    def _say(self, http: httpx.Client, client_id: str) -> None:
        while True:
            try:
                message = {"body": "word", "client_id": client_id}
                answer = http.post(Person.messages(self.crowd.board), json=message)
            except httpx.TimeoutException:
                self.unanswered += 1
            except httpx.TransportError as error:
                self.refused += isinstance(error, httpx.ConnectError)
                time.sleep(AGAIN_SECONDS)
            else:
                if answer.status_code in (200, 201):
                    self._acknowledged(client_id, answer.json()["seq"])
                    time.sleep(PACE_SECONDS)
                    return
                assert answer.status_code in (502, 503), answer.text  # 502: a proxy that finds nobody


class SocketTalker(Talker):
    """Sends eight messages ahead of their acks."""

    def _run(self) -> None:
        sending: list[str] = []
        while sending or not self.crowd.enough:
            try:
                socket = self.crowd.ada.socket()
            except (OSError, WebSocketException) as error:
                self.refused += isinstance(error, ConnectionRefusedError)
                time.sleep(AGAIN_SECONDS)
                continue
            while socket.closed is None and (sending or not self.crowd.enough):
                sending = sending or [self._new() for _ in range(8)]
                sending = self._say(socket, sending)
                time.sleep(PACE_SECONDS)
            if socket.closed is None:
                socket.close()
            else:
                self.closes.add(socket.closed[0])

    def _say(self, socket: Socket, client_ids: list[str]) -> list[str]:
        """Those of which it is not known that they are kept."""
        seen = len(socket.frames)
        with suppress(ConnectionClosed):
            for client_id in client_ids:
                socket.send(
                    {"type": "send", "room": self.crowd.board, "body": "word", "client_id": client_id}
                )

        def answers() -> dict[str, int | None]:
            return {
                f["client_id"]: f.get("seq") for f in socket.frames[seen:] if f["type"] in ("ack", "error")
            }

        eventually(lambda: socket.closed or len(answers()) == len(client_ids), "each is answered", 3 * UNIT)
        kept = {client_id: seq for client_id, seq in answers().items() if seq is not None}
        for client_id, seq in kept.items():
            self._acknowledged(client_id, seq)
        return [client_id for client_id in client_ids if client_id not in kept]


class HttpFollower:
    """Reads a room over HTTP, and goes on from its cursor whenever an answer ends."""

    def __init__(self, person: Person, room: int) -> None:
        self._room = room
        self._person = person
        self._stopping = False
        self.seqs: list[int] = []
        self.closes: list[int] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping = True
        self._thread.join(UNIT)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        cookies = self._person.http.cookies
        with httpx.Client(base_url=self._person.server.url, cookies=cookies, timeout=2, verify=False) as http:
            while not self._stopping:
                try:
                    self._read(http, self.seqs[-1] if self.seqs else 0)
                except (httpx.TransportError, httpx.HTTPStatusError):
                    time.sleep(AGAIN_SECONDS)

    def _read(self, http: httpx.Client, after: int) -> None:
        raise NotImplementedError


class PollFollower(HttpFollower):
    def _read(self, http: httpx.Client, after: int) -> None:
        query = {"after": after, "wait": 1}
        batch = http.get(Person.messages(self._room), params=query).raise_for_status().json()
        assert "reset" not in batch
        self.seqs += [message["seq"] for message in batch["messages"]]


class StreamFollower(HttpFollower):
    def _read(self, http: httpx.Client, after: int) -> None:
        with http.stream("GET", f"/api/rooms/{self._room}/stream", params={"after": after}) as answer:
            for line in answer.raise_for_status().iter_lines():
                assert line != "event: reset"
                if line.startswith("data: "):
                    data = json.loads(line.removeprefix("data: "))
                    self.seqs += [data["seq"]] if data.get("type") == "message" else []
