"""Who is gone without a goodbye is noticed and costs nothing any more; who is only slow is not taken for gone."""

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import gevent.socket
import pytest

from chatapp.journal.requests import Post
from chatapp.journal.writing import perform
from chatapp.message import Author
from chatapp.transports.handshake import WebSocketServer
from chatapp.transports.waiting import ClientGone
from tests.clients import UNIT, Person, Socket, eventually
from tests.far_machine import FarMachine, far_machines
from tests.figures import figures
from tests.postgres import PORT as POSTGRES
from tests.postgres import Postgres
from tests.raw_socket import RawSocket, handshake_fields
from tests.servers import Server
from tests.test_event_stream import Stream
from tests.test_postgres import engine_of
from tests.test_workers import one_on_each_worker

HEARTBEAT = "2"  # seconds; a client on a busy machine has to answer before the next one
LONG = "😀" * 4000  # 16 KB
MORE = 3 * UNIT  # for what takes some heartbeats
# How soon a connection to PostgreSQL asks for a sign of life, and gives up: a third of the time that it has there.
SOON = {"keepalives_idle": 1, "keepalives_interval": 1, "keepalives_count": 3, "tcp_user_timeout": 3000}


def test_a_machine_that_vanishes_is_noticed_on_every_transport_and_leaves_nothing_behind(
    new_server: Callable[..., Server],
) -> None:
    with far_machines(2) as (unplugged, silent):
        # TCP has to find out: nothing else ends a request so soon.
        server = new_server(heartbeat=HEARTBEAT, request_seconds="600")
        server.under = []  # a child of this process, which is on the near machine
        server.start("-b", unplugged.bind, "-b", silent.bind, "--keep-alive", "600")
        ada, grace = Person(server, "ada"), Person(server, "grace")
        board, large = grace.make_room("board"), grace.make_room("large")
        witness = grace.socket()
        witness.join(board)
        for _ in range(20):
            grace.say(large, LONG)
        grace.http.close()
        before = eventually(lambda: _sockets(server) if _figures(server)["connections"] == 1 else 0)
        gone = [raw for machine in (unplugged, silent) for raw in _everything(machine, ada, board, large)]
        eventually(
            lambda: _figures(server) == {"connections": 7, "subscriptions": 7, "waiting_polls": 4},
            "all are served",
        )
        eventually(lambda: _people(witness) == {"ada", "grace"}, "ada is there")
        unplugged.pull_the_cable()
        silent.fall_silent()
        eventually(
            lambda: _figures(server) == {"connections": 1, "subscriptions": 1, "waiting_polls": 0},
            "all are gone",
            MORE,
        )
        eventually(lambda: _sockets(server) == before, f"no more than {before} sockets are open", MORE)
        eventually(lambda: _people(witness) == {"grace"}, "ada has left")
        for raw in gone:
            raw.sock.close()
        witness.close()
        ada.close()
        assert server.stop() == 0
        assert "Traceback" not in "".join(server.log)


def _everything(machine: FarMachine, ada: Person, board: int, large: int) -> list[RawSocket]:
    """A connection of every kind."""
    server, messages = ada.server, f"/api/rooms/{board}/messages"
    websocket, plain, stream, poll, tutorial, body, head, idle, silent, page = opened = [
        machine.open(server) for _ in range(10)
    ]
    websocket.handshake(Cookie=ada.cookie)
    websocket.frame(json.dumps({"type": "join", "room": board}))
    plain.handshake(f"/chats/{board}/ws", Cookie=ada.cookie)
    stream.request("GET", f"/api/rooms/{board}/stream", Cookie=ada.cookie)
    poll.request("GET", f"{messages}?after=-1&wait=55")
    tutorial.request("GET", f"/chats/{board}/http?lastupdate=9999999999")
    body.request("POST", messages, b'{"body": "', Content_Length="99")
    head.send(b"GET /healthz HTTP/1.1\r\nHost: chat")
    idle.request("GET", "/healthz")
    assert idle.answer().status == 200
    assert silent
    page.take_little()
    page.request("GET", f"/api/rooms/{large}/messages?after=0")  # 320 KB, and does not read them
    return opened


def test_a_socket_that_answers_no_pings_is_gone_and_a_stream_that_stops_reading_is_late(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(heartbeat=HEARTBEAT).start()
    ada, grace = Person(server, "ada"), Person(server, "grace")
    board = grace.make_room("board")
    witness, clock = grace.socket(), Stream(grace, board, {"after": -1}, {})
    witness.join(board)
    with RawSocket(server) as socket, RawSocket(server) as stream:
        for raw in (socket, stream):
            raw.take_little()
        socket.handshake(Cookie=ada.cookie)
        socket.frame(json.dumps({"type": "join", "room": board}))
        stream.request("GET", f"/api/rooms/{board}/stream?after=0")
        eventually(lambda: _figures(server)["subscriptions"] == 4, "all are there")
        for _ in range(50):
            witness.send({"type": "send", "room": board, "body": LONG})
        eventually(lambda: "ada" not in _people(witness), "the socket is gone", MORE)
        eventually(lambda: _figures(server)["connections"] == 3)
        # Long after its TCP window was closed: TCP_USER_TIMEOUT would be two heartbeats.
        _wait_for_heartbeats(clock, 3)
        assert _figures(server)["connections"] == 3
        grace.say(board, "the end")
        records = stream.read_until(b'"body":"the end"').decode()
        assert re.findall(r'^data: .*?"seq":(\d+)', records, re.M) == [str(seq) for seq in range(1, 52)]
    for each in (clock, witness, ada, grace):
        each.close()


@pytest.mark.long
def test_a_stream_that_stops_reading_is_noticed_as_well_when_its_machine_vanishes(
    new_server: Callable[..., Server],
) -> None:
    with far_machines(2) as (unplugged, silent):
        server = new_server(heartbeat=HEARTBEAT)
        server.under = []
        server.start("-b", unplugged.bind, "-b", silent.bind)
        ada = Person(server, "ada")
        board = ada.make_room("board")
        clock = Stream(ada, board, {"after": -1}, {})
        gone = [machine.open(server) for machine in (unplugged, silent)]
        for raw in gone:  # not `take_little`, by which what is on its way would be dropped and sent again
            raw.request("GET", f"/api/rooms/{board}/stream?after=0")
        eventually(lambda: _figures(server)["connections"] == 3, "all are there")
        for _ in range(50):
            ada.say(board, LONG)
        _wait_for_heartbeats(clock, 3)
        assert _figures(server)["connections"] == 3, "they are late only"
        unplugged.pull_the_cable()
        silent.fall_silent()
        eventually(lambda: _figures(server)["connections"] == 1, "both are gone", 2 * MORE)
        for raw in gone:
            raw.sock.close()
        clock.close()
        ada.close()


@pytest.mark.parametrize(
    "quick", [pytest.param(True, id="soon"), pytest.param(False, id="as it is", marks=pytest.mark.long)]
)
def test_what_nobody_told_of_is_found_although_the_database_has_forgotten_that_it_was_asked(
    quick: bool, new_server: Callable[..., Server]
) -> None:
    """It goes down with a question that it has not read, its word of that is lost, and it comes back."""
    with far_machines(1) as (machine,), ExitStack() as ended:
        postgres = Postgres(machine=machine)
        ended.callback(postgres.close)
        url = postgres.start().database()
        server = new_server(database_url=url)
        server.under = []
        if quick:
            server.constants = {"chatapp.journal.postgres_connections.PATIENCE": SOON}
        server.start()
        ended.callback(server.kill)
        ada = ended.enter_context(closing(Person(server, "ada")))
        board = ada.make_room("board")
        reader = ended.enter_context(closing(ada.socket()))
        reader.join(board)
        for pid in postgres.pids:
            os.kill(pid, signal.SIGSTOP)
        eventually(lambda: _unread(machine, POSTGRES) >= 2, "the sweeps, of rooms and of people, have asked")
        machine.fall_silent()
        postgres.kill()
        machine.be_heard_again()
        postgres.start()
        with engine_of(url).begin() as connection:
            perform(connection, [Post(board, Author(ada.id, "ada"), "here I am", client_id="one")])
        reader.expect(lambda frame: frame["type"] == "message" and frame["body"] == "here I am")


def _unread(machine: FarMachine, port: int) -> int:
    """On how many connections to that port something was received, and not read."""
    table = subprocess.run(
        [*machine.under, "cat", "/proc/net/tcp"], check=True, capture_output=True, text=True
    )
    fields = [line.split() for line in table.stdout.splitlines()[1:]]
    there = f":{port:04X}"
    return sum(field[1].endswith(there) and not field[4].endswith(":00000000") for field in fields)


@pytest.mark.sqlite
def test_a_socket_is_not_silent_whose_words_we_were_kept_from_reading(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(heartbeat=HEARTBEAT, busy_seconds="60").start()
    ada = Person(server, "ada")
    clock = Stream(ada, 1, {"after": -1}, {})
    with closing(ada.socket()) as socket, closing(ada.socket(path="/chats/1/ws", subprotocols=None)) as plain:
        with closing(sqlite3.connect(server.instance / "chat.db", isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            for number in range(300):  # more than are read while none is kept
                socket.send({"type": "send", "room": 1, "body": "word", "client_id": str(number)})
            plain.send("first")
            plain.send("second")  # behind it the answers to our pings
            _wait_for_heartbeats(clock, 3)
            lock.execute("ROLLBACK")
        eventually(lambda: len(socket.of("ack")) == 300, "all are kept")
        eventually(lambda: "second" in plain.frames)
        assert socket.closed is plain.closed is None
    clock.close()
    ada.close()


def _wait_for_heartbeats(stream: Stream, count: int) -> None:
    def heartbeats() -> int:
        return sum("comment" in record for record in stream.records)

    goal = heartbeats() + count
    eventually(lambda: heartbeats() >= goal, f"{count} more heartbeats", MORE)


def _figures(server: Server) -> dict[str, float]:
    """What the only worker says of its readers."""
    told = figures(server)
    return {name: told[name] for name in ("connections", "subscriptions", "waiting_polls")}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_those_who_come_and_go_abruptly_are_nowhere_any_more_soon_after(
    seed: int, three_workers: Server
) -> None:
    """Sockets and streams, some of them before they were answered, several of one person in several workers."""
    chance = random.Random(seed)
    with ExitStack() as open_people:
        witness, *crowd = [
            open_people.enter_context(closing(Person(three_workers, name)))
            for name in ("witness", *"abcdefgh")
        ]
        board = witness.make_room()
        witnesses = [open_people.enter_context(closing(each)) for each in one_on_each_worker(witness)]
        for each in witnesses:
            each.join(board)
        with ThreadPoolExecutor(len(crowd)) as threads:
            comings = [
                threads.submit(_come_and_go, person, board, random.Random(chance.random()))
                for person in crowd
            ]
        eventually(lambda: _people(witnesses[0]) - {"witness"}, "they are seen")
        for coming in comings:
            for raw in coming.result():
                _go(raw, chance)
        for each in witnesses:
            eventually(lambda each=each: _people(each) == {"witness"}, "they are gone")
        answer = witness.http.get(f"/api/rooms/{board}/presence").json()
        assert [who["name"] for who in answer["here"]] == ["witness"]


def _come_and_go(person: Person, board: int, chance: random.Random) -> list[RawSocket]:
    """Returns those that are still open."""
    opened: list[RawSocket] = []
    for _ in range(20):
        raw = RawSocket(person.server)
        opened.append(raw)
        with suppress(OSError, EOFError):
            _come(raw, person, board, chance)
        if len(opened) > chance.randrange(4):
            _go(opened.pop(chance.randrange(len(opened))), chance)
    return opened


def _come(raw: RawSocket, person: Person, board: int, chance: random.Random) -> None:
    match chance.randrange(4):
        case 0:
            raw.handshake(Cookie=person.cookie)
            raw.frame(json.dumps({"type": "join", "room": board}))
        case 1:
            upgrade = handshake_fields("/ws")
            raw.request("GET", "/ws", **upgrade, Cookie=person.cookie)
            raw.frame(json.dumps({"type": "join", "room": board}))
        case 2:
            raw.handshake(f"/chats/{board}/ws", Cookie=person.cookie)
        case 3:
            raw.request("GET", f"/api/rooms/{board}/stream", Cookie=person.cookie)
    if chance.randrange(2):
        raw.wait_for_anything()


def _go(raw: RawSocket, chance: random.Random) -> None:
    match chance.randrange(3):
        case 0:
            raw.reset()
        case 1:
            raw.sock.close()
        case 2:
            with suppress(OSError):
                raw.hang_up()
            raw.sock.close()


def test_who_hangs_up_before_the_handshake_is_answered_is_gone_and_no_fault() -> None:
    ours, theirs = gevent.socket.socketpair()
    theirs.close()
    fields = {f"HTTP_{name.upper()}": value for name, value in handshake_fields("/ws").items()}
    request = {
        "PATH_INFO": "/ws",
        "REQUEST_METHOD": "GET",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "chat",
    }
    with closing(ours), pytest.raises(ClientGone):
        WebSocketServer({"gunicorn.socket": ours, **request, **fields}, 1000, {"/ws": ["chatapp.v1"]})


def _sockets(server: Server) -> int:
    """How many sockets the only worker has open, but for those to its database: it keeps as many as it once used."""
    files = Path(f"/proc/{server.worker_pids[0]}/fd")
    found = sum(_target(file).startswith("socket:") for file in files.iterdir())
    if not server.database_url.startswith("postgresql"):
        return found
    [(kept,)] = server.ask(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    return found - int(kept)


def _target(file: Path) -> str:
    try:
        return os.readlink(file)
    except FileNotFoundError:  # it was just closed
        return ""


def _people(witness: Socket) -> set[str]:
    """Who is in the room, as the presence frames of `witness` tell it."""
    here: set[str] = set()
    for frame in witness.of("presence"):
        here |= {who["name"] for who in frame.get("here", []) + frame.get("joined", [])}
        here -= {who["name"] for who in frame.get("left", [])}
    return here
