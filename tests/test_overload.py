"""More than there is room for: what is too much is refused or waits, and everybody else goes on living."""

import os
import select
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from chatapp import accepted
from chatapp.errors import TooFast
from chatapp.held import LIMIT, SHARE, Held
from chatapp.transports.again import HEAD_LIMIT
from tests.clients import UNIT, Person, eventually
from tests.figures import waiting
from tests.raw_socket import RawSocket, nobody_gets, problem
from tests.servers import Server

LONG = "😀" * 4000  # 16 KB
FULL = "as many as there may be"
# How many connections were wanted, and files may be opened, for how many listeners; so each may have.
LIMITS = [
    (20, 1000, 1, 20),
    (20, 1000, 2, 10),
    (20, 60, 1, 20),
    (1, 1000, 2, 1),
    (900, 1000, 1, 900),
    (900, 500, 1, 400),
    (900, 150, 1, 75),
]


# -- connections ----------------------------------------------------------------------------------------


def test_when_no_more_files_can_be_opened_newcomers_wait_and_those_who_are_there_go_on(
    new_server: Callable[..., Server],
) -> None:
    server = new_server()
    server.under = ["sh", "-c", 'ulimit -n 150; exec "$@"', "-"]
    server.start()
    ada, grace = Person(server, "ada"), Person(server, "grace")
    hers, his = ada.socket(), grace.socket()
    for socket in (hers, his):
        socket.join(1)
    crowd = [RawSocket(server) for _ in range(100)]
    for raw in crowd:
        raw.request("GET", "/api/rooms/1/stream")
    eventually(lambda: len(_served(crowd)) >= 60 and FULL in "".join(server.log), "it is full")
    hers.send({"type": "send", "room": 1, "body": "It is full in here"})
    his.expect(lambda frame: frame.get("body") == "It is full in here")
    eventually(lambda: _share_of_a_core(server) < 0.5, "the worker rests")
    first = _served(crowd)
    assert len(first) < 100
    for raw in first:
        raw.sock.close()
    rest = [raw for raw in crowd if raw not in first]
    eventually(lambda: len(_served(rest)) == len(rest), "then come those who waited")
    hers.send({"type": "send", "room": 1, "body": "and not any more"})
    his.expect(lambda frame: frame.get("body") == "and not any more")
    for each in (hers, his, ada, grace, *(raw.sock for raw in rest)):
        each.close()
    assert server.stop() == 0
    log = "".join(server.log)
    assert (log.count(FULL), log.count("Traceback"), log.count("ERROR")) == (1, 0, 0)


def test_those_who_connect_and_say_nothing_make_room_for_those_who_do(
    new_server: Callable[..., Server],
) -> None:
    server = new_server().start("--worker-connections", "50")
    ada = Person(server, "ada")
    with closing(ada.socket()) as socket, closing(Person(server)) as nobody:
        socket.join(1)
        poll = httpx.Client(base_url=server.url, timeout=70, verify=False)
        waiting = threading.Thread(target=lambda: poll.get(ada.messages(1), params={"after": 0, "wait": 55}))
        waiting.start()
        silent = []
        for _ in range(4):
            for said in (b"", b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n", b"POST /"):
                silent += [RawSocket(server) for _ in range(10)]
                for raw in silent[-10:]:
                    raw.send(said)
            assert Person(server, "grace").http.get("/chats/1/").status_code == 200
        for raw in silent[:50]:
            raw.wait_for_end()
        assert nobody.http.get("/healthz").status_code == 200
        assert socket.closed is None
        assert waiting.is_alive()
        ada.say(1, "still here")
        socket.expect(lambda frame: frame.get("body") == "still here")
        waiting.join(UNIT)
        assert not waiting.is_alive()
        for raw in silent:
            raw.sock.close()
    assert FULL not in "".join(server.log)


def test_those_who_were_answered_and_ask_nothing_more_make_room_and_no_more_of_them_than_needed(
    new_server: Callable[..., Server],
) -> None:
    server = new_server().start("--worker-connections", "20")
    with closing(Person(server, "ada")) as ada:
        cookie, poll = ada.cookie, f"{ada.messages(1)}?after=0&wait=55"
        socket = ada.socket()
    crowd = [RawSocket(server) for _ in range(18)]
    for raw in crowd:
        raw.request("GET", poll)
    eventually(lambda: waiting(server) == 18, "all are being served")
    crowd.append(RawSocket(server))  # the last that there is room for
    crowd[-1].request("GET", poll)
    socket.send({"type": "send", "room": 1, "body": "that is all"})
    assert [raw.answer().status for raw in crowd] == [200] * 19
    with RawSocket(server) as newcomer:
        newcomer.request("GET", "/chats/1/", Cookie=cookie)
        assert newcomer.answer().status == 200
        for raw in crowd:
            raw.request("GET", "/healthz")
        assert sum(_is_answered(raw) for raw in crowd) >= 17  # one went for the newcomer, one for the next
    for each in (socket, *(raw.sock for raw in crowd)):
        each.close()


@pytest.mark.parametrize(("wanted", "files", "listeners", "each"), LIMITS)
def test_there_are_never_more_connections_than_were_asked_for(
    wanted: int, files: int, listeners: int, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (files, files))
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)  # else it would hold for all tests that follow
    assert accepted._limit(wanted, listeners) == each


# -- bytes ----------------------------------------------------------------------------------------------


def test_large_answers_that_are_not_taken_are_bounded_for_each_address_and_given_up(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(heartbeat="2").start()
    ada = Person(server, "ada")
    board = ada.make_room()
    with closing(ada.socket()) as socket:
        for _ in range(200):
            socket.send({"type": "send", "room": board, "body": LONG})
        eventually(lambda: len(socket.of("ack")) == 200, "much is said", 3 * UNIT)
    page = f"{server.url}{ada.messages(board)}?after=0"
    size = len(nobody_gets(page).content)
    stuck = [RawSocket(server) for _ in range(SHARE // size)]
    for raw in stuck:
        raw.take_little()
        raw.request("GET", f"{ada.messages(board)}?after=0")
        assert raw.sock.recv(1)
    assert problem(nobody_gets(page)) == "too_fast"
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2", verify=False)) as elsewhere:
        assert elsewhere.get(page).status_code == 200
    assert ada.read(board, after=-1)["messages"] == []  # what is small is nobody's trouble
    eventually(lambda: nobody_gets(page).status_code == 200, "they are given up", 3 * UNIT)
    for raw in stuck:
        raw.sock.close()


def test_large_bodies_that_come_slowly_are_bounded_for_each_address(
    new_server: Callable[..., Server],
) -> None:
    server = new_server().start()
    ada = Person(server, "ada")
    mebibyte = 1_048_576
    fields = {"Cookie": ada.cookie, "Origin": server.url, "Content_Type": "application/json"}

    def begin() -> RawSocket:
        raw = RawSocket(server)
        raw.request("POST", ada.messages(1), Content_Length=str(mebibyte), **fields)
        return raw

    slow = [begin() for _ in range(SHARE // mebibyte)]

    def counted() -> bool:
        if _status_of_a_large_body(ada) == 429:
            return True
        slow.append(begin())  # one was refused if it came while the question before was on its way
        return False

    eventually(counted, "they are counted")
    assert ada.say(1, "hi")["seq"] == 1
    for raw in slow:
        raw.sock.close()
    eventually(lambda: _status_of_a_large_body(ada) == 413, "they are forgotten")


def test_what_is_held_is_bounded_for_all_addresses_together_and_can_be_given_back() -> None:
    held = Held()
    many = LIMIT // SHARE
    for number in range(many):
        held.take(SHARE, str(number))
    with pytest.raises(TooFast) as refusal:
        held.take(1, "newcomer")
    assert refusal.value.retry_after
    held.give_back(SHARE, "0")
    held.take(SHARE, "newcomer")
    with pytest.raises(TooFast):
        held.take(1, "0")


# -- messages -------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_more_than_the_journal_can_keep_is_refused_and_what_was_not_is_kept(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(queue_limit="5", busy_seconds="60").start()
    ada = Person(server, "ada")
    with closing(ada.socket()) as socket:
        with closing(sqlite3.connect(server.instance / "chat.db", isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            for number in range(20):
                socket.send({"type": "send", "room": 1, "body": "word", "client_id": str(number)})
            eventually(lambda: len(socket.of("error")) >= 10, "five are being kept, five wait")
            for error in socket.of("error"):
                assert (error["code"], error["re"], error["retry_after"] >= 1) == ("too_fast", "send", True)
            answer = ada.http.post(ada.messages(1), json={"body": "word"})
            assert problem(answer) == "too_fast"
            assert int(answer.headers["Retry-After"]) >= 1
            assert ada.read(1)["messages"] == []  # reading goes on
            lock.execute("ROLLBACK")
        eventually(lambda: len(socket.of("ack") + socket.of("error")) == 20, "each has its answer")
        refused = {error["client_id"] for error in socket.of("error")}
        kept = {message["client_id"] for message in ada.read(1, after=0)["messages"]}
        assert kept == {ack["client_id"] for ack in socket.of("ack")}
        assert not kept & refused
        ada.say(1, "and on it goes")


def test_a_flood_by_one_person_leaves_everybody_elses_messages_alone(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(rate_messages="30 per 10 seconds", rate_connections="20 per 10 seconds").start()
    ada, grace, mallory = (Person(server, name) for name in ("ada", "grace", "mallory"))
    board = grace.make_room()
    enough = threading.Event()
    closes: list[int] = []
    statuses: set[int] = set()

    def flood_a_socket() -> None:
        while not enough.is_set():
            with suppress(ConnectionClosed, OSError):
                socket = mallory.socket()
                while socket.closed is None:
                    socket.send({"type": "send", "room": board, "body": LONG})
            with suppress(NameError):
                closes.append(eventually(lambda socket=socket: socket.closed)[0])

    def flood_by_post() -> None:
        with httpx.Client(
            base_url=server.url, cookies=mallory.http.cookies, headers=mallory.http.headers
        ) as http:
            while not enough.is_set():
                statuses.add(http.post(mallory.messages(board), json={"body": LONG}).status_code)

    floods = [threading.Thread(target=each) for each in (flood_a_socket, flood_by_post, flood_by_post)]
    with closing(ada.socket()) as reader, closing(grace.socket()) as writer:
        reader.join(board)
        for flood in floods:
            flood.start()
        eventually(lambda: 4429 in closes and 429 in statuses, "mallory is told to wait", 3 * UNIT)
        for number in range(10):
            writer.send({"type": "send", "room": board, "client_id": str(number), "body": "from grace"})
            writer.expect(lambda frame, n=str(number): frame["type"] == "ack" and frame["client_id"] == n)
            grace.say(board, "from grace")
        enough.set()
        for flood in floods:
            flood.join(3 * UNIT)
            assert not flood.is_alive()
        assert writer.of("error") == []
        last = ada.read(board, after=-1)["cursor"]
        eventually(lambda: [frame["seq"] for frame in reader.of("message")] == list(range(1, last + 1)))
        hers = [frame for frame in reader.of("message") if frame["author"]["id"] == grace.id]
        assert len(hers) == 20
    for person in (ada, grace, mallory):
        person.close()


@pytest.mark.parametrize("quick", ["yes", "no"])
def test_who_sends_polls_without_waiting_for_answers_holds_up_nobody(
    new_server: Callable[..., Server], quick: str
) -> None:
    server = new_server(quick_polls=quick).start()
    ada = Person(server, "ada")
    ada.say(1, "hello")
    start = f"GET /api/rooms/1/messages?after=0&wait=20 HTTP/1.1\r\nHost: {server.host}\r\nX: "
    # As much as is read at once, so that also the short way (transports/again.py) finds one after the other.
    poll = f"{start}{'x' * (HEAD_LIMIT - len(start) - 4)}\r\n\r\n".encode()
    with RawSocket(server) as flood:
        for _ in range(3):
            flood.send(poll)
            assert flood.answer().status == 200

        def send() -> None:
            with suppress(OSError):
                while True:
                    flood.send(poll * 64)

        def take() -> None:
            with suppress(OSError):
                while flood.sock.recv(1 << 20):
                    answered.set()

        answered = threading.Event()
        threads = [threading.Thread(target=each, daemon=True) for each in (send, take)]
        for thread in threads:
            thread.start()
        assert answered.wait(UNIT)
        for number in range(5):
            ada.say(1, f"{number}")
            assert nobody_gets(f"{server.url}/healthz").status_code == 200
        assert all(thread.is_alive() for thread in threads), "it goes on all the time"
        flood.hang_up()
        for thread in threads:
            thread.join(UNIT)
    ada.close()


# -- within ---------------------------------------------------------------------------------------------


def _served(crowd: list[RawSocket]) -> list[RawSocket]:
    """Those to whom the server has said something."""
    readable = set(select.select([raw.sock for raw in crowd], [], [], 0)[0])
    return [raw for raw in crowd if raw.sock in readable]


def _is_answered(raw: RawSocket) -> bool:
    try:
        return raw.answer().status == 200
    except (ConnectionError, EOFError):
        return False


def _share_of_a_core(server: Server, seconds: float = 0.5) -> float:
    """How much of a core's time the only worker takes."""

    def used() -> float:
        fields = Path(f"/proc/{server.worker_pids[0]}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system time

    before, started = used(), time.monotonic()
    time.sleep(seconds)
    return (used() - before) / (time.monotonic() - started)


def _status_of_a_large_body(person: Person) -> int:
    content = b'{"body": "' + b"x" * 100_000 + b'"}'
    headers = {"Content-Type": "application/json"}
    return person.http.post(person.messages(1), content=content, headers=headers).status_code
