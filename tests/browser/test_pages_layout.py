"""The pages about accounts and the administration's: from the right as from the left, and by finger."""

from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenBrowser
from tests.browser.test_languages import RIGHT_END
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


def report_something(server: Server) -> None:
    with closing(Person(server, "mallory")) as mallory, closing(Person(server, "joan")) as joan:
        seq = mallory.say(1, "Cheap boats!")["seq"]
        joan.http.post(f"/api/rooms/1/messages/{seq}/report", json={"why": "spam"}).raise_for_status()


@pytest.mark.parametrize("section", ["audit", "bans", "invitations", "tokens"])
def test_from_the_right_foreign_words_begin_where_their_column_does(
    section: str, browser_of: OpenBrowser, boss: Member
) -> None:
    page = browser_of(boss, locale="ar", **WIDE)
    page.goto(f"/admin/{section}")
    expect(page.locator(".table :is(th, td) > bdi").first).to_be_visible()
    assert page.evaluate(ADRIFT) == []


def test_from_the_right_figures_stand_units_below_units(browser_of: OpenBrowser, boss: Member) -> None:
    for number in range(10):
        boss.make_room(f"quay {number}")
    page = browser_of(boss, locale="ar", **WIDE)
    page.goto("/admin/rooms")
    numbers = page.locator(".table td.figure:nth-child(2)")
    expect(numbers.first).to_be_visible()
    assert len({len(each) for each in numbers.all_inner_texts()}) > 1
    assert len({each.evaluate(RIGHT_END) for each in numbers.all()}) == 1


def test_from_the_right_what_is_copied_begins_where_its_card_does(
    browser_of: OpenBrowser, boss: Member
) -> None:
    boss.say(1, "ahoy")
    page = browser_of(boss, locale="ar", **WIDE)
    page.goto("/chats/1/messages/1/")
    link = page.locator("#link")
    expect(link).to_be_visible()
    assert link.evaluate(RIGHT_END) == page.locator("#link-title").evaluate(RIGHT_END)


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


@pytest.mark.parametrize("path", ["/account/", "/chats/", "/guests"])
def test_a_hint_stands_below_its_field_and_the_button_beside_it_or_below_both(
    path: str, browser_of: OpenBrowser, person: OpenBrowser, visitor: OpenBrowser, boss: Member
) -> None:
    page = {"/account/": lambda: browser_of(boss, **WIDE), "/guests": lambda: person("Noor", **WIDE)}.get(
        path, lambda: visitor(**WIDE)
    )()
    page.goto(path)
    field, hint, button = parts(page)
    assert field["y"] == button["y"]
    assert field["y"] + field["height"] <= hint["y"]
    page.set_viewport_size({"width": 390, "height": 844})
    field, hint, button = parts(page)
    assert field["y"] + field["height"] <= hint["y"]
    assert hint["y"] + hint["height"] <= button["y"]


def parts(page: Page) -> list[dict[str, float]]:
    form = page.locator("form", has=page.locator("#name"))
    boxes = []
    for each in ("#name", "#name-hint", "button"):
        box = form.locator(each).bounding_box()
        assert box, each
        boxes.append(dict(box))
    return boxes


def test_on_a_phone_the_words_of_all_cards_begin_in_one_line(
    visitor: OpenBrowser, browser_of: OpenBrowser, boss: Member
) -> None:
    report_something(boss.server)
    for page, path, words in (
        (visitor(**PHONE), "/chats/", ".card-form .label, .room-card .title"),
        (browser_of(boss, **PHONE), "/admin/invitations", ".card-form .label, .table tbody th"),
        (browser_of(boss, **PHONE), "/admin/bans", ".card-form .label, .table tbody th"),
        (browser_of(boss, **PHONE), "/admin/reports", ".report-head, .report-card .label"),
        (browser_of(boss, **PHONE), "/account/", ".card-form .label, .line > span"),
    ):
        page.goto(path)
        found = page.locator(words)
        assert found.count() > 1, path
        begins = {round(box["x"]) for each in found.all() if (box := each.bounding_box())}
        assert begins == {37}, path  # the page's 16, the card's edge, and 20


def test_the_page_that_is_english_for_everybody_says_so_and_leads_back(visitor: OpenBrowser) -> None:
    page = visitor(locale="ar", **PHONE)
    page.goto("/api/docs")
    expect(page.get_by_text("هذه الصفحة بالإنكليزية.")).to_be_visible()
    page.locator(".way-back a").click()
    page.wait_for_url("**/about")


@pytest.mark.parametrize("section", ["", "people", "audit", "settings"])
@pytest.mark.parametrize("locale", ["en", "ar"])
def test_on_a_phone_the_sections_are_one_row_with_the_chosen_one_in_view_also_without_a_script(
    section: str, locale: str, browser_of: OpenBrowser, boss: Member
) -> None:
    page = browser_of(boss, locale=locale, java_script_enabled=False, **PHONE)
    page.goto(f"/admin/{section}")
    expect(page.locator(".admin-nav [aria-current]")).to_be_in_viewport(ratio=1)
    tops = {box["y"] for each in page.locator(".admin-nav li").all() if (box := each.bounding_box())}
    assert len(tops) == 1


def test_on_a_phone_what_can_be_done_about_a_report_stands_in_even_rows(
    browser_of: OpenBrowser, boss: Member
) -> None:
    report_something(boss.server)
    page = browser_of(boss, **PHONE)
    page.goto("/admin/reports")
    buttons = page.locator(".report-card").first.locator(".ways-in .button").filter(visible=True)
    expect(buttons).to_have_count(4)
    boxes = [box for each in buttons.all() if (box := each.bounding_box())]
    assert {box["height"] for box in boxes} == {44}
    last = {box["y"]: box["x"] + box["width"] for box in boxes}
    assert set(last.values()) == {353}  # each row ends where the fields do


def test_what_a_form_did_is_said_below_the_heading_in_every_section(
    browser_of: OpenBrowser, boss: Member
) -> None:
    page = browser_of(boss, **WIDE)
    for path, button in (
        ("/admin/bans", "Lift"),
        ("/admin/tokens", "Revoke"),
        ("/admin/invitations", "Take back"),
    ):
        page.goto(path)
        page.get_by_role("button", name=button).first.click()
        expect(page.get_by_role("status")).to_be_visible()  # on the next page
        page.wait_for_load_state()  # with its style sheets
        heading, said = page.locator("h1").bounding_box(), page.get_by_role("status").bounding_box()
        assert heading
        assert said
        assert heading["y"] + heading["height"] <= said["y"], path


def test_every_page_below_another_leads_back_in_the_same_place(browser_of: OpenBrowser, boss: Member) -> None:
    boss.say(1, "ahoy")
    page = browser_of(boss, **PHONE)
    places = set()
    for path in (
        "/account/",
        "/account/password",
        "/account/leave",
        "/about",
        "/search",
        "/search?in=1",
        "/chats/1/details/",
        "/chats/1/reports/",
        "/chats/1/messages/1/",
        "/admin/",
    ):
        page.goto(path)
        expect(page.locator(".way-back")).to_have_count(1)
        arrow = page.locator(".way-back svg").bounding_box()
        assert arrow, path
        places.add(round(arrow["x"]))
    assert len(places) == 1


def test_on_a_phone_a_forms_button_is_as_wide_as_its_fields(
    browser_of: OpenBrowser, visitor: OpenBrowser, boss: Member
) -> None:
    for page, path in (
        (visitor(**PHONE), "/sign-in"),
        (browser_of(boss, **PHONE), "/account/password"),
        (browser_of(boss, **PHONE), "/account/tokens"),
        (browser_of(boss, **PHONE), "/admin/invitations"),
    ):
        page.goto(path)
        form = page.locator("form.card-form").first
        field, button = form.locator(".field").first.bounding_box(), form.locator(".primary").bounding_box()
        assert field
        assert button
        assert (field["x"], field["width"]) == (button["x"], button["width"]), path


def test_who_cannot_be_taken_in_is_said_in_the_form_above_its_field(
    browser_of: OpenBrowser, boss: Member
) -> None:
    page = browser_of(boss, **WIDE)
    page.goto("/chats/1/details/")
    page.get_by_label("Take somebody in").fill("Nobody Such")
    page.get_by_role("button", name="Take in").click()
    form = page.locator("form", has=page.get_by_label("Take somebody in"))
    expect(form.get_by_role("alert")).to_contain_text("Nobody has an account called Nobody Such.")
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.get_by_label("Take somebody in")).to_have_value("Nobody Such")
