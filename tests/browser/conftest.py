"""People in a real browser: each has a context, so a cookie jar and a storage, of their own."""

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Response, expect

from tests.browser.chat_page import ChatPage
from tests.chromium import PATIENCE
from tests.clients import Person
from tests.people import Member
from tests.servers import Server

OpenBrowser = Callable[..., Page]
OpenPage = Callable[..., ChatPage]
TESTS = 20  # that have a server in common


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generator[Server]]:
    """The server for the next test: a new one for every few, since each page has all rooms at its side. Among
    hundreds it is slow to show, and to press through, and does not follow those that it could.
    """

    def one_after_another() -> Generator[Server]:
        while True:
            server = Server(tmp_path_factory.mktemp("pages") / "instance").start()
            try:
                for _ in range(TESTS):
                    yield server
            finally:
                server.kill()

    with closing(one_after_another()) as given:
        yield given


@pytest.fixture
def server(servers: Iterator[Server]) -> Server:
    """What a browser sees does not depend on the number of workers; the story does, and is told elsewhere."""
    return next(servers)


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for tests that harm it: they leave it running. It soon gives up waiting for its database."""
    server = Server(tmp_path_factory.mktemp("own") / "instance", busy_seconds="1").start()
    yield server
    server.kill()


@pytest.fixture
def visitor(browser: Browser, server: Server) -> Iterator[OpenBrowser]:
    """Opens a browser for somebody unknown to the server. A fault in a page's script fails the test."""
    contexts: list[BrowserContext] = []
    faults: list[Error] = []

    def visit(at: Server = server, **options: Any) -> Page:
        context = browser.new_context(base_url=at.url, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        context.on("weberror", lambda fault: faults.append(fault.error))
        # Said where a test fails: a page whose script never came looks like one that does not connect.
        context.on("requestfailed", lambda request: print(request.url, request.failure, file=sys.stderr))
        context.on("response", _tell_of_refusal)
        return context.new_page()

    yield visit
    for context in contexts:
        context.close()
    assert not faults, [fault.stack for fault in faults]


def _tell_of_refusal(response: Response) -> None:
    if response.status >= 400:
        print(response.url, response.status, response.status_text, file=sys.stderr)


@pytest.fixture
def person(visitor: OpenBrowser, server: Server) -> OpenBrowser:
    """Opens a browser for a guest of this name."""

    def make(name: str, at: Server = server, **options: Any) -> Page:
        page = visitor(at, **options)
        answer = page.request.post("/guests", data={"name": name}, headers={"Origin": at.url})
        assert answer.status == 201, answer.text()
        return page

    return make


@pytest.fixture
def browser_of(visitor: OpenBrowser, server: Server) -> OpenBrowser:
    """Opens a browser in which a member is signed in."""

    def make(person: Member, **options: Any) -> Page:
        page = visitor(**options)
        cookies = person.http.cookies.items()
        page.context.add_cookies(
            [{"name": name, "value": value, "url": server.url} for name, value in cookies]
        )
        return page

    return make


@pytest.fixture
def board(server: Server) -> int:
    """A room of the test's own."""
    maker = Person(server, "mallory")
    room = maker.make_room("board")
    maker.close()
    return room


@pytest.fixture
def in_room(person: OpenBrowser, board: int) -> OpenPage:
    """Opens the board, or another room, for a guest of this name; returns when the page is live."""

    def make(
        name: str, room: int = board, path: str = "/chats/{}/", script: str = "", **options: Any
    ) -> ChatPage:
        page = person(name, **options)
        if script:
            page.add_init_script(script)
        page.goto(path.format(room))
        chat = ChatPage(page, room)
        expect(chat.state).to_have_text("Live")
        return chat

    return make
