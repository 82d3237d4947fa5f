"""Reporting a message where the page is live."""

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage


def test_a_message_that_has_just_come_is_reported_from_its_menu_and_ones_own_is_not(
    in_room: OpenPage,
) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    ada.say("buy my boots")
    grace.shows("buy my boots")
    for chat, offered in ((ada, False), (grace, True)):
        chat.about("buy my boots")
        expect(chat.menu.get_by_role("link", name="Report")).to_be_visible(visible=offered)
    grace.menu.get_by_role("link", name="Report").click()
    page = grace.page
    expect(page.get_by_role("heading", name="Report a message")).to_be_visible()
    page.get_by_label("What is wrong with it").fill("spam")
    page.get_by_role("button", name="Report").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    page.get_by_role("link", name="Back to the room").click()
    grace.shows("buy my boots")
