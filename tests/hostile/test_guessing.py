"""Numbers that are not one's own: rooms that one may not see, and what belongs to somebody else.

The answer is compared byte by byte with that about something that never was: status, headers, body, frames,
close codes. (By codes, for every person and every door, test_matrix.py has it.)
"""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from typing import Any, NamedTuple

import httpx
import pytest

from tests.clients import Person, eventually
from tests.factors import found
from tests.hostile.routes import WRITES, Route, routes
from tests.people import Member, administrator, member
from tests.programs import make_token, program
from tests.servers import Server

# Where administrators see that a room is there that they are no member of; docs/administration.md.
OVERSEEN = re.compile(r"/api/rooms/<room_id:room_id>/reports|/chats/<room_id:room_id>/reports/|/admin/")
# What would be done if one might: so far does a request come before it is about the room.
JSON: dict[str, Any] = {
    "body": "hi",
    "name": "mallory",
    "kind": "ban",
    "person": "u1",
    "seq": 1,
    "role": "member",
    "muted": True,
    "outcome": "dismissed",
}
FORM = {
    "body": "hi",
    "new_message": "hi",
    "person": "u1",
    "kind": "ban",
    "name": "mallory",
    "why": "so",
    "outcome": "dismissed",
    "muted": "1",
}
FRAMES: dict[str, dict[str, Any]] = {
    "join": {},
    "join from 0": {"type": "join", "after": 0},
    "join from afar": {"type": "join", "after": 10**6},
    "join in an epoch": {"type": "join", "after": 1, "epoch": "x"},
    "send": {"body": "hi", "client_id": "c"},
    "send a reply": {"type": "send", "body": "hi", "of": 1},
    "send a deletion": {"type": "send", "kind": "delete", "of": 1},
    "read": {"seq": 1},
    "typing": {},
    "leave": {},
}


class Hidden(NamedTuple):
    """Rooms of others, by what they are; and a number as long as theirs that no room has."""

    rooms: dict[str, int]
    nowhere: int


@pytest.fixture(scope="module")
def hidden(server: Server) -> Hidden:
    grace, joan = member(server, "grace"), member(server, "joan")
    den = grace.http.post("/api/rooms", json={"name": "den", "kind": "private"}).json()["id"]
    pair = grace.http.post("/api/direct", json={"people": [joan.id]}).json()["id"]
    gone = grace.http.post("/api/rooms", json={"name": "gone", "kind": "private"}).json()["id"]
    while set(str(gone)) == {"9"}:  # there is none as long as it that is none
        gone = grace.http.post("/api/rooms", json={"name": "gone", "kind": "private"}).json()["id"]
    for room in (den, pair):
        grace.say(room, "between us")
    assert grace.http.post(f"/api/rooms/{den}/hooks", json={"name": "Builds"}).status_code == 201
    nowhere = 10 ** len(str(gone)) - 1
    for room in range(gone + 1, nowhere + 1):
        assert len(str(room)) == len(str(gone))
    assert nowhere > gone
    assert grace.http.delete(f"/api/rooms/{gone}").status_code == 204
    return Hidden({"private": den, "direct": pair, "deleted": gone}, nowhere)


@pytest.fixture(scope="module")
def everybody(server: Server) -> Iterator[dict[str, Person]]:
    other, boss = member(server, "mallory"), administrator(server)
    board = other.make_room("board")
    people: dict[str, Person] = {
        "nobody": Person(server),
        "a guest": Person(server, f"mallory {uuid.uuid4().hex[:8]}"),
        "a member": other,
        "a program": program(other, "read", "write", "manage"),
        "a program of some rooms": program(other, "read", "write", "manage", rooms=[board]),
        "an administrator": boss,
    }
    yield people
    for name, person in people.items():
        if name != "an administrator":
            person.close()


@pytest.fixture(scope="module")
def of_rooms(server: Server) -> list[Route]:
    """Every route that names a room, but sockets."""
    found = [route for route in routes(server) if "room_id" in route.rule and not route.websocket]
    assert len(found) > 40
    return found


Answer = tuple[int, dict[str, str], str]


def asked(who: Person, route: Route, room: int, hidden: Hidden) -> Answer:
    """The answer, with N for the room's number, and without what differs each time."""
    body: dict[str, Any] = {}
    if route.method in WRITES:
        body = {"json": JSON} if route.rule.startswith("/api/") else {"data": FORM}
    page = {} if route.rule.startswith("/api/") else {"Accept": "text/html"}
    with who.http.stream(route.method, route.path(room), headers=page, **body) as answer:
        assert answer.headers["Content-Type"] != "text/event-stream"
        answer.read()
    return plain(answer, hidden.nowhere, *hidden.rooms.values())


def plain(answer: httpx.Response, *numbers: object) -> Answer:
    """`answer` with N for what was asked for, and without what differs each time. `numbers`: of all that it is
    compared with, since a page may have them for other reasons.
    """
    own = re.compile(rf"(?<![\d.\w])({'|'.join(map(str, numbers))})(?![\d.\w])")
    text = re.sub(r'(csrf[-_]token" (?:value|content)=)"[^"]*"', r"\1", answer.text)
    # Into whatever room: who asked for it by a poll is counted there for a minute, and then is not.
    text = re.sub(r'(data-label="Here">)\d+', r"\1", text)
    changing = {
        "date",
        "x-request-id",
        "set-cookie",
        "content-length",
    }  # a token's length differs, and of the text is the text
    headers = {name: own.sub("N", value) for name, value in answer.headers.items() if name not in changing}
    return answer.status_code, headers, own.sub("N", text)


@pytest.fixture(scope="module")
def of_nowhere(
    hidden: Hidden, everybody: dict[str, Person], of_rooms: list[Route]
) -> Callable[[str], list[Answer]]:
    """What somebody is told of a room that never was, route by route."""

    @cache
    def told(who: str) -> list[Answer]:
        return [asked(everybody[who], route, hidden.nowhere, hidden) for route in of_rooms]

    return told


@pytest.mark.parametrize(
    "who", ["nobody", "a guest", "a member", "a program", "a program of some rooms", "an administrator"]
)
@pytest.mark.parametrize("kind", ["private", "direct", "deleted"])
def test_over_every_door_a_room_that_one_may_not_see_is_to_the_byte_like_one_that_never_was(
    kind: str,
    who: str,
    hidden: Hidden,
    everybody: dict[str, Person],
    of_rooms: list[Route],
    of_nowhere: Callable[[str], list[Answer]],
    unharmed: None,
) -> None:
    told = []
    for route, never in zip(of_rooms, of_nowhere(who), strict=True):
        if who == "an administrator" and kind != "deleted" and OVERSEEN.match(route.rule):
            continue
        there = asked(everybody[who], route, hidden.rooms[kind], hidden)
        if there != never:
            told.append((route.name, there, never))
    assert told == []


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("kind", ["private", "direct", "deleted"])
def test_on_a_socket_too(kind: str, frame: str, hidden: Hidden, everybody: dict[str, Person]) -> None:
    for who in ("nobody", "a guest", "a member", "an administrator"):
        heard = []
        for room in (hidden.rooms[kind], hidden.nowhere):
            with closing(everybody[who].socket()) as socket:
                socket.send({"type": frame.split()[0], **FRAMES[frame], "room": room})
                socket.send({"type": "ping"})
                socket.expect(lambda got: got["type"] == "pong")
                said = [got for got in socket.frames if got["type"] not in ("pong", "person")]
                heard.append(re.sub(rf"\b{room}\b", "N", json.dumps(said)))
        assert heard[0] == heard[1], who


@pytest.mark.parametrize("kind", ["private", "direct", "deleted"])
def test_on_the_tutorials_socket_too(kind: str, hidden: Hidden, everybody: dict[str, Person]) -> None:
    for who in ("nobody", "a guest", "a member", "an administrator"):
        heard = []
        for room in (hidden.rooms[kind], hidden.nowhere):
            with closing(everybody[who].socket(path=f"/chats/{room}/ws", subprotocols=None)) as line:
                heard.append((eventually(lambda: line.closed), list(line.frames)))
        assert heard[0] == heard[1], who


def test_nothing_else_tells_of_rooms_that_one_may_not_see(
    server: Server, hidden: Hidden, everybody: dict[str, Person]
) -> None:
    """Lists, pages, searches, numbers for machines."""
    for who in ("nobody", "a guest", "a member", "a program"):
        for path in ("/api/rooms", "/chats/", "/api/people?q=", "/metrics", "/api/me", "/api/openapi.json"):
            text = everybody[who].http.get(path).text
            assert "between us" not in text
            assert not re.search(r'"den"|>den<|/chats/%d/' % hidden.rooms["private"], text), path


# -- what belongs to somebody else ---------------------------------------------------------------------------


class Theirs(NamedTuple):
    """What grace has made, by number; mallory has a room of her own and asks for these there."""

    grace: Member
    mallory: Member
    board: int
    numbers: dict[str, Any]


@pytest.fixture(scope="module")
def theirs(server: Server) -> Theirs:
    boss, grace, mallory = administrator(server), member(server, "grace"), member(server, "mallory")
    guest = Person(server, f"mary {uuid.uuid4().hex[:8]}")
    room, board = grace.make_room("hers"), mallory.make_room("board")
    for _ in range(5):
        said = guest.say(room, "something")
    mallory.say(board, "something")
    path = f"/api/rooms/{room}"
    ban = {"kind": "timeout", "person": guest.id}
    grace.http.post(f"{path}/sanctions", json=ban).raise_for_status()
    grace.http.post(f"{path}/messages/{said['seq']}/report", json={"why": "so"}).raise_for_status()
    note = uuid.uuid4().hex
    boss.invite(note=note)
    invitations = boss.http.get("/api/invitations").json()["invitations"]
    boss.http.post("/api/bans", json={"person": Person(server, "mary").id}).raise_for_status()
    own = grace.elsewhere()
    numbers = {
        "token": make_token(grace)["id"],
        "hook": grace.http.post(f"{path}/hooks", json={"name": "Builds"}).json()["id"],
        "sanction": grace.http.get(f"{path}/sanctions").json()["sanctions"][0]["id"],
        "report": grace.http.get(f"{path}/reports").json()["reports"][0]["id"],
        "invitation": next(each["id"] for each in invitations if each["note"] == note),
        "ban": boss.http.get("/api/bans").json()["bans"][0]["id"],
        "message": said["seq"],
        "session": found(r'name="key" value="([0-9a-f]{64})"', own.http.get("/account/").text),
        "person": grace.id,
        "guest": guest.id,
    }
    return Theirs(grace, mallory, board, numbers)


NONE = {"session": "0" * 64, "person": "u99999", "guest": "g" + "0" * 16}
Ask = Callable[[Member, int, Any], httpx.Response]
BELONGINGS: dict[str, tuple[str, Ask]] = {
    "a token": ("token", lambda who, room, number: who.http.delete(f"/api/tokens/{number}")),
    "a token, by a form": (
        "token",
        lambda who, room, number: who.http.post("/account/tokens/revoke", data={"token": str(number)}),
    ),
    "a hook": ("hook", lambda who, room, number: who.http.delete(f"/api/rooms/{room}/hooks/{number}")),
    "a hook's secret": (
        "hook",
        lambda who, room, number: who.http.post(f"/hooks/{number}/{'x' * 43}", json={"text": "x"}),
    ),
    "a sanction": (
        "sanction",
        lambda who, room, number: who.http.delete(f"/api/rooms/{room}/sanctions/{number}"),
    ),
    "a sanction, by a form": (
        "sanction",
        lambda who, room, number: who.http.post(
            f"/chats/{room}/sanctions/{number}/lift", headers={"Accept": "text/html"}
        ),
    ),
    "a report": (
        "report",
        lambda who, room, number: who.http.post(
            f"/api/rooms/{room}/reports/{number}", json={"outcome": "deleted"}
        ),
    ),
    "a report, by a form": (
        "report",
        lambda who, room, number: who.http.post(
            f"/chats/{room}/reports/{number}", data={"outcome": "deleted"}, headers={"Accept": "text/html"}
        ),
    ),
    "an invitation": ("invitation", lambda who, room, number: who.http.delete(f"/api/invitations/{number}")),
    "a ban": ("ban", lambda who, room, number: who.http.delete(f"/api/bans/{number}")),
    "a message, to reply to": (
        "message",
        lambda who, room, number: who.http.post(
            f"/api/rooms/{room}/messages", json={"body": "x", "of": number}
        ),
    ),
    "a message, to delete": (
        "message",
        lambda who, room, number: who.http.post(
            f"/api/rooms/{room}/messages", json={"kind": "delete", "of": number}
        ),
    ),
    "a message, to report": (
        "message",
        lambda who, room, number: who.http.post(
            f"/api/rooms/{room}/messages/{number}/report", json={"why": "x"}
        ),
    ),
    "a message's page": (
        "message",
        lambda who, room, number: who.http.get(f"/chats/{room}/messages/{number}/"),
    ),
    "a session": (
        "session",
        lambda who, room, number: who.http.post("/account/sessions/end", data={"key": number}),
    ),
    "an account, to change": ("person", lambda who, room, number: who.change(number, name="mallory's")),
    "an account, to sign out": (
        "person",
        lambda who, room, number: who.http.post(f"/api/people/{number}/sign-out"),
    ),
    "an account's page": ("person", lambda who, room, number: who.http.get(f"/admin/people/{number}")),
    "a member of another room": (
        "person",
        lambda who, room, number: who.http.delete(f"/api/rooms/{room}/members/{number}"),
    ),
    "a guest, to write to": (
        "guest",
        lambda who, room, number: who.http.post("/api/direct", json={"people": [number]}),
    ),
}


@pytest.mark.parametrize("what", BELONGINGS)
def test_what_is_somebody_elses_is_like_what_never_was(what: str, theirs: Theirs, unharmed: None) -> None:
    of, ask = BELONGINGS[what]
    number = theirs.numbers[of]
    never = NONE.get(of) or int("9" * max(4, len(str(number))))
    answers = []
    for each in (number, never):
        answer = ask(theirs.mallory, theirs.board, each)
        answers.append(plain(answer, number, never))
    assert answers[0] == answers[1]
    assert answers[0][0] in (303, 400, 403, 404)


def test_and_all_of_it_is_still_there(server: Server, theirs: Theirs) -> None:
    """After mallory has asked for it."""
    for of, ask in BELONGINGS.values():
        ask(theirs.mallory, theirs.board, theirs.numbers[of])
    boss = administrator(server)
    tokens = boss.http.get("/api/tokens?everybodys=1").json()["tokens"]
    assert theirs.numbers["token"] in [each["id"] for each in tokens]
    assert theirs.numbers["invitation"] in [
        each["id"] for each in boss.http.get("/api/invitations").json()["invitations"]
    ]
    assert theirs.numbers["ban"] in [each["id"] for each in boss.http.get("/api/bans").json()["bans"]]
    assert theirs.numbers["report"] in [
        each["id"] for each in boss.http.get("/api/reports").json()["reports"]
    ]
    assert theirs.grace.me()["name"] == theirs.grace.name, "it was her session that they tried to end"


def test_the_client_id_of_somebody_else_gives_nobody_their_message(
    server: Server, ada: Person, mallory: Person, board: int
) -> None:
    """Sending again is answered with what was sent first: to its author."""
    first = ada.say(board, "hers", client_id="guessed")
    answer = mallory.http.post(f"/api/rooms/{board}/messages", json={"body": "mine", "client_id": "guessed"})
    assert answer.status_code == 201
    assert (answer.json()["body"], answer.json()["seq"]) == ("mine", first["seq"] + 1)
