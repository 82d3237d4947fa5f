"""Bots are marked wherever their words stand, and they themselves; people who act by token are not."""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.clients import RESUMING, Person, Reader, eventually
from tests.people import PASSWORD, Member, administrator, member
from tests.programs import Program, make_token, program
from tests.raw_socket import nobody_posts
from tests.servers import Server

MARK = re.compile(r"<span class=\"guest program\"[^>]*>bot</span>")


class Bot(Program):
    def __init__(self, server: Server) -> None:
        self.name = f"Builds {uuid.uuid4().hex[:8]}"
        made = make_token(administrator(server), bot=self.name)
        super().__init__(server, made["token"])
        self.id = made["person"]

    @property
    def marked(self) -> dict[str, object]:
        return {"id": self.id, "name": self.name, "bot": True}


@pytest.fixture(params=["one_worker", "three_workers"])
def server(request: pytest.FixtureRequest) -> Server:
    return request.getfixturevalue(request.param)


@pytest.fixture
def bot(server: Server) -> Iterator[Bot]:
    with closing(Bot(server)) as bot:
        yield bot


@pytest.fixture
def mary(server: Server) -> Iterator[Member]:
    with closing(member(server, "mary")) as mary:
        yield mary


def marks(page: str) -> int:
    """How many names on it are marked, but for what scripts clone."""
    return len(MARK.findall(re.sub(r"<template.*?</template>", "", page, flags=re.DOTALL)))


@pytest.mark.parametrize("transport", RESUMING, ids=lambda kind: kind.name)
def test_what_a_bot_or_a_hook_says_is_marked_and_what_somebody_says_by_token_is_not(
    transport: type[Reader], server: Server, bot: Bot, mary: Member, ada: Person, board: int
) -> None:
    room = mary.make_room()
    hook = mary.http.post(f"/api/rooms/{room}/hooks", json={"name": f"Ops {room}"}).json()
    reader = transport(ada, room, after=0)
    bot.say(room, "built")
    nobody_posts(hook["url"], json={"text": "deployed"}).raise_for_status()
    with closing(program(mary)) as hers:
        hers.say(room, "by token")
    ada.say(room, "by a guest")
    live = [message["author"] for message in reader.wait_for(4 + 1)[1:]]  # behind the notice of the hook
    reader.close()
    assert live == [
        bot.marked,
        {"id": f"h{hook['id']}", "name": f"Ops {room}", "bot": True},
        {"id": mary.id, "name": mary.name},
        {"id": ada.id, "name": "ada", "guest": True},
    ]
    late = transport(ada, room, after=0)
    assert [message["author"] for message in late.wait_for(5)[1:]] == live
    late.close()


def test_what_a_bot_says_is_marked_when_it_is_read_back_from_the_log_and_sent_again(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(backlog="1").start()
    with closing(Bot(server)) as bot:
        room = administrator(server).make_room()
        said = [bot.say(room, f"build {number}", client_id=f"b{number}") for number in range(5)]
        server.restart()
        assert [message["author"] for message in bot.read(room)["messages"]] == [bot.marked] * 5
        assert bot.say(room, "build 0", client_id="b0") == said[0]


def test_a_bot_that_is_here_is_marked_among_the_people_in_every_worker(
    server: Server, bot: Bot, mary: Member
) -> None:
    room = mary.make_room()
    with closing(mary.socket()) as before, closing(bot.socket()) as socket:
        before.join(room)
        before.expect(lambda frame: frame["type"] == "presence")
        socket.join(room)
        before.expect(lambda frame: bot.marked in frame.get("joined", ()))
        for _ in range(2 * server.workers):  # each connection may come to another one
            with closing(mary.elsewhere()) as hers, closing(hers.socket()) as later:
                later.join(room)
                later.expect(lambda frame: bot.marked in frame.get("here", ()))


def test_a_bot_is_marked_on_every_page_that_has_its_name(server: Server, bot: Bot, mary: Member) -> None:
    room, word = mary.make_room(), f"w{uuid.uuid4().hex}"
    said = bot.say(room, word)["seq"]
    mary.http.put(f"/api/rooms/{room}/members/{bot.id}", json={"role": "member"}).raise_for_status()
    mary.say(room, "thanks")
    bot.read(room, after=-1, wait=0)  # is here for a minute
    mary.http.headers["Accept"] = "text/html"
    marked = {
        f"/chats/{room}/": 2,  # with its words, and among the people
        f"/chats/{room}/?before={said + 1}": 2,
        f"/chats/{room}/details/": 1,
        f"/chats/{room}/details/?person={bot.id}": 2,
        f"/chats/{room}/messages/{said}/": 1,
        f"/chats/{room}/report/{said}": 1,
        f"/search?q={word}": 1,
    }
    # What is found, and who is here, other workers learn a moment later.
    for path, names in marked.items():
        eventually(lambda path=path, names=names: marks(mary.http.get(path).text) == names, path)
    mary.http.post(f"/api/rooms/{room}/messages/{said}/report", json={"why": "x"}).raise_for_status()
    office = administrator(server).http.get(f"/chats/{room}/reports/", headers={"Accept": "text/html"})
    assert marks(office.text) == 1


def test_programs_learn_of_members_and_of_people_which_are_bots(
    server: Server, bot: Bot, mary: Member
) -> None:
    room = mary.make_room()
    mary.http.put(f"/api/rooms/{room}/members/{bot.id}", json={"role": "member"}).raise_for_status()
    make_token(mary)  # her own
    found = mary.http.get(f"/api/rooms/{room}/members").json()["members"]
    for each in (mary, bot):  # of all people on a server only fifty are told at once
        found += mary.http.get("/api/people", params={"q": each.name}).json()["people"]
    told = sorted((each["id"], each.get("bot")) for each in found)
    assert told == sorted([(mary.id, None), (bot.id, True)] * 2)


def test_a_bot_that_gets_a_password_is_somebody_from_then_on(server: Server, bot: Bot, mary: Member) -> None:
    room = mary.make_room()
    bot.say(room, "built")
    link = server.console("user", "reset-password", bot.name, "--json").json["link"]
    with closing(Member(server, bot.name)) as somebody:
        assert somebody.http.post(link, data={"password": PASSWORD}).status_code == 303
        assert somebody.sign_in().status_code == 302
        somebody.say(room, "by myself")
        with closing(program(somebody)) as theirs:
            theirs.say(room, "by a token of mine")
        now = {"id": bot.id, "name": bot.name}
        said = [message["author"] for message in somebody.read(room)["messages"]]
        assert said == [bot.marked, now, now]  # who wrote it then
        (found,) = somebody.http.get("/api/people", params={"q": bot.name}).json()["people"]
        assert "bot" not in found


def test_what_an_erased_bot_said_is_that_of_nobody_in_particular(
    server: Server, bot: Bot, mary: Member
) -> None:
    room = mary.make_room()
    bot.say(room, "built")
    server.console("user", "erase", bot.name, "--yes")
    (message,) = mary.read(room)["messages"]
    assert message["author"].keys() == {"id", "name"}
    assert message["author"]["name"] == "removed person"
