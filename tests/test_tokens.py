"""Tokens: who makes them, what they allow, how they end; bots."""

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from chatapp import tokens
from tests.clients import UNIT, Person, Socket, eventually, here
from tests.conftest import new_server_of_each_store, server_of_each_store
from tests.people import Member, administrator, member
from tests.programs import Program, make_token, program
from tests.raw_socket import problem
from tests.servers import Server

SIGN_IN = 4401

server = server_of_each_store


@pytest.fixture
def grace(server: Server) -> Iterator[Member]:
    person = member(server, "grace")
    yield person
    person.close()


@pytest.fixture
def room(grace: Member) -> int:
    return grace.make_room()


def close_code(socket: Socket) -> int:
    return eventually(lambda: socket.closed, "the socket ends")[0]


def stream(reader: Program, room: int) -> tuple[httpx.Client, Any]:
    """An open event stream, after its head."""
    http = httpx.Client(
        base_url=reader.server.url, headers=reader.http.headers, timeout=httpx.Timeout(10, read=70)
    )
    answer = http.send(http.build_request("GET", f"/api/rooms/{room}/stream"), stream=True)
    return http, answer


def test_a_program_does_with_a_token_through_every_door_what_its_owner_may(
    server: Server, grace: Member, room: int
) -> None:
    bot = program(grace)
    assert bot.http.get("/api/me").json()["id"] == grace.id
    sent = bot.say(room, "by request")
    assert sent["author"] == {"id": grace.id, "name": grace.name}
    with closing(bot.socket()) as socket:
        socket.join(room)
        socket.send({"type": "send", "room": room, "client_id": "s1", "body": "by socket"})
        socket.expect(lambda frame: frame["type"] == "ack" and frame["client_id"] == "s1")
    bot.http.post(f"/chats/{room}/http", data={"new_message": "by form"}).raise_for_status()
    assert [each["body"] for each in bot.read(room)["messages"]] == ["by request", "by socket", "by form"]
    http, answer = stream(bot, room)
    with closing(http), closing(answer):
        assert answer.status_code == 200
        assert "by request" in next(line for line in answer.iter_lines() if line.startswith("data:"))


def test_what_a_token_allows_is_less_than_what_its_owner_may(
    server: Server, grace: Member, room: int
) -> None:
    path = f"/api/rooms/{room}"
    reader, writer, manager = (program(grace, scope) for scope in ("read", "write", "manage"))
    assert [each.http.get(path + "/messages").status_code for each in (reader, writer, manager)] == [200] * 3
    posts = [each.http.post(path + "/messages", json={"body": "x"}) for each in (reader, writer, manager)]
    assert [answer.status_code for answer in posts] == [403, 201, 403]
    changes = [each.http.patch(path, json={"topic": "ships"}) for each in (reader, writer, manager)]
    assert [answer.status_code for answer in changes] == [403, 403, 200]
    news = [each.http.patch(f"/api/people/{grace.id}", json={"status": "x"}) for each in (reader, writer)]
    assert [problem(answer) for answer in news] == ["forbidden"] * 2
    ends = [each.http.post(f"/api/people/{grace.id}/sign-out") for each in (reader, writer)]
    assert [problem(answer) for answer in ends] == ["forbidden"] * 2
    assert problem(manager.http.get("/api/invitations")) == "forbidden"  # grace is no administrator
    assert problem(reader.http.post(path + "/mute", json={"muted": True})) == "forbidden"
    with closing(reader.socket()) as socket:
        socket.join(room)
        socket.send({"type": "send", "room": room, "client_id": "s1", "body": "no"})
        assert socket.expect(lambda frame: frame["type"] == "error")["code"] == "forbidden"


def test_a_token_for_some_rooms_knows_of_no_other_and_of_nothing_beyond_rooms(
    server: Server, grace: Member, room: int
) -> None:
    other = grace.make_room()
    bot = program(grace, "read", "write", "manage", rooms=[room])
    assert bot.say(room, "here")["room"] == room
    assert [each["id"] for each in bot.http.get("/api/rooms").json()["rooms"]] == [room]
    for answer in (
        bot.http.get(f"/api/rooms/{other}/messages"),
        bot.http.post(f"/api/rooms/{other}/messages", json={"body": "x"}),
        bot.http.get(f"/api/rooms/{other}/stream"),
        bot.http.get(f"/api/rooms/{other}/members"),
    ):
        assert problem(answer) == "no_such_room"
    with closing(bot.socket()) as socket:
        assert socket.join(other)["code"] == "no_such_room"
    assert problem(bot.http.post("/api/rooms", json={"name": "mine"})) == "forbidden"
    assert problem(bot.http.get("/api/people")) == "forbidden"
    assert problem(bot.http.patch(f"/api/people/{grace.id}", json={"name": "mallory"})) == "forbidden"


def test_a_token_is_shown_once_and_kept_as_its_hash(server: Server, grace: Member) -> None:
    made = make_token(grace, "read", name="backup", days=3)
    assert re.fullmatch(r"chat_[\w-]{43}", made["token"])
    (line,) = grace.http.get("/api/tokens").json()["tokens"]
    assert (line["id"], line["name"], line["scopes"], line["used_at"]) == (
        made["id"],
        "backup",
        ["read"],
        None,
    )
    assert made["token"] not in grace.http.get("/api/tokens").text
    assert made["token"] not in server.dump()
    Program(server, made["token"]).http.get("/api/me").raise_for_status()
    eventually(lambda: grace.http.get("/api/tokens").json()["tokens"][0]["used_at"], "it was used")


def test_a_token_makes_and_ends_no_tokens_and_who_has_no_account_has_none(
    server: Server, grace: Member
) -> None:
    made = make_token(grace, "read", "write", "manage")
    bot = Program(server, made["token"])
    wanted = {"name": "more", "scopes": ["manage"]}
    for answer in (
        bot.http.post("/api/tokens", json=wanted),
        bot.http.get("/api/tokens"),
        bot.http.delete(f"/api/tokens/{made['id']}"),
        Person(server, "a guest").http.post("/api/tokens", json=wanted),
    ):
        assert problem(answer) == "forbidden"
    assert problem(Person(server).http.post("/api/tokens", json=wanted)) == "sign_in"
    joan = member(server, "joan")
    assert problem(joan.http.delete(f"/api/tokens/{made['id']}")) == "bad_request"
    assert problem(joan.http.get("/api/tokens?everybodys=1")) == "forbidden"
    assert problem(joan.http.post("/api/tokens", json={**wanted, "bot": "Builds"})) == "forbidden"


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["all"]},
        {"scopes": [7]},
        {"scopes": [["read"]]},
        {"days": 0},
        {"days": 10**9},
        {"rooms": []},
        {"name": ""},
        {"name": "two\nlines"},
    ],
    ids=str,
)
def test_a_token_that_would_mean_nothing_is_not_made(wrong: dict[str, Any], one_worker: Server) -> None:
    ada = administrator(one_worker)
    answer = ada.http.post("/api/tokens", json={"name": "a test", "scopes": ["read"], **wrong})
    assert problem(answer) == "bad_request"


def test_a_token_for_a_room_that_its_maker_may_not_read_is_not_made(server: Server, grace: Member) -> None:
    den = grace.http.post("/api/rooms", json={"name": "den", "kind": "private"}).json()["id"]
    joan = member(server, "joan")
    wanted = {"name": "x", "scopes": ["read"], "rooms": [den]}
    assert problem(joan.http.post("/api/tokens", json=wanted)) == "no_such_room"


def test_an_unknown_token_is_refused_by_every_door_and_a_socket_says_so_with_its_code(
    server: Server, room: int
) -> None:
    for token in ("chat_" + "x" * 43, "chat_", "x", "chat_" + "é" * 43):
        http = httpx.Client(
            base_url=server.url, headers={"Authorization": b"Bearer " + token.encode()}, verify=False
        )
        assert problem(http.get("/api/rooms")) == "sign_in"
        assert problem(http.post(f"/api/rooms/{room}/messages", json={"body": "x"})) == "sign_in"
        assert problem(http.get(f"/api/rooms/{room}/stream")) == "sign_in"
    assert problem(httpx.get(server.url + "/api/rooms", headers={"Authorization": "Basic eDp4"})) == "sign_in"
    with closing(Program(server, "chat_" + "x" * 43).socket()) as socket:
        assert close_code(socket) == SIGN_IN


def test_a_revoked_token_ends_its_sockets_and_streams_in_all_workers_and_is_refused_ever_after(
    server: Server, grace: Member, room: int
) -> None:
    made = make_token(grace)
    bot, other = Program(server, made["token"]), program(grace)
    elsewhere = grace.make_room("elsewhere")
    sockets = [bot.socket() for _ in range(4)]  # with three workers, in more than one of them
    stays = other.socket()
    for socket in [*sockets, stays]:
        socket.join(room)
    http, answer = stream(bot, room)
    poll: list[httpx.Response] = []
    waiting = threading.Thread(
        target=lambda: poll.append(bot.http.get(f"/api/rooms/{elsewhere}/messages?after=-1&wait=30"))
    )
    waiting.start()
    eventually(lambda: here(grace, elsewhere), "it waits")
    assert grace.http.delete(f"/api/tokens/{made['id']}").status_code == 204
    for socket in sockets:
        assert close_code(socket) == SIGN_IN
    with closing(http), closing(answer):
        assert '"code":4401' in answer.read().decode().replace(" ", "")
    for path in ("/api/me", f"/api/rooms/{room}/messages"):
        for _ in range(6):
            assert problem(bot.http.get(path)) == "sign_in"
    grace.say(room, "still here")
    stays.expect(lambda frame: frame.get("body") == "still here")
    waiting.join(30)
    assert problem(poll[0]) == "sign_in"
    assert grace.http.get("/api/tokens").json()["tokens"][0]["id"] != made["id"]
    stays.close()


@new_server_of_each_store
def test_a_token_whose_time_is_over_ends_its_sockets_and_is_refused(
    new_server: Callable[..., Server],
) -> None:
    server = new_server().start()
    ada = administrator(server)
    room, made = ada.make_room(), make_token(ada)
    server.ask("UPDATE tokens SET expires_at = ?", (int(time.time()) + 4) * 1_000_000)
    bot = Program(server, made["token"])
    with closing(bot.socket()) as socket:
        socket.join(room)
        poll = bot.http.get(f"/api/rooms/{room}/messages?after=-1&wait=55", timeout=UNIT)
        assert problem(poll) == "sign_in", "it does not wait to its end"
        assert close_code(socket) == SIGN_IN
    assert problem(bot.http.post(f"/api/rooms/{room}/messages", json={"body": "x"})) == "sign_in"
    with closing(bot.socket()) as socket:
        assert close_code(socket) == SIGN_IN


def test_who_is_disabled_has_no_tokens_that_work(server: Server, grace: Member) -> None:
    bot = program(grace)
    assert bot.http.get("/api/me").status_code == 200
    administrator(server).change(grace.id, disabled=True)
    eventually(lambda: bot.http.get("/api/me").status_code == 401)
    administrator(server).change(grace.id, disabled=False)
    eventually(lambda: bot.http.get("/api/me").status_code == 200)


def test_a_write_with_a_token_needs_no_origin_but_a_foreign_one_is_refused(
    server: Server, grace: Member, room: int
) -> None:
    bot = program(grace)
    path = f"/api/rooms/{room}/messages"
    cookie = {"Cookie": grace.cookie}
    assert bot.http.post(path, json={"body": "x"}).status_code == 201
    # With a cookie beside it, it is still the token that says who asks.
    assert bot.http.post(path, json={"body": "x"}, headers=cookie).status_code == 201
    foreign = {"Origin": "https://elsewhere.example"}
    assert problem(bot.http.post(path, json={"body": "x"}, headers=foreign)) == "forbidden"
    wrong = {"Authorization": "Bearer x", **cookie}
    assert problem(bot.http.get("/api/me", headers=wrong)) == "sign_in"


def test_a_bot_is_an_account_of_its_own_that_nobody_signs_in_to(server: Server, room: int) -> None:
    ada = administrator(server)
    name = f"Builds {room} {server.workers}"
    made = make_token(ada, "write", bot=name)
    bot = Program(server, made["token"])
    assert bot.say(room, "built")["author"] == {"id": made["person"], "name": name, "bot": True}
    assert made["person"] != ada.id
    assert make_token(ada, "read", bot=name)["person"] == made["person"]
    assert Member(server, name, "").sign_in().status_code != 302
    grace = member(server, "grace")
    wanted = {"name": "x", "scopes": ["read"], "bot": grace.name}
    assert problem(ada.http.post("/api/tokens", json=wanted)) == "forbidden"  # she is somebody


def test_a_token_that_is_refused_leaves_no_bot_behind(server: Server) -> None:
    ada, name, nowhere = administrator(server), f"Builds {uuid.uuid4().hex[:8]}", 999_999_999
    wanted = {"name": "a test", "scopes": ["read"], "bot": name}
    for wrong in ({"rooms": [nowhere]}, {"rooms": []}, {"scopes": []}, {"days": 0}, {"name": ""}):
        answer = ada.http.post("/api/tokens", json={**wanted, **wrong})
        assert problem(answer) in ("bad_request", "no_such_room")
    form = {"do": "make", "bot": name, "name": "a test", "read": "yes", "rooms": str(nowhere)}
    assert ada.http.post("/admin/tokens", data=form).status_code == 404
    assert server.console("token", "create", name, "--bot", "--room", nowhere).status != 0
    assert ada.http.get("/api/people", params={"q": name}).json() == {"people": []}


def test_tokens_are_made_and_revoked_in_a_terminal_and_each_act_is_in_the_audit_log(
    server: Server,
) -> None:
    grace = member(server, "grace")
    output = server.console("token", "create", grace.name, "--scope", "read", "--name", "cron").out
    token = re.search(r"chat_[\w-]{43}", output)
    assert token
    bot = Program(server, token[0])
    assert bot.http.get("/api/me").json()["id"] == grace.id
    (line,) = [line for line in server.console("token", "list").out.splitlines() if grace.name in line]
    number = line.split()[0]
    server.console("token", "revoke", number)
    eventually(lambda: bot.http.get("/api/me").status_code == 401)
    acts = [row[0] for row in server.ask("SELECT what FROM audit WHERE whom = ?", grace.id)]
    assert [f"made token {number}" in act for act in acts if "token" in act] == [True, False]
    assert f"revoked token {number}" in acts


def test_a_token_for_some_rooms_is_made_by_ticking_them(server: Server) -> None:
    grace = member(server, "grace")
    board, other = grace.make_room("the <board>"), grace.make_room("other")
    den = grace.http.post("/api/rooms", json={"name": "den", "kind": "private"}).json()["id"]
    foreign = member(server, "joan").http.post("/api/rooms", json={"name": "hers", "kind": "private"})
    page = grace.http.get("/account/tokens").text
    for room in (board, other, den):
        assert f'name="room" value="{room}"' in page
    assert f'name="room" value="{foreign.json()["id"]}"' not in page
    assert "<bdi>the &lt;board&gt;</bdi>" in page
    joan = member(server, "joan")
    assert grace.http.post("/api/direct", json={"people": [joan.id]}).status_code in (200, 201)
    assert f"Conversation with <bdi>{joan.name}</bdi>" in grace.http.get("/account/tokens").text
    form = {"name": "backup", "read": "yes", "room": [board, den]}
    made = re.search(r"chat_[\w-]{43}", grace.http.post("/account/tokens", data=form).text)
    assert made
    bot = Program(server, made[0])
    assert [room["id"] for room in bot.http.get("/api/rooms").json()["rooms"]] == [board, den]
    assert problem(bot.http.get(f"/api/rooms/{other}/messages")) == "no_such_room"
    shown = grace.http.get("/account/tokens").text
    assert "<bdi>the &lt;board&gt;</bdi>, <bdi>den</bdi>" in shown
    # A room that is not to be had any more is no token for all of them, and what was ticked stays so.
    for rooms in ([foreign.json()["id"]], [board, 999_999], ["all"]):
        answer = grace.http.post("/account/tokens", data={**form, "room": rooms})
        assert 400 <= answer.status_code < 500
        assert "chat_" not in answer.text
    answer = grace.http.post("/account/tokens", data={"name": "", "read": "yes", "room": [den]})
    assert f'value="{den}" checked' in answer.text


def test_all_rooms_that_a_token_may_have_are_ticked_in_one_form(one_worker: Server) -> None:
    grace = member(one_worker, "grace")
    ticked = [grace.make_room()] * tokens.ROOMS_LIMIT
    answer = grace.http.post("/account/tokens", data={"name": "backup", "read": "yes", "room": ticked})
    assert answer.status_code == 200
    assert re.search(r"chat_[\w-]{43}", answer.text)
    answer = grace.http.post(
        "/account/tokens", data={"name": "backup", "read": "yes", "room": [*ticked, ticked[0]]}
    )
    assert f"1 to {tokens.ROOMS_LIMIT} of them" in answer.text


def test_tokens_are_made_shown_once_and_revoked_on_a_page(server: Server) -> None:
    grace = member(server, "grace")
    account = grace.http.get("/account/").text
    page = grace.http.post("/account/tokens", data={"name": "<b>backup", "read": "yes", "days": "30"})
    token = re.search(r"chat_[\w-]{43}", page.text)
    assert token
    assert page.headers["Cache-Control"] == "no-store"
    bot = Program(server, token[0])
    assert bot.http.get("/api/me").status_code == 200
    assert problem(bot.http.patch(f"/api/people/{grace.id}", json={"status": "x"})) == "forbidden"
    shown = grace.http.get("/account/tokens").text
    assert "&lt;b&gt;backup" in shown
    assert token[0] not in shown
    programs = account.partition("Programs that act for you")
    assert "No tokens" in programs[2]
    assert "oken" not in programs[0].partition("How you sign in")[2]
    assert "<span>1 token</span>" in grace.http.get("/account/").text
    number = re.search(r'name="token" value="(\d+)"', shown)
    assert number
    assert grace.http.post("/account/tokens/revoke", data={"token": number[1]}).status_code == 303
    eventually(lambda: bot.http.get("/api/me").status_code == 401)
    assert (
        grace.http.post("/account/tokens", data={"name": "x", "days": "soon", "read": "yes"}).status_code
        == 400
    )
    assert Person(server).http.get("/account/tokens").status_code == 302
