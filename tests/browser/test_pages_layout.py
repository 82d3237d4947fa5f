"""The pages about accounts and the administration's: from the right as from the left, and by finger."""

from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenBrowser
from tests.clients import Person
from tests.people import Member, administrator
from tests.servers import Server

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
WIDE = {"viewport": {"width": 1440, "height": 900}}
# What stands in a cell, and does not begin where the cell does.
ADRIFT = """() => [...document.querySelectorAll(".table :is(th, td) > bdi")].filter((words) => {
    const cell = words.parentElement;
    const range = document.createRange();
    range.selectNodeContents(cell);
    const { right } = cell.getBoundingClientRect();
    return Math.abs(range.getBoundingClientRect().right - right + parseFloat(getComputedStyle(cell).paddingRight)) > 1;
}).map((words) => words.textContent)"""
# Of a link: whether a finger that meets the page half a target above or below its middle meets it.
MET = """link => {
    link.scrollIntoView({ block: "center" });
    const box = link.getBoundingClientRect();
    return [-21, 21].every((by) => link.contains(
        document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2 + by)));
}"""


@pytest.fixture
def boss(server: Server) -> Member:
    """An administrator in whose tables something stands."""
    ada = administrator(server)
    with closing(Person(server, "mallory")) as mallory:
        for path, fields in (
            ("bans", {"person": mallory.id, "seconds": 86400, "why": "cheap boats"}),
            ("tokens", {"name": "Builds", "scopes": ["read"], "bot": "Builder"}),
        ):
            ada.http.post(f"/api/{path}", json=fields).raise_for_status()
    ada.invite(note="for the new crew", uses=2)
    return ada


@pytest.mark.parametrize("section", ["audit", "bans", "invitations", "tokens"])
def test_from_the_right_foreign_words_begin_where_their_column_does(
    section: str, browser_of: OpenBrowser, boss: Member
) -> None:
    page = browser_of(boss, locale="ar", **WIDE)
    page.goto(f"/admin/{section}")
    expect(page.locator(".table :is(th, td) > bdi").first).to_be_visible()
    assert page.evaluate(ADRIFT) == []


def test_a_finger_finds_every_way_on(browser_of: OpenBrowser, boss: Member) -> None:
    page = browser_of(boss, **PHONE)
    for path, links in (
        ("/account/", ".page-head > .site, .to-account, .way-back > a, .line > a"),
        ("/admin/people", ".to-account, .table tbody th > a"),
        (f"/admin/people/{boss.id}", ".way-back > a, .line > a"),
        ("/account/password", ".way-back > a"),
        ("/about", ".way-back > a"),
    ):
        page.goto(path)
        found = page.locator(links)
        assert found.count()
        missed = [each.inner_text() for each in found.all() if not each.evaluate(MET)]
        assert not missed, path


def test_all_of_a_line_leads_where_its_link_does(browser_of: OpenBrowser, boss: Member) -> None:
    page = browser_of(boss, **WIDE)
    page.goto("/account/")
    line = page.locator(".line", has_text="passkey")
    line.click(position={"x": 4, "y": 4})
    expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()


def test_a_hint_stands_below_its_field_and_the_button_beside_it_or_below_both(
    browser_of: OpenBrowser, boss: Member
) -> None:
    page = browser_of(boss, **WIDE)
    page.goto("/account/")
    field, hint, button = parts(page)
    assert field["y"] == button["y"]
    assert field["y"] + field["height"] <= hint["y"]
    page.set_viewport_size({"width": 390, "height": 844})
    field, hint, button = parts(page)
    assert field["y"] + field["height"] <= hint["y"]
    assert hint["y"] + hint["height"] <= button["y"]


def parts(page: Page) -> list[dict[str, float]]:
    boxes = []
    for each in ("#name", "#name-hint", "form[action='/account/name'] button"):
        box = page.locator(each).bounding_box()
        assert box, each
        boxes.append(dict(box))
    return boxes


def test_the_page_that_is_english_for_everybody_says_so_and_leads_back(visitor: OpenBrowser) -> None:
    page = visitor(locale="ar", **PHONE)
    page.goto("/api/docs")
    expect(page.get_by_text("هذه الصفحة بالإنكليزية.")).to_be_visible()
    page.locator(".way-back a").click()
    page.wait_for_url("**/about")
