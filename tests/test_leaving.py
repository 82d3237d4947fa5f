"""Accounts that are erased on pages: one's own, by whom it is of, and others', by administrators."""

import uuid
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.clients import Person, eventually
from tests.people import Member, administrator, first_path, is_named, member
from tests.raw_socket import problem
from tests.servers import Server
from tests.test_personal_data import everything, lived
from tests.test_reports import audit

PAGE = "/account/leave"
BOTH = pytest.mark.parametrize("messages", ["keep", "remove"])


def is_nowhere(server: Server, person: Member) -> bool:
    kept = everything(server)
    return person.name not in kept and not is_named(person, kept)


def left_of(reader: Person, room: int, secret: str) -> list[str]:
    """Who said what, but for the reader's own."""
    shown = reader.read(room, after=0)["messages"]
    others = [each for each in shown if each["author"]["id"] != reader.id and each["kind"] == "text"]
    assert {each["author"]["name"] for each in others} == {"removed person"}
    return [each["body"].replace(secret, "the secret") for each in others]


@BOTH
def test_who_leaves_for_good_is_out_at_once_and_nowhere_any_more(
    messages: str, server: Server, grace: Person
) -> None:
    mary, secret = member(server, "mary"), uuid.uuid4().hex
    room = lived(mary, grace, secret)
    with closing(mary.socket()) as socket:
        socket.join(room)
        answer = mary.http.post(
            PAGE, data={"messages": messages, "sure": "1"}, headers={"Accept": "text/html"}
        )
        assert (answer.status_code, answer.headers["Location"]) == (303, "/chats/")
        assert "Your account is erased." in mary.http.get("/chats/").text
        assert eventually(lambda: socket.closed)[0] == 4401
    assert not mary.signed_in()
    eventually(lambda: is_nowhere(server, mary), "they are taken out of the logs")
    assert left_of(grace, room, secret) == (["the secret"] if messages == "keep" else [""])
    told = [(each["who"], each["what"]) for each in audit(administrator(server), limit=5)]
    assert ("removed person", "erased their own account") in told


def test_it_has_to_be_said_that_one_is_sure_what_becomes_of_the_messages_and_who_one_is(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(sign_up="open").start()
    boss, mary = Member(server, "ada"), Member(server, "mary")
    boss.sign_up(first_path(server))
    mary.sign_up("/sign-up")
    for form in ({"messages": "keep"}, {"sure": "1"}, {"messages": "all", "sure": "1"}, {}):
        answer = mary.http.post(PAGE, data=form)
        assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)
    sure = {"messages": "keep", "sure": "1"}
    answer = boss.http.post(PAGE, data=sure)  # the only one
    assert answer.status_code == 400
    assert "without an administrator" in answer.text
    assert mary.signed_in()
    assert boss.signed_in()


@BOTH
def test_an_administrator_erases_somebody_on_their_page_and_not_themselves(
    messages: str, server: Server, grace: Person
) -> None:
    boss, mary, secret = administrator(server), member(server, "mary"), uuid.uuid4().hex
    room, page = lived(mary, grace, secret), f"/admin/people/{mary.id}"
    form = {"do": "erase", "messages": messages, "sure": "1"}
    assert member(server, "joan").http.post(page, data=form).status_code == 404
    assert boss.http.post(page, data={"do": "erase", "messages": messages}).status_code == 400
    assert boss.http.post(f"/admin/people/{boss.id}", data=form).status_code == 400
    assert mary.signed_in()
    answer = boss.http.post(page, data=form, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/people")
    assert f"{mary.name} is erased." in boss.http.get("/admin/people").text
    assert not mary.signed_in()
    assert boss.http.get(page).status_code == 404
    eventually(lambda: is_nowhere(server, mary), "they are taken out of the logs")
    assert left_of(grace, room, secret) == (["the secret"] if messages == "keep" else [""])
    assert "erased an account" in [each["what"] for each in audit(boss, limit=5)]


def test_a_browser_that_is_banned_stays_so_whoever_leaves_with_it(server: Server) -> None:
    boss = administrator(server)
    room, mallory = boss.make_room("board"), Member(server, f"mallory {uuid.uuid4().hex[:8]}")
    mallory.id = mallory.http.post("/guests", json={"name": mallory.name}).json()["id"]
    banned = boss.http.post(f"/api/rooms/{room}/sanctions", json={"kind": "ban", "person": mallory.id})
    assert banned.status_code == 201, banned.text
    assert mallory.sign_up(boss.invite()).status_code == 303
    assert mallory.http.post(PAGE, data={"messages": "keep", "sure": "1"}).status_code == 303
    for leave in ("/guests/leave", ""):
        answer = mallory.http.post("/guests", json={"name": f"nobody {uuid.uuid4().hex[:8]}"})
        assert answer.status_code == 201, answer.text
        assert problem(mallory.http.get(mallory.messages(room))) == "forbidden"
        if leave:
            mallory.http.post(leave)
    with closing(Person(server, "somebody else")) as other:
        other.read(room)


def test_who_signed_in_long_ago_says_who_they_are_before_somebody_is_erased(
    server: Server, grace: Person
) -> None:
    boss, mary = administrator(server).elsewhere(), member(server, "mary")
    page = f"/admin/people/{mary.id}"
    form = {"do": "erase", "messages": "keep", "sure": "1"}
    boss.signed_in_long_ago()
    answer = boss.http.post(page, data=form)
    assert answer.headers["Location"] == f"/account/verify?next={page}"
    assert mary.signed_in()
    answer = boss.http.post("/account/verify", params={"next": page}, data={"password": boss.password})
    assert (answer.status_code, answer.headers["Location"]) == (302, page)
    assert boss.http.post(page, data=form).status_code == 303
    assert not mary.signed_in()
