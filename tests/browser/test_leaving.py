"""What a page has shown is known to the server, and what lies over it goes at a key."""

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.clients import Person
from tests.servers import Server


def test_what_was_read_is_read_in_the_list_of_rooms_at_once(
    in_room: OpenPage, server: Server, board: int
) -> None:
    grace = Person(server, "grace")
    for body in ("one", "two", "three"):
        grace.say(board, body)
    grace.close()
    ada = in_room("ada")
    ada.shows("one", "two", "three")
    ada.page.goto("/chats/")
    card = ada.page.locator(f'[data-room="{board}"]')
    expect(card).to_be_visible()
    expect(card.locator(".unread-number")).to_be_hidden()


def test_escape_closes_the_people_wherever_the_focus_is(in_room: OpenPage) -> None:
    ada = in_room("ada")
    people = ada.page.locator("#people")
    ada.page.get_by_role("button", name="People here").click()
    expect(people).to_be_visible()
    ada.field.focus()
    ada.page.keyboard.press("Escape")
    expect(people).to_be_hidden()
