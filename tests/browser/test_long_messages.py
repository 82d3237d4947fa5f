"""A page takes as much of long messages as it has room for; what is beyond comes as one goes there."""

from contextlib import closing

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenPage
from tests.clients import Person, eventually
from tests.servers import Server

LONG = "*{}* " + "&" * 3_950
COUNT = 28  # fewer than may be said in ten seconds, and many more than one answer has room for


@pytest.fixture
def long_room(server: Server) -> int:
    """A room whose messages are as long as can be."""
    with closing(Person(server, "grace")) as grace:
        room = grace.make_room("long")
        for number in range(COUNT):
            grace.say(room, LONG.format(f"number {number}."))
    return room


def number(chat: ChatPage, which: int) -> Locator:
    return chat.rows.filter(has=chat.page.get_by_text(f"number {which}.", exact=True))


def test_scrolling_up_through_long_messages_leads_to_the_first_and_back_to_the_last(
    in_room: OpenPage, long_room: int
) -> None:
    ada = in_room("ada", long_room)
    expect(number(ada, COUNT - 1)).to_be_visible()
    assert ada.rows.count() < COUNT / 2, "not all of them came with the page"
    eventually(lambda: ada.scroll_to_top() or number(ada, 0).count(), "the first is loaded")
    shown = ada.rows.locator("em").all_text_contents()
    assert shown == [f"number {which}." for which in range(COUNT)], "each once, in order"
    expect(ada.page.locator("#older")).to_be_hidden()
    ada.log.evaluate("log => { log.scrollTop = 0 }")
    expect(number(ada, COUNT - 1)).to_be_in_viewport()


def test_a_link_leads_to_a_message_with_many_long_ones_behind_it(in_room: OpenPage, long_room: int) -> None:
    ada = in_room("ada", long_room, path="/chats/{}/#m3")
    expect(number(ada, 2)).to_be_in_viewport()
    ada.jump.click()
    expect(number(ada, COUNT - 1)).to_be_in_viewport()
    ada.say("and on")
    expect(ada.row("and on")).to_be_visible()
