"""What a form has done is said once, on the page that one comes back to: with a script and without."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenBrowser
from tests.clients import Person
from tests.people import administrator, member
from tests.servers import Server

pytestmark = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


def is_said_once(page: Page, words: str) -> None:
    """First in the title, which is what screen readers read out of a new page."""
    expect(page.get_by_role("status").filter(has_text=words)).to_be_in_viewport()
    assert page.title().startswith(words)
    page.reload()
    expect(page.get_by_role("main")).to_be_visible()
    expect(page.get_by_text(words)).to_have_count(0)


def test_of_oneself(server: Server, browser_of: OpenBrowser, script: bool) -> None:
    page = browser_of(member(server, "joan"), java_script_enabled=script)
    page.goto("/account/")
    page.get_by_label("Status").fill("Knitting")
    page.get_by_role("button", name="Change status").click()
    is_said_once(page, "Your status is saved.")
    page.get_by_label("Name", exact=True).fill("Ada of the office")
    page.get_by_role("button", name="Change name").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("status")).to_have_count(0)


def test_in_the_part_of_a_room_s_details_whose_form_it_was(
    server: Server, browser_of: OpenBrowser, script: bool
) -> None:
    olive = member(server, "olive")
    page = browser_of(olive, java_script_enabled=script)
    page.goto(f"/chats/{olive.make_room('harbour')}/details/")
    page.get_by_label("Topic").fill("Boats")
    page.get_by_role("button", name="Save").click()
    is_said_once(page, "The settings are saved.")
    page.get_by_label("Remove the room and all its messages").check()
    page.get_by_role("button", name="Delete this room").click()
    expect(page).to_have_url(re.compile("/chats/(#ends)?$"))
    is_said_once(page, "The room is deleted.")


@pytest.mark.parametrize("everywhere", [True, False], ids=["all rooms", "one room"])
def test_of_a_report_that_is_settled(
    server: Server, browser_of: OpenBrowser, everywhere: bool, script: bool
) -> None:
    boss, mallory, grace = administrator(server), Person(server, "mallory"), Person(server, "grace")
    room = boss.make_room("harbour")
    seq = mallory.say(room, "buy my boots")["seq"]
    grace.http.post(f"/api/rooms/{room}/messages/{seq}/report", json={"why": "spam"}).raise_for_status()
    page = browser_of(boss, java_script_enabled=script)
    page.goto("/admin/reports" if everywhere else f"/chats/{room}/reports/")
    card = page.locator(".report-card", has=page.locator(f'a[href^="/chats/{room}/"]'))
    card.get_by_role("button", name="Delete the message").click()
    is_said_once(page, "Settled: the message is deleted.")
