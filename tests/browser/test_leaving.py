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


def test_a_guest_who_has_left_reads_so_in_every_other_window(in_room: OpenPage) -> None:
    ada = in_room("ada")
    tab = ada.another_tab()
    ada.page.goto("/guests")
    ada.page.get_by_role("button", name="Leave").click()
    expect(tab.page.get_by_role("heading", name="You have left")).to_be_visible()
    expect(tab.page.get_by_text("In another window. What you said stays where it is.")).to_be_visible()
    expect(tab.page.get_by_role("link", name="Come in again")).to_be_visible()
    expect(tab.field).to_be_hidden()


def test_what_the_line_has_is_said_in_words_and_its_number_where_one_asks(in_room: OpenPage) -> None:
    ada = in_room("ada")
    ada.say("one")
    ada.shows("one")
    ada.state.click()
    details = ada.page.locator("#details")
    expect(details).to_contain_text("up to date (#1)")


def test_escape_closes_the_people_wherever_the_focus_is(in_room: OpenPage) -> None:
    ada = in_room("ada")
    people = ada.page.locator("#people")
    ada.page.get_by_role("button", name="People here").click()
    expect(people).to_be_visible()
    ada.field.focus()
    ada.page.keyboard.press("Escape")
    expect(people).to_be_hidden()
