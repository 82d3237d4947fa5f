"""Somebody sets the clock an hour forward or back: no order changes, nobody is forgotten and nobody waits for it."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.clients import READERS, UNIT, Person, Reader, eventually
from tests.faults import Faults
from tests.raw_socket import RawSocket
from tests.servers import Server
from tests.test_workers import one_on_each_worker

HOUR = 3600
YEAR = 365 * 24 * HOUR
every_jump = pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Faults]]:
    """A server with two workers, and what can be done to its clock."""
    server = Server(tmp_path_factory.mktemp("clock") / "instance", workers=2)
    faults = Faults(server.instance)
    server.settings.update(faults.environ)
    server.start()
    yield server, faults
    server.kill()


@pytest.fixture
def server(wrong: tuple[Server, Faults]) -> Server:
    return wrong[0]


@pytest.fixture
def clock(wrong: tuple[Server, Faults]) -> Iterator[Faults]:
    yield wrong[1]
    wrong[1].clear()


@pytest.mark.parametrize("transport", READERS, ids=lambda kind: kind.name)
def test_what_is_said_while_the_clock_jumps_arrives_live_once_and_in_order(
    transport: type[Reader], clock: Faults, ada: Person, grace: Person, board: int
) -> None:
    reader = transport(grace, board, after=-1)
    said = []
    for number, off in enumerate((0, HOUR, 0, -HOUR, HOUR, -HOUR, 0)):
        clock.set_clock(off)
        said += [ada.say(board, f"{number} at {off}, {word}") for word in ("one", "two")]
    reader.wait_for(len(said))
    reader.close()
    assert reader.bodies == [message["body"] for message in said]
    times = [message["at"] for message in said]
    assert times == sorted(set(times)), "no two share a time, none turns back"
    assert [message["seq"] for message in said] == list(range(1, len(said) + 1))


@every_jump
def test_who_came_before_the_jump_is_still_who_they_are(
    jump: int, clock: Faults, server: Server, ada: Person, board: int
) -> None:
    page = ada.http.get(f"/chats/{board}/", headers={"Accept": "text/html"}).text
    token = page.partition('name="csrf-token" content="')[2].partition('"')[0]
    assert token
    clock.set_clock(jump)
    assert ada.say(board, "hi")["author"]["name"] == "ada"
    for socket in one_on_each_worker(ada):
        socket.send({"type": "send", "room": board, "body": "hi"})
        socket.expect(lambda frame: frame["type"] == "ack")
        socket.close()
    with httpx.Client(base_url=server.url, cookies=ada.http.cookies, verify=False) as form:  # without Origin
        answer = form.post(ada.messages(board), json={"body": "hi"}, headers={"X-CSRF-Token": token})
        assert answer.status_code == 201, answer.text


def test_a_cookie_that_is_older_than_a_year_is_refused(clock: Faults, ada: Person, board: int) -> None:
    clock.set_clock(YEAR - HOUR)
    ada.say(board, "hi")
    clock.set_clock(YEAR + HOUR)
    assert ada.http.post(ada.messages(board), json={"body": "hi"}).status_code == 401


@every_jump
def test_who_is_here_stays_here(
    jump: int, clock: Faults, ada: Person, grace: Person, board: int, server: Server
) -> None:
    sockets = one_on_each_worker(ada)
    sockets[0].join(board)
    grace.read(board)  # a poll, which counts for a minute, on whichever worker

    def here() -> list[str]:
        answer = httpx.get(f"{server.url}/api/rooms/{board}/presence", cookies=ada.http.cookies, verify=False)
        return sorted(person["name"] for person in answer.json()["here"])

    def everywhere() -> list[list[str]]:  # each on a connection of its own, which any worker may get
        return [here() for _ in range(20)]

    def both_know() -> bool:
        grace.read(board)  # the minute begins anew: looking may take long on a busy machine
        return everywhere() == [["ada", "grace"]] * 20

    eventually(both_know, "both workers know")
    clock.set_clock(jump)
    assert everywhere() == [["ada", "grace"]] * 20
    for socket in sockets:
        socket.close()
    eventually(lambda: here() == ["grace"], "who goes is gone")


def test_nobody_waits_longer_or_shorter_for_it(
    clock: Faults, server: Server, ada: Person, board: int
) -> None:
    workers, answers = server.worker_pids, []
    query = {"after": 0, "wait": 2}
    waiting = threading.Thread(target=lambda: answers.append(ada.http.get(ada.messages(board), params=query)))
    started = time.monotonic()
    waiting.start()
    for off in itertools.cycle((HOUR, -HOUR)):
        clock.set_clock(off)
        waiting.join(0.1)
        if not waiting.is_alive():
            break
        assert time.monotonic() < started + UNIT
    assert time.monotonic() >= started + 2
    assert [answer.json()["messages"] for answer in answers] == [[]]
    assert server.worker_pids == workers, "gunicorn takes none of them for dead"


def test_a_server_that_stops_while_its_clock_is_set_back_is_gone_all_the_same(tmp_path: Path) -> None:
    server = Server(tmp_path / "instance")
    faults = Faults(server.instance)
    server.settings.update(faults.environ)
    server.start()
    ada = Person(server, "ada")
    for _ in range(60):
        ada.say(1, "👍" * 4000)
    with RawSocket(server) as stuck:  # asks for more than the kernel holds, and does not read it
        stuck.take_little()
        stuck.request("GET", "/api/rooms/1/messages?after=0")
        assert stuck.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        os.kill(server.pid, signal.SIGTERM)
        hours = itertools.count(1)

        def gone() -> bool:
            faults.set_clock(-HOUR * next(hours))  # at whichever moment somebody looks at the clock
            return server.ended

        eventually(gone, "the server has stopped", 2 * UNIT)
    ada.close()
