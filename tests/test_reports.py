"""Reports: who brings a message before the moderators, who sees that, and what becomes of it; and the audit log."""

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.clients import Person, eventually
from tests.conftest import server_of_each_store
from tests.console import Done
from tests.people import Member, administrator, is_named, member
from tests.raw_socket import problem
from tests.servers import Server

server = server_of_each_store


def reported(who: Person, room: int, said: dict[str, Any], why: str = "spam") -> httpx.Response:
    return who.http.post(f"/api/rooms/{room}/messages/{said['seq']}/report", json={"why": why})


def waiting(who: Person, room: int) -> list[dict[str, Any]]:
    answer = who.http.get(f"/api/rooms/{room}/reports")
    assert answer.status_code == 200, answer.text
    return answer.json()["reports"]


def settled(who: Person, room: int, number: int, outcome: str, **fields: Any) -> httpx.Response:
    return who.http.post(f"/api/rooms/{room}/reports/{number}", json={"outcome": outcome, **fields})


def audit(who: Person, **query: Any) -> list[dict[str, Any]]:
    answer = who.http.get("/api/audit", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["entries"]


@pytest.fixture
def owner(server: Server) -> Member:
    return member(server, "olive")


@pytest.fixture
def room(owner: Member) -> int:
    """A public room of the owner's."""
    return owner.make_room(f"harbour {uuid.uuid4().hex[:8]}")


@pytest.fixture
def den(server: Server, owner: Member) -> int:
    """A private room of the owner's."""
    name = f"den {uuid.uuid4().hex[:8]}"
    answer = owner.http.post("/api/rooms", json={"name": name, "kind": "private"})
    assert answer.status_code == 201, answer.text
    number: int = answer.json()["id"]
    return number


@pytest.fixture
def mallory(server: Server) -> Person:
    return Person(server, f"mallory {uuid.uuid4().hex[:8]}")


# -- who reports, and who sees it ----------------------------------------------------------------------


def test_moderators_see_what_a_message_said_when_it_was_reported_whatever_became_of_it(
    owner: Member, room: int, mallory: Person, grace: Person
) -> None:
    said = mallory.say(room, "buy my boots")
    assert reported(grace, room, said, "spam, again").status_code == 204
    for change in ({"kind": "edit", "body": "hello all"}, {"kind": "delete"}):
        mallory.http.post(Person.messages(room), json={**change, "of": said["seq"]}).raise_for_status()
    (report,) = waiting(owner, room)
    assert (report["body"], report["why"]) == ("buy my boots", "spam, again")
    assert report["author"] == {"id": mallory.id, "name": mallory.name, "guest": True}
    assert report["by"]["id"] == grace.id
    assert report["seq"] == said["seq"]


def test_one_person_reports_a_message_once(owner: Member, room: int, mallory: Person, grace: Person) -> None:
    said = mallory.say(room, "buy my boots")
    assert [reported(grace, room, said, why).status_code for why in ("spam", "really")] == [204, 204]
    assert [each["why"] for each in waiting(owner, room)] == ["spam"]
    assert reported(owner, room, said).status_code == 204
    assert len(waiting(owner, room)) == 2


def test_who_is_reported_never_sees_it_also_as_a_moderator_of_the_room(
    server: Server, owner: Member, room: int, grace: Person
) -> None:
    joan = member(server, "joan")
    part = owner.http.put(f"/api/rooms/{room}/members/{joan.id}", json={"role": "moderator"})
    assert part.status_code == 200, part.text
    said = joan.say(room, "I rule here")
    assert reported(grace, room, said).status_code == 204
    (report,) = waiting(owner, room)
    assert waiting(joan, room) == []
    assert joan.http.get(f"/chats/{room}/reports/").text.count("report-card") == 0
    assert problem(settled(joan, room, report["id"], "dismissed")) == "bad_request"
    assert len(waiting(owner, room)) == 1


def counted(who: Person, room: int) -> tuple[int, int]:
    """How many wait for somebody in a room, and in all, as their list of rooms has it."""
    listed = who.http.get("/api/rooms").json()
    return next((each["reports"] for each in listed["rooms"] if each["id"] == room), 0), listed["reports"]


def test_the_list_of_rooms_counts_what_waits_for_those_who_settle_it(
    server: Server, owner: Member, room: int, den: int, mallory: Person, grace: Person
) -> None:
    joan, boss = member(server, "joan"), administrator(server)
    for place, role in ((room, "moderator"), (den, "member")):
        owner.http.put(f"/api/rooms/{place}/members/{joan.id}", json={"role": role}).raise_for_status()
    before = counted(boss, den)[1]
    assert counted(owner, room) == (0, 0)
    reported(grace, room, mallory.say(room, "buy my boots"))
    reported(grace, room, joan.say(room, "I rule here"))
    reported(joan, den, owner.say(den, "and I here"))
    assert counted(owner, room) == (2, 2)  # in the den it is about the owner
    assert counted(joan, room) == (1, 1)  # of whom the other one is
    assert counted(grace, room) == counted(mallory, room) == (0, 0)
    assert counted(boss, room) == (2, before + 3)
    assert counted(boss, den) == (0, before + 3)  # the room is not on their list
    for report in waiting(owner, room):
        assert settled(owner, room, report["id"], "dismissed").status_code == 204
    assert counted(owner, room) == (0, 0)


def test_the_queue_is_for_moderators_and_nobody_else(
    server: Server, owner: Member, room: int, den: int, grace: Person
) -> None:
    visitor, joan, boss = Person(server), member(server, "joan"), administrator(server)
    assert problem(visitor.http.get(f"/api/rooms/{room}/reports")) == "sign_in"
    for who in (grace, joan):
        assert problem(who.http.get(f"/api/rooms/{room}/reports")) == "forbidden"
        assert who.http.get(f"/chats/{room}/reports/").status_code == 403
        assert problem(settled(who, room, 1, "dismissed")) == "forbidden"
        assert problem(who.http.get(f"/api/rooms/{den}/reports")) in ("no_such_room", "forbidden")
        assert problem(who.http.get("/api/reports")) == "forbidden"
        assert problem(who.http.get("/api/audit")) == "forbidden"
    assert problem(joan.http.get(f"/api/rooms/{den}/reports")) == "no_such_room"
    assert problem(joan.http.post(f"/api/rooms/{den}/messages/1/report", json={})) == "no_such_room"
    for path in ("/api/reports", "/api/audit"):
        assert problem(visitor.http.get(path)) == "sign_in"
        assert boss.http.get(path).status_code == 200


def test_what_cannot_be_reported(server: Server, owner: Member, room: int, mallory: Person) -> None:
    own = owner.say(room, "mine")
    assert problem(reported(owner, room, own)) == "bad_request"
    for nothing in (0, 999):
        assert problem(reported(owner, room, {"seq": nothing})) == "bad_request"
        assert problem(settled(owner, room, nothing, "dismissed")) == "bad_request"
    for nothing in (2**63, 10**30):  # beyond every number that there can be
        assert problem(reported(owner, room, {"seq": nothing})) == "not_found"
        assert problem(settled(owner, room, nothing, "dismissed")) == "not_found"
    gone = mallory.say(room, "gone")
    mallory.http.post(Person.messages(room), json={"kind": "delete", "of": gone["seq"]})
    assert problem(reported(owner, room, gone)) == "bad_request"
    said = mallory.say(room, "still here")
    assert problem(reported(Person(server), room, said)) == "sign_in"
    assert problem(reported(owner, room, said, "x" * 251)) == "bad_request"
    assert problem(reported(owner, room, said, "two\nlines")) == "bad_request"
    assert waiting(owner, room) == []


def test_another_sites_page_reports_and_settles_nothing(
    owner: Member, room: int, mallory: Person, grace: Person
) -> None:
    said = mallory.say(room, "buy my boots")
    reported(grace, room, said)
    (report,) = waiting(owner, room)
    evil = {"Origin": "https://evil.example"}
    for path in (
        f"/api/rooms/{room}/messages/{said['seq']}/report",
        f"/api/rooms/{room}/reports/{report['id']}",
        f"/chats/{room}/report/{said['seq']}",
        f"/chats/{room}/reports/{report['id']}",
    ):
        assert owner.http.post(path, headers=evil, data={"outcome": "dismissed"}).status_code == 403, path
    assert len(waiting(owner, room)) == 1


def test_nobody_floods_the_moderators(one_worker: Server) -> None:
    grace, mallory = Person(one_worker, "grace"), Person(one_worker, "mallory")
    room = grace.make_room("board")
    answers = [reported(grace, room, mallory.say(room, f"spam {n}")) for n in range(11)]
    assert [each.status_code for each in answers] == [204] * 10 + [429]
    assert problem(answers[-1]) == "too_fast"
    assert int(answers[-1].headers["Retry-After"]) > 0


# -- what becomes of it --------------------------------------------------------------------------------


def test_a_dismissed_report_is_settled_with_all_others_of_that_message(
    owner: Member, room: int, mallory: Person, grace: Person, ada: Person
) -> None:
    said, other = mallory.say(room, "buy my boots"), mallory.say(room, "and my hat")
    for who, message in ((grace, said), (ada, said), (grace, other)):
        assert reported(who, room, message).status_code == 204
    report = waiting(owner, room)[0]
    before = owner.read(room)["cursor"]
    assert settled(owner, room, report["id"], "dismissed", why="boots are fine").status_code == 204
    assert [each["seq"] for each in waiting(owner, room)] == [other["seq"]]
    assert owner.read(room)["cursor"] == before  # readers are told nothing
    assert problem(settled(owner, room, report["id"], "deleted")) == "bad_request"  # somebody was faster
    assert reported(grace, room, said).status_code == 204
    assert len(waiting(owner, room)) == 1  # who has reported it has reported it


def test_deleted_removes_the_message_and_what_the_report_kept_of_it(
    server: Server, owner: Member, room: int, mallory: Person, grace: Person
) -> None:
    said = mallory.say(room, "buy my boots")
    reported(grace, room, said)
    (report,) = waiting(owner, room)
    assert settled(owner, room, report["id"], "deleted", why="spam").status_code == 204
    deleted = owner.read(room, after=said["seq"])["messages"][-1]
    assert (deleted["kind"], deleted["of"]) == ("delete", said["seq"])
    told = [(entry["what"], entry["whom"]) for entry in audit(administrator(server), room=room, limit=2)]
    assert told == [
        (f"settled the report of #{said['seq']} of {mallory.name}: deleted", mallory.id),
        (f"deleted #{said['seq']} of {mallory.name}", mallory.id),
    ]
    again = mallory.say(room, "more boots")
    reported(grace, room, again)
    (report,) = waiting(owner, room)
    owner.http.post(Person.messages(room), json={"kind": "delete", "of": again["seq"]}).raise_for_status()
    assert problem(settled(owner, room, report["id"], "deleted")) == "bad_request"
    assert len(waiting(owner, room)) == 1  # what is refused leaves the report as it was


def test_timed_out_and_banned_do_what_they_say(
    owner: Member, room: int, mallory: Person, grace: Person
) -> None:
    reported(grace, room, mallory.say(room, "buy my boots"))
    (report,) = waiting(owner, room)
    assert settled(owner, room, report["id"], "timed out", seconds=600, why="spam").status_code == 204
    eventually(lambda: problem(mallory.http.post(Person.messages(room), json={"body": "hi"})) == "forbidden")
    assert mallory.read(room)["messages"]
    (sanction,) = owner.http.get(f"/api/rooms/{room}/sanctions").json()["sanctions"]
    assert (sanction["kind"], sanction["reason"]) == ("timeout", "spam")

    reported(grace, room, owner.say(room, "be nice"))  # of who settles it: not in their queue
    assert waiting(owner, room) == []
    eve = Person(owner.server, f"eve {uuid.uuid4().hex[:8]}")
    reported(grace, room, eve.say(room, "buy my hats"))
    (report,) = waiting(owner, room)
    assert problem(settled(owner, room, report["id"], "banned", seconds=-1)) == "bad_request"
    assert settled(owner, room, report["id"], "banned").status_code == 204
    eventually(lambda: problem(eve.http.get(Person.messages(room))) == "forbidden")
    assert problem(settled(owner, room, report["id"], "hanged")) == "bad_request"


def test_a_moderator_dismisses_but_does_not_ban_who_is_no_less(
    server: Server, owner: Member, room: int, grace: Person
) -> None:
    joan = member(server, "joan")
    owner.http.put(f"/api/rooms/{room}/members/{joan.id}", json={"role": "moderator"}).raise_for_status()
    reported(grace, room, owner.say(room, "I own this"))
    (report,) = waiting(joan, room)
    assert problem(settled(joan, room, report["id"], "banned")) == "forbidden"
    assert settled(joan, room, report["id"], "dismissed").status_code == 204
    assert waiting(joan, room) == []


def test_a_moderator_who_is_reported_learns_of_it_from_no_audit_log_either(
    server: Server, owner: Member, room: int, grace: Person
) -> None:
    joan, boss = member(server, "joan"), administrator(server)
    owner.http.put(f"/api/rooms/{room}/members/{joan.id}", json={"role": "moderator"}).raise_for_status()
    reported(grace, room, joan.say(room, "I rule here"))
    (report,) = waiting(owner, room)
    assert settled(owner, room, report["id"], "dismissed", why="they do").status_code == 204
    told = f"settled the report of #{report['seq']} of {joan.name}: dismissed"

    def read(who: Person) -> list[str]:
        return [entry["what"] for entry in who.http.get(f"/api/rooms/{room}/audit").json()["entries"]]

    assert told in read(owner)
    assert told in owner.http.get(f"/chats/{room}/details/").text
    assert read(joan) == [each for each in read(owner) if each != told]
    assert told not in joan.http.get(f"/chats/{room}/details/").text
    assert told not in server.console("user", "export", joan.name).out
    assert told in [entry["what"] for entry in audit(boss, room=room)]
    boss.change(joan.id, role="administrator").raise_for_status()
    eventually(lambda: joan.http.get("/api/audit").status_code == 200)
    assert told not in [entry["what"] for entry in audit(joan, room=room)]
    boss.change(joan.id, role="member").raise_for_status()


def test_of_two_moderators_who_settle_a_report_at_once_one_does(
    server: Server, owner: Member, room: int, mallory: Person, grace: Person
) -> None:
    from tests.test_accounts import at_once

    reported(grace, room, mallory.say(room, "buy my boots"))
    (report,) = waiting(owner, room)
    hands = [owner.elsewhere() for _ in range(4)]
    answers = at_once(4, lambda n: settled(hands[n], room, report["id"], "dismissed").status_code)
    assert sorted(answers) == [204, 400, 400, 400]
    told = [entry["what"] for entry in audit(administrator(server), room=room)]
    assert sum(what.startswith("settled the report") for what in told) == 1


def test_an_administrator_settles_what_is_reported_in_a_private_room_without_coming_in(
    server: Server, owner: Member, den: int
) -> None:
    boss, joan = administrator(server), member(server, "joan")
    owner.http.put(f"/api/rooms/{den}/members/{joan.id}", json={"role": "member"}).raise_for_status()
    said = joan.say(den, "a threat")
    assert reported(owner, den, said, "a threat").status_code == 204
    (report,) = [each for each in boss.http.get("/api/reports").json()["reports"] if each["room"] == den]
    assert report["body"] == "a threat"
    assert problem(boss.http.get(Person.messages(den))) == "no_such_room"
    assert settled(boss, den, report["id"], "banned").status_code == 204
    eventually(lambda: problem(joan.http.get(Person.messages(den))) in ("no_such_room", "forbidden"))
    said = owner.say(den, "they are gone")
    assert problem(boss.http.get(Person.messages(den))) == "no_such_room"


@pytest.mark.parametrize("how", ["cleared", "pruned", "deleted"])
def test_reports_go_with_their_messages(
    how: str, server: Server, owner: Member, room: int, mallory: Person, grace: Person
) -> None:
    reported(grace, room, mallory.say(room, "buy my boots"))
    mallory.say(room, "the newest")
    if how == "cleared":
        assert owner.http.post(f"/api/rooms/{room}/clear").status_code == 204
    elif how == "deleted":
        assert owner.http.delete(f"/api/rooms/{room}").status_code == 204
    else:
        owner.http.patch(f"/api/rooms/{room}", json={"keep_messages": 1}).raise_for_status()
        done = server.console("room", "prune")
        assert done.status == 0, done.err
    everywhere = administrator(server).http.get("/api/reports").json()["reports"]
    assert room not in {each["room"] for each in everywhere}


def test_who_is_erased_is_in_no_report_any_more(
    server: Server, owner: Member, room: int, mallory: Person, grace: Person
) -> None:
    joan = member(server, "joan")
    reported(joan, room, mallory.say(room, "buy my boots"), "as I said")
    reported(grace, room, joan.say(room, "I said it"))
    done = server.console("user", "export", joan.name)
    assert "as I said" in done.out
    assert "buy my boots" not in done.out
    assert not is_named(grace, done.out)  # who is reported is not told by whom
    done = server.console("user", "erase", joan.name, "--messages", "keep", "--yes")
    assert done.status == 0, done.out + done.err
    (left,) = waiting(owner, room)
    assert (left["author"]["id"], left["by"]["name"], left["why"]) == (mallory.id, "removed person", "")
    assert not is_named(joan, json.dumps(left))


# -- by forms ------------------------------------------------------------------------------------------


def test_without_a_script_a_message_is_reported_and_settled_by_forms(
    owner: Member, room: int, mallory: Person, grace: Person
) -> None:
    said = mallory.say(room, "buy my <b>boots</b>")
    link = f"/chats/{room}/report/{said['seq']}"
    more = f"/chats/{room}/messages/{said['seq']}/"
    assert f'href="{more}"' in grace.http.get(f"/chats/{room}/").text
    assert f'href="{link}"' in grace.http.get(more).text
    assert f'href="{link}"' not in mallory.http.get(more).text
    assert "buy my &lt;b&gt;boots&lt;/b&gt;" in grace.http.get(link).text
    answer = grace.http.post(link, data={"why": "x" * 300})
    assert answer.status_code == 400
    assert "A reason has" in answer.text
    answer = grace.http.post(link, data={"why": "spam"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/chats/{room}/report/thanks"
    assert grace.http.get(f"/chats/{room}/report/thanks").status_code == 200
    assert grace.http.get(f"/chats/{room}/report/9999").status_code == 400

    queue = f"/chats/{room}/reports/"
    offered = re.compile(rf'<a [^>]*id="to-reports" href="{queue}" title="Reports">')
    assert offered.search(owner.http.get(f"/chats/{room}/").text)
    assert not offered.search(grace.http.get(f"/chats/{room}/").text)
    page = owner.http.get(queue).text
    assert "buy my &lt;b&gt;boots&lt;/b&gt;" in page
    assert '<option value="0">no end</option>' in page  # nothing is for ever that was left empty
    (report,) = waiting(owner, room)
    answer = owner.http.post(
        f"/chats/{room}/reports/{report['id']}", data={"outcome": "banned", "minutes": "soon"}
    )
    assert answer.status_code == 400
    assert "Minutes are a whole number" in answer.text
    answer = owner.http.post(
        f"/chats/{room}/reports/{report['id']}", data={"outcome": "timed out", "minutes": "10"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, queue)
    assert waiting(owner, room) == []


# -- the audit log -------------------------------------------------------------------------------------


def test_the_audit_log_of_the_server_has_all_rooms_and_is_read_in_pages(
    server: Server, owner: Member, room: int, mallory: Person
) -> None:
    boss, word = administrator(server), uuid.uuid4().hex
    for number in range(5):
        owner.http.patch(f"/api/rooms/{room}", json={"topic": f"{word} {number}"}).raise_for_status()
    newest = audit(boss, about=word.upper(), limit=2)
    assert [entry["what"][-1] for entry in newest] == ["4", "3"]
    older = audit(boss, about=word, before=newest[-1]["id"])
    assert [entry["what"][-1] for entry in older] == ["2", "1", "0"]
    assert {entry["room"] for entry in older} == {room}
    assert {entry["who_id"] for entry in older} == {owner.id}
    assert audit(boss, about=word, room=room + 1) == []
    assert audit(boss, about="100%_") == []
    for wrong in ({"limit": 0}, {"limit": 9999}, {"before": "x"}, {"about": "x" * 101}):
        assert problem(boss.http.get("/api/audit", params=wrong)) == "bad_request"
    assert audit(boss, before=-1) == audit(boss, room=10**30) == []

    def flask(*arguments: str) -> str:
        done = server.console("audit", *arguments)
        assert done.status == 0, done.err
        return done.out

    told = json.loads(flask("--about", word, "--json"))
    assert [entry["what"][-1] for entry in told] == ["4", "3", "2", "1", "0"]
    lines = flask("--room", str(room), "--limit", "1").splitlines()
    assert len(lines) == 1
    assert f"room {room}" in lines[0]
    assert f"{owner.name} set the topic: {word} 4" in lines[0]
    assert server.console("user", "reset-password", owner.id).status == 0
    (told,) = flask("--about", owner.id, "--limit", "1").splitlines()
    assert told.endswith(f"server     system made a link for a new password [{owner.id}]")
    mallory.say(room, "buy my boots")
    assert server.console("room", "timeout", room, mallory.name, "--why", "spam").status == 0
    newest = server.console("room", "audit", room, "--limit", "1").out
    assert newest.endswith(f"Z  system timed {mallory.name} out [{mallory.id}] (spam)\n")


def test_to_delete_somebody_elses_message_is_an_act_that_is_noted(
    server: Server, owner: Member, room: int, mallory: Person
) -> None:
    said, own = mallory.say(room, "buy my boots"), mallory.say(room, "sorry")
    mallory.http.post(Person.messages(room), json={"kind": "delete", "of": own["seq"]}).raise_for_status()
    owner.http.post(Person.messages(room), json={"kind": "delete", "of": said["seq"]}).raise_for_status()
    told = [
        (entry["who"], entry["what"], entry["whom"])
        for entry in audit(administrator(server), room=room)
        if entry["what"].startswith("deleted")
    ]
    assert told == [(owner.name, f"deleted #{said['seq']} of {mallory.name}", mallory.id)]


REASONED: dict[str, Callable[[Server, Member, int, Person, int], httpx.Response | Done]] = {
    "a message deleted": lambda server, owner, room, mallory, said: owner.http.post(
        Person.messages(room), json={"kind": "delete", "of": said, "why": "spam"}
    ),
    "a message deleted by a form": lambda server, owner, room, mallory, said: owner.http.post(
        f"/chats/{room}/messages/{said}/delete", data={"why": "spam"}
    ),
    "a message deleted in a terminal": lambda server, owner, room, mallory, said: server.console(
        "room", "delete", room, said, "--why", "spam", "--yes"
    ),
    "somebody kicked": lambda server, owner, room, mallory, said: owner.http.post(
        f"/api/rooms/{room}/kick", json={"name": mallory.name, "why": "spam"}
    ),
    "somebody kicked in a terminal": lambda server, owner, room, mallory, said: server.console(
        "room", "kick", room, mallory.name, "--why", "spam"
    ),
    "a member removed": lambda server, owner, room, mallory, said: owner.http.delete(
        f"/api/rooms/{room}/members/{mallory.id}", params={"why": "spam"}
    ),
    "a member removed by a form": lambda server, owner, room, mallory, said: owner.http.post(
        f"/chats/{room}/remove", data={"person": mallory.id, "why": "spam"}
    ),
    "a member removed in a terminal": lambda server, owner, room, mallory, said: server.console(
        "room", "remove", room, mallory.id, "--why", "spam"
    ),
}


@pytest.mark.parametrize("what", REASONED)
def test_why_something_was_done_is_noted_at_every_door(
    what: str, server: Server, owner: Member, room: int, mallory: Person
) -> None:
    said = mallory.say(room, "buy my boots")["seq"]
    owner.http.put(f"/api/rooms/{room}/members/{mallory.id}", json={"role": "member"}).raise_for_status()
    done = REASONED[what](server, owner, room, mallory, said)
    assert done.status == 0 if isinstance(done, Done) else done.status_code < 400
    newest = audit(administrator(server), room=room)[0]
    assert (newest["whom"], newest["why"]) == (mallory.id, "spam")


def test_the_room_of_a_report_that_is_refused_keeps_nothing_of_it(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(guests="no").start()
    boss = administrator(server)
    room = boss.make_room("board")
    said = boss.say(room, "hello")
    joan = member(server, "joan")
    assert boss.change(joan.id, disabled=True).status_code == 200
    assert problem(reported(joan, room, said)) == "sign_in"
    assert boss.http.get("/api/reports").json()["reports"] == []
