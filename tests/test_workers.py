"""Several workers on one database: a reader of any of them sees what any other kept, whatever gets lost."""

import os
import random
import signal
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import WebSocketException

from tests.clients import RESUMING, UNIT, Person, Reader, Socket, eventually
from tests.figures import figures
from tests.servers import Server
from tests.test_shell import Shell

AGAIN_SECONDS = 0.05  # the pace of clients that find nobody there
MANY = 100  # connections after which every worker must have had one


def worker_of(server: Server, socket: Socket) -> int | None:
    """The process id of the worker that holds the other end of `socket`."""
    own = socket.ws.socket.getsockname()[1]
    ends = f"0100007F:{server.port:04X} 0100007F:{own:04X}"
    inode = next(line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines() if ends in line)
    for pid in server.worker_pids:
        for file in Path(f"/proc/{pid}/fd").iterdir():
            if file.is_symlink() and os.readlink(file) == f"socket:[{inode}]":
                return pid
    return None


def one_on_each_worker(person: Person) -> list[Socket]:
    """A socket of `person` on each worker."""
    found: dict[int, Socket] = {}
    for _ in range(MANY):
        socket = person.socket()
        worker = eventually(lambda socket=socket: worker_of(person.server, socket), "a worker has it")
        if worker in found:
            socket.close()
        found.setdefault(worker, socket)
        if len(found) == person.server.workers:
            return list(found.values())
    raise AssertionError(f"after {MANY} connections only {len(found)} workers have one")


@pytest.fixture
def server(three_workers: Server) -> Server:
    return three_workers


@pytest.fixture
def everywhere(ada: Person) -> Iterator[list[Socket]]:
    """A socket of ada on each worker."""
    sockets = one_on_each_worker(ada)
    yield sockets
    for socket in sockets:
        socket.close()


def joined(sockets: list[Socket], room: int) -> list[Socket]:
    for socket in sockets:
        assert socket.join(room, after=0)["type"] == "joined"
    return sockets


def fresh(person: Person) -> httpx.Client:
    """A connection of its own, which any worker may get."""
    return httpx.Client(
        base_url=person.server.url,
        cookies=person.http.cookies,
        headers={"Origin": person.server.url},
        timeout=70,
        verify=False,
    )


# -- what one worker keeps, all show -------------------------------------------------------------------


def test_a_reader_of_any_worker_sees_what_any_other_kept_in_one_order(
    everywhere: list[Socket], board: int
) -> None:
    joined(everywhere, board)
    for number in range(20):
        for who, socket in enumerate(everywhere):
            socket.send({"type": "send", "room": board, "body": f"{who}: {number}"})
    for socket in everywhere:
        eventually(lambda socket=socket: len(socket.of("message")) >= 60, "all that was sent on any worker")
    seen = [[(frame["seq"], frame["body"]) for frame in socket.of("message")] for socket in everywhere]
    assert seen[0] == seen[1] == seen[2]
    assert [seq for seq, _ in seen[0]] == list(range(1, 61))
    for who, socket in enumerate(everywhere):
        assert [body for _, body in seen[0] if body.startswith(f"{who}:")] == [
            f"{who}: {n}" for n in range(20)
        ]
        acked = [frame["seq"] for frame in socket.of("ack")]
        assert acked == [seq for seq, body in seen[0] if body.startswith(f"{who}:")]


def test_who_comes_to_another_worker_with_a_fresh_cursor_is_neither_reset_nor_missing_anything(
    everywhere: list[Socket], ada: Person, board: int
) -> None:
    joined(everywhere, board)
    for number in range(1, 31):
        asked, answering = random.sample(everywhere, 2)
        asked.send({"type": "send", "room": board, "body": str(number)})
        asked.expect(lambda frame, n=number: frame["type"] == "message" and frame["seq"] == n)
        # the other worker may not have heard of this number yet
        answer = answering.join(board, after=number)
        assert (answer["type"], answer["cursor"]) == ("joined", number)


def test_a_cookie_is_good_in_every_worker(everywhere: list[Socket], ada: Person, board: int) -> None:
    for socket in everywhere:
        socket.send({"type": "send", "room": board, "body": "me", "client_id": uuid.uuid4().hex})
        socket.expect(lambda frame: frame["type"] == "ack")
    authors = [message["author"]["id"] for message in everything(ada, board)]
    assert authors == [ada.id] * 3


def test_a_client_id_is_known_in_every_worker(everywhere: list[Socket], board: int) -> None:
    for socket in everywhere:
        socket.send({"type": "send", "room": board, "body": "once", "client_id": "one"})
    seqs = [socket.expect(lambda frame: frame["type"] == "ack")["seq"] for socket in everywhere]
    assert seqs == [1, 1, 1]


# -- what is never stored ------------------------------------------------------------------------------


def people_shown(socket: Socket, room: int) -> tuple[int, list[str]]:
    """Who is in the room, as a client that has followed the presence frames of `socket` shows it."""
    count, here = 0, {}
    for frame in socket.of("presence"):
        if frame["room"] != room:
            continue
        count = frame["count"]
        if "here" in frame:
            here = {who["id"]: who["name"] for who in frame["here"]}
        here.update({who["id"]: who["name"] for who in frame.get("joined", [])})
        for who in frame.get("left", []):
            here.pop(who["id"], None)
    return count, sorted(here.values())


def test_presence_counts_people_over_all_workers(
    everywhere: list[Socket], ada: Person, grace: Person, board: int
) -> None:
    joined(everywhere, board)  # ada is there three times
    hers = one_on_each_worker(grace)

    def all_show(*names: str) -> None:
        for socket in everywhere:
            eventually(
                lambda socket=socket: people_shown(socket, board) == (len(names), list(names)),
                f"{names} are shown",
            )

    joined(hers[:1], board)  # on one worker only: the others know it from there
    all_show("ada", "grace")
    joined(hers[1:], board)
    hers[0].send({"type": "leave", "room": board})
    hers[0].expect(lambda frame: frame["type"] == "left")
    hers[1].close()
    mallory = Person(ada.server, "mallory")
    his = mallory.socket()
    his.join(board)  # when he is shown, so is all that happened before
    all_show("ada", "grace", "mallory")
    hers[2].close()
    all_show("ada", "mallory")
    assert ada.http.get(f"/api/rooms/{board}/presence").json()["count"] == 2
    for each in (his, hers[0], mallory):
        each.close()
    all_show("ada")
    listed = next(room for room in ada.http.get("/api/rooms").json()["rooms"] if room["id"] == board)
    assert listed["here"] in (1, [{"id": ada.id, "name": "ada", "guest": True}])


def test_typing_crosses_workers(everywhere: list[Socket], grace: Person, board: int) -> None:
    joined(everywhere, board)
    hers = grace.socket()
    hers.join(board)
    hers.send({"type": "typing", "room": board})
    for socket in everywhere:
        frame = socket.expect(lambda frame: frame["type"] == "typing")
        assert (frame["room"], frame["who"]["id"]) == (board, grace.id)
    hers.close()


def test_how_far_somebody_has_read_is_told_to_their_other_tabs_on_every_worker(
    everywhere: list[Socket], ada: Person, grace: Person, board: int
) -> None:
    ada.say(board, "one")
    joined(everywhere, board)
    hers = grace.socket()
    hers.join(board)
    first, *others = everywhere
    first.send({"type": "read", "room": board, "seq": 1})
    for socket in others:
        assert socket.expect(lambda frame: frame["type"] == "read")["seq"] == 1
    grace.say(board, "two")
    hers.expect(lambda frame: frame.get("seq") == 2)
    assert hers.of("read") == []
    hers.close()


# -- notices that are lost -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mute(three_workers: Server) -> Iterator[Shell]:
    """A shell that keeps and tells nobody: as a process that is killed between its commit and its notice."""
    shell = Shell(three_workers)
    shell("from chatapp.globals import get_hub")
    shell("get_hub().bus.publish = lambda notice: None")
    yield shell
    shell.close()


def test_a_message_whose_notice_was_lost_reaches_every_reader(
    mute: Shell, everywhere: list[Socket], ada: Person, board: int
) -> None:
    joined(everywhere, board)
    readers = [kind(ada, board, after=0) for kind in RESUMING]
    mute(f'room({board}).post("whispered")')
    for socket in everywhere:
        socket.expect(lambda frame: frame["type"] == "message" and frame["body"] == "whispered")
    for reader in readers:
        reader.wait_for(1)
    ada.say(board, "aloud")
    for reader in readers:
        reader.wait_for(2)
        reader.close()
        assert reader.seqs == [1, 2]


def test_a_clearing_whose_notice_was_lost_resets_every_reader(
    mute: Shell, everywhere: list[Socket], ada: Person, board: int
) -> None:
    ada.say(board, "one")
    joined(everywhere, board)
    readers: list[Reader] = [kind(ada, board, after=0) for kind in RESUMING]
    for reader in readers:
        reader.wait_for(1)
    mute(f"room({board}).clear()")
    for socket in everywhere:
        socket.expect(lambda frame: frame["type"] == "reset" and frame["cursor"] == 1)
    for reader in readers:
        eventually(
            lambda reader=reader: reader.resets == 1 and not reader.messages, f"{reader.name} starts over"
        )
        reader.close()


def test_a_removal_whose_notice_was_lost_and_then_cleared_away_closes_every_reader(
    mute: Shell, everywhere: list[Socket], ada: Person, grace: Person, board: int
) -> None:
    joined(everywhere, board)
    hers = grace.socket()
    hers.join(board)
    eventually(
        lambda: "ada" in mute(f"[who.name for who in room({board}).people()]"), "ada is known to be here"
    )
    mute(f"room({board}).kick({ada.name!r}); room({board}).clear()")
    for socket in everywhere:
        assert eventually(lambda socket=socket: socket.closed)[0] == 4403
    hers.expect(lambda frame: frame["type"] == "reset")
    assert hers.closed is None
    hers.close()
    again = ada.socket()  # she may come back
    assert again.join(board)["type"] == "joined"
    grace.say(board, "welcome")
    again.expect(lambda frame: frame["type"] == "message" and frame["body"] == "welcome")
    again.close()


def test_who_is_removed_from_a_private_room_gets_nothing_kept_after_it_where_the_notice_was_lost(
    mute: Shell, everywhere: list[Socket], ada: Person, grace: Person, board: int
) -> None:
    mute(f"r = room({board}); r.take_in({ada.id!r}); r.take_in({grace.id!r}); r.kind = 'private'")
    joined(everywhere, board)
    polls = fresh(ada)
    assert polls.get(ada.messages(board)).status_code == 200
    removed = int(mute(f"room({board}).remove({ada.id!r}).seq"))
    for number in range(5):
        grace.say(board, f"secret {number}")
        assert "secret" not in polls.get(ada.messages(board), params={"after": 0}).text
        assert "secret" not in polls.get(ada.messages(board), params={"before": 999}).text
        assert "secret" not in polls.get(f"/chats/{board}/").text
    polls.close()
    for socket in everywhere:
        assert eventually(lambda socket=socket: socket.closed)[0] == 4403
        assert all(frame["seq"] <= removed for frame in socket.of("message"))


def test_a_renaming_and_a_closing_whose_notices_were_lost_are_known_to_every_worker(
    mute: Shell, everywhere: list[Socket], ada: Person, board: int
) -> None:
    joined(everywhere, board)
    name = f"Hall of {uuid.uuid4().hex[:12]}"
    mute(f"room({board}).rename({name!r}).close()")
    for socket in everywhere:
        socket.expect(lambda frame: frame.get("detail") == {"name": name})
        socket.expect(lambda frame: frame.get("detail") == {"closed": True})
        assert socket.join(board, after=2)["name"] == name
        socket.send({"type": "send", "room": board, "body": "too late"})
        assert socket.expect(lambda frame: frame["type"] == "error")["code"] == "room_closed"


def test_a_deletion_whose_notice_was_lost_ends_every_reader(
    mute: Shell, everywhere: list[Socket], ada: Person, board: int
) -> None:
    joined(everywhere, board)
    plain = ada.socket(path=f"/chats/{board}/ws", subprotocols=None)
    poll: list[httpx.Response] = []
    with (
        fresh(ada) as http,
        httpx.Client(base_url=ada.server.url, cookies=ada.http.cookies, timeout=UNIT, verify=False) as other,
    ):
        waiting = threading.Thread(
            target=lambda: poll.append(http.get(ada.messages(board), params={"after": 0, "wait": 30}))
        )
        waiting.start()
        eventually(lambda: figures(ada.server)["waiting_polls"], "the poll waits, in whichever worker")
        with other.stream("GET", f"/api/rooms/{board}/stream") as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("retry:")
            mute(f"delete_room({board})")
            for line in lines:
                assert not line.startswith("event: message")
        waiting.join(UNIT)
    assert [answer.status_code for answer in poll] == [404]
    for socket in everywhere:
        assert socket.expect(lambda frame: frame["type"] == "error")["code"] == "no_such_room"
        socket.expect(lambda frame: frame["type"] == "left" and frame["room"] == board)
    assert eventually(lambda: plain.closed)[0] == 4404


def test_while_somebody_holds_the_bus_messages_are_kept_and_reach_every_reader(
    server: Server, everywhere: list[Socket], board: int
) -> None:
    joined(everywhere, board)
    with closing(sqlite3.connect(server.instance / "bus.db", isolation_level=None, timeout=UNIT)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        for who, socket in enumerate(everywhere):
            socket.send({"type": "send", "room": board, "body": str(who), "client_id": str(who)})
            socket.expect(lambda frame: frame["type"] in ("ack", "error"))
        for socket in everywhere:
            eventually(lambda socket=socket: len(socket.of("message")) == 3, "found without a notice")
    for socket in everywhere:
        assert socket.of("error") == []
        assert [frame["seq"] for frame in socket.of("message")] == [1, 2, 3]


# -- a worker that dies --------------------------------------------------------------------------------


def test_what_was_acknowledged_survives_workers_that_are_killed_under_load(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(workers=3).start()
    ada = Person(server, "ada")
    board = ada.make_room()
    people = [Person(server, f"guest {number}") for number in range(4)]
    followers = [Follower(ada, board) for _ in range(3)]
    acked: dict[str, int] = {}
    enough = threading.Event()
    senders = [threading.Thread(target=say_until, args=(person, board, acked, enough)) for person in people]
    for sender in senders:
        sender.start()
    for goal in (60, 120):
        eventually(lambda goal=goal: len(acked) >= goal, "much is said", 3 * UNIT)
        victim = random.choice(server.worker_pids)
        os.kill(victim, signal.SIGKILL)
        eventually(
            lambda victim=victim: victim not in server.worker_pids and len(server.worker_pids) == 3,
            "a new one comes",
        )
    eventually(lambda: len(acked) >= 180, "it goes on", 3 * UNIT)
    enough.set()
    for sender in senders:
        sender.join(3 * UNIT)
        assert not sender.is_alive()
    last = ada.read(board, after=-1)["cursor"]
    kept = everything(ada, board)
    assert [message["seq"] for message in kept] == list(range(1, last + 1))
    assert {message["client_id"]: message["seq"] for message in kept} == acked
    for follower in followers:
        eventually(lambda follower=follower: len(follower.seqs) >= last, "everybody has everything")
        follower.close()
        assert follower.seqs == list(range(1, last + 1))
    for person in [ada, *people]:
        person.close()


def say_until(person: Person, room: int, acked: dict[str, int], enough: threading.Event) -> None:
    """Say things, each again with its `client_id` until it is acknowledged, as clients do."""
    while not enough.is_set():
        client_id = uuid.uuid4().hex
        while client_id not in acked:
            try:
                answer = person.http.post(
                    person.messages(room), json={"body": client_id, "client_id": client_id}
                )
            except httpx.TransportError:
                time.sleep(AGAIN_SECONDS)
                continue
            if answer.status_code in (200, 201):
                acked[client_id] = answer.json()["seq"]
            else:
                assert answer.status_code == 503, answer.text


def everything(person: Person, room: int) -> list[dict[str, Any]]:
    """The whole log, page by page."""
    messages: list[dict[str, Any]] = []
    while page := person.read(room, after=messages[-1]["seq"] if messages else 0)["messages"]:
        messages.extend(page)
    return messages


class Follower:
    """Reads a room over WebSockets, coming back with its cursor whenever it is cut off: after some while of at most
    `spread` seconds.
    """

    def __init__(self, person: Person, room: int, spread: float = 0.0) -> None:
        self._person, self._room, self._spread = person, room, spread
        # Seconds from a cut until it is in the room again, and how many of them it did not wait by itself.
        self.longest_away = self.longest_return = 0.0
        self._socket: Socket | None = None
        self._stopping = False
        self.seqs: list[int] = []
        self.closes: list[int] = []
        self.resets = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping = True
        if self._socket is not None:
            self._socket.close()
        self._thread.join(UNIT)
        assert not self._thread.is_alive()
        assert self.resets == 0

    def _run(self) -> None:
        cut = tried = 0.0  # it was not cut off yet
        while not self._stopping:
            try:
                socket = self._socket = self._person.socket()
                socket.send({"type": "join", "room": self._room, "after": self.seqs[-1] if self.seqs else 0})
            except (OSError, WebSocketException):
                time.sleep(AGAIN_SECONDS)  # nobody is there just now
                continue
            self._follow(socket, cut, tried)
            cut = time.monotonic()
            time.sleep(random.uniform(0, self._spread))
            tried = time.monotonic()

    def _follow(self, socket: Socket, cut: float, tried: float) -> None:
        taken = 0
        while True:
            # The order matters: once it is closed nothing more comes.
            closed, frames = socket.closed, socket.frames[taken:]
            taken += len(frames)
            self.seqs += [frame["seq"] for frame in frames if frame["type"] == "message"]
            self.resets += sum(frame["type"] == "reset" for frame in frames)
            if cut and any(frame["type"] == "joined" for frame in frames):
                now = time.monotonic()
                self.longest_away = max(self.longest_away, now - cut)
                self.longest_return = max(self.longest_return, now - tried)
            if closed is not None:
                self.closes.append(closed[0])
                return
            if not frames:
                time.sleep(0.01)
