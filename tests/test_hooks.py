"""Incoming webhooks: what Slack's callers send is taken, and refused in Slack's words."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from chatapp.hooks import plain
from tests.clients import Person, eventually
from tests.conftest import server_of_each_store
from tests.people import Member, administrator, member
from tests.programs import program
from tests.raw_socket import nobody_posts, problem
from tests.servers import Server

server = server_of_each_store


@pytest.fixture
def grace(server: Server) -> Iterator[Member]:
    person = member(server, "grace")
    yield person
    person.close()


@pytest.fixture
def room(grace: Member) -> int:
    return grace.make_room()


def make_hook(person: Person, room: int, name: str = "Builds") -> dict[str, Any]:
    answer = person.http.post(f"/api/rooms/{room}/hooks", json={"name": name})
    assert answer.status_code == 201, answer.text
    return answer.json()


def told(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.status_code, answer.text


def test_hooks_are_made_shown_once_and_revoked_on_the_page_of_the_room(
    server: Server, grace: Member, room: int
) -> None:
    grace.http.headers["Accept"] = "text/html"
    details, forms = f"/chats/{room}/details/", f"/chats/{room}/hooks"
    joan = member(server, "joan")
    assert "webhook" in grace.http.get(details).text
    assert "webhook" not in joan.http.get(details).text
    name = "Builds <i>"
    page = grace.http.post(forms, data={"name": name})
    found = re.search(rf'class="key"[^>]*>({server.url}/hooks/(\d+)/[\w-]{{43}})<', page.text)
    assert found, page.text
    url, number = found.groups()
    assert page.headers["Cache-Control"] == "no-store"
    assert told(nobody_posts(url, json={"text": "deployed"})) == (200, "ok")
    assert grace.read(room)["messages"][-1]["author"] == {"id": f"h{number}", "name": name, "bot": True}
    listed = grace.http.get(details).text
    assert "Builds &lt;i&gt;" in listed
    assert url not in listed
    answer = grace.http.post(forms, data={"name": joan.name})
    assert answer.status_code == 400
    assert "somebody’s name" in answer.text
    assert f'value="{joan.name}"' in answer.text
    revoke = f"/chats/{room}/hooks/{number}/revoke"
    for path in (forms, revoke):
        assert problem(joan.http.post(path, data={"name": "mine"})) == "forbidden"
    answer = grace.http.post(revoke)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{details}#hooks")
    assert told(nobody_posts(url, json={"text": "more"})) == (404, "no_service")
    assert revoke not in grace.http.get(details).text
    assert "no such hook" in grace.http.post(revoke).text


def test_what_slacks_callers_send_becomes_a_message_under_the_hooks_name(
    server: Server, grace: Member, room: int
) -> None:
    hook = make_hook(grace, room)
    payload = {"text": "deployed", "username": "mallory", "channel": "#general", "blocks": []}
    with closing(grace.socket()) as socket:
        socket.join(room)
        assert told(nobody_posts(hook["url"], json=payload)) == (200, "ok")
        message = socket.expect(lambda frame: frame.get("body") == "deployed")
    assert message["author"] == {"id": f"h{hook['id']}", "name": "Builds", "bot": True}
    assert told(nobody_posts(hook["url"], data={"payload": json.dumps({"text": "as a form"})})) == (200, "ok")
    as_curl = {"Content-Type": "application/x-www-form-urlencoded"}
    assert told(nobody_posts(hook["url"], content=b'{"text": "as curl -d"}', headers=as_curl)) == (200, "ok")
    # Whatever else says who asks: a hook is who has its address.
    wrong = {"Authorization": "Bearer nobody", "Cookie": "chatapp=x", "Origin": "https://elsewhere.example"}
    assert told(nobody_posts(hook["url"], json={"text": "anyhow"}, headers=wrong)) == (200, "ok")
    bodies = [each["body"] for each in grace.read(room)["messages"] if each["kind"] == "text"]
    assert bodies == ["deployed", "as a form", "as curl -d", "anyhow"]


@pytest.mark.parametrize(
    ("slack", "shown"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("see <https://example.org/1|build 1> and <https://example.org/2>", None),
        ("<!here> <!subteam^S1|team> <@U1> <#C1|general>", "@here team @U1 general"),
        ("<mailto:ada@example.org|ada@example.org>", "ada@example.org"),
        ("a < b > c <> <|>", "a  b  c <> <|>"),
        ("<" * 50_000, "<" * 50_000),
    ],
    ids=range(6),
)
def test_slacks_markup_is_made_plain(slack: str, shown: str | None) -> None:
    if shown is None:
        shown = "see build 1 (https://example.org/1) and https://example.org/2"
    assert plain(slack) == shown


def test_what_is_wrong_is_refused_in_slacks_words(server: Server, grace: Member, room: int) -> None:
    hook = make_hook(grace, room)
    url, wrong = hook["url"], hook["url"][:-3] + "xxx"
    assert told(nobody_posts(url, content=b"{")) == (400, "invalid_payload")
    assert told(nobody_posts(url, content=b"\xff")) == (400, "invalid_payload")
    assert told(nobody_posts(url, json=["text"])) == (400, "invalid_payload")
    assert told(nobody_posts(url, json={"text": 7})) == (400, "invalid_payload")
    assert told(nobody_posts(url, json={"blocks": []})) == (400, "no_text")
    assert told(nobody_posts(url, json={"text": "x" * 4001})) == (413, "msg_too_long")
    unknown = f"/hooks/{hook['id'] + 1000}/{url.rpartition('/')[2]}"
    for address in (wrong, server.url + unknown, f"{server.url}/hooks/{hook['id']}/x"):
        assert told(nobody_posts(address, json={"text": "x"})) == (404, "no_service")
    assert grace.http.patch(f"/api/rooms/{room}", json={"closed": True}).status_code == 200
    assert told(nobody_posts(url, json={"text": "x"})) == (410, "channel_is_archived")
    assert grace.http.get(f"/hooks/{hook['id']}/x").status_code == 405


def test_what_a_hook_says_is_marked_on_every_page_that_shows_it(
    server: Server, grace: Member, room: int
) -> None:
    hook = make_hook(grace, room, f"Ops {room}")
    assert told(nobody_posts(hook["url"], json={"text": "deployed"})) == (200, "ok")
    grace.say(room, "good")
    (seq,) = [each["seq"] for each in grace.read(room)["messages"] if each["body"] == "deployed"]
    for path in (f"/chats/{room}/", f"/chats/{room}/messages/{seq}/", f"/chats/{room}/report/{seq}"):
        page = grace.http.get(path).text
        shown = page.partition("<template")[0]
        assert shown.count(">bot</span>") == 1, path
        assert re.search(rf"Ops {room}</bdi>\s*<span class=\"guest program\"", shown), path
    joan = member(server, "joan")
    assert joan.http.post(f"/api/rooms/{room}/messages/{seq}/report", json={"why": "x"}).status_code < 300
    assert grace.http.get(f"/chats/{room}/reports/").text.count(">bot</span>") == 1


def test_a_hook_may_write_as_fast_as_a_person(new_server: Callable[..., Server]) -> None:
    grace = administrator(new_server(rate_messages="3 per 1 hour").start())
    hook = make_hook(grace, grace.make_room())
    answers = [nobody_posts(hook["url"], json={"text": f"{number}"}) for number in range(4)]
    assert [told(answer) for answer in answers] == [(200, "ok")] * 3 + [(429, "rate_limited")]
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_a_hook_writes_where_only_moderators_do_and_into_its_room_alone(
    server: Server, grace: Member, room: int
) -> None:
    grace.http.patch(f"/api/rooms/{room}", json={"posting": "moderators", "kind": "private"})
    hook = make_hook(grace, room)
    assert told(nobody_posts(hook["url"], json={"text": "x"})) == (200, "ok")
    ban = {"kind": "timeout", "person": f"h{hook['id']}"}
    notice = grace.http.post(f"/api/rooms/{room}/sanctions", json=ban)
    assert notice.status_code == 201, notice.text
    assert told(nobody_posts(hook["url"], json={"text": "x"})) == (403, "action_prohibited")


def test_who_runs_a_room_makes_and_revokes_its_hooks_and_nobody_else(
    server: Server, grace: Member, room: int
) -> None:
    hook = make_hook(grace, room)
    path = f"/api/rooms/{room}/hooks"
    joan = member(server, "joan")
    joan.http.post(f"/api/rooms/{room}/join").raise_for_status()
    for person in (joan, program(grace, "read", "write")):
        assert problem(person.http.get(path)) == "forbidden"
        assert problem(person.http.post(path, json={"name": "x"})) == "forbidden"
        assert problem(person.http.delete(f"{path}/{hook['id']}")) == "forbidden"
    other = grace.make_room()
    assert problem(grace.http.delete(f"/api/rooms/{other}/hooks/{hook['id']}")) == "bad_request"
    for name in (joan.name, "system", "", 7):
        assert problem(grace.http.post(path, json={"name": name})) == "bad_request"
    (line,) = grace.http.get(path).json()["hooks"]
    assert (line["id"], line["name"], line["by"]) == (hook["id"], "Builds", grace.name)
    assert "url" not in line
    assert program(grace, "manage").http.delete(f"{path}/{hook['id']}").status_code == 200
    for _ in range(6):  # whichever worker answers
        assert told(nobody_posts(hook["url"], json={"text": "x"})) == (404, "no_service")
    assert grace.http.get(path).json() == {"hooks": []}
    acts = [entry["what"] for entry in grace.http.get(f"/api/rooms/{room}/audit").json()["entries"]]
    assert acts[:3] == ["revoked the hook Builds", "became a member", "let the hook Builds write here"]
    notices = [each["body"] for each in grace.read(room)["messages"] if each["kind"] == "notice"]
    assert set(acts[:3]) <= set(notices)
    assert hook["url"].rpartition("/")[2] not in server.dump()


@pytest.mark.parametrize("how", ["banned", "disabled", "erased"])
def test_the_hooks_of_who_is_banned_disabled_or_erased_are_revoked_for_good(
    how: str, server: Server, grace: Member, room: int
) -> None:
    boss, joan = administrator(server), member(server, "joan")
    joan.http.post(f"/api/rooms/{room}/join").raise_for_status()
    grace.http.put(f"/api/rooms/{room}/members/{joan.id}", json={"role": "owner"}).raise_for_status()
    hook, others = make_hook(grace, room), make_hook(joan, room, "Cron")
    assert told(nobody_posts(hook["url"], json={"text": "x"})) == (200, "ok")
    if how == "banned":
        boss.http.post("/api/bans", json={"person": grace.id, "seconds": 60}).raise_for_status()
    elif how == "disabled":
        boss.change(grace.id, disabled=True).raise_for_status()
        boss.change(grace.id, disabled=False).raise_for_status()
    else:
        assert server.console("user", "erase", grace.name, "--yes").status == 0
    assert told(nobody_posts(hook["url"], json={"text": "x"})) == (404, "no_service")
    assert told(nobody_posts(others["url"], json={"text": "x"})) == (200, "ok")
    acts = [entry["what"] for entry in joan.http.get(f"/api/rooms/{room}/audit").json()["entries"]]
    assert acts[0] == "revoked the hook Builds"
    assert [line["name"] for line in joan.http.get(f"/api/rooms/{room}/hooks").json()["hooks"]] == ["Cron"]


def test_hooks_are_made_and_revoked_in_a_terminal_and_end_with_their_room(server: Server) -> None:
    grace = member(server, "grace")
    room = grace.make_room()
    output = server.console("room", "hook", "create", str(room), "Cron").out
    path = re.search(r"/hooks/(\d+)/\S+", output)
    assert path
    assert told(nobody_posts(server.url + path[0], json={"text": "by cron"})) == (200, "ok")
    assert "Cron, made" in server.console("room", "hook", "list", str(room)).out
    assert server.console("room", "hook", "revoke", str(room), path[1]).status == 0
    assert told(nobody_posts(server.url + path[0], json={"text": "x"})) == (404, "no_service")
    last = make_hook(grace, room)
    assert grace.http.delete(f"/api/rooms/{room}").status_code == 204
    eventually(lambda: told(nobody_posts(last["url"], json={"text": "x"})) == (404, "no_service"))
