"""Markup in what people, rooms and things are called, in what is said of them and in why something was done: on
every page and in every form that the application registers, with the policy off.

(What is said in rooms, and is shown there: test_markup.py.)
"""

import html
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.clients import Person
from tests.hostile.judge import EVERYWHERE, MADE_BY_WORDS, NAMES, Judge, submit
from tests.hostile.judge import judge as judge  # a fixture
from tests.hostile.routes import Route, routes
from tests.mail_server import SETTINGS
from tests.people import Member, first_path
from tests.programs import make_token
from tests.servers import ROOT, Server

TEXT, ATTRIBUTE, TITLE = NAMES.values()
ESCAPES = TEXT[1:]  # out of texts, attributes and scripts
# What is called so, or of which that is said; each has a word in front by which it is known where it is shown.
CALLED = {
    "a room": f"r{ESCAPES}",
    "a private room": f"p{ESCAPES}",
    "a guest": f"g{ESCAPES}",
    "somebody who is banned": f"i{ESCAPES}",
    "a hook": f"h{ESCAPES}",
    "a bot": f"b{ESCAPES}",
    "a token": f"token {ESCAPES}",
    "a bot's token": f"bot's {ESCAPES}",
    "a browser": f"agent {ESCAPES}",
    "a file": "file '\"><img src=x onerror=ran()>.gif",  # a slash would end a path
    "administrator": TEXT,
    "member": ATTRIBUTE,
    "another member": TITLE,
}
SAID = {
    word: f"{word} {EVERYWHERE}"
    for word in (
        "status",
        "topic",
        "marked",
        "private",
        "report",
        "ban",
        "timeout",
        "entered",
        "invites",
        "alt",
    )
}
ASKED = "asked-for-"  # stands before what an address says, and nowhere else
PICTURE = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
# What shows nothing that anybody has said, and what is no page.
NO_PAGE = re.compile(
    r"/(api/(?!docs)|static/|languages/|healthz|readyz|metrics)|/(ws|http)$|/(files|thumbs)/"
    r"|/about/$|passkey/<|second-factor/<"
)
# What programs send, and what ends it.
NO_FORM = re.compile(r"/api/|/hooks/|/http$|/passkey|/passkeys/|/sign-out$|/leave$|/end-others$")


class World(NamedTuple):
    """A server on which all that has a name, a description or a reason has markup for it."""

    server: Server
    boss: Member
    grace: Member
    hook: str  # its path
    there: dict[str, Any]  # what stands in addresses for something that there is


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("marked") / "instance"
    server = Server(folder, site_name=EVERYWHERE, mail_url="smtp://127.0.0.1:9", **SETTINGS).start()
    yield marked(server)
    server.kill()


@pytest.fixture
def server(world: World) -> Server:
    return world.server


@pytest.fixture
def as_boss(judge: Judge, world: World) -> Judge:
    """The judge, signed in as the administrator."""
    cookies = world.boss.http.cookies.items()
    judge.context.add_cookies([{"name": n, "value": v, "url": world.server.url} for n, v in cookies])
    return judge


def marked(server: Server) -> World:
    boss = Member(server, CALLED["administrator"])
    boss.http.headers["User-Agent"] = CALLED["a browser"]
    assert boss.sign_up(first_path(server)).status_code == 303
    grace, joan = Member(server, CALLED["member"]), Member(server, CALLED["another member"])
    for person in (grace, joan):
        assert person.sign_up(boss.invite()).status_code == 303
    for person in (boss, grace, joan):
        person.change(person.id, status=SAID["status"]).raise_for_status()
    room = post(boss, "/api/rooms", name=CALLED["a room"], topic=SAID["topic"])["id"]
    private = {"name": CALLED["a private room"], "topic": SAID["private"], "kind": "private"}
    entered = f"/admin/rooms/{post(grace, '/api/rooms', **private)['id']}/enter"
    assert boss.http.post(entered, data={"why": SAID["entered"]}).status_code == 303
    for person in (grace, joan):
        boss.http.put(f"/api/rooms/{room}/members/{person.id}", json={"role": "member"}).raise_for_status()
    guest, banned = Person(server, CALLED["a guest"]), Person(server, CALLED["somebody who is banned"])
    said = guest.say(room, SAID["marked"])["seq"]
    attach(grace, room)
    post(grace, f"/api/rooms/{room}/messages/{said}/report", why=SAID["report"])
    post(boss, "/api/bans", person=banned.id, why=SAID["ban"])
    timeout = {"kind": "timeout", "person": guest.id, "why": SAID["timeout"]}
    post(boss, f"/api/rooms/{room}/sanctions", **timeout)
    hook = post(boss, f"/api/rooms/{room}/hooks", name=CALLED["a hook"])["url"]
    make_token(boss, name=CALLED["a token"])
    bot = {"bot": CALLED["a bot"], "name": CALLED["a bot's token"], "scopes": ["read"]}
    post(boss, "/api/tokens", **bot)
    grace.say(post(grace, "/api/direct", people=[boss.id])["id"], SAID["marked"])
    reset = server.console("user", "reset-password", joan.id).out.split()[-1]
    there = {
        "room_id": room,
        "seq": said,
        "person": grace.id,
        "/invitations/<code>": boss.invite(room=room, note=SAID["invites"]),
        "/reset/<code>": reset[reset.index("/reset/") :],
    }
    return World(server, boss, grace, hook[hook.index("/hooks/") :], there)


def post(who: Person, path: str, **fields: Any) -> Any:
    answer = who.http.post(path, json=fields)
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


def attach(who: Person, room: int) -> None:
    path, name = f"/api/rooms/{room}/files", CALLED["a file"]
    kept = who.http.post(path, params={"name": name}, content=PICTURE).json()
    post(who, Person.messages(room), files=[{"id": kept["id"], "alt": SAID["alt"]}])


def address(route: Route, there: dict[str, Any]) -> str:
    """One that leads to `route`, about something that there is, if there is something."""
    path = there.get(route.rule, route.rule)
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(there.get(found[1], 1)), path)


def fields() -> list[str]:
    """The names of all fields of all forms."""
    pages = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    return sorted({one or other for one, other in re.findall(r"name=\"(\w+)\"|field\('(\w+)'", pages)})


# -- the tests ------------------------------------------------------------------------------------------------


def test_what_anything_is_called_and_why_on_every_page(as_boss: Judge, world: World) -> None:
    """As the administrator sees it, who sees most; what an address says is said by each as well."""
    pages = [each for each in routes(world.server) if each.method == "GET" and not NO_PAGE.search(each.rule)]
    assert len(pages) > 30
    page, seen, echoes = as_boss.context.new_page(), "", 0
    asked = "&".join(
        f"{name}={ASKED}{quote(EVERYWHERE)}" for name in ("q", "name", "about", "next", "code", "before")
    )
    for path in (*(address(route, world.there) for route in pages), "/search?q=marked"):
        page.goto(path)
        as_boss.check(page, MADE_BY_WORDS)
        seen += html.unescape(page.content())
        if ASKED in page.request.get(f"{path}?{asked}").text():  # else it is the page that was looked at
            echoes += 1
            page.goto(f"{path}?{asked}")
            as_boss.check(page, MADE_BY_WORDS)
    assert echoes > 2
    assert [what for what, words in {**CALLED, **SAID}.items() if words not in seen] == []


def test_the_pages_of_who_is_not_signed_in(judge: Judge, world: World) -> None:
    page = judge.context.new_page()
    links = (world.there["/invitations/<code>"], world.there["/reset/<code>"])
    for path in ("/chats/", "/guests", "/sign-up", "/sign-in", "/sign-in/forgotten", "/about", *links):
        page.goto(path)
        judge.check(page, MADE_BY_WORDS)
        assert "ran()" in page.content(), path


def test_every_field_of_every_form_that_is_refused(as_boss: Judge, world: World) -> None:
    """It stands there again, or in what refuses it."""
    forms = [each for each in routes(world.server) if each.method == "POST" and not NO_FORM.search(each.rule)]
    assert len(forms) > 30
    words = dict.fromkeys(fields(), EVERYWHERE * 3)
    page = as_boss.open("/about")
    for route in forms:
        room = world.boss.make_room()  # for some are taken
        seq = world.boss.say(room, "something")["seq"]
        submit(page, address(route, {**world.there, "room_id": room, "seq": seq}), words)
        as_boss.check(page, MADE_BY_WORDS)


def test_what_comes_while_one_looks(as_boss: Judge, world: World) -> None:
    """Who comes and what they say of themselves, what hooks say, files, whom one may call, where one may go."""
    room = world.there["room_id"]
    chat = ChatPage(as_boss.open(f"/chats/{room}/"), room)
    expect(chat.state).to_have_text("Live")
    chat.page.get_by_role("button", name="People here").click()
    with closing(world.grace.socket()) as socket:
        socket.join(room)
        expect(chat.page.locator("#people")).to_contain_text(SAID["status"])
        news = f"news {EVERYWHERE}"[-100:]
        world.grace.change(world.grace.id, status=news).raise_for_status()
        expect(chat.page.locator("#people")).to_contain_text(news)
        attach(world.grace, room)
        expect(chat.rows.last.get_by_role("img", name=SAID["alt"])).to_be_visible()
        assert world.grace.http.post(world.hook, json={"text": EVERYWHERE}).status_code == 200
        expect(chat.rows.last).to_contain_text(CALLED["a hook"])
        chat.field.press_sequentially("@x onf")
        expect(chat.page.get_by_role("option")).to_contain_text([CALLED["member"]])
        chat.field.fill("")
        chat.field.press_sequentially("#r")
        expect(chat.page.get_by_role("option")).to_contain_text([CALLED["a room"]])
        chat.field.fill("")
        chat.page.keyboard.press("ControlOrMeta+k")
        expect(chat.page.locator("#switcher")).to_contain_text(CALLED["a private room"])
    as_boss.check(chat.page, MADE_BY_WORDS)
