"""Where a phone has a notch, round corners and bars of its own, nothing that one reads or presses lies under them."""

from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Page, expect

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


def under_an_edge(page: Page, edges: dict[str, int], part: str = "body") -> list[str]:
    found: list[str] = page.evaluate(UNDER, [edges, part, False])
    return found + page.evaluate(UNDER, [edges, part, True])


@pytest.mark.parametrize("locale", ["en-GB", "ar"])
@pytest.mark.parametrize(
    "held", [UPRIGHT, ASIDE, ASIDE_WITH_TWO_PANES], ids=["upright", "aside", "two panes"]
)
def test_nothing_lies_under_a_phone_s_notch_or_bars(
    held: tuple[dict[str, int], dict[str, int]], locale: str, browser_of: OpenBrowser, server: Server
) -> None:
    viewport, edges = held
    ada = administrator(server)
    with closing(Person(server, "grace")) as grace:
        room = ada.make_room("harbour")
        furnish(room, ada, grace)
    options: dict[str, Any] = {"viewport": viewport, "is_mobile": True, "has_touch": True, "locale": locale}
    page = browser_of(ada, **options)
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setSafeAreaInsetsOverride", {"insets": edges})
    found: dict[str, list[str]] = {}
    for path in ("/chats/", "/account/", "/admin/", "/admin/people", "/search?q=hello", "/about", "/nowhere"):
        page.goto(path)
        found[path] = under_an_edge(page, edges)
    page.goto(f"/chats/{room}/details/")
    found["details"] = under_an_edge(page, edges)
    page.goto(f"/chats/{room}/")
    expect(page.locator("#state")).to_have_class("icon-button state-button live")
    found["room"] = under_an_edge(page, edges)
    page.locator(".people-button").click()
    found["people"] = under_an_edge(page, edges, "#people")
    page.locator("#people [popovertarget]").click()
    page.keyboard.press("Control+k")
    expect(page.locator("#switcher")).to_be_visible()
    found["switcher"] = under_an_edge(page, edges, "#switcher")
    page.keyboard.press("Escape")
    page.locator("#m1 .more").click()
    found["menu"] = under_an_edge(page, edges, "#message-menu")
    assert not {where: what for where, what in found.items() if what}
