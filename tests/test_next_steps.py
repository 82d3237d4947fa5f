"""Pages lead on: who reads along to signing in, an empty room to people and a topic, a search to what finds more."""

import html
import re
from collections.abc import Callable
from contextlib import closing

import httpx

from tests.clients import Person
from tests.people import Member, administrator, first_path, member
from tests.servers import Server

PAGE = {"Accept": "text/html"}


def test_a_room_leads_who_reads_along_to_signing_in_and_back(one_worker: Server) -> None:
    with closing(Person(one_worker, "grace")) as grace, closing(Person(one_worker)) as stranger:
        room = grace.make_room("board")
        to_sign_in = f'href="/sign-in?next=/chats/{room}/"'
        page = stranger.http.get(f"/chats/{room}/").text
        assert page.count(to_sign_in) == 2, "under the name that one may say, and at the foot of the rooms"
        assert to_sign_in not in grace.http.get(f"/chats/{room}/").text


def test_a_room_that_takes_no_guests_leads_who_has_no_name_to_signing_in_and_back(one_worker: Server) -> None:
    with closing(member(one_worker, "grace")) as grace, closing(Person(one_worker)) as stranger:
        room = grace.make_room("board")
        grace.http.patch(f"/api/rooms/{room}", json={"guests": False}).raise_for_status()
        for path in (f"/chats/{room}/", f"/chats/{room}/details/?person=x"):
            answer = stranger.http.get(path, headers=PAGE)
            assert answer.status_code == 401
            assert "Nothing was changed" not in answer.text, "who only looks changes nothing"
            way = re.search(r'href="(/sign-in[^"]*)"', answer.text)
            assert way
            assert httpx.URL(html.unescape(way[1])).params["next"] == path


def test_where_nobody_reads_without_a_name_each_page_leads_to_where_one_comes_in_and_back(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(guests="no", sign_up="open").start()
    with closing(Person(server)) as stranger:
        for page in ("details/", "messages/1/", "details/?person=x"):
            path = f"/chats/1/{page}"
            answer = stranger.http.get(path, headers=PAGE)
            assert answer.status_code == 302
            assert httpx.URL(answer.headers["Location"]).params["next"] == path
            entrance = stranger.http.get(answer.headers["Location"], headers=PAGE).text
            assert "closed to guests" in entrance
            assert 'href="/sign-up"' in entrance, "where anybody may make an account"


def test_who_is_signed_in_is_led_from_signing_in_to_where_they_were_going(one_worker: Server) -> None:
    with closing(member(one_worker, "grace")) as grace:
        for path, where in {
            "/sign-in": "/chats/",
            "/sign-in?next=/account/": "/account/",
            "/sign-up": "/chats/",
            "/first/": "/chats/",
        }.items():
            assert grace.http.get(path, headers=PAGE).headers["Location"] == where


def test_who_has_an_account_before_there_is_an_administrator_is_told_why_the_code_makes_none(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(sign_up="open").start()
    with closing(Member(server, "grace")) as grace:
        assert grace.sign_up("/sign-up").status_code == 303
        answer = grace.http.get(first_path(server), headers=PAGE)
        assert answer.status_code == 403
        assert "You are signed in: sign out first" in answer.text


def test_an_empty_room_leads_who_moderates_it_to_its_people_and_its_topic(one_worker: Server) -> None:
    with closing(member(one_worker, "grace")) as grace, closing(member(one_worker, "tom")) as tom:
        room = grace.make_room("board")
        people, topic = (f'href="/chats/{room}/details/#{part}"' for part in ("members", "topic"))
        page = grace.http.get(f"/chats/{room}/").text
        assert people in page
        assert topic in page
        grace.http.patch(f"/api/rooms/{room}", json={"topic": "boats"}).raise_for_status()
        assert topic not in grace.http.get(f"/chats/{room}/").text
        assert people not in tom.http.get(f"/chats/{room}/").text
        grace.http.patch(f"/api/rooms/{room}", json={"topic": ""}).raise_for_status()
        grace.http.put(f"/api/rooms/{room}/members/{tom.id}", json={"role": "moderator"}).raise_for_status()
        page = tom.http.get(f"/chats/{room}/").text
        assert people in page
        assert topic not in page, "which moderators cannot set"
        grace.http.patch(f"/api/rooms/{room}", json={"closed": True}).raise_for_status()
        assert people not in grace.http.get(f"/chats/{room}/").text, "nobody can say anything there"


def test_a_search_that_finds_nothing_says_what_may_find_more(one_worker: Server) -> None:
    with closing(Person(one_worker, "grace")) as grace:
        assert "Try fewer words" in grace.http.get("/search?q=nosuchword").text


def test_in_the_list_of_rooms_a_conversation_is_called_by_its_name_once(one_worker: Server) -> None:
    ada = administrator(one_worker)
    with closing(member(one_worker, "grace")) as grace:
        talk = grace.http.post("/api/direct", json={"people": [ada.id]}).json()["id"]
        grace.say(talk, "Have you a minute?")
        assert last_line(ada, talk) == "Have you a minute?"
        assert last_line(grace, talk) == "You: Have you a minute?"


def last_line(reader: Person, room: int) -> str:
    page = reader.http.get("/chats/").text
    card = re.search(rf'data-room="{room}".*?</li>', page, re.DOTALL)
    assert card
    line = re.search(r'<span class="last cut" dir="auto">(.*?)</span>', card[0], re.DOTALL)
    assert line
    return re.sub(r"<[^>]*>", "", line[1]).strip()
