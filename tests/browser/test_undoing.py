"""What a deletion and its undo do beside the message itself: at the side, and where nothing is written any more."""

from contextlib import closing

from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser, OpenPage
from tests.browser.test_changes import administer, change
from tests.clients import Person
from tests.people import member
from tests.servers import Server


def test_at_the_side_who_is_called_is_called_once_however_often_the_text_goes_and_comes_back(
    visitor: OpenBrowser, server: Server, board: int
) -> None:
    with closing(Person(server, "grace")) as grace, closing(member(server, "Ada")) as ada:
        attic = grace.make_room("attic")
        page = visitor()
        cookies = ada.http.cookies.items()
        page.context.add_cookies(
            [{"name": name, "value": value, "url": server.url} for name, value in cookies]
        )
        page.goto(f"/chats/{board}/")
        expect(ChatPage(page, board).state).to_have_text("Live")
        count = page.locator(f'.rooms-pane [data-room="{attic}"] .count.for-me')
        expect(page.locator(f'.rooms-pane [data-room="{attic}"]')).to_have_count(1)
        said = grace.say(attic, f"hello @{ada.name}")["seq"]
        expect(count).to_have_text("1 for you")
        for _ in range(2):
            change(grace, attic, kind="delete", of=said)
            expect(count).to_be_hidden()
            change(grace, attic, kind="restore", of=said)
            expect(count).to_have_text("1 for you")
        page.reload()
        expect(count).to_have_text("1 for you")


def test_where_a_room_is_closed_nothing_is_undone_until_it_is_open_again(
    in_room: OpenPage, server: Server, board: int
) -> None:
    ada = in_room("ada")
    ada.say("hello")
    ada.shows("hello")
    ada.about("hello").get_by_role("button", name="Delete").click()
    undo = ada.page.locator("#messages").get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    administer(server, "close", board)
    expect(ada.page.get_by_text("This room is closed.")).to_be_visible()
    expect(undo).to_be_hidden()
    ada.page.reload()
    expect(ada.state).to_have_text("Live")
    expect(undo).to_be_hidden()
    administer(server, "open", board)
    expect(undo).to_be_visible()
    undo.click()
    ada.shows("hello")
