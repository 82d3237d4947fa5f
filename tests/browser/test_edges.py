"""Where a phone has a notch, round corners and bars of its own, nothing that one reads or presses lies under them."""

from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenBrowser
from tests.browser.test_accessibility import furnish
from tests.clients import Person
from tests.people import administrator
from tests.servers import Server

UPRIGHT = {"width": 390, "height": 844}, {"top": 47, "right": 0, "bottom": 34, "left": 0}
ASIDE = {"width": 750, "height": 375}, {"top": 0, "right": 44, "bottom": 21, "left": 47}
ASIDE_WITH_TWO_PANES = {"width": 932, "height": 430}, {"top": 0, "right": 59, "bottom": 21, "left": 59}
# What lies under an edge: of what scrolls up and down only its sides, and its ends once it is scrolled to them; of a row
# that scrolls sideways what is seen of it.
UNDER = """([{ top, right, bottom, left }, part, end]) => {
    const root = document.querySelector(part);
    const scrollers = [document.scrollingElement, ...root.querySelectorAll("*"), root]
        .filter((each) => /auto|scroll/.test(getComputedStyle(each).overflowY) || each === document.scrollingElement);
    for (const each of scrollers) each.scrollTop = each.matches(".log") ? (end ? 0 : -1e6) : (end ? 1e6 : 0);
    const isIn = (element, scroller) => scroller !== document.scrollingElement && scroller.contains(element);
    const found = [...root.querySelectorAll("a, button, input, select, textarea, summary, h1, h2, p, time, .face")]
        .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.closest(".said-only"));
    return found.filter((element) => {
        const box = element.getBoundingClientRect();
        if (box.width <= 1 || box.height <= 1) return false;
        const row = element.closest(".admin-nav ul")?.getBoundingClientRect() ?? box;
        const sides = [Math.max(box.left, row.left), Math.min(box.right, row.right)];
        if (sides[0] < left - 0.5 || sides[1] > innerWidth - right + 0.5) return true;
        const scroller = scrollers.find((each) => isIn(element, each));
        const view = scroller?.getBoundingClientRect() ?? { top: 0, bottom: innerHeight };
        const isOut = box.bottom <= view.top || box.top >= view.bottom;
        if (isOut) return false;
        return end ? box.bottom > innerHeight - bottom + 0.5 : box.top < top - 0.5 && box.bottom > 0;
    }).map((element) => element.outerHTML.slice(0, 120));
}"""


@pytest.mark.parametrize("locale", ["en-GB", "ar"])
def test_nothing_lies_under_a_phone_s_notch_or_bars(
    locale: str, browser_of: OpenBrowser, server: Server
) -> None:
    ada = administrator(server)
    with closing(Person(server, "grace")) as grace:
        room = ada.make_room("harbour")
        furnish(room, ada, grace)
    page = browser_of(ada, viewport=UPRIGHT[0], is_mobile=True, has_touch=True, locale=locale)
    session = page.context.new_cdp_session(page)
    found: list[str] = []

    def look(where: str, part: str = "body", opens: Callable[[], None] = lambda: None) -> None:
        """However the phone is held; `opens`: the part, where turning the phone may have closed it."""
        for viewport, edges in (UPRIGHT, ASIDE, ASIDE_WITH_TWO_PANES):
            page.set_viewport_size(viewport)
            session.send("Emulation.setSafeAreaInsetsOverride", {"insets": edges})
            opens()
            for end in (False, True):
                found.extend(f"{where}, {edges}: {each}" for each in page.evaluate(UNDER, [edges, part, end]))

    def people() -> None:
        if not page.locator("#people").is_visible():
            page.locator(".people-button").click()
        expect(page.locator("#people")).to_be_visible()

    def switcher() -> None:
        page.keyboard.press("Escape")
        page.keyboard.press("Control+k")
        expect(page.locator("#switcher")).to_be_visible()

    def menu() -> None:
        page.keyboard.press("Escape")
        expect(page.locator("#message-menu")).to_be_hidden()
        page.locator("#m1 .more").click()
        expect(page.locator("#message-menu")).to_be_visible()

    for path in ("/chats/", "/account/", "/admin/", "/admin/people", "/search?q=hello", "/about", "/nowhere"):
        page.goto(path)
        look(path)
    page.goto(f"/chats/{room}/details/")
    look("details")
    page.goto(f"/chats/{room}/")
    expect(page.locator("#state")).to_have_class("icon-button state-button live")
    look("room")
    look("people", "#people", people)
    page.locator("#people [popovertarget]").click()
    look("switcher", "#switcher", switcher)
    page.keyboard.press("Escape")
    look("menu", "#message-menu", menu)
    assert not found
