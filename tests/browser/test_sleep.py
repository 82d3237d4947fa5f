"""A page that slept, however it was put to sleep, comes back and has missed nothing."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser, OpenPage
from tests.browser.faults import locked, processes, stopped
from tests.browser.transports import LONG_POLL, TRANSPORTS
from tests.chromium import ARGUMENTS, CHROMIUM
from tests.clients import Person, eventually
from tests.people import member
from tests.servers import Server

over_each_transport = pytest.mark.parametrize("transport", TRANSPORTS)
# Playwright's launch leaves it out.
BACK_FORWARD_CACHE = "--disable-back-forward-cache"


@pytest.fixture(scope="module")
def browser(browser: Browser) -> Iterator[Browser]:
    """A browser of this file's own: it may be stopped, and keeps the pages that one leaves."""
    own = browser.browser_type.launch(
        executable_path=CHROMIUM, args=ARGUMENTS, ignore_default_args=[BACK_FORWARD_CACHE]
    )
    yield own
    own.close()


@pytest.fixture
def server(own_server: Server) -> Server:
    return own_server


@pytest.fixture
def grace(server: Server) -> Iterator[Person]:
    person = Person(server, "grace")
    yield person
    person.close()


@over_each_transport
def test_a_laptop_that_wakes_catches_up(
    transport: str, in_room: OpenPage, browser: Browser, board: int, grace: Person
) -> None:
    ada = in_room("ada", **TRANSPORTS[transport])
    ada.is_live_over(transport)
    with stopped(processes(browser)):
        said = [grace.say(board, f"{number}")["body"] for number in range(60)]
    ada.shows(*said)
    ada.say("good morning")
    ada.shows(*said, "good morning")


@over_each_transport
def test_a_laptop_that_wakes_after_the_server_was_restarted_catches_up(
    transport: str, in_room: OpenPage, browser: Browser, server: Server, board: int, grace: Person
) -> None:
    ada = in_room("ada", **TRANSPORTS[transport])
    ada.is_live_over(transport)
    with stopped(processes(browser)):
        grace.say(board, "before")
        server.restart()
        grace.say(board, "after")
    ada.shows("before", "after")
    ada.say("good morning")
    ada.shows("before", "after", "good morning")


def turn(cdp: CDPSession, state: str) -> None:
    """Freeze a page as a browser does with tabs that nobody has looked at for minutes, or thaw it."""
    cdp.send("Page.setWebLifecycleState", {"state": state})


@pytest.mark.parametrize("path", ["/chats/{}/", LONG_POLL], ids=["auto", "long poll"])
def test_a_tab_that_was_frozen_for_minutes_catches_up(
    path: str, person: OpenBrowser, board: int, grace: Person
) -> None:
    ada = ChatPage(person("ada"), board)
    ada.page.clock.install()
    ada.page.goto(path.format(board))
    expect(ada.state).to_have_text("Live")
    cdp = ada.page.context.new_cdp_session(ada.page)
    turn(cdp, "frozen")
    said = [grace.say(board, f"{number}")["body"] for number in range(60)]
    turn(cdp, "active")
    ada.page.clock.fast_forward("10:00")
    ada.shows(*said)
    ada.say("here again")
    ada.shows(*said, "here again")


@pytest.mark.parametrize("path", ["/chats/{}/", LONG_POLL], ids=["auto", "long poll"])
def test_a_page_that_one_comes_back_to_is_where_it_was_and_up_to_date(
    path: str, in_room: OpenPage, grace: Person, board: int
) -> None:
    ada = in_room("ada", path=path)
    grace.say(board, "before")
    ada.shows("before")
    ada.field.fill("half a thou")
    ada.page.evaluate("() => { globalThis.isTheSame = true }")
    ada.page.get_by_role("link", name="Chat", exact=True).click()
    expect(ada.page.get_by_role("heading", name="New room")).to_be_visible()
    grace.say(board, "meanwhile")
    ada.page.evaluate("history.back()")
    ada.shows("before", "meanwhile")
    assert ada.page.evaluate("globalThis.isTheSame"), "the browser loaded it anew"
    expect(ada.field).to_have_value("half a thou")
    ada.say("here again")
    ada.shows("before", "meanwhile", "here again")


def test_what_was_given_up_meanwhile_is_not_there_any_more_when_one_comes_back(in_room: OpenPage) -> None:
    ada = in_room("ada")
    ada.say("a bell: \x07")
    expect(ada.failed).to_have_count(1)
    ada.page.evaluate("() => { globalThis.isTheSame = true }")
    ada.page.goto("/chats/")
    ada.another_tab().failed.get_by_role("button", name="Discard").click()
    ada.page.evaluate("history.back()")
    expect(ada.state).to_have_text("Live")
    expect(ada.rows).to_have_count(0)
    assert ada.page.evaluate("globalThis.isTheSame"), "the browser loaded it anew"


def test_what_one_leaves_unsent_by_going_back_is_sent_from_there(
    in_room: OpenPage, server: Server, board: int, grace: Person
) -> None:
    ada = in_room("ada")
    ada.page.goto("/chats/")
    ada.page.evaluate("() => { globalThis.isTheSame = true }")
    ada.page.locator(f'.room-cards [data-room="{board}"] a').click()
    expect(ada.state).to_have_text("Live")
    with locked(server):
        ada.say("one", "two")
        expect(ada.pending).to_have_count(2)
        ada.page.evaluate("history.back()")
        expect(ada.page.get_by_role("heading", name="New room")).to_be_visible()
        assert ada.page.evaluate("globalThis.isTheSame"), "the browser loaded it anew"
    eventually(lambda: [each["body"] for each in grace.read(board)["messages"]] == ["one", "two"])


def test_after_signing_out_the_way_back_shows_nothing_of_a_private_room(
    visitor: OpenBrowser, server: Server
) -> None:
    joan = member(server, "Joan")
    den = joan.http.post("/api/rooms", json={"name": "den", "kind": "private"}).json()["id"]
    joan.say(den, "a secret")
    page = visitor(server)
    page.goto("/sign-in")
    page.get_by_label("Name").fill(joan.name)
    page.get_by_label("Password", exact=True).fill(joan.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Rooms", exact=True)).to_be_visible()
    page.goto(f"/chats/{den}/")
    expect(page.get_by_text("a secret")).to_be_visible()
    page.goto("/account/")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    page.evaluate("history.go(-2)")
    expect(page).to_have_url(f"{server.url}/chats/{den}/")
    expect(page.get_by_text("a secret")).to_have_count(0)
    joan.close()
