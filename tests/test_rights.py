"""Who may read and write in a room, through every door; and what becomes of it when that changes."""

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.clients import RESUMING, UNIT, Person, Reader, eventually
from tests.conftest import server_of_each_store
from tests.people import member
from tests.raw_socket import nobody_gets, problem
from tests.servers import Server
from tests.test_shell import Shell

On = Callable[[int, str], str]
NOWHERE = 999_999_999


server = server_of_each_store


@pytest.fixture
def mallory(server: Server) -> Iterator[Person]:
    with closing(Person(server, f"mallory {uuid.uuid4().hex[:8]}")) as person:
        yield person


@pytest.fixture(scope="module")
def shells() -> Iterator[dict[Server, Shell]]:
    opened: dict[Server, Shell] = {}
    yield opened
    for shell in opened.values():
        shell.close()


@pytest.fixture
def on(server: Server, shells: dict[Server, Shell]) -> On:
    """What the administrator does with a room: on(1, 'ban("mallory")'), on(1, 'kind = "private"')."""
    shell = shells.get(server) or shells.setdefault(server, Shell(server))

    def do(room: int, what: str) -> str:
        said = shell(f"room({room}).{what}")
        assert not re.match(r"[A-Z]\w+: |Traceback", said), said
        return said

    return do


@pytest.fixture
def den(ada: Person, on: On) -> int:
    """A private room, with ada in it and something said."""
    room = ada.make_room(f"den {uuid.uuid4().hex[:8]}")
    on(room, 'kind = "private"')  # before any worker has read it: none takes it for a public one for a moment
    on(room, f"take_in({ada.id!r})")
    ada.say(room, "between us")
    return room


def entries(server: Server, room: int) -> list[dict[str, Any]]:
    """The room's audit log."""
    found: list[dict[str, Any]] = json.loads(server.console("room", "audit", str(room), "--json").out)
    return found


def form(who: Person, path: str, **fields: str) -> int:
    """The status that a browser gets for a form."""
    return who.http.post(path, data=fields, headers={"Accept": "text/html"}).status_code


def test_signed_out_one_is_told_that_a_room_may_be_for_its_members_whether_or_not_it_is_there(
    server: Server, den: int
) -> None:
    with httpx.Client(base_url=server.url, verify=False, headers={"Accept": "text/html"}) as visitor:
        pages = [
            visitor.get(f"/chats/{room}/").text.replace(f"/chats/{room}/", "/chats/n/")
            for room in (den, NOWHERE)
        ]
    # The token of forms has the second in it.
    (page,) = {re.sub(r'(csrf[-_]token" (?:value|content)=)"[^"]*"', r"\1", page) for page in pages}
    assert "It may be a room for its members" in page
    assert 'href="/sign-in?next=/chats/n/"' in page


def test_a_private_room_is_listed_to_its_members_only(ada: Person, mallory: Person, den: int) -> None:
    assert den in {room["id"] for room in ada.http.get("/api/rooms").json()["rooms"]}
    assert den not in {room["id"] for room in mallory.http.get("/api/rooms").json()["rooms"]}
    assert f"/chats/{den}/" not in mallory.http.get("/chats/").text


def test_a_guest_is_taken_in_by_name_only_from_the_room_itself(server: Server, mallory: Person) -> None:
    olive = member(server, "olive")
    room, elsewhere = olive.make_room(), olive.make_room()

    def take_in() -> int:
        return form(olive, f"/chats/{room}/members", person=mallory.name)

    with closing(mallory.socket()) as socket:
        socket.join(elsewhere)
        eventually(lambda: mallory.http.get(f"/api/rooms/{elsewhere}/presence").json()["count"])
        assert take_in() == 400  # and not a word about where they are
        socket.join(room)
        eventually(lambda: take_in() == 303)
    listed = olive.http.get(f"/api/rooms/{room}/members").json()["members"]
    assert mallory.id in [one["id"] for one in listed]
    assert form(olive, f"/chats/{room}/members", person=member(server, "joan").name) == 303


def test_members_read_and_write_in_a_private_room_over_every_transport(
    ada: Person, grace: Person, den: int, on: On
) -> None:
    on(den, f"take_in({grace.id!r})")
    readers: list[Reader] = [kind(grace, den, after=0) for kind in RESUMING]
    ada.say(den, "welcome")
    for reader in readers:
        eventually(lambda reader=reader: reader.bodies[-1:] == ["welcome"])
        reader.close()


@pytest.mark.parametrize("transport", RESUMING, ids=lambda kind: kind.name)
def test_who_is_removed_gets_nothing_that_is_kept_after_it_while_people_talk(
    transport: type[Reader], ada: Person, grace: Person, den: int, on: On
) -> None:
    on(den, f"take_in({grace.id!r})")
    reader = transport(grace, den, after=0)
    reader.may_end = True
    enough = threading.Event()

    def talk() -> None:
        with httpx.Client(
            base_url=ada.server.url, cookies=ada.http.cookies, timeout=UNIT, verify=False
        ) as http:
            while not enough.is_set():
                http.post(ada.messages(den), json={"body": "go on"}, headers={"Origin": ada.server.url})

    talkers = [threading.Thread(target=talk) for _ in range(3)]
    for talker in talkers:
        talker.start()
    eventually(lambda: len(reader.messages) > 20)
    on(den, f"remove({grace.id!r})")
    removal = next(m for m in reversed(ada.read(den)["messages"]) if m["kind"] == "notice")
    eventually(lambda: ada.read(den, after=-1)["cursor"] > removal["seq"] + 20)
    enough.set()
    for talker in talkers:
        talker.join(UNIT)
    reader.stopping = True
    assert max(reader.seqs) <= removal["seq"]
    assert problem(grace.http.get(grace.messages(den))) == "no_such_room"


def test_of_several_names_all_are_taken_in_or_nobody_and_no_part_becomes_lower(one_worker: Server) -> None:
    with closing(member(one_worker, "ada")) as ada, closing(member(one_worker, "grace")) as grace:
        den = ada.http.post("/api/rooms", json={"name": "den", "kind": "private"}).json()["id"]
        room, headers = f"/chats/{den}", {"Accept": "text/html"}

        def take_in(*names: str) -> int:
            data = {"person": ", ".join(names)}
            return ada.http.post(f"{room}/members", data=data, headers=headers).status_code

        def parts() -> dict[str, str]:
            found = ada.http.get(f"/api/rooms/{den}/members").json()["members"]
            return {each["name"]: each["role"] for each in found}

        assert take_in(grace.name, "nobody at all") == 400
        assert take_in("", "") == 400
        assert parts() == {ada.name: "owner"}
        assert take_in(grace.name, ada.name) == 303
        assert parts() == {ada.name: "owner", grace.name: "member"}


def test_who_follows_several_rooms_loses_only_the_one_that_they_are_removed_from(
    grace: Person, den: int, board: int, on: On
) -> None:
    on(den, f"take_in({grace.id!r})")
    with closing(grace.socket()) as socket:
        socket.join(board)
        socket.join(den)
        on(den, f"remove({grace.id!r})")
        error = socket.expect(lambda frame: frame["type"] == "error")
        assert (error["code"], error["room"]) == ("forbidden", den)
        socket.expect(lambda frame: frame == {"type": "left", "room": den})
        grace.say(board, "still here")
        socket.expect(lambda frame: frame["type"] == "message" and frame["body"] == "still here")
        assert socket.closed is None


def test_a_room_that_becomes_private_ends_the_reading_of_who_is_no_member(
    ada: Person, grace: Person, board: int, on: On
) -> None:
    on(board, f"take_in({ada.id!r})")
    with closing(ada.socket()) as hers, closing(grace.socket()) as his:
        for socket in (hers, his):
            socket.join(board)
        on(board, 'kind = "private"')
        assert eventually(lambda: his.closed)[0] == 4403
        ada.say(board, "among ourselves")
        hers.expect(lambda frame: frame["type"] == "message" and frame["body"] == "among ourselves")
        assert all(message["kind"] != "text" for message in his.of("message"))


def test_who_is_timed_out_reads_and_does_not_write(server: Server, grace: Person, board: int, on: On) -> None:
    grace.say(board, "before")
    with closing(grace.socket()) as socket:
        socket.join(board)
        on(board, f"time_out({grace.name!r})")
        socket.expect(lambda frame: frame["type"] == "message" and f"timed {grace.name} out" in frame["body"])
        socket.send({"type": "send", "room": board, "body": "but"})
        assert socket.expect(lambda frame: frame["type"] == "error")["code"] == "forbidden"
        assert grace.read(board, after=0)["messages"]
        socket.send({"type": "typing", "room": board})
        eventually(lambda: len(socket.of("error")) == 2)
        on(board, f"lift(room({board}).sanctions()[0].id)")
        eventually(lambda: any("write again" in message["body"] for message in socket.of("message")))
        assert grace.say(board, "again")["body"] == "again"


def test_who_lost_the_answer_and_may_only_read_by_now_still_learns_that_it_is_kept(
    ada: Person, grace: Person, board: int, on: On
) -> None:
    kept = grace.say(board, "before", client_id="once")
    on(board, f"time_out({grace.name!r})")
    eventually(lambda: grace.http.post(grace.messages(board), json={"body": "but"}).status_code == 403)
    assert grace.say(board, "before", client_id="once")["seq"] == kept["seq"]
    with closing(grace.socket()) as socket:
        socket.send({"type": "send", "room": board, "body": "before", "client_id": "once"})
        assert socket.expect(lambda frame: frame["type"] == "ack")["seq"] == kept["seq"]
        socket.send({"type": "send", "room": board, "body": "but", "client_id": "twice"})
        assert socket.expect(lambda frame: frame["type"] == "error")["code"] == "forbidden"
    for fields in ({"client_id": "twice"}, {"client_id": "once", "kind": "reaction", "of": 1, "body": "x"}):
        answer = grace.http.post(grace.messages(board), json={"body": "but", **fields})
        assert answer.status_code == (403 if fields["client_id"] == "twice" else 200)
    assert [m["body"] for m in ada.read(board, after=0)["messages"] if m["kind"] == "text"] == ["before"]
    on(board, f"ban({grace.name!r})")
    again = {"body": "before", "client_id": "once"}
    eventually(lambda: problem(grace.http.post(grace.messages(board), json=again)) == "forbidden")


def test_who_is_banned_neither_reads_nor_writes_nor_comes_back_under_another_name_in_that_browser(
    server: Server, ada: Person, mallory: Person, board: int, on: On
) -> None:
    mallory.say(board, "spam")
    with closing(mallory.socket()) as socket:
        socket.join(board)
        on(board, f'ban({mallory.name!r}, why="spam")')
        assert eventually(lambda: socket.closed)[0] == 4403
    eventually(lambda: problem(mallory.http.get(mallory.messages(board))) == "forbidden")
    assert mallory.http.post("/guests", json={"name": "somebody else"}).status_code == 201
    assert problem(mallory.http.get(mallory.messages(board))) == "forbidden"
    assert ada.read(board)["messages"]
    on(board, f"lift(room({board}).sanctions()[0].id)")  # of the person, and of the browser
    eventually(lambda: mallory.http.get(mallory.messages(board)).status_code == 200)
    done = [(entry["what"], entry["why"]) for entry in entries(server, board)]
    assert (f"banned {mallory.name}", "spam") in done
    assert len([what for what, _ in done if what.endswith("in again")]) == 1


@pytest.mark.parametrize("later", [0, 2], ids=["by its number", "by that of the network"])
def test_a_ban_of_a_guest_their_browser_and_a_network_is_one_and_lifted_as_one(
    later: int, server: Server, ada: Person, mallory: Person, board: int, on: On
) -> None:
    mallory.say(board, "spam")
    on(board, f'ban({mallory.name!r}, network="192.0.2.0/24")')
    (shown,) = server.console("room", "sanctions", str(board), "--json").json
    assert (shown["person"], bool(shown["device"]), shown["network"]) == (mallory.id, True, "192.0.2.0/24")
    assert (
        f"({mallory.id}, their browser, 192.0.2.0/24)" in server.console("room", "sanctions", str(board)).out
    )
    on(board, f"lift({shown['id'] + later})")
    assert server.console("room", "sanctions", str(board), "--json").json == []
    eventually(lambda: mallory.http.get(mallory.messages(board)).status_code == 200)


def test_a_ban_of_a_network_keeps_out_guests_who_come_from_there_and_visitors(
    server: Server, ada: Person, mallory: Person, board: int, on: On
) -> None:
    mallory.say(board, "spam")
    on(board, f"take_in({ada.id!r})")
    on(board, f'ban({mallory.name!r}, network="127.0.0.0/8")')
    with httpx.Client(base_url=server.url, verify=False) as visitor:
        eventually(lambda: visitor.get(f"/api/rooms/{board}/messages").status_code == 401)


@pytest.mark.parametrize("who", ["members", "moderators"])
def test_where_only_some_may_write_others_read(
    who: str, ada: Person, grace: Person, board: int, on: On
) -> None:
    on(board, f"take_in({ada.id!r})")
    on(board, f"posting = {who!r}")
    eventually(lambda: problem(grace.http.post(grace.messages(board), json={"body": "hi"})) == "forbidden")
    assert grace.read(board, after=0)["messages"]
    status = ada.http.post(ada.messages(board), json={"body": "hi"}).status_code
    assert status == (201 if who == "members" else 403)


def test_a_room_closed_to_guests_shows_them_nothing(
    server: Server, grace: Person, board: int, on: On
) -> None:
    grace.say(board, "before")
    on(board, "guests = False")
    eventually(lambda: problem(grace.http.get(grace.messages(board))) == "forbidden")
    assert board not in {room["id"] for room in grace.http.get("/api/rooms").json()["rooms"]}
    assert nobody_gets(f"{server.url}/api/rooms/{board}/messages").status_code == 401


def test_in_slow_mode_one_person_waits_and_others_do_not(
    ada: Person, grace: Person, board: int, on: On
) -> None:
    on(board, "pace = 3600")
    ada.say(board, "first", client_id="1")
    refused = ada.http.post(ada.messages(board), json={"body": "second"})
    assert problem(refused) == "too_fast"
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    assert ada.say(board, "first", client_id="1")["body"] == "first"
    assert grace.say(board, "mine")["seq"] == 3
    ada.http.post(ada.messages(board), json={"kind": "reaction", "of": 3, "body": "👍"}).raise_for_status()


def test_slow_mode_counts_what_is_sent_at_once(ada: Person, board: int, on: On) -> None:
    on(board, "pace = 3600")
    with closing(ada.socket()) as socket:
        for number in range(5):
            socket.send({"type": "send", "room": board, "body": str(number), "client_id": str(number)})
        eventually(lambda: len(socket.of("ack")) + len(socket.of("error")) == 5)
        assert len(socket.of("ack")) == 1


def test_a_member_leaves_and_a_private_room_is_out_of_their_sight(
    server: Server, ada: Person, grace: Person, den: int, on: On
) -> None:
    on(den, f"take_in({grace.id!r})")
    eventually(lambda: grace.http.get(grace.messages(den)).status_code == 200)
    assert grace.http.post(f"/api/rooms/{den}/leave").json()["body"] == "left"
    assert ("left", grace.id) in [(entry["what"], entry["whom"]) for entry in entries(server, den)]
    assert problem(grace.http.get(grace.messages(den))) == "no_such_room"
    shown = ada.http.get(f"/api/rooms/{den}/members").json()["members"]
    assert [member["id"] for member in shown] == [ada.id]


def test_who_runs_a_room_is_not_sent_out_by_who_has_no_higher_rank(
    server: Server, ada: Person, grace: Person, board: int, on: On
) -> None:
    """Guests run no rooms, so nobody here has a rank: see test_permissions for the table."""
    refused_by_shell = server.console("room", "take-in", str(board), ada.id, "--role", "owner")
    assert (refused_by_shell.status, "Guests have no part" in refused_by_shell.err) == (1, True)
    refused = grace.http.post(f"/api/rooms/{board}/kick", json={"name": ada.name})
    assert problem(refused) == "forbidden"


def test_retention_removes_the_oldest_and_a_reader_from_before_starts_over(
    server: Server, ada: Person, board: int, on: On
) -> None:
    for number in range(10):
        ada.say(board, str(number))
    cursor = ada.read(board, after=2)
    assert cursor["messages"][0]["seq"] == 3
    on(board, "keep(messages=4)")
    assert server.console("room", "prune").status == 0
    eventually(lambda: [m["seq"] for m in ada.read(board, after=0)["messages"]] == [8, 9, 10, 11])
    answer = ada.read(board, after=2, epoch=cursor["epoch"])
    assert answer["reset"] is True
    assert answer["epoch"] == cursor["epoch"]
    assert ada.say(board, "next")["seq"] == 12


def test_retention_removes_what_is_older_than_so_many_days(
    server: Server, ada: Person, board: int, on: On
) -> None:
    for number in range(4):
        ada.say(board, str(number))
    yesterday = "UPDATE messages SET at = at - 86400000000 - 1000000 WHERE room_id = ? AND seq <= 2"
    server.ask(yesterday, board)
    for days, left in ((2, [1, 2, 3, 4, 5]), (1, [3, 4, 5, 6])):
        on(board, f"keep(days={days})")
        assert server.console("room", "prune").status == 0
        eventually(lambda left=left: [m["seq"] for m in ada.read(board, after=0)["messages"]] == left)
