"""Nothing jumps while a page comes, and nothing moves for longer than one notices."""

from contextlib import closing
from itertools import product
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenBrowser
from tests.browser.test_accessibility import furnish
from tests.clients import Person
from tests.people import Member, administrator
from tests.servers import Server

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "timezone_id": "Pacific/Auckland",
}
WIDE: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "timezone_id": "Pacific/Auckland"}
SHIFT = 0.02  # of a page's layout, at most, as browsers count it ("cumulative layout shift")
LONGEST = 0.15  # seconds that anything may move
SHIFTS = """
    globalThis.shifts = [];
    new PerformanceObserver((list) => {
        for (const { value, sources } of list.getEntries()) {
            const what = sources.map(({ node }) => node?.id || node?.className || node?.nodeName);
            shifts.push({ value, what });
        }
    }).observe({ type: "layout-shift", buffered: true });
"""
# All that is laid out has been painted, and told to who observes.
PAINTED = """async () => {
    for (let count = 0; count < 3; count++) await new Promise(requestAnimationFrame);
    await new Promise((resolve) => setTimeout(resolve));
}"""
# Seconds that each element, and what stands before and behind its words, would move.
MOTION = """() => {
    const seconds = (durations) => durations.split(", ").map(parseFloat);
    const found = new Map();
    for (const element of document.querySelectorAll("*")) {
        for (const part of ["", "::before", "::after", "::backdrop"]) {
            const style = getComputedStyle(element, part);
            const times = seconds(style.transitionDuration);
            if (style.animationName !== "none") times.push(...seconds(style.animationDuration));
            const longest = Math.max(...times);
            if (longest > 0) found.set(`${element.tagName}.${element.className}${part}`, longest);
        }
    }
    return [...found];
}"""


@pytest.fixture
def ada(server: Server) -> Member:
    return administrator(server)


@pytest.fixture
def full_room(server: Server, ada: Member) -> int:
    """With every kind of row, and more messages than a page has."""
    room = ada.make_room("full")
    with closing(Person(server, "grace")) as grace:
        for number in range(60):
            grace.say(room, f"said long ago {number}")
        furnish(room, ada, grace)
    return room


def test_nothing_jumps_while_a_full_room_comes_for_the_first_time(
    browser_of: OpenBrowser, visitor: OpenBrowser, server: Server, ada: Member, full_room: int
) -> None:
    with closing(Person(server, "grace")) as grace:
        for size, locale, is_known in product((WIDE, PHONE), ("en-GB", "ar"), (True, False)):
            for number in range(5):
                grace.say(full_room, f"unread {number}")
            page = browser_of(ada, locale=locale, **size) if is_known else visitor(locale=locale, **size)
            page.add_init_script(SHIFTS)
            page.goto(f"/chats/{full_room}/")
            expect(page.locator("#state.live")).to_be_visible()
            assert jumped(page) < SHIFT, (size, locale, is_known)
            page.goto("/chats/")
            expect(page.locator(f".room-card[data-room='{full_room}']")).to_be_visible()
            assert jumped(page) < SHIFT, (size, locale, is_known)
            page.context.close()


def jumped(page: Page) -> float:
    page.wait_for_load_state("networkidle")
    page.evaluate(PAINTED)
    shifts = page.evaluate("shifts")
    print(page.url, shifts)  # said where it is too much
    return sum(float(each["value"]) for each in shifts)


def test_nothing_moves_for_longer_than_150_ms_and_nothing_at_all_where_one_wants_no_motion(
    browser_of: OpenBrowser, ada: Member, full_room: int
) -> None:
    page = browser_of(ada, **WIDE)
    moving = 0
    for path in (f"/chats/{full_room}/", "/chats/", "/search?q=hello", "/account/", "/admin/people"):
        page.emulate_media(reduced_motion="no-preference")
        page.goto(path)
        found = page.evaluate(MOTION)
        moving += len(found)
        assert not [each for each in found if each[1] > LONGEST], path
        page.emulate_media(reduced_motion="reduce")
        assert not page.evaluate(MOTION), path
    assert moving
