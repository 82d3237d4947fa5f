"""Reporting a message where the page is live, and what those who moderate see of what waits."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenBrowser, OpenPage
from tests.clients import Person
from tests.people import administrator, member
from tests.servers import Server


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


def report(server: Server, room: int, body: str) -> None:
    """A guest says it, and another one reports that."""
    mallory, grace = Person(server, "mallory"), Person(server, "grace")
    seq = mallory.say(room, body)["seq"]
    grace.http.post(f"/api/rooms/{room}/messages/{seq}/report", json={"why": "spam"}).raise_for_status()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_what_waits_shows_in_the_room_and_at_its_side_to_who_moderates_and_leads_there(
    server: Server, browser_of: OpenBrowser, in_room: OpenPage, script: bool
) -> None:
    olive = member(server, "olive")
    room = olive.make_room("harbour")
    report(server, room, "buy my boots")
    grace = in_room("grace", room)
    expect(grace.page.locator(".flag:visible, .reports-count:visible")).to_have_count(0)
    page = browser_of(olive, java_script_enabled=script)
    page.goto("/chats/")
    card = page.locator(f'.room-card[data-room="{room}"]')
    expect(card.locator(".flag")).to_contain_text("Reports that wait: 1")
    card.click()
    expect(page.locator(f'.room-links [data-room="{room}"] .flag')).to_contain_text("Reports that wait: 1")
    page.get_by_role("link", name="Reports that wait: 1", exact=True).click()
    expect(page.get_by_role("heading", name="Reports", exact=True)).to_be_visible()
    page.get_by_role("button", name="Dismiss").click()
    page.goto(f"/chats/{room}/")
    expect(page.locator(".room-head")).to_be_visible()
    expect(page.locator("#to-reports, .room-links .flag").filter(visible=True)).to_have_count(0)


def test_what_comes_to_wait_shows_as_the_rooms_at_the_side_are_asked_for_anew(
    server: Server, browser_of: OpenBrowser
) -> None:
    olive, boss = member(server, "olive"), administrator(server)
    room = olive.make_room("harbour")
    page, admins = browser_of(olive), browser_of(boss)
    for each in (page, admins):
        each.goto(f"/chats/{room}/")
        expect(each.locator("#state")).to_have_text("Live")
        expect(each.locator("#to-reports")).to_be_hidden()
    before = boss.http.get("/api/rooms").json()["reports"]
    report(server, room, "buy my boots")
    for who in (olive, boss):
        other = member(server, "joan").http.post("/api/direct", json={"people": [who.id]})
        assert other.status_code in (200, 201), other.text
    for each in (page, admins):
        expect(each.locator("#to-reports")).to_have_text("Reports that wait: 1")
        expect(each.locator(f'.room-links [data-room="{room}"] .flag')).to_be_visible()
        each.locator(".people-button").click()
        expect(each.locator(".ways-on .reports-count")).to_be_visible()
    expect(page.locator("#to-admin")).to_have_count(0)
    expect(admins.locator("#to-admin .reports-number")).to_have_text(str(before + 1))
