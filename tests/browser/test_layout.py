"""Every width, both schemes, the keyboard alone."""

import re
from contextlib import closing
from typing import Any, Literal

import pytest
from playwright.sync_api import ConsoleMessage, Page, Request, expect

from tests.browser.conftest import OpenBrowser, OpenPage
from tests.clients import Person, eventually
from tests.people import administrator, member
from tests.servers import Server

PHONE = {"width": 360, "height": 780}
TABLET = {"viewport": {"width": 820, "height": 1180}, "is_mobile": True, "has_touch": True}
WIDE = {"width": 1440, "height": 900}
LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff-Feat"
LONG_WORD = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch" * 3
# The middles of a message's first line and of what opens its menu.
FIRST_LINE_AND_DOTS = """row => {
    const words = document.createRange();
    words.selectNodeContents(row.querySelector(".words"));
    return [words.getClientRects()[0], row.querySelector(".more svg").getBoundingClientRect()]
        .map(({ top, bottom }) => (top + bottom) / 2);
}"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SIDEWAYS_IN_THE_LOG = """(() => {
    const log = document.getElementById("log");
    return log ? log.scrollWidth - log.clientWidth : 0;
})()"""


@pytest.fixture
def stress(server: Server) -> int:
    """A room with everything that does not fit."""
    person = Person(server, LONG_NAME)
    room = person.make_room("Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverwaltung und mehr")
    first = person.say(room, LONG_WORD)["seq"]
    person.say(room, "أحداث الخادم خلف nginx تحتاج إلى سطر إضافي")
    person.http.post(person.messages(room), json={"body": LONG_WORD, "of": first})
    for number in range(30):
        person.http.post(
            person.messages(room), json={"kind": "reaction", "of": first, "body": f"mark-{number}"}
        )
    person.close()
    return room


def test_nothing_scrolls_sideways(in_room: OpenPage, visitor: OpenBrowser, stress: int) -> None:
    def overflow(page: Page) -> dict[str, int]:
        """By how much the page is wider than a window of each width."""
        found = {}
        for name, viewport in {
            "phone": PHONE,
            "tablet": {"width": 820, "height": 1080},
            "wide": WIDE,
        }.items():
            page.set_viewport_size(viewport)
            found[name] = page.evaluate(SIDEWAYS) + page.evaluate(SIDEWAYS_IN_THE_LOG)
        return {name: pixels for name, pixels in found.items() if pixels}

    stranger = visitor(viewport=PHONE)
    for path in ("/chats/", f"/chats/{stress}/", "/chats/999999/"):
        stranger.goto(path)
        assert not overflow(stranger), path
    ada = in_room(LONG_NAME, stress, viewport=PHONE)
    ada.say(LONG_WORD)
    expect(ada.words.last).to_have_text(LONG_WORD)
    assert not overflow(ada.page)
    ada.page.goto("/chats/")
    assert not overflow(ada.page)


def test_on_a_phone_a_message_s_page_shows_a_long_name_whole_and_its_time_in_one_line(
    visitor: OpenBrowser, stress: int
) -> None:
    page = visitor(viewport=PHONE)
    page.goto(f"/chats/{stress}/messages/1/")
    name, time = page.locator(".whose .name"), page.locator(".whose time")
    expect(name).to_have_text(LONG_NAME)
    assert name.evaluate("name => name.scrollWidth - name.clientWidth") <= 0
    assert time.evaluate("time => time.getClientRects().length") == 1
    assert page.evaluate(SIDEWAYS) == 0


def test_on_a_phone_what_is_too_many_stands_clear_of_the_field_s_edge(in_room: OpenPage) -> None:
    ada = in_room("ada", viewport=PHONE)
    ada.field.fill("x" * 4100)
    expect(ada.page.locator("#counter")).to_have_text("100 too many")
    composer, counter = (ada.page.locator(each).bounding_box() for each in ("#composer", "#counter"))
    assert composer
    assert counter
    assert counter["x"] - composer["x"] >= 16
    assert composer["y"] + composer["height"] - counter["y"] - counter["height"] >= 6


# How far down the last word of a notice ends, and its time.
LAST_WORD_AND_TIME = """notice => {
    const words = notice.querySelector(".words").lastChild;
    const range = document.createRange();
    range.setStart(words, words.length - 2);
    range.setEnd(words, words.length - 1);
    return [range, notice.querySelector("time")].map((each) => each.getBoundingClientRect().bottom);
}"""
# How wide the words are that an empty field shows, and what there is for them.
PLACEHOLDER = """field => {
    const { font, paddingInlineStart: start, paddingInlineEnd: end } = getComputedStyle(field);
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.font = font;
    return [canvas.measureText(field.placeholder).width, field.clientWidth - parseFloat(start) - parseFloat(end)];
}"""


@pytest.mark.parametrize("locale", ["en-GB", "de", "ar"])
def test_the_empty_field_says_no_more_than_there_is_room_for(
    locale: str, person: OpenBrowser, stress: int
) -> None:
    page = person("ada", locale=locale)
    for width in (320, 390, 820, 1440):
        page.set_viewport_size({"width": width, "height": 780})
        page.goto(f"/chats/{stress}/")
        field = page.locator("#composer textarea")
        expect(field).to_have_attribute("placeholder", re.compile("Donau.*…"))
        wanted, there = field.evaluate(PLACEHOLDER)
        assert wanted <= there, width


def test_in_a_wide_window_the_rooms_stand_at_the_left_and_the_people_at_the_right_once_one_wants_them(
    in_room: OpenPage,
) -> None:
    ada = in_room("ada", viewport=WIDE)
    ada.say("hello")
    ada.shows("hello")
    people = ada.page.locator("#people")
    expect(people).to_be_hidden()
    ada.page.get_by_role("button", name="People here").click()
    expect(people).to_be_visible()
    rooms = ada.page.get_by_role("navigation", name="Rooms")
    left, middle, right = (each.bounding_box() for each in (rooms, ada.words, people))
    assert left
    assert middle
    assert right
    assert left["x"] + left["width"] <= middle["x"]
    assert middle["x"] + middle["width"] <= right["x"]


def test_a_phone_shows_one_pane_at_a_time(in_room: OpenPage) -> None:
    ada = in_room("ada", viewport=PHONE)
    expect(ada.page.get_by_role("navigation", name="Rooms")).to_be_hidden()
    ada.page.get_by_role("button", name="People here").click()
    expect(ada.page.locator("#people")).to_be_visible()
    expect(ada.page.locator("#people-here .name")).to_have_text(["ada"])
    ada.page.get_by_role("button", name="Close people").click()
    expect(ada.page.locator("#people")).to_be_hidden()
    ada.page.get_by_role("link", name="All rooms").click()
    expect(ada.page.get_by_role("heading", name="Rooms", exact=True)).to_be_visible()


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1024, "height": 768}], ids=["phone", "tablet"])
def test_where_the_people_lie_over_the_room_to_go_back_closes_them_and_stays_in_the_room(
    viewport: dict[str, int], in_room: OpenPage, board: int
) -> None:
    ada = in_room("ada", viewport=viewport)
    page, people = ada.page, ada.page.locator("#people")
    entries = page.evaluate("history.length")
    for _ in range(3):  # however often: there is one entry for it
        page.get_by_role("button", name="People here").click()
        expect(people).to_be_visible()
        eventually(lambda: page.evaluate("history.state?.pane"), "there is an entry for them")
        page.go_back()
        expect(people).to_be_hidden()
        assert page.url.endswith(f"/chats/{board}/")
    assert page.evaluate("history.length") == entries + 1
    page.go_forward()
    expect(people).to_be_visible()
    page.get_by_role("button", name="Close people").click()
    # Closed by their button they leave nothing to go back through.
    eventually(lambda: page.evaluate("!history.state?.pane"), "their entry is left")
    expect(people).to_be_hidden()
    ada.say("still here")
    ada.shows("still here")
    page.go_back()
    expect(page).not_to_have_url(re.compile(f"/chats/{board}/"))


def test_who_comes_back_from_where_the_people_led_finds_them_open_as_they_were_and_then_the_room(
    in_room: OpenPage,
) -> None:
    ada = in_room("ada", viewport=PHONE)
    ada.page.get_by_role("button", name="People here").click()
    eventually(lambda: ada.page.evaluate("history.state?.pane"), "there is an entry for them")
    ada.page.get_by_role("link", name="Members and details").click()
    expect(ada.page).to_have_url(re.compile("/details/"))
    ada.page.go_back()
    expect(ada.page.locator("#people")).to_be_visible()
    ada.page.go_back()
    expect(ada.page.locator("#people")).to_be_hidden()
    expect(ada.field).to_be_visible()


def test_where_the_people_stand_beside_the_room_to_go_back_leads_to_the_page_before(
    in_room: OpenPage, board: int
) -> None:
    ada = in_room("ada", viewport=WIDE)
    ada.page.goto("/chats/")
    ada.page.goto(f"/chats/{board}/")
    expect(ada.state).to_have_text("Live")
    ada.page.get_by_role("button", name="People here").click()
    expect(ada.page.locator("#people-here .name")).to_have_text(["ada"])
    ada.page.go_back()
    expect(ada.page).to_have_url(re.compile("/chats/$"))


def test_on_a_phone_one_goes_from_the_rooms_into_one_and_back_and_sees_what_is_unread_now(
    in_room: OpenPage, board: int
) -> None:
    grace, ada = in_room("grace"), in_room("ada", viewport=PHONE)
    ada.page.clock.install()
    ada.page.goto("/chats/")
    grace.say("one", "two")
    ada.page.clock.fast_forward(10_000)  # the list is asked for anew every ten seconds
    card = ada.page.locator(f'.room-card[data-room="{board}"]')
    expect(card.locator(".count")).to_have_text(re.compile("^2"))
    card.get_by_role("link").click()
    expect(ada.state).to_have_text("Live")
    expect(ada.row("two")).to_be_in_viewport()
    ada.page.go_back()
    expect(card).to_be_visible()
    expect(card.locator(".count")).to_be_hidden()


def test_where_a_phone_s_keyboard_makes_the_window_smaller_field_and_newest_message_stay_above_it(
    in_room: OpenPage,
) -> None:
    """Browsers make it smaller because the page asks for it; those that cannot move the page up to the field."""
    ada = in_room("ada", viewport=PHONE, is_mobile=True, has_touch=True)
    asked = ada.page.locator("meta[name=viewport]").get_attribute("content")
    assert "interactive-widget=resizes-content" in str(asked)
    ada.say(*(f"message {number}" for number in range(20)))
    expect(ada.row("message 19")).to_be_in_viewport(ratio=1)
    ada.field.tap()
    ada.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"] - 330})
    for each in (ada.page.locator("#composer"), ada.row("message 19"), ada.page.locator(".room-head")):
        expect(each).to_be_in_viewport(ratio=1)


def test_in_a_phone_s_head_the_way_home_stays_beside_a_long_name(person: OpenBrowser, server: Server) -> None:
    page = person(LONG_NAME, viewport=PHONE)
    for path in ("/chats/", "/guests", "/search"):
        page.goto(path)
        home = page.locator(".page-head .site")
        expect(home).to_be_in_viewport(ratio=1)
        assert home.evaluate("link => link.scrollWidth <= link.clientWidth"), path
        assert page.evaluate(SIDEWAYS) == 0
    boss = administrator(server)
    cookies = boss.http.cookies.items()
    page.context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies])
    for path in ("/chats/", "/account/", "/admin/"):
        page.goto(path)
        expect(page.locator(".page-head .site")).to_be_in_viewport(ratio=1)
        expect(page.locator(".page-head .face")).to_be_in_viewport(ratio=1)
        assert page.evaluate(SIDEWAYS) == 0


def test_on_a_phone_a_message_s_menu_is_level_with_its_first_line_however_many_it_has(
    in_room: OpenPage,
) -> None:
    ada = in_room("ada", viewport=PHONE, is_mobile=True, has_touch=True)
    ada.say("begins")
    for body in ("short", "long " * 30):  # without a head, as they go on
        ada.say(body)
        row = ada.row(body.strip())
        expect(row).to_have_attribute("id", re.compile("m"))
        line, dots = row.evaluate(FIRST_LINE_AND_DOTS)
        assert abs(line - dots) <= 1, body


@pytest.mark.parametrize("screen", [{"viewport": WIDE}, TABLET])
def test_ones_own_name_stands_whole_beside_a_room_and_leads_to_ones_account(
    screen: dict[str, Any], browser_of: OpenBrowser, server: Server
) -> None:
    with closing(member(server, "A")) as ada:  # ten letters, with what is added to it
        page = browser_of(ada, **screen)
    page.goto("/chats/1/")
    name = page.locator(".me").get_by_text(ada.name, exact=True)
    assert name.evaluate("name => name.scrollWidth <= name.clientWidth")
    name.click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    page.goto("/about")
    page.get_by_role("link", name=ada.name).click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def test_the_time_of_a_long_notice_does_not_stand_on_a_line_of_its_own(
    in_room: OpenPage, server: Server
) -> None:
    """Whatever the width, a word stands with it."""
    with closing(member(server, "Olive")) as olive:
        room = olive.make_room("long notices")
        olive.http.patch(f"/api/rooms/{room}", json={"topic": "words " * 20}).raise_for_status()
    ada = in_room("ada", room, viewport=PHONE)
    notice = ada.notices.filter(has_text="words words")
    for width in range(320, 400, 8):
        ada.page.set_viewport_size({"width": width, "height": 780})
        last_word, time = notice.evaluate(LAST_WORD_AND_TIME)
        assert abs(last_word - time) < 4, width


PROSE = (
    "The ferry leaves the northern quay at ten past seven, and whoever has a ticket for the island should be there a "
    "quarter of an hour before that, since the gangway is taken in while the last cars are still being lashed down. "
    "In winter it does not call at the lighthouse; a smaller boat goes there on Tuesdays, when the sea allows it. "
) * 3
# How many characters stand in each line of a paragraph, without the space that ends it.
LINES = """words => {
    const text = document.createTreeWalker(words, NodeFilter.SHOW_TEXT).nextNode();
    const lines = new Map();
    const range = document.createRange();
    for (let at = 0; at < text.length; at++) {
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        const { bottom } = range.getBoundingClientRect();
        lines.set(bottom, (lines.get(bottom) ?? "") + text.data[at]);
    }
    return [...lines.values()].map((line) => line.trim().length);
}"""


def test_however_wide_the_window_is_a_line_has_about_75_characters(in_room: OpenPage) -> None:
    ada = in_room("ada", viewport=WIDE)
    ada.say(PROSE)
    ada.shows(PROSE.strip())
    for width in (1440, 2560):
        ada.page.set_viewport_size({"width": width, "height": 900})
        # The row may be made anew once more, with what the server made of the text.
        lines = eventually(lambda: (found := ada.words.evaluate(LINES))[10:] and found)
        assert sum(lines[:-1]) / (len(lines) - 1) < 76, width
        assert max(lines) < 82, width


def test_the_page_follows_the_reader_into_the_dark(in_room: OpenPage) -> None:
    page = in_room("ada").page

    def colours(scheme: Literal["light", "dark"]) -> tuple[str, str]:
        page.emulate_media(color_scheme=scheme)
        read = "main => [getComputedStyle(main).backgroundColor, getComputedStyle(main).color]"
        paper, ink = page.locator("main").evaluate(read)
        return paper, ink

    light, dark = colours("light"), colours("dark")
    assert light[0] == "rgb(255, 255, 255)"
    assert dark[0] == "rgb(24, 27, 27)"
    assert light[1] != dark[1]


def focus_by_tab(page: Page, label: str) -> None:
    """Press Tab until what is called `label` has the focus, and check that one can see it."""
    for _ in range(page.locator("a, button, input, select, textarea, [tabindex]").count()):
        page.keyboard.press("Tab")
        name, outlined = page.evaluate(
            """() => {
                const element = document.activeElement;
                const words = element.ariaLabel || (element.labels?.[0] ?? element).textContent;
                const field = element.closest(".composer") ?? element;
                return [words.trim(), getComputedStyle(field).outlineStyle !== "none"];
            }"""
        )
        if name == label:
            assert outlined, f"{label} has the focus and does not show it"
            return
    raise AssertionError(f"Tab does not lead to {label}")


def test_the_keyboard_alone_gets_a_name_a_room_and_a_word_in(visitor: OpenBrowser, board: int) -> None:
    page = visitor()  # where there is but one room, it would be there at once
    page.goto("/chats/")
    focus_by_tab(page, "Your name")
    page.keyboard.type("ada")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="New room")).to_be_visible()
    focus_by_tab(page, "Name")
    page.keyboard.type("keys only")
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Live")
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    page.keyboard.type("no mouse was used")
    page.keyboard.press("Enter")
    expect(page.locator("#messages .words")).to_have_text(["no mouse was used"])
    expect(page.locator("#messages .pending")).to_have_count(0)
    focus_by_tab(page, "People here")
    page.keyboard.press("Enter")
    expect(page.locator("#people")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(page.locator("#people")).to_be_hidden()
    expect(page.get_by_role("button", name="People here")).to_be_focused()


def test_the_pages_ask_nobody_else_and_complain_of_nothing(
    in_room: OpenPage, server: Server, board: int
) -> None:
    complaints: list[str] = []
    foreign: list[str] = []

    def hear(line: ConsoleMessage) -> None:
        if line.type == "error":
            complaints.append(line.text)

    def see(request: Request) -> None:
        if not request.url.startswith(server.url):
            foreign.append(request.url)

    ada = in_room("ada")
    ada.page.on("console", hear)
    ada.page.on("request", see)

    ada.page.goto("/chats/")
    ada.page.goto(f"/chats/{board}/")
    expect(ada.state).to_have_text("Live")
    ada.say("hello")
    ada.shows("hello")
    assert (complaints, foreign) == ([], [])
