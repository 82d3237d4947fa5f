"""A poll that is the last one again takes a shorter way (transports/again.py). Nobody can tell but by the time.

What polls answer is told by the suites that run over every transport; here is when the short way is taken, and
that everything else goes back to the long one, whole.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import gevent
import pytest
from gevent.socket import socket, socketpair

from chatapp.config import Config
from chatapp.hub import Hub
from chatapp.transports.again import Again
from tests.clients import UNIT, Person, eventually
from tests.figures import quick, waiting
from tests.people import Member, administrator, member
from tests.raw_socket import Answer, RawSocket
from tests.servers import Server


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker, whose counts are all that there are."""
    server = Server(tmp_path_factory.mktemp("counting") / "instance").start()
    yield server
    server.kill()


@pytest.fixture
def server(counting: Server) -> Server:
    """The same, where nobody waits any more for what other tests have asked."""
    eventually(lambda: waiting(counting) == 0)
    return counting


class Poller:
    """Somebody who polls by one connection, each time with the same head but for the cursor."""

    def __init__(self, person: Person, room: int) -> None:
        self.person, self.room = person, room
        self.raw = RawSocket(person.server)
        self.cursor = 0

    def __enter__(self) -> "Poller":
        self.raw.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.raw.__exit__(*error)

    def head(self, after: object, wait: int = 20, **headers: str) -> bytes:
        fields = {"Host": self.person.server.host, "Cookie": self.person.cookie, **headers}
        lines = [f"GET /api/rooms/{self.room}/messages?after={after}&wait={wait} HTTP/1.1"]
        return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in fields.items()), "", ""]).encode()

    def ask(self) -> None:
        self.raw.send(self.head(self.cursor))

    def told(self) -> list[str]:
        """What the answer to the last question says."""
        answer = self.raw.answer()
        assert answer.status == 200, answer.body
        batch = json.loads(answer.body)
        self.cursor = batch["cursor"]
        return [message["body"] for message in batch["messages"]]

    def catch_up(self, last: str) -> None:
        """Poll until somebody has said `last`."""
        said: list[str] = []
        while last not in said:
            self.ask()
            said = self.told()

    def warm_up(self, count: int = 3) -> None:
        """Poll until the next one takes the short way."""
        for number in range(count):
            self.person.say(self.room, f"warm {number}")
            self.ask()
            assert self.told() == [f"warm {number}"]


# A poll that comes from after the third message fails in the server, once.
PLANTED = """
import runpy

own = runpy.run_path("gunicorn.conf.py")
globals().update({name: value for name, value in own.items() if not name.startswith("_")})


def post_worker_init(worker):
    own["post_worker_init"](worker)
    from chatapp.transports import messages

    poll, left = messages.poll, [RuntimeError("planted")]

    def failing(*arguments, **asked):
        if asked["after"] == 3 and left:
            raise left.pop()
        return poll(*arguments, **asked)

    messages.poll = failing
"""


@pytest.fixture
def polls(ada: Person, board: int) -> Iterator[Poller]:
    with Poller(ada, board) as poller:
        yield poller


def test_the_third_poll_of_a_connection_takes_the_short_way_and_is_answered_the_same(
    server: Server, ada: Person, grace: Person, board: int, polls: Poller
) -> None:
    said = [grace.say(board, f"{number}") for number in range(5)]
    answers: list[Answer] = []
    before = quick(server)
    for _ in range(4):
        polls.raw.send(polls.head(2))
        answers.append(polls.raw.answer())
    assert quick(server) == before + 2
    assert {answer.body for answer in answers} == {answers[0].body}
    assert json.loads(answers[-1].body)["messages"] == said[2:]
    told = [dict(answer.headers) for answer in answers]
    dates, ids = ([each.pop(name) for each in told] for name in ("date", "x-request-id"))
    assert all(each == told[0] for each in told)
    assert all(dates)
    assert ids[0] != ids[1] == ids[2] == ids[3]  # to the log they are one


def test_each_waits_its_whole_time_however_many_of_the_same_connection_waited_before_it(
    server: Server, polls: Poller
) -> None:
    """A clock that is not set anew has a client that nobody writes to ask thousands of times a second."""
    before = quick(server)
    polls.warm_up()
    for _ in range(3):
        asked = time.monotonic()
        polls.raw.send(polls.head(polls.cursor, wait=1))
        assert polls.told() == []
        assert time.monotonic() - asked > 0.9  # at least: no machine is slow enough to pass by chance
    assert quick(server) == before + 3  # the last that was warmed up, and two of these


def test_it_waits_and_tells_what_is_said_meanwhile(
    server: Server, grace: Person, board: int, polls: Poller
) -> None:
    polls.warm_up()
    before = quick(server)
    for word in ("one", "two", "three"):
        polls.ask()
        eventually(lambda: waiting(server) == 1)
        grace.say(board, word)
        assert polls.told() == [word]
    assert quick(server) == before + 3


def test_switched_off_it_is_never_taken(new_server: Callable[..., Server]) -> None:
    server = new_server(quick_polls="no").start()
    ada = Person(server, "ada")
    with Poller(ada, 1) as polls:
        polls.warm_up(5)
        assert quick(server) == 0
    ada.close()


def test_where_requests_are_logged_each_has_its_line(new_server: Callable[..., Server]) -> None:
    server = new_server().start("--access-logfile", "-")
    ada = Person(server, "ada")
    with Poller(ada, 1) as polls:
        polls.warm_up(5)
        assert quick(server) == 0
        eventually(lambda: sum("GET /api/rooms/1/messages?after=" in line for line in server.log) == 5)
    ada.close()


def test_polls_of_the_tutorial_take_it_too(server: Server, ada: Person, board: int) -> None:
    before = quick(server)
    first = ada.say(board, "one")
    last = f"{datetime.fromisoformat(first['at']).timestamp():.6f}"
    with RawSocket(server) as raw:
        answers = []
        for number in range(4):
            ada.say(board, f"{number}")
            raw.request("GET", f"/chats/{board}/http?lastupdate={last}")
            answer = raw.answer()
            batch = json.loads(answer.body)
            assert batch["data"] == f"{number}"
            last = f"{batch['timestamp']:.6f}"
            answers.append(answer)
        assert all(answer.headers.keys() == answers[0].headers.keys() for answer in answers)
    assert quick(server) == before + 2


def test_scripts_of_other_sites_go_the_long_way(server: Server, ada: Person, board: int) -> None:
    before = quick(server)
    ada.say(board, "one")
    with RawSocket(server) as raw:
        for _ in range(4):
            raw.request("GET", f"/chats/{board}/http?lastupdate=0&callback=show")
            assert raw.answer().body.startswith(b"show(")
    assert quick(server) == before


# -- what is not the same goes the long way -----------------------------------------------------------


def test_another_request_in_between_is_served_and_polls_go_on(
    ada: Person, board: int, polls: Poller, server: Server
) -> None:
    polls.warm_up()
    body = json.dumps({"body": "on the same line", "client_id": "x"}).encode()
    polls.raw.request(
        "POST",
        f"/api/rooms/{board}/messages",
        body,
        Cookie=ada.cookie,
        Origin=server.url,
        Content_Type="application/json",
    )
    assert polls.raw.answer().status == 201
    polls.ask()
    assert polls.told() == ["on the same line"]
    before = quick(server)
    polls.warm_up()
    assert quick(server) > before


def test_somebody_else_on_the_same_connection_is_somebody_else(
    server: Server, ada: Person, board: int, polls: Poller
) -> None:
    polls.warm_up()
    owner = member(server, "owner")
    den = owner.make_room("den")
    owner.http.patch(f"/api/rooms/{den}", json={"kind": "private"}).raise_for_status()
    owner.say(den, "secret")
    with Poller(owner, den) as theirs:
        theirs.catch_up("secret")
        theirs.warm_up()
        before = quick(server)
        theirs.raw.send(theirs.head(0, Cookie=ada.cookie))  # as a proxy does that serves many
        assert theirs.raw.answer().code == "no_such_room"
        theirs.raw.send(theirs.head(0, Cookie="chatapp=nobody"))
        assert theirs.raw.answer().code == "no_such_room"
        theirs.raw.send(theirs.head(0))
        assert b"secret" in theirs.raw.answer().body
        assert quick(server) == before
    owner.close()


@pytest.mark.parametrize(
    ("after", "code"), [("x", "bad_request"), ("1&after=2", ""), ("-2", "bad_request"), ("9" * 19, "")]
)
def test_a_cursor_of_another_kind_is_read_as_ever(
    after: str, code: str, server: Server, polls: Poller
) -> None:
    polls.warm_up()
    before = quick(server)
    polls.raw.send(polls.head(after))
    answer = polls.raw.answer()
    assert (answer.code if answer.status != 200 else "") == code
    assert quick(server) == before
    polls.warm_up()


@pytest.mark.parametrize(
    "query", ["%61fter=0&after={}", "x=?after={}&%61fter=0", "x=?after={}", "after&after={}", "x#&after={}"]
)
def test_what_only_looks_like_the_cursor_is_none(query: str, ada: Person, board: int) -> None:
    for number in range(5):
        ada.say(board, f"{number}")
    with RawSocket(ada.server) as raw:
        answers = []
        for cursor in (1, 2, 3, 4):
            raw.request("GET", f"/api/rooms/{board}/messages?{query.format(cursor)}")
            answers.append(raw.answer().body)
    assert answers == [answers[0]] * 4, "all from the same place on"


def test_an_older_version_of_http_goes_the_long_way(server: Server, polls: Poller) -> None:
    before = quick(server)
    polls.person.say(polls.room, "hello")
    old = polls.head(0, Connection="keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0")
    for _ in range(4):
        polls.raw.send(old)
        assert b"hello" in polls.raw.answer().body
    assert quick(server) == before


def test_requests_that_come_together_or_in_pieces_are_answered_in_order(
    server: Server, polls: Poller, ada: Person, board: int
) -> None:
    polls.warm_up()
    polls.raw.send(polls.head(0) + polls.head(1) + polls.head(2))
    assert [len(json.loads(polls.raw.answer().body)["messages"]) for _ in range(3)] == [3, 2, 1]
    polls.warm_up()
    polls.raw.send_in_pieces(polls.head(polls.cursor - 1), 40)
    assert polls.told() == ["warm 2"]
    polls.warm_up()


def test_a_message_with_a_body_behind_its_head_is_not_taken_for_two(
    server: Server, polls: Poller, board: int
) -> None:
    before = quick(server)
    smuggled = b"GET /api/rooms HTTP/1.1\r\nHost: x\r\n\r\n"
    polls.person.say(board, "hello")
    head = polls.head(0, **{"Content-Length": str(len(smuggled))})
    for _ in range(4):
        polls.raw.send(head + smuggled)
        assert "messages" in json.loads(polls.raw.answer().body)
    assert quick(server) == before


# -- who may not read any more, and what ends ---------------------------------------------------------


DEEDS: dict[str, Callable[[Member, Member, int], object]] = {
    "removed": lambda boss, joan, den: boss.http.delete(f"/api/rooms/{den}/members/{joan.id}"),
    "banned": lambda boss, joan, den: boss.http.post("/api/bans", json={"person": joan.id, "why": "spam"}),
    "signed out": lambda boss, joan, den: joan.server.console("user", "sign-out", joan.name),
    "disabled": lambda boss, joan, den: joan.server.console("user", "disable", joan.name),
    "erased": lambda boss, joan, den: joan.server.console(
        "user", "erase", joan.name, "--messages", "keep", "--yes"
    ),
    "the room is deleted": lambda boss, joan, den: boss.server.console("room", "delete", den, "--yes"),
}


WITHIN_A_SECOND = ("signed out", "disabled")
REFUSALS = ("sign_in", "forbidden", "no_such_room")


@pytest.mark.parametrize("deed", DEEDS)
def test_who_may_not_read_any_more_is_refused_while_waiting_and_at_the_next_poll(
    deed: str, server: Server
) -> None:
    boss, joan = administrator(server), member(server, "joan")
    den = boss.make_room("den")
    boss.http.patch(f"/api/rooms/{den}", json={"kind": "private"}).raise_for_status()
    boss.http.put(f"/api/rooms/{den}/members/{joan.id}", json={"role": "member"}).raise_for_status()
    boss.say(den, "welcome")
    with Poller(joan, den) as polls:
        polls.catch_up("welcome")
        polls.warm_up()
        polls.ask()
        eventually(lambda: waiting(server) == 1)
        DEEDS[deed](boss, joan, den)
        if deed in WITHIN_A_SECOND:
            eventually(lambda: not joan.signed_in())
        boss.http.post(boss.messages(den), json={"body": "behind her back", "client_id": "x"})
        assert polls.raw.answer().code in REFUSALS
        for _ in range(2):
            polls.ask()
            assert polls.raw.answer().code in REFUSALS
    joan.close()


def test_who_was_sent_out_while_waiting_is_told_so_once(server: Server, ada: Person, board: int) -> None:
    mallory = Person(server, "mallory")
    ada.say(board, "hello")
    with Poller(mallory, board) as polls:
        polls.catch_up("hello")
        polls.warm_up()
        polls.ask()
        eventually(lambda: waiting(server) == 1)
        assert server.console("room", "kick", board, "mallory").status == 0
        assert polls.raw.answer().code == "forbidden"
        polls.ask()
        assert any(body.startswith("removed mallory") for body in polls.told())
    mallory.close()


def test_keys_that_are_forgotten_make_a_cookie_nobodys_at_the_next_poll(
    new_server: Callable[..., Server],
) -> None:
    server = new_server().start()
    owner = member(server, "owner")
    den = owner.make_room("den")
    owner.http.patch(f"/api/rooms/{den}", json={"kind": "private"}).raise_for_status()
    owner.say(den, "welcome")
    with Poller(owner, den) as polls:
        polls.catch_up("welcome")
        polls.warm_up()
        assert server.console("keys", "rotate", "--forget", answer="y\n").status == 0
        polls.ask()
        assert polls.raw.answer().code == "no_such_room"
    owner.close()


def test_a_room_that_is_cleared_begins_anew(server: Server, polls: Poller, board: int) -> None:
    polls.warm_up()
    polls.ask()
    eventually(lambda: waiting(server) == 1)
    assert server.console("room", "clear", board, "--yes").status == 0
    assert json.loads(polls.raw.answer().body)["reset"] is True


def test_a_fault_of_ours_is_told_as_a_problem_and_logged_as_on_the_long_way(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    (tmp_path / "planted.py").write_text(PLANTED)
    server = new_server().start("-c", str(tmp_path / "planted.py"))
    with closing(Person(server, "ada")) as ada, Poller(ada, 1) as polls:
        polls.warm_up()
        assert polls.cursor == 3
        before = quick(server)
        ada.say(1, "after the fault")
        polls.ask()
        answer = polls.raw.answer()
        assert (answer.status, answer.code) == (500, "fault")
        polls.ask()
        assert polls.told() == ["after the fault"]
        assert quick(server) == before, "neither was answered the short way"
    log = "".join(server.log)
    assert "GET /api/rooms/<room_id:room_id>/messages failed" in log
    assert log.count("RuntimeError: planted") == 1


def test_who_hangs_up_while_waiting_is_let_go_at_once(server: Server, polls: Poller) -> None:
    polls.warm_up()
    polls.ask()
    eventually(lambda: waiting(server) == 1)
    polls.raw.sock.close()
    eventually(lambda: waiting(server) == 0)


def test_a_connection_whose_next_poll_is_there_does_not_make_room_for_others() -> None:
    waiting: set[socket] = set()
    worker = SimpleNamespace(
        cfg=SimpleNamespace(keepalive=UNIT, accesslog="", statsd_host="", max_requests=0)
    )
    hub = cast(Hub, SimpleNamespace(config=Config()))
    again = Again(hub, worker, waiting.add, waiting.discard)
    ours, theirs = socketpair()
    with ours, theirs:
        theirs.sendall(b"GET /1")
        turn_of_others = gevent.spawn(waiting.copy)
        assert again._next_head(ours) == b"GET /1"
        assert turn_of_others.value == set()
        gevent.spawn(theirs.sendall, b"GET /2")
        turn_of_others = gevent.spawn(waiting.copy)
        assert again._next_head(ours) == b"GET /2"
        assert turn_of_others.value == {ours}, "until it is there it does"
        assert waiting == set()


def test_a_server_that_goes_answers_and_closes(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    with closing(Person(server, "ada")) as ada, Poller(ada, 1) as polls:
        polls.warm_up()
        polls.ask()
        eventually(lambda: waiting(server) == 1)
        server.stop()
        answer = polls.raw.answer()
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        assert polls.raw.wait_for_end() == b""
