"""Notifications with the browser's own: permission is given, two tabs are open, and what is pressed leads there.

Whether a browser may notify is asked for in test_mentions.py.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chat_page import ChatPage, HeldRequests
from tests.browser.conftest import OpenBrowser
from tests.chromium import ARGUMENTS, CHROMIUM
from tests.clients import eventually
from tests.people import Member, member
from tests.servers import Server

# What is told is also shown to the test; nothing of what the browser does is left out.
KEPT = """
    window.told = [];
    if (window.Notification) window.Notification = class extends Notification {
        constructor(title, options) {
            super(title, options);
            window.told.push(this);
        }
    };
"""
TITLES = "told.map(({ title, body }) => `${title}: ${body}`)"
# Whether the newest number that was told, or was not to be, is that one, and nobody is just about to tell it.
DECIDED = """async ([key, seq]) => {
    const { held, pending } = await navigator.locks.query();
    return localStorage.getItem(key) === `${seq}` && ![...held, ...pending].some(({ name }) => name === "chatapp.notify");
}"""
NO_LOCKS = "async () => { const { held, pending } = await navigator.locks.query(); return !held.length && !pending.length }"


@pytest.fixture(scope="module")
def browser(browser: Browser) -> Iterator[Browser]:
    """The whole one: that without windows has no notifications."""
    whole = browser.browser_type.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield whole
    whole.close()


@pytest.fixture
def ada(server: Server) -> Member:
    return member(server, "Ada")


@pytest.fixture
def grace(server: Server) -> Member:
    return member(server, "Grace")


@pytest.fixture
def board(ada: Member) -> int:
    return ada.make_room("board")


def away(*tabs: ChatPage) -> None:
    """Their person does something else; they may tell what comes."""
    for tab in tabs:
        tab.page.wait_for_function(
            "performance.getEntriesByName(`${location.origin}/static/js/notifications.js`).length"
        )
        tab.hide()
    tabs[0].page.wait_for_function(NO_LOCKS)


def opened(page: Page, room: int) -> ChatPage:
    """The room in a browser that may notify."""
    page.context.add_init_script(KEPT)
    page.goto(f"/chats/{room}/")
    chat = ChatPage(page, room)
    expect(chat.state).to_have_text("Live")
    return chat


@pytest.fixture
def tabs(browser_of: OpenBrowser, ada: Member, board: int) -> list[ChatPage]:
    """The board in two tabs of a browser that may notify, neither of them in front."""
    first = opened(browser_of(ada, permissions=["notifications"]), board)
    both = [first, first.another_tab()]
    away(*both)
    return both


def told(tabs: list[ChatPage]) -> list[str]:
    return [words for tab in tabs for words in tab.page.evaluate(TITLES)]


def told_by(tabs: list[ChatPage]) -> Page:
    return next(tab.page for tab in tabs if tab.page.evaluate("told.length"))


def have_heard(tabs: list[ChatPage], *bodies: str) -> None:
    """All tabs have the messages, and have decided what to tell of them."""
    for tab in tabs:
        for body in bodies:
            expect(tab.words.filter(has_text=body)).to_have_count(1)
    tabs[0].page.wait_for_function(NO_LOCKS)


def test_each_message_is_told_once_by_one_of_two_tabs(
    tabs: list[ChatPage], ada: Member, grace: Member
) -> None:
    board = tabs[0].room
    grace.say(board, "to all")
    grace.say(board, f"@{ada.name}, **come** and ||see||")
    grace.say(board, f"@{ada.name}, are you there?")
    have_heard(tabs, "to all", "are you there?")
    eventually(lambda: len(told(tabs)) >= 2)
    assert sorted(told(tabs)) == [
        f"{grace.name} in board: @{ada.name}, are you there?",
        f"{grace.name} in board: @{ada.name}, come and ▒▒▒",
    ]


def test_of_a_room_that_is_in_view_nothing_is_told_and_of_others_neither(
    tabs: list[ChatPage], ada: Member, grace: Member
) -> None:
    attic = grace.make_room("attic")
    tabs[0].hide(False)
    eventually(lambda: not tabs[1].page.evaluate(f"({NO_LOCKS})()"), "it counts as in front")
    said = {room: grace.say(room, f"@{ada.name}, look")["seq"] for room in (tabs[0].room, attic)}
    for tab in tabs:
        expect(tab.words.filter(has_text="look")).to_have_count(1)
        expect(tab.page.locator(f'.room-links [data-room="{attic}"] .count.for-me')).to_be_visible()
    for room, seq in said.items():  # of the attic a page asks what was said before it decides
        tabs[0].page.wait_for_function(DECIDED, arg=[f"chatapp.told.{ada.id}.{room}", seq])
    tabs[0].hide()
    tabs[0].page.wait_for_function(NO_LOCKS)
    assert told(tabs) == []


@pytest.mark.parametrize("place", ["this room", "another room"])
def test_who_presses_it_comes_to_the_message(
    place: str, tabs: list[ChatPage], ada: Member, grace: Member
) -> None:
    room = tabs[0].room if place == "this room" else grace.make_room("attic")
    said = grace.say(room, f"@{ada.name}, **look**")["seq"]
    eventually(lambda: told(tabs))
    assert told(tabs) == [
        f"{grace.name} in {'board' if place == 'this room' else 'attic'}: @{ada.name}, look"
    ]
    page = told_by(tabs)
    page.evaluate("void told[0].dispatchEvent(new Event('click'))")
    expect(page).to_have_url(f"{page.url.partition('/chats/')[0]}/chats/{room}/#m{said}")
    expect(page.locator(f"#m{said}")).to_be_in_viewport()


@pytest.fixture
def attic(ada: Member, grace: Member) -> int:
    """Another room, of which Ada's pages tell everything."""
    room = grace.make_room("attic")
    ada.http.post(f"/api/rooms/{room}/join").raise_for_status()
    ada.http.post(f"/api/rooms/{room}/notify", json={"level": "all"}).raise_for_status()
    return room


def test_a_room_of_which_one_wants_nothing_tells_nothing_on_any_device_and_to_others_what_they_want(
    attic: int, tabs: list[ChatPage], browser_of: OpenBrowser, ada: Member, grace: Member
) -> None:
    board, page = tabs[0].room, tabs[0].page
    laptop = opened(browser_of(ada, permissions=["notifications"]), board)
    hers = opened(browser_of(grace, permissions=["notifications"]), board)
    tabs[0].hide(False)
    page.get_by_role("button", name="People here").click()
    page.get_by_text("Notifications", exact=True).click()
    page.get_by_role("radio", name="nothing").check()
    for chat in (*tabs, laptop):
        expect(chat.page.locator("#notify [value=none]")).to_be_checked()
    expect(hers.page.locator("#notify [value=mentions]")).to_be_checked()
    for chats in (tabs, [laptop], [hers]):
        away(*chats)
    grace.say(board, f"@{ada.name}, for nobody")
    ada.say(board, f"@{grace.name}, for you")
    grace.say(attic, "to all there")
    for chat in (*tabs, laptop, hers):
        expect(chat.words.filter(has_text="for you")).to_have_count(1)
    eventually(lambda: told(tabs) and told([laptop]) and told([hers]))
    for chats in (tabs, [laptop], [hers]):
        chats[0].page.wait_for_function(NO_LOCKS)
    assert told(tabs) == told([laptop]) == [f"{grace.name} in attic: to all there"]
    assert told([hers]) == [f"{ada.name} in board: @{grace.name}, for you"]


def test_what_is_deleted_before_it_could_be_told_is_not_told(
    attic: int, tabs: list[ChatPage], ada: Member, grace: Member
) -> None:
    held = [HeldRequests(tab.page, f"**/api/rooms/{attic}/messages?before=*") for tab in tabs]
    gone = grace.say(attic, f"@{ada.name}, **never mind**")["seq"]
    for each in held:
        each.first()
    grace.http.post(grace.messages(attic), json={"kind": "delete", "of": gone}).raise_for_status()
    for each in held:
        each.end()
    grace.say(attic, f"@{ada.name}, **look**")
    eventually(lambda: told(tabs))
    assert told(tabs) == [f"{grace.name} in attic: @{ada.name}, look"]


def test_a_page_whose_line_is_slow_keeps_no_other_from_telling(
    attic: int, tabs: list[ChatPage], ada: Member, grace: Member
) -> None:
    slow = HeldRequests(tabs[0].page, f"**/api/rooms/{attic}/messages?before=*")
    for number in range(3):  # whichever page has its turn first
        grace.say(attic, f"@{ada.name}, **look** {number}")
    slow.first()
    expected = [f"{grace.name} in attic: @{ada.name}, look {number}" for number in range(3)]
    eventually(lambda: told(tabs) == expected)
    slow.end()
    grace.say(attic, f"@{ada.name}, **there**")
    eventually(lambda: len(told(tabs)) > 3)
    assert sorted(told(tabs)) == sorted([*expected, f"{grace.name} in attic: @{ada.name}, there"])
