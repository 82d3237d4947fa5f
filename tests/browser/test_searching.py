"""Somebody looks for what was said, and lands on it."""

import re
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenBrowser
from tests.clients import Person, eventually
from tests.servers import Server

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 800}


@pytest.fixture
def server(one_worker: Server) -> Server:
    """Where the board is."""
    return one_worker


@pytest.fixture(scope="module")
def board(one_worker: Server) -> int:
    """One for all of these tests."""
    with closing(Person(one_worker, "mallory")) as maker:
        return maker.make_room("board")


@pytest.fixture(scope="module")
def long_ago(one_worker: Server, board: int) -> str:
    """A word that was said once on the board, long before its newest messages, with words around it."""
    grace = Person(one_worker, "grace")
    mark = f"needle{board}"
    for number in range(1, 131):
        grace.say(board, f"the {mark} <b>in</b> the hay" if number == 40 else f"hay {number}")
    eventually(lambda: grace.http.get("/api/search", params={"q": mark}).json()["messages"])
    grace.close()
    return mark


def look_for(page: Page, line: str) -> None:
    field = page.get_by_role("searchbox")
    field.fill(line)
    field.press("Enter")


def lands_on(page: Page, words: str) -> None:
    """The message is in view, what was said before it too, and it is told apart."""
    row = page.locator("#messages > .message").filter(has_text=words)
    expect(row).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("hay 39", exact=True)).to_be_in_viewport()
    other = page.locator("#messages > .message").filter(has_text="hay 38")
    colour = "row => getComputedStyle(row).backgroundColor"
    assert row.evaluate(colour) != other.evaluate(colour)


@pytest.mark.parametrize(
    "options",
    [{"viewport": WIDE}, {"viewport": NARROW}, {"viewport": WIDE, "java_script_enabled": False}],
    ids=["wide", "narrow", "without script"],
)
def test_a_person_looks_for_a_word_from_a_room_and_lands_on_the_message(
    options: dict[str, object], person: OpenBrowser, board: int, long_ago: str
) -> None:
    page = person("ada", **options)
    page.goto(f"/chats/{board}/")
    page.get_by_role("link", name="Search").click()
    expect(page.get_by_role("searchbox")).to_have_value("in:board ")
    look_for(page, f"in:{board} {long_ago}")
    result = page.locator(".result")
    expect(result.locator("mark")).to_have_text(long_ago)
    expect(result.locator(".result-text")).to_have_text(f"the {long_ago} <b>in</b> the hay")
    expect(result.locator(".result-room")).to_have_text("in board")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name=re.compile(long_ago)).click()
    expect(page).to_have_url(re.compile(rf"/chats/{board}/\?before=\d+#m40$"))
    lands_on(page, f"the {long_ago} <b>in</b> the hay")
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value(f"in:{board} {long_ago}")
    look_for(page, 'a "phrase')
    expect(page.get_by_role("alert")).to_contain_text("quotation mark")
    look_for(page, f"hay in:{board} before:2001-01-01")
    expect(page.get_by_text("Nothing that you may read")).to_be_visible()
    look_for(page, f"hay in:{board}")
    expect(page.locator(".result")).to_have_count(20)
    expect(page.locator(".result-text").first).to_have_text("hay 130")
    page.get_by_role("link", name="Older").click()
    expect(page.locator(".result-text").first).to_have_text("hay 110")
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(".result-text").first).to_have_text("hay 130")
    where = page.get_by_role("navigation", name="Where to look")
    expect(where.locator("[aria-current]")).to_have_text("In this room")
    where.get_by_role("link", name="Everywhere").click()
    expect(page.get_by_role("searchbox")).to_have_value("hay")
    expect(where.locator("[aria-current]")).to_have_text("Everywhere")
    where.get_by_role("link", name="In this room").click()
    expect(page.get_by_role("searchbox")).to_have_value("in:board hay")
    page.get_by_role("link", name="Back to the room").click()
    expect(page).to_have_url(re.compile(f"/chats/{board}/$"))


def test_beginnings_are_offered_only_where_they_find_something(
    person: OpenBrowser, board: int, long_ago: str
) -> None:
    page = person("ada")
    page.goto("/search")
    look_for(page, long_ago[:5])
    page.get_by_role("link", name=f"{long_ago[:5]}*").click()
    expect(page.locator(".result").first).to_be_visible()
    look_for(page, "nosuchword")
    expect(page.get_by_text("Nothing that you may read")).to_be_visible()
    expect(page.get_by_text("Words that begin so")).to_have_count(0)


def test_the_address_of_a_message_leads_to_it_wherever_it_stands_in_the_log(
    person: OpenBrowser, board: int, long_ago: str
) -> None:
    page = person("ada")
    page.goto(f"/chats/{board}/#40")
    lands_on(page, f"the {long_ago} <b>in</b> the hay")
    page.get_by_role("link", name="Newest").click()
    expect(page.get_by_text("hay 130", exact=True)).to_be_in_viewport()
    page.goto("/chats/")
    page.get_by_role("link", name="Search").click()
    expect(page).to_have_url(re.compile("/search$"))
    expect(page.get_by_role("searchbox")).to_be_focused()
