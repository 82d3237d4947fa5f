"""Pages lead on: who reads along to signing in, an empty room to people and a topic, a search to what finds more."""

import re
from contextlib import closing

from tests.clients import Person
from tests.people import administrator, member
from tests.servers import Server


def test_a_room_leads_who_reads_along_to_signing_in_and_back(one_worker: Server) -> None:
    with closing(Person(one_worker, "grace")) as grace, closing(Person(one_worker)) as stranger:
        room = grace.make_room("board")
        to_sign_in = f'href="/sign-in?next=/chats/{room}/"'
        page = stranger.http.get(f"/chats/{room}/").text
        assert page.count(to_sign_in) == 2, "under the name that one may say, and at the foot of the rooms"
        assert to_sign_in not in grace.http.get(f"/chats/{room}/").text


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
