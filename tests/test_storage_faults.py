"""The disk is full, broken, read-only, locked or gone: nobody is told what is not so, and it goes on by itself."""

import itertools
import os
import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatapp.journal.sqlite_log import BYTES as LOG_BYTES
from tests.clients import RESUMING, UNIT, Person, Socket, eventually
from tests.faults import FAULTS, Fault, Faults
from tests.raw_socket import problem
from tests.servers import START_SECONDS, Server
from tests.test_workers import everything, one_on_each_worker, say_until

pytestmark = pytest.mark.sqlite

BUSY_SECONDS = 1
every_fault = pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault])
numbers = itertools.count(1)


def on_a_failing_disk(server: Server) -> tuple[Server, Faults]:
    """`server`, not started yet, and what can be done to its disk."""
    faults = Faults(server.instance)
    server.settings.update(faults.environ)
    return server, faults


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def troubled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Faults]]:
    instance = tmp_path_factory.mktemp("troubled") / "instance"
    server, faults = on_a_failing_disk(Server(instance, request.param, busy_seconds=str(BUSY_SECONDS)))
    server.start()
    yield server, faults
    server.kill()


@pytest.fixture
def server(troubled: tuple[Server, Faults]) -> Server:
    return troubled[0]


@pytest.fixture
def faults(troubled: tuple[Server, Faults]) -> Iterator[Faults]:
    yield troubled[1]
    troubled[1].clear()


def post(person: Person, room: int, client_id: str) -> httpx.Response:
    return person.http.post(person.messages(room), json={"body": client_id, "client_id": client_id})


def send(socket: Socket, room: int, client_id: str) -> dict[str, Any]:
    """What the server answers to a message over `socket`."""
    seen = len(socket.frames)
    socket.send({"type": "send", "room": room, "body": client_id, "client_id": client_id})
    return socket.expect(lambda f: f["type"] in ("ack", "error") and f["client_id"] == client_id, seen)


def refused(answer: httpx.Response | dict[str, Any]) -> bool:
    """Whether `answer` says that the message is not known to be kept."""
    return (answer["code"] if isinstance(answer, dict) else problem(answer)) == "not_kept"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the write lock of the database at `path`."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=UNIT)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def said_in_log(server: Server, *words: str) -> list[str]:
    return [line for line in server.log if all(word in line for word in words)]


# -- the disk fails ------------------------------------------------------------------------------------


@every_fault
def test_while_the_disk_fails_senders_are_told_and_readers_stay_and_then_it_goes_on_by_itself(
    fault: Fault, server: Server, faults: Faults, ada: Person, board: int
) -> None:
    readers = [transport(ada, board, after=0) for transport in RESUMING]
    everywhere = one_on_each_worker(ada)
    ada.say(board, "before")
    faults.set("chat.db", fault)
    for number, socket in enumerate(everywhere):
        assert refused(send(socket, board, f"sent {number}"))
        assert refused(send(socket, board, f"sent {number}")), "still"
    assert refused(post(ada, board, "posted"))
    assert [message["body"] for message in ada.read(board, before=100)["messages"]] == ["before"]
    for socket in everywhere:
        assert socket.join(board, after=0)["type"] == "joined"
        assert socket.expect(lambda frame: frame["type"] == "message")["body"] == "before"
    assert ada.http.get("/readyz").status_code == 200
    faults.clear()

    kept = [send(socket, board, f"sent {number}")["seq"] for number, socket in enumerate(everywhere)]
    kept.append(post(ada, board, "posted").json()["seq"])
    assert kept == list(range(2, len(everywhere) + 3)), "no number was lost"
    assert post(ada, board, "posted").json()["seq"] == kept[-1], "it does not come twice"
    bodies = ["before", *(f"sent {number}" for number in range(len(everywhere))), "posted"]
    for reader in readers:
        reader.wait_for(len(bodies))
        reader.close()
        assert (reader.bodies, reader.resets) == (bodies, 0)
    for socket in everywhere:
        eventually(lambda socket=socket: len(socket.of("message")) == len(bodies))
        assert [frame["body"] for frame in socket.of("message")] == bodies
        socket.close()
    assert not said_in_log(server, "Traceback")


def test_whatever_the_disk_does_in_between_all_that_was_acknowledged_is_there_once_and_in_order(
    server: Server, faults: Faults, ada: Person, board: int
) -> None:
    sockets = one_on_each_worker(ada)
    for socket in sockets:
        socket.join(board, after=0)
    people = [Person(server, f"guest {number}") for number in range(4)]
    acked: dict[str, int] = {}
    enough = threading.Event()
    senders = [threading.Thread(target=say_until, args=(person, board, acked, enough)) for person in people]
    for sender in senders:
        sender.start()
    for name in ("chat.db", "chat.db-wal", "chat.db-shm", "bus.db"):
        for fault in FAULTS:
            before, refused_before = len(acked), faults.refused
            faults.set(name, fault)
            eventually(lambda: len(acked) > before + 5 or faults.refused > refused_before + 3)
            faults.clear()
    before = len(acked)
    eventually(lambda: len(acked) > before + 20, "it goes on")
    enough.set()
    for sender in senders:
        sender.join(UNIT)
        assert not sender.is_alive()
    kept = everything(ada, board)
    assert {message["client_id"]: message["seq"] for message in kept} == acked
    assert [message["seq"] for message in kept] == list(range(1, len(acked) + 1))
    for socket in sockets:
        eventually(lambda socket=socket: len(socket.of("message")) >= len(kept), "readers have it all")
        assert [frame["seq"] for frame in socket.of("message")] == list(range(1, len(kept) + 1))
        socket.close()
    for person in people:
        person.close()


def test_each_message_has_reached_the_disk_when_it_is_acknowledged(
    faults: Faults, ada: Person, board: int
) -> None:
    for number in range(20):
        before = faults.syncs
        ada.say(board, str(number))
        assert faults.syncs > before


@pytest.mark.parametrize("workers", [1, 2])
def test_a_log_that_has_its_length_soon_after_the_start_costs_nobody_a_word_also_when_all_is_killed(
    workers: int, new_server: Callable[..., Server]
) -> None:
    server = new_server(workers, quick_log="yes", database_url="")
    server.constants = {"chatapp.hub.SETTLED_SECONDS": 0.2}
    server.start()
    ada = Person(server, "ada")
    board = ada.make_room()
    log = server.instance / "chat.db-wal"
    said = 0
    while said < 20 or log.stat().st_size < LOG_BYTES:
        ada.say(board, str(said))
        said += 1
        assert said < 1000, "so few do not fill it"
        time.sleep(0.02)  # a slow disk has its time for it
    length = log.stat().st_size
    for number in range(said, said + 20):
        ada.say(board, str(number))
    assert log.stat().st_size == length
    server.kill()
    server.start()
    assert [message["body"] for message in ada.read(board)["messages"]] == [str(n) for n in range(said + 20)][
        -50:
    ]
    ada.close()


def test_after_a_failed_sync_nothing_is_kept_before_the_log_has_been_started_anew(
    server: Server, faults: Faults, ada: Person, board: int
) -> None:
    ada.say(board, "before")
    written = log_header(server)
    faults.set("chat.db-wal", "EIO on fsync")
    assert refused(post(ada, board, "refused"))
    faults.set("chat.db-wal", None)
    faults.set("chat.db", "EIO on fsync")  # the log can be written, but not moved into the database
    assert refused(post(ada, board, "refused"))
    assert log_header(server) == written
    faults.clear()
    assert post(ada, board, "refused").json()["seq"] == 2
    assert log_header(server) != written


def log_header(server: Server) -> bytes:
    """With its salts, which change whenever the write-ahead log is started anew (SQLite's file format, 4.1)."""
    return (server.instance / "chat.db-wal").read_bytes()[:32]


def test_what_a_failed_sync_left_in_the_log_of_a_killed_server_comes_to_be_kept_once_or_not_at_all(
    new_server: Callable[..., Server],
) -> None:
    server, faults = on_a_failing_disk(new_server())
    with closing(Person(server.start(), "ada")) as ada:
        ada.say(1, "before")
        faults.set("chat.db-wal", "EIO on fsync")
        assert refused(post(ada, 1, "refused"))
        server.kill()
        faults.clear()
        log = server.instance / "chat.db-wal"
        assert log.stat().st_size > 0
        server.start()
        assert not log.exists() or not log.stat().st_size, "it is on the disk before anybody sees it"
        assert post(ada, 1, "refused").json()["seq"] == 2
        ada.say(1, "after")
        assert [(m["seq"], m["body"]) for m in everything(ada, 1)] == [
            (1, "before"),
            (2, "refused"),
            (3, "after"),
        ]


def test_a_worker_that_cannot_come_back_while_the_disk_is_full_comes_back_when_there_is_room(
    new_server: Callable[..., Server],
) -> None:
    server, faults = on_a_failing_disk(new_server())
    with closing(Person(server.start(), "ada")) as ada:
        ada.say(1, "before")
        faults.set("chat.db", "ENOSPC")
        server.kill_worker()
        eventually(lambda: said_in_log(server, "cannot be used"), seconds=START_SECONDS)
        faults.clear()
        eventually(lambda: said_in_log(server, "Ready")[1:], seconds=START_SECONDS)
        assert ada.say(1, "after")["seq"] == 2


# -- another program holds the lock --------------------------------------------------------------------


def test_while_another_program_holds_the_database_senders_are_told_and_readers_read(
    server: Server, ada: Person, board: int
) -> None:
    sockets = one_on_each_worker(ada)
    ada.say(board, "before")
    with locked(server.instance / "chat.db"):
        for socket in sockets:
            socket.join(board, after=0)
            assert refused(send(socket, board, "sent"))
        assert refused(post(ada, board, "sent"))
        assert [message["body"] for message in ada.read(board, before=100)["messages"]] == ["before"]
    assert [send(socket, board, "sent")["seq"] for socket in sockets] == [2] * len(sockets)
    for socket in sockets:
        eventually(lambda socket=socket: len(socket.of("message")) == 2)
        assert [frame["body"] for frame in socket.of("message")] == ["before", "sent"]
        socket.close()


@pytest.mark.parametrize("fault", [*(fault for fault in FAULTS if fault), "locked"])
def test_a_bus_in_trouble_disturbs_nobody(
    fault: Any, troubled: tuple[Server, Faults], faults: Faults, ada: Person, board: int
) -> None:
    server = troubled[0]
    sockets = one_on_each_worker(ada)
    for socket in sockets:
        socket.join(board, after=0)
    with locked(server.instance / "bus.db") if fault == "locked" else failing(faults, "bus.db", fault):
        for number, socket in enumerate(sockets):
            assert send(socket, board, f"sent {number}")["type"] == "ack"
        post(ada, board, "posted").raise_for_status()
        for socket in sockets:
            eventually(lambda socket=socket: len(socket.of("message")) == len(sockets) + 1, "readers have it")
            assert [frame["seq"] for frame in socket.of("message")] == list(range(1, len(sockets) + 2))
            assert socket.of("error") == []
            socket.close()


@contextmanager
def failing(faults: Faults, name: str, fault: Fault) -> Iterator[None]:
    faults.set(name, fault)
    yield
    faults.clear()


# -- the file is gone ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "replaced", [pytest.param(False, id="removed"), pytest.param(True, id="replaced", marks=pytest.mark.long)]
)
def test_when_the_file_of_the_database_is_gone_nothing_is_acknowledged_until_it_is_back_and_the_server_restarted(
    replaced: bool, new_server: Callable[..., Server]
) -> None:
    server = new_server(workers=2).start()
    database, aside = server.instance / "chat.db", server.instance / "aside.db"
    ada = Person(server, "ada")
    sockets = one_on_each_worker(ada)
    for socket in sockets:
        socket.join(1, after=0)
    ada.say(1, "before")
    for end in ("", "-wal"):  # as the open files are reached once their names are gone
        os.link(f"{database}{end}", f"{aside}{end}")
    if replaced:
        shutil.copy(database, server.instance / "copy.db")
        (server.instance / "copy.db").rename(database)
    else:
        database.unlink()

    for socket in sockets:
        for _ in range(3):
            assert refused(send(socket, 1, "sent"))
        assert socket.closed is None
    for path in ("/api/rooms/1/messages?before=100", "/readyz", "/api/rooms"):
        assert refused(ada.http.get(path)), path
    assert database.exists() == replaced, "no empty one is made in its place"
    with closing(sqlite3.connect(aside)) as left:
        assert left.execute("SELECT body FROM messages").fetchall() == [("before",)], (
            "noticed before the commit"
        )
    for socket in sockets:
        assert [frame["body"] for frame in socket.of("message")] == ["before"]
        socket.close()
    assert len(said_in_log(server, "removed or replaced", "restart")) == 2, "each worker says it, and once"
    assert not said_in_log(server, "Traceback")

    server.stop()
    aside.rename(database)
    server.start()
    assert post(ada, 1, "sent").json()["seq"] == 2
    assert [message["body"] for message in everything(ada, 1)] == ["before", "sent"]
    ada.close()


# -- the file is damaged -------------------------------------------------------------------------------


def test_damage_is_named_in_the_log_and_fails_only_what_it_concerns(
    new_server: Callable[..., Server],
) -> None:
    server = new_server().start()
    ada = Person(server, "ada")
    harmed, whole = ada.make_room("harmed"), [ada.make_room("between"), ada.make_room("whole")][1]
    with closing(ada.socket()) as socket:
        for room in (harmed, harmed + 1, whole):
            for number in range(40):
                socket.send({"type": "send", "room": room, "body": f"in room {room}: {number}. " + "x" * 500})
        eventually(lambda: len(socket.of("ack")) == 120)
    server.stop()
    overwrite_leaves(server.instance / "chat.db", f"in room {harmed}".encode())
    server.start()

    assert refused(ada.http.get(ada.messages(harmed)))
    with closing(ada.socket()) as socket:
        assert socket.join(whole)["type"] == "joined"
        for number in range(20):  # queued up together, so that they share transactions
            for room in (whole, harmed):
                socket.send({"type": "send", "room": room, "body": "hi", "client_id": f"{room} {number}"})
        eventually(lambda: len(socket.of("ack")) + len(socket.of("error")) == 40)
        assert {frame["room"] for frame in socket.of("ack")} == {whole}
        assert [frame["seq"] for frame in socket.of("ack")] == list(range(41, 61))
        assert all(refused(frame) for frame in socket.of("error"))
    assert len(said_in_log(server, "damaged", "restore the backup", "docs/running.md")) == 1
    assert not said_in_log(server, "Traceback")
    ada.close()


def overwrite_leaves(path: Path, word: bytes) -> None:
    """Fill the leaves of b-trees with `word` in them (SQLite's file format, 1.6: a page of type 10) with rubbish."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size, hit = 4096, 0
    data = bytearray(path.read_bytes())
    for start in range(size, len(data), size):
        if data[start] == 10 and word in data[start : start + size]:
            data[start : start + size] = random.Random(hit).randbytes(size)
            hit += 1
    assert hit
    path.write_bytes(data)
