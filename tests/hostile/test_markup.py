"""Markup in everything that is ever shown stays words, with the policy off, so that only escaping stands between."""

import uuid
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Route, expect

from tests.browser.chat_page import ChatPage
from tests.clients import Person, eventually
from tests.hostile.judge import EVERYWHERE, NAMES, STRANGERS, Judge, submit
from tests.hostile.judge import judge as judge  # a fixture
from tests.servers import Server

# Each gets out of another place than the others, or runs by itself in another way. `ran` is the judge's.
PAYLOADS = {
    "an element": "<img src=x onerror=ran()>",
    "an attribute in quotes": '"><img src=x onerror=ran()>',
    "an attribute in single quotes": "'><img src=x onerror=ran()>",
    "an attribute without quotes": "x onfocus=ran() autofocus tabindex=1 x=",
    "a script": "<script>ran()</script>",
    "the end of a script": "</script><img src=x onerror=ran()>",
    "the end of a title": "</title><img src=x onerror=ran()>",
    "the end of a text field": "</textarea><img src=x onerror=ran()>",
    "the end of a template": "</template><img src=x onerror=ran()>",
    "the end of a comment": "--><img src=x onerror=ran()>",
    "the end of a noscript": "</noscript><img src=x onerror=ran()>",
    "a picture that draws": "<svg onload=ran()>",
    "a picture that is a script": "<svg><script>ran()</script>",
    "a foreign namespace": "<math><mtext></math><img src onerror=ran()>",
    "something that unfolds": "<details open ontoggle=ran()>x",
    "a frame": "<iframe srcdoc='<script>parent.ran()</script>'>",
    "entities": "&lt;img src=x onerror=ran()&gt;",
    "escapes of JSON": r"\u003cimg src=x onerror=ran()\u003e",
    "the end of a string": "');ran();//",
    "the end of a JSON string": '"};ran();//',
    "an expression of a template": "{{ran()}}${ran()}{%print(7)%}<%=7%>",
    "a comment of a script": "<!--<script>",
    "half an element": "<img src=x onerror=ran() x=",
    "NFKC": "＜img src=x onerror=ran()＞",
}
# Where a page of ours has somebody's words.
PLACES = {
    "a text": "<p>{}</p>",
    "an attribute in quotes": '<p title="{}">',
    "an attribute in single quotes": "<p title='{}'>",
    "an attribute without quotes": "<p title={}>",
    "a script": "<script>const name = '{}'</script>",
    "a text field": "<textarea>{}</textarea>",
    "a title": "<title>{}</title>",
}
# Wherever Markdown takes somebody's words.
CONSTRUCTS = {
    "bold": "**{}** __{}__",
    "italic": "*{}* _{}_",
    "strikethrough": "~~{}~~",
    "code": "`{}` ``{}``",
    "a block of code": "```\n{}\n```",
    "coloured code": "```html\n{}\n```\n\n```php\n{}\n```",
    "a language": "```{}\nx\n```\n\n~~~{}\nx\n~~~",
    "a link's words": "[{}](https://x.example)",
    "a link": "[x]({}) [x](<{}>)",
    "a link's end": "[x](https://x.example/{}) [x](<https://x.example/{}>)",
    "a link's title": "[x](https://x.example \"{}\") [x](https://x.example '{}') [x](https://x.example ({}))",
    "an autolink": "<{}> <https://x.example/{}> <mailto:{}>",
    "a bare link": "https://x.example/{} www.x.example/?{} mailto:{}@x.example http://{}",
    "a picture": "![{}]({})",
    "a quote": "> {}\n> > {}",
    "a list": "- {}\n  1. {}",
    "hidden words": "||{}|| ||[{}](https://x.example)||",
    "all at once": '> - **||[`{}`](https://x.example/{} "{}")||**',
    "nothing": "*x* {}",
}
# Addresses that run, each hidden in another way.
ADDRESSES = [
    "javascript:ran()", "JaVaScRiPt:ran()", "java\tscript:ran()", "java\nscript:ran()", "&#106;avascript:ran()",
    "javascript&colon;ran()", "javascript&#58;ran()", "%6aavascript:ran()", "javascript%3aran()", " javascript:ran()",
    "\u00a0javascript:ran()", "jav\\ascript:ran()", "vbscript:ran()", "data:text/html,<script>ran()</script>",
    "data:image/svg+xml,<svg onload=ran()>", "https:javascript:ran()", "//x.example", "/chats/", "mailto:x\"onfocus=ran()",
    'https://x.example/"onfocus=ran()', "https://x.example/'><img src=x onerror=ran()>", "https://x.example`onfocus=ran()",
    "blob:https://x.example/x", "file:///etc/passwd", "about:blank", "filesystem:x",
]  # fmt: skip
# What the page's own reading of the server's HTML refuses, whoever has written it: the source is shown instead.
NOT_OURS = [
    *PAYLOADS.values(), "<b>x</b>", "<p>x", "x</p>", "<p><em>x</p></em>", "<p onclick=\"ran()\">x</p>", "<p >x</p>",
    '<a href="javascript:ran()">x</a>', '<a href=" https://x.example">x</a>', '<a href="/chats/">x</a>', "<P>x</P>",
    '<span class="message">x</span>', '<span class="spoiler" style="color: red">x</span>', '<p dir="rtl">x</p>',
    '<ol start="-1"></ol>', '<a href="https://x.example" target="_top">x</a>', "<constructor>x</constructor>",
    '<p constructor="x">x</p>', "<!-- x -->", "<br/>", "<p>x</p><", "<pre tabindex=\"1\">x</pre>",
]  # fmt: skip
TINY = ["<b>x</b>", "<svg/onload=ran", "'><s>", '"><s>', "</script>", "&lt;b&gt;", "{{7*7}}", "<img/src=x>"]


@pytest.fixture
def room(ada: Person) -> int:
    return ada.make_room(f"words {uuid.uuid4().hex[:8]}")


@pytest.fixture
def in_room(judge: Judge, room: int) -> Callable[..., ChatPage]:
    """The room in the judge's browser, live, for a guest."""

    def make(name: str = "grace", path: str = "/chats/{}/") -> ChatPage:
        origin = judge.context.new_page()
        origin.goto("/healthz")
        url = origin.url.removesuffix("/healthz")
        answer = judge.context.request.post("/guests", data={"name": name}, headers={"Origin": url})
        assert answer.status == 201, answer.text()
        origin.close()
        chat = ChatPage(judge.open(path.format(room)), room)
        expect(chat.state).to_have_text("Live")
        return chat

    return make


# -- the judge ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["an element", "something that unfolds", "a frame"])
def test_the_judge_sees_what_runs_where_nothing_is_escaped(
    what: str, judge: Judge, in_room: Callable[..., ChatPage]
) -> None:
    page = in_room().page
    page.evaluate("payload => document.body.insertAdjacentHTML('beforeend', payload)", PAYLOADS[what])
    expect(page.locator(STRANGERS).first).to_be_attached()
    eventually(lambda: page.evaluate("true") and judge.ran)  # what pages tell is heard while they are asked


@pytest.mark.parametrize("place", PLACES)
def test_what_gets_out_of_every_place_does(place: str, judge: Judge) -> None:
    """EVERYWHERE by itself, and one of NAMES."""
    page = judge.context.new_page()
    for payloads in ([EVERYWHERE], list(NAMES.values())):
        judge.ran.clear()
        for payload in payloads:
            body = "<!doctype html>" + PLACES[place].format(payload)
            page.unroute_all()
            page.route("**/place", partial(Route.fulfill, content_type="text/html", body=body))
            page.goto("/place")
        eventually(lambda: page.evaluate("true") and judge.ran, f"something runs in {place}")


# -- fields ---------------------------------------------------------------------------------------------


def everywhere(judge: Judge, room: int) -> None:
    """The server's own pages of what was said: the room with and without transport, its history, all rooms."""
    page = judge.context.new_page()
    for path in (f"/chats/{room}/", f"/chats/long_poll/{room}/", f"/chats/{room}/?before=9999", "/chats/"):
        page.goto(path)
        judge.check(page)
    page.close()


def test_the_words_of_a_message_of_an_edit_and_of_a_reply(
    judge: Judge, in_room: Callable[..., ChatPage], ada: Person, room: int
) -> None:
    chat = in_room()
    for payload in PAYLOADS.values():
        ada.say(room, payload)
        said = ada.say(room, "before")["seq"]
        _change(ada, room, kind="edit", of=said, body=payload)
        _change(ada, room, kind="text", of=said, body=payload)
    expect(chat.words).to_have_text([payload for payload in PAYLOADS.values() for _ in range(3)])
    judge.check(chat.page)
    everywhere(judge, room)


def test_words_with_marks_around_them(
    judge: Judge, in_room: Callable[..., ChatPage], ada: Person, room: int
) -> None:
    """Every payload and every address that runs, in everything that Markdown knows, live and as an edit."""
    chat = in_room()
    words = [*PAYLOADS.values(), *ADDRESSES]
    for construct in CONSTRUCTS.values():
        pieces = [construct.replace("{}", payload) for payload in words]
        for first in range(0, len(pieces), 10):
            said = ada.say(room, "\n\n".join(pieces[first : first + 10]))["seq"]
    _change(ada, room, kind="edit", of=said, body="\n\n".join(pieces[:10]))
    expect(chat.rows).to_have_count(5 * len(CONSTRUCTS))
    assert chat.page.locator("#messages .marked").count() > 4 * len(CONSTRUCTS)
    judge.check(chat.page)
    everywhere(judge, room)


def test_html_that_is_not_of_the_server_s_making(judge: Judge, in_room: Callable[..., ChatPage]) -> None:
    page = in_room().page
    made = page.evaluate(
        """async (all) => {
            const { fillMarkup } = await import("/static/js/markup.js");
            return all.map((html) => {
                const words = document.createElement("div");
                document.body.append(words);
                fillMarkup(words, { html, body: "the source" });
                return words.innerHTML;
            });
        }""",
        NOT_OURS,
    )
    shown = {html: inner for html, inner in zip(NOT_OURS, made, strict=True) if inner != "the source"}
    assert all("<" not in html for html in shown), shown  # what has no tag is a text
    judge.check(page)


def test_a_reaction(judge: Judge, in_room: Callable[..., ChatPage], ada: Person, room: int) -> None:
    chat = in_room()
    said = ada.say(room, "react to this")["seq"]
    for mark in TINY:
        _change(ada, room, kind="reaction", of=said, body=mark)
    expect(chat.page.locator("#messages .reaction .mark")).to_have_text(TINY)
    judge.check(chat.page)
    everywhere(judge, room)


def test_the_name_of_somebody(
    judge: Judge, in_room: Callable[..., ChatPage], server: Server, room: int, ada: Person
) -> None:
    """As an author, in presence, while they write, who deleted something, and who is removed."""
    chat = in_room()
    chat.page.get_by_role("button", name="People here").click()
    for name in NAMES.values():
        with closing(Person(server, name)) as cursed, closing(cursed.socket()) as socket:
            socket.join(room)
            expect(chat.page.locator("#people .name", has_text=name).first).to_be_attached()
            socket.send({"type": "typing", "room": room})
            expect(chat.page.locator("#typing")).to_contain_text(name)
            said = cursed.say(room, "hello")["seq"]
            _change(ada, room, of=said, body="an answer")
            _change(cursed, room, kind="delete", of=said)
            expect(chat.page.locator(".deleted .words").last).to_contain_text(name)
            assert server.console("room", "kick", room, "--", name).status == 0
            expect(chat.notices.last).to_contain_text(name)
    judge.check(chat.page)
    everywhere(judge, room)


@pytest.mark.parametrize("what", NAMES)
def test_one_s_own_name(what: str, judge: Judge, in_room: Callable[..., ChatPage], room: int) -> None:
    """On one's own pages, and before the server has answered."""
    chat = in_room(NAMES[what])
    chat.say("hello", "a bell: \x07")
    expect(chat.failed).to_have_count(1)
    judge.check(chat.page)
    everywhere(judge, room)


def test_a_room_s_name_and_topic(
    judge: Judge, in_room: Callable[..., ChatPage], room: int, ada: Person
) -> None:
    """In the head, in the lists, in the title, and in the notices of the change."""
    chat = in_room()
    for payload in (*PAYLOADS.values(), *NAMES.values()):
        for field in ("name", "topic"):
            ada.http.patch(f"/api/rooms/{room}", json={field: payload}).raise_for_status()
            expect(chat.notices.last).to_contain_text(payload)
        judge.check(chat.page)
    everywhere(judge, room)


def test_a_room_in_which_nothing_was_said(judge: Judge, ada: Person) -> None:
    for payload in NAMES.values():
        made = ada.http.post("/api/rooms", json={"name": payload, "topic": payload})
        judge.check(judge.open(f"/chats/{made.json()['id']}/"))
    judge.check(judge.open("/chats/"))


def test_what_is_written_and_not_yet_kept(judge: Judge, in_room: Callable[..., ChatPage], room: int) -> None:
    """It waits in the browser's storage, is shown from there after a reload, and can be edited."""
    chat = in_room()
    judge.context.route("**/api/rooms/*/messages", lambda route: route.abort())
    chat.page.evaluate("() => { globalThis.WebSocket.prototype.send = () => {} }")
    chat.say(*list(PAYLOADS.values())[:12])
    expect(chat.pending).to_have_count(12)
    judge.check(chat.page)
    chat.page.add_init_script("WebSocket.prototype.send = () => {}")
    chat.page.reload()
    expect(chat.pending).to_have_count(12)
    judge.check(chat.page)


def test_a_form_that_is_shown_again(judge: Judge, ada: Person, room: int, server: Server) -> None:
    """What was refused stands in its fields again, and in the sentence that refuses it."""
    page = judge.open("/chats/")
    for fields in (
        {"name": EVERYWHERE, "code": EVERYWHERE, "next": EVERYWHERE},
        {"name": "", "next": EVERYWHERE},
    ):
        submit(page, "/guests", fields)
        judge.check(page)
    cookie = {"name": "chatapp", "value": ada.http.cookies["chatapp"], "url": server.url}
    judge.context.add_cookies([cookie])  # type: ignore[list-item]
    submit(page, "/chats/", {"name": EVERYWHERE + "x" * 80, "topic": EVERYWHERE})
    judge.check(page)
    submit(page, f"/chats/{room}/", {"body": EVERYWHERE + "\x07"})
    judge.check(page)


ASKED = [
    "/chats/?next={}", "/chats/{}/", "/{}", "/chats/1/?before={}", "/chats/1/http?lastupdate={}",
    "/chats/1/http?lastupdate=0&callback={}", "/api/rooms/{}/messages", "/api/rooms/1/messages?after={}",
    "/static/{}", "/guests?next={}", "/chats/1/?next=/#{}",
]  # fmt: skip


def test_an_address(judge: Judge) -> None:
    """Whatever stands in a link that somebody follows: on pages, on errors, and where no page was meant to be."""
    page = judge.context.new_page()
    for path in ASKED:
        for written in (EVERYWHERE, quote(EVERYWHERE, safe="")):
            page.goto(path.format(written))
            judge.check(page)


def test_an_answer_that_is_opened_as_if_it_were_a_page(judge: Judge, ada: Person, room: int) -> None:
    for payload in PAYLOADS.values():
        ada.say(room, payload)
    paths = [f"/api/rooms/{room}/messages", "/api/rooms", f"/api/rooms/{room}/presence", "/metrics",
             f"/chats/{room}/http?lastupdate=0", f"/chats/{room}/http?lastupdate=0&callback=cb"]  # fmt: skip
    for path in paths:
        page = judge.open(path)
        judge.check(page)
        page.close()


# -- within ---------------------------------------------------------------------------------------------


def _change(person: Person, room: int, **fields: Any) -> None:
    answer = person.http.post(person.messages(room), json=fields)
    assert answer.status_code == 201, answer.text
