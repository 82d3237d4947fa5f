"""What one presses is large enough for a finger: 44 by 44 pixels meet it, on every page."""

from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser
from tests.browser.test_accessibility import BELL, furnish
from tests.clients import Person
from tests.people import administrator
from tests.servers import Server

# What of all that can be pressed is met by a finger over less than 44 pixels across or down (but for a hair). Links within
# a sentence are as high as its lines (WCAG 2.5.8: what stands around them leaves them no more).
MISSED = """part => {
    const root = document.querySelector(part);
    const pressed = [...root.querySelectorAll(
        "a[href], button, input:not([type=hidden]), select, textarea, summary, audio, video, [role=button], [role=option]"
    )].filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.disabled && !each.closest(".said-only"));
    const isInSentence = (element) => {
        if (!element.matches("a, [role=button]") || getComputedStyle(element).display !== "inline") return false;
        const block = (node) => getComputedStyle(node).display.startsWith("inline") ? block(node.parentElement) : node;
        const around = block(element.parentElement);
        const words = (node) => node.innerText.replace(/\\s+/g, "");
        return around.matches("p, .words, li, dd, span, blockquote") && words(around).length > words(element).length + 1;
    };
    return pressed.filter((element) => {
        if (isInSentence(element)) return false;
        const target = element.matches("[type=checkbox], [type=radio]") ? element.closest("label") : element;
        target.scrollIntoView({ block: "center", inline: "center" });
        const { left, right, top, bottom } = target.getBoundingClientRect();
        const [x, y] = [(left + right) / 2, (top + bottom) / 2];
        const isMet = (across, down) => target.contains(document.elementFromPoint(x + across, y + down));
        const reach = (across, down) => {
            let far = 0;
            while (far < 44 && isMet(across * far, down * far)) far += 0.5;
            return far;
        };
        return Math.min(reach(-1, 0) + reach(1, 0), reach(0, -1) + reach(0, 1)) < 43;
    }).map((element) => {
        const { width, height } = element.getBoundingClientRect();
        return `${Math.round(width)} × ${Math.round(height)}: ${element.outerHTML.slice(0, 110)}`;
    });
}"""
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
TABLET = {"viewport": {"width": 1180, "height": 820}, "is_mobile": True, "has_touch": True}
by_finger = pytest.mark.parametrize("device", [PHONE, TABLET], ids=["phone", "tablet"])


def missed(page: Page, part: str = "body") -> list[str]:
    found: list[str] = page.evaluate(MISSED, part)
    return found


@by_finger
def test_a_finger_meets_whatever_can_be_pressed_in_a_room(
    device: dict[str, Any], browser_of: OpenBrowser, server: Server
) -> None:
    ada = administrator(server)
    with closing(Person(server, "grace")) as grace:
        room = ada.make_room("quay")
        furnish(room, ada, grace)
        grace.http.get(f"/api/rooms/{room}/messages?after=-1&wait=0")  # is there for a minute
    page = browser_of(ada, **device)
    found: dict[str, list[str]] = {}
    page.goto(f"/chats/{room}/")
    expect(page.locator("#state")).to_have_class("icon-button state-button live")
    page.locator("#composer textarea").fill(BELL)
    page.locator(".send").click()
    expect(page.locator("#messages .failed")).to_be_visible()
    found["room"] = missed(page)
    page.locator(".people-button").click()
    for each in page.locator("#people summary").all():
        each.click()
    found["people"] = missed(page, "#people")
    page.locator("#people [popovertarget]").click()
    page.locator("#m1 .more").click()
    found["menu"] = missed(page, "#message-menu")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.locator("#switcher")).to_be_visible()
    found["switcher"] = missed(page, "#switcher")
    page.keyboard.press("Escape")
    page.locator("#composer textarea").fill("")
    page.locator("#composer textarea").press_sequentially("@gr")
    expect(page.locator("#completions")).to_be_visible()
    found["completions"] = missed(page, "#completions")
    ChatPage(page, room).go_offline()
    expect(page.locator("#banner")).to_be_visible()
    found["offline"] = missed(page, "#banner")
    page.context.set_offline(False)
    print(*(f"{where}: {each}" for where, what in found.items() for each in what), sep="\n")
    assert not any(found.values())


@by_finger
def test_a_finger_meets_whatever_can_be_pressed_on_the_pages(
    device: dict[str, Any], browser_of: OpenBrowser, visitor: OpenBrowser, server: Server
) -> None:
    ada = administrator(server)
    with closing(Person(server, "grace")) as grace:
        room = ada.make_room("quay")
        furnish(room, ada, grace)
        grace.http.post(f"/api/rooms/{room}/messages/3/report", json={"why": "spam"}).raise_for_status()
    found: dict[str, list[str]] = {}
    chat = f"/chats/{room}"
    stranger = visitor(**device)
    for path in ("/chats/", f"{chat}/", "/sign-in", "/sign-in/forgotten", "/about", "/nowhere", ada.invite()):
        stranger.goto(path)
        found[f"{path} to somebody unknown"] = missed(stranger)
    stranger.goto("/chats/")
    sign_in = stranger.locator(".page-head .button").bounding_box()
    head = stranger.locator(".page-head").bounding_box()
    assert sign_in
    assert head
    assert sign_in["height"] == 44
    assert sign_in["y"] - head["y"] == (head["height"] - 44) / 2
    page = browser_of(ada, **device)
    for path in (
        *("/chats/", f"{chat}/details/", f"{chat}/messages/2/", f"{chat}/report/2", f"{chat}/reports/"),
        *("/search?q=hello", "/account/", "/account/email", "/account/password", "/account/passkeys"),
        *("/account/tokens", "/account/leave", "/admin/", f"/admin/people/{ada.id}"),
        *(
            f"/admin/{section}"
            for section in (
                "people",
                "rooms",
                "invitations",
                "bans",
                "reports",
                "audit",
                "tokens",
                "settings",
            )
        ),
    ):
        page.goto(path)
        found[path] = missed(page)
    print(*(f"{where}: {each}" for where, what in found.items() for each in what), sep="\n")
    assert not any(found.values())
