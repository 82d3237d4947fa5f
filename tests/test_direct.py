"""Direct conversations: a room of two or a few people, found again, and nobody else's."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.clients import Person, eventually
from tests.conftest import server_of_each_store
from tests.people import Member, administrator, member
from tests.raw_socket import problem
from tests.servers import Server

Newcomer = Callable[[str], Member]

server = server_of_each_store


@pytest.fixture
def newcomer(server: Server) -> Iterator[Newcomer]:
    made: list[Member] = []

    def make(name: str) -> Member:
        made.append(member(server, name))
        return made[-1]

    yield make
    for person in made:
        person.close()


def begin(person: Member, *others: Person) -> httpx.Response:
    return person.http.post("/api/direct", json={"people": [other.id for other in others]})


def rooms(person: Person) -> dict[int, dict[str, Any]]:
    return {room["id"]: room for room in person.http.get("/api/rooms").json()["rooms"]}


def test_two_people_talk_in_a_room_of_their_own_which_is_the_same_whoever_begins(
    newcomer: Newcomer,
) -> None:
    mary, joan = newcomer("mary"), newcomer("joan")
    room = begin(mary, joan).json()
    assert begin(joan, mary).json()["id"] == room["id"]
    assert (room["kind"], room["name"]) == ("direct", joan.name)
    assert rooms(joan)[room["id"]]["name"] == mary.name
    assert "Nothing said with <bdi" in joan.http.get(f"/chats/{room['id']}/").text
    with closing(joan.socket()) as socket:
        socket.join(room["id"])
        mary.say(room["id"], "between us")
        socket.expect(lambda frame: frame["type"] == "message" and frame["body"] == "between us")


def test_who_is_signed_out_is_offered_to_sign_in_whether_the_room_is_there_or_not(
    server: Server, newcomer: Newcomer
) -> None:
    mary, joan = newcomer("mary"), newcomer("joan")
    room = begin(mary, joan).json()["id"]
    pages = []
    for number in (room, 999_999):
        path, headers = f"/chats/{number}/", {"Accept": "text/html"}
        with httpx.Client(base_url=server.url, verify=False) as nobody:
            answer = nobody.get(path, headers=headers)
        assert answer.status_code == 404
        page = answer.text.replace("%2F", "/")
        assert f'href="/sign-in?next={path}"' in page
        pages.append(re.sub(r'content="[^"]*"', "", page).replace(path, "PATH"))
        assert "Sign in" not in mary.http.get("/chats/999998/", headers=headers).text
    assert pages[0] == pages[1]


def test_a_conversation_is_found_by_the_names_of_its_people_in_a_form(newcomer: Newcomer) -> None:
    mary, joan, other = newcomer("mary"), newcomer("joan"), newcomer("other, with a comma")
    for others in ([joan], [other], [joan, mary]):
        room = begin(mary, *others).json()["id"]
        names = " , ".join(person.name for person in others)
        answer = mary.http.post("/chats/direct", data={"people": names})
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/chats/{room}/")
    answer = mary.http.post("/chats/direct", data={"people": f"{joan.name}, nobody"})
    assert answer.status_code == 400
    assert "nobody called “nobody”" in answer.text
    assert f'value="{joan.name}, nobody"' in answer.text
    assert mary.http.post("/chats/direct", data={"people": mary.name}).status_code == 400


def test_a_conversation_is_nobody_elses_not_even_the_administrators(
    server: Server, newcomer: Newcomer, grace: Person
) -> None:
    mary, joan, other = newcomer("mary"), newcomer("joan"), newcomer("other")
    room = begin(mary, joan).json()["id"]
    mary.say(room, "between us")
    for stranger in (other, administrator(server), grace):
        assert problem(stranger.http.get(stranger.messages(room))) == "no_such_room"
        assert room not in rooms(stranger)
    assert problem(mary.http.put(f"/api/rooms/{room}/members/{other.id}", json={})) == "forbidden"
    assert problem(mary.http.post(f"/api/rooms/{room}/leave")) == "bad_request"
    assert begin(mary, joan, other).json()["id"] != room


def test_a_conversation_stays_between_its_people_whatever_a_terminal_says(
    server: Server, newcomer: Newcomer
) -> None:
    mary, joan, other = newcomer("mary"), newcomer("joan"), newcomer("other")
    room = begin(mary, joan).json()["id"]
    mary.say(room, "between us")
    for command in (
        ("set", room, "--kind", "public"),
        ("set", room, "--kind", "private"),
        ("ban", room, joan.name),
        ("take-in", room, other.id),
        ("remove", room, joan.id),
    ):
        done = server.console("room", *command)
        assert (done.status, done.err.startswith("Error: ")) == (1, True), command
    assert rooms(joan)[room]["kind"] == "direct"
    assert room not in rooms(other)
    assert [message["body"] for message in joan.read(room)["messages"]] == ["between us"]


def test_who_has_no_account_has_no_conversations(newcomer: Newcomer, grace: Person) -> None:
    mary = newcomer("mary")
    assert problem(begin(mary, grace)) == "bad_request"
    assert problem(begin(mary, mary)) == "bad_request"
    assert problem(begin(mary)) == "bad_request"
    assert problem(grace.http.post("/api/direct", json={"people": [mary.id]})) == "forbidden"
    assert problem(begin(mary, *[mary] * 9)) == "bad_request"


def test_of_a_conversation_the_list_says_who_is_around_and_not_that_nobody_has_it_open(
    newcomer: Newcomer,
) -> None:
    mary, joan = newcomer("mary"), newcomer("joan")
    room = begin(mary, joan).json()["id"]
    page = mary.http.get("/chats/").text
    card = page.partition(f'data-room="{room}"')[2].partition("</li>")[0]
    assert ("presence" in card, "Nobody here" in card) == (True, False)


def test_a_muted_conversation_says_so_in_the_list(newcomer: Newcomer) -> None:
    mary, joan = newcomer("mary"), newcomer("joan")
    room = begin(mary, joan).json()["id"]
    assert mary.http.post(f"/api/rooms/{room}/mute", json={"muted": True}).status_code == 204
    eventually(lambda: rooms(mary)[room]["muted"] is True)
    assert rooms(joan)[room]["muted"] is False
