"""Running a room: reasons at every door and in a terminal; who takes what back; all settings or none."""

from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest

from chatapp import text
from tests.clients import Person
from tests.conftest import server_of_each_store
from tests.people import Member, administrator, member
from tests.raw_socket import problem
from tests.servers import Server

PAGE = {"Accept": "text/html"}
CLEARS = "spam\x1b[2J"  # a terminal that gets it is empty
TURNED = "spam \u202egniht yreve"

server = server_of_each_store


@pytest.fixture
def boss(server: Server) -> Member:
    return administrator(server)


@pytest.fixture
def grace(server: Server) -> Iterator[Member]:
    with closing(member(server, "grace")) as person:
        yield person


DOORS: dict[str, Callable[[Member, int, Person, str], httpx.Response]] = {
    "a membership ended": lambda boss, room, who, why: boss.http.post(
        f"/chats/{room}/remove", data={"person": who.id, "why": why}, headers=PAGE
    ),
    "a time-out": lambda boss, room, who, why: boss.http.post(
        f"/api/rooms/{room}/sanctions", json={"kind": "timeout", "person": who.id, "why": why}
    ),
    "a ban": lambda boss, room, who, why: boss.http.post(
        f"/api/rooms/{room}/sanctions", json={"kind": "ban", "person": who.id, "why": why}
    ),
    "a ban from the server": lambda boss, room, who, why: boss.http.post(
        "/api/bans", json={"person": who.id, "why": why}
    ),
    "an invitation": lambda boss, room, who, why: boss.http.post("/api/invitations", json={"note": why}),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("why", [CLEARS, TURNED, "x" * 251], ids=["escape", "turned", "long"])
def test_a_reason_is_one_line_that_is_not_cut(
    door: str, why: str, server: Server, boss: Member, grace: Member
) -> None:
    room = boss.make_room()
    assert grace.http.post(f"/api/rooms/{room}/join").status_code == 200
    assert DOORS[door](boss, room, grace, why).status_code == 400
    assert grace.id in [each["id"] for each in boss.http.get(f"/api/rooms/{room}/members").json()["members"]]
    assert boss.http.get(f"/api/rooms/{room}/sanctions").json()["sanctions"] == []
    assert grace.signed_in()


@pytest.mark.parametrize("kind", ["timeout", "ban"])
def test_a_reason_is_kept_without_the_blanks_around_it(kind: str, boss: Member, grace: Member) -> None:
    room = boss.make_room()
    wanted = {"kind": kind, "person": grace.id, "why": "  spam "}
    assert boss.http.post(f"/api/rooms/{room}/sanctions", json=wanted).status_code == 201
    newest = boss.http.get(f"/api/rooms/{room}/audit").json()["entries"][0]
    assert newest["why"] == "spam"


def test_a_terminal_shows_what_would_move_its_cursor(server: Server, boss: Member, grace: Member) -> None:
    room = boss.make_room()
    wanted = {"kind": "timeout", "person": grace.id, "why": "spam"}
    assert boss.http.post(f"/api/rooms/{room}/sanctions", json=wanted).status_code == 201
    server.ask("UPDATE audit SET why = ? WHERE room_id = ? AND why = 'spam'", CLEARS, room)
    server.ask("UPDATE sanctions SET reason = ? WHERE room_id = ?", CLEARS, room)
    for command in (("audit",), ("room", "audit", str(room)), ("room", "sanctions", str(room))):
        out = server.console(*command).out
        assert r"spam\x1b[2J" in out
        assert "\x1b" not in out


def test_what_turns_a_text_is_escaped_and_words_of_any_language_are_not() -> None:
    assert text.escaped(TURNED) == r"spam \u202egniht yreve"
    assert text.escaped("Zoë 👩‍🚀 שלום\n") == "Zoë 👩‍🚀 שלום\\n"


SETTINGS: dict[str, object] = {
    "name": "another name",
    "topic": "another topic",
    "posting": "members",
    "guests": False,
    "slow_seconds": 5,
    "keep_days": 9,
    "kind": "private",
}
WRONG: dict[str, object] = {
    "name": "",
    "topic": "\x1b",
    "posting": "nobody",
    "slow_seconds": 10**9,
    "keep_days": -1,
    "kind": "hidden",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_where_one_setting_cannot_be_no_other_is_made(wrong: str, boss: Member) -> None:
    room = boss.make_room()
    before = boss.http.get("/api/rooms").json()["rooms"]
    answer = boss.http.patch(f"/api/rooms/{room}", json={**SETTINGS, wrong: WRONG[wrong], "closed": True})
    assert problem(answer) == "bad_request"
    form = {name: str(value) for name, value in {**SETTINGS, "guests": "", wrong: WRONG[wrong]}.items()}
    assert boss.http.post(f"/chats/{room}/settings", data=form, headers=PAGE).status_code == 400
    assert boss.http.get("/api/rooms").json()["rooms"] == before
    assert boss.http.patch(f"/api/rooms/{room}", json=SETTINGS).status_code == 200
    assert boss.read(room)["cursor"] == len(SETTINGS)


def test_who_makes_a_room_private_that_they_are_not_in_makes_all_other_changes_too(
    boss: Member, grace: Member
) -> None:
    room = grace.make_room()
    wanted = {"kind": "private", "closed": True, "topic": "ships"}
    assert boss.http.patch(f"/api/rooms/{room}", json=wanted).status_code == 204
    (line,) = [each for each in grace.http.get("/api/rooms").json()["rooms"] if each["id"] == room]
    assert {name: line[name] for name in wanted} == wanted
    assert problem(boss.http.patch(f"/api/rooms/{room}", json={"closed": False})) == "no_such_room"


def test_a_time_out_is_lifted_by_who_outranks_the_one_it_is_of(
    server: Server, boss: Member, grace: Member
) -> None:
    room = boss.make_room()
    with closing(member(server, "joan")) as joan:
        for person in (grace, joan):
            path = f"/api/rooms/{room}/members/{person.id}"
            assert boss.http.put(path, json={"role": "moderator"}).status_code == 200
        path = f"/api/rooms/{room}/sanctions"
        assert boss.http.post(path, json={"kind": "timeout", "person": joan.id}).status_code == 201
        (imposed,) = grace.http.get(path).json()["sanctions"]
        lift = f"{path}/{imposed['id']}"
        for moderator in (grace, joan):
            assert problem(moderator.http.delete(lift)) == "forbidden"
        button = f"/sanctions/{imposed['id']}/lift"
        assert button not in grace.http.get(f"/chats/{room}/details/", headers=PAGE).text
        assert button in boss.http.get(f"/chats/{room}/details/", headers=PAGE).text
        assert grace.http.post(f"/chats/{room}{button}", headers=PAGE).status_code == 403
        assert [each["id"] for each in grace.http.get(path).json()["sanctions"]] == [imposed["id"]]
        assert boss.http.delete(lift).status_code == 200


@pytest.mark.parametrize("part", ["", "king", [], {}, 1, True])
def test_a_part_that_there_is_not_is_refused_and_everybody_keeps_theirs(
    part: object, boss: Member, grace: Member
) -> None:
    room = boss.make_room()
    path = f"/api/rooms/{room}/members/{grace.id}"
    assert boss.http.put(path, json={"role": "moderator"}).status_code == 200
    assert problem(boss.http.put(path, json={"role": part})) == "bad_request"
    for none in ({}, {"role": None}):
        assert boss.http.put(path, json=none).status_code == 204
    parts = {
        each["id"]: each["role"] for each in boss.http.get(f"/api/rooms/{room}/members").json()["members"]
    }
    assert parts == {boss.id: "owner", grace.id: "moderator"}
