"""What a message costs a browser does not grow with the room: by counts of what it has to look at, not by time.
benchmarks/page.py has the times."""

import json
import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenPage
from tests.clients import Person
from tests.servers import ROOT, Server

SHEETS = Path(ROOT, "static", "css")
ROWS = 200  # at most on a page as high as this one
ELEMENTS = 20  # of a row of plain words, at most
AT_ONCE = 500  # messages sent before the first is answered
HIGH = {"width": 1000, "height": 3000}
# In the first the page sees what came into view, and asks for more.
SOME_FRAMES = (
    "async () => { for (let count = 0; count < 3; count++) await new Promise(requestAnimationFrame) }"
)
# A browser makes one of all rules with `:has()`: where one of them may hold anew, all that any of them is about is
# looked at. So none is, by the last of its parts, about what stands in a row, and be it only by a class of that name.
RULES_THAT_ASK = """() => {
    const selectors = [];
    const read = (rules) => {
        for (const { selectorText, cssRules } of rules) {
            if (selectorText?.includes(":has(")) selectors.push(...selectorText.split(/,(?![^(]*\\))/));
            if (cssRules) read(cssRules);
        }
    };
    for (const { cssRules } of document.styleSheets) read(cssRules);
    const asking = selectors.filter((selector) => selector.includes(":has("));
    const isAboutRows = (selector) => {
        const last = selector.replace(/:(not|has)\\((?:[^()]|\\([^()]*\\))*\\)/g, "").trim().split(/[\\s>+~]+/).at(-1).replace(":root", "html");
        const part = last.match(/\\.[\\w-]+/)?.[0] ?? last.match(/^[\\w-]+/)?.[0] ?? "*";
        return document.querySelector(`#messages > ${part}, #messages > * ${part}`) !== null;
    };
    return { asking: asking.length, about_rows: asking.filter(isAboutRows) };
}"""
RECALCULATIONS = ["blink.user_timing", "devtools.timeline", "disabled-by-default-devtools.timeline"]


def fill(server: Server, room: int, count: int, before: str = "") -> None:
    """`count` messages at once: "1", "2" … with `before` in front."""
    person = Person(server, "grace")
    socket = person.socket()
    for first in range(1, count + 1, AT_ONCE):
        last = min(first + AT_ONCE - 1, count)
        for number in range(first, last + 1):
            words = f"{before}{number}"
            socket.send({"type": "send", "room": room, "client_id": f"fill {words}", "body": words})
        acknowledged = f"fill {before}{last}"
        socket.expect(lambda frame, of=acknowledged: frame.get("client_id") == of)  # type: ignore[misc]
    socket.close()
    person.close()


def elements(chat: ChatPage) -> int:
    return int(chat.page.evaluate("document.querySelectorAll('#messages *').length"))


def test_of_ten_thousand_messages_a_page_has_a_few(in_room: OpenPage, server: Server, board: int) -> None:
    """Also of who has read far back, and of whom others write to meanwhile."""
    fill(server, board, 10_000)
    ada = in_room("ada")
    for seen in range(9_900, 9_400, -100):
        while not ada.row(str(seen)).count():
            ada.scroll_to_top()
        assert ada.rows.count() <= ROWS
    assert elements(ada) <= ROWS * ELEMENTS
    ada.jump.click()
    expect(ada.row("10000")).to_be_in_viewport()
    fill(server, board, ROWS + 100, "more ")
    expect(ada.row(f"more {ROWS + 100}")).to_be_in_viewport()
    assert ada.rows.count() <= ROWS
    assert elements(ada) <= ROWS * ELEMENTS


def test_in_a_high_window_too_what_is_loaded_above_takes_nothing_away_that_is_near(
    in_room: OpenPage, server: Server, board: int
) -> None:
    fill(server, board, 700)
    ada = in_room("ada", viewport=HIGH)
    asked: list[str] = []
    ada.page.on("request", lambda request: asked.append(request.url))
    while not ada.row("1").count():
        first = ada.words.first.inner_text()
        ada.scroll_to_top()
        expect(ada.words.first).not_to_have_text(first)
        ada.page.evaluate(SOME_FRAMES)
    assert [url for url in asked if "before=" in url]
    assert not [url for url in asked if "after=" in url]


def test_a_message_makes_nothing_else_be_looked_at_anew(
    browser: Browser, in_room: OpenPage, server: Server, board: int
) -> None:
    """A rule that asks what stands elsewhere (`:has()`, sizes of a container) may concern every row."""
    fill(server, board, 120)
    ada, grace = in_room("ada"), in_room("grace")
    while not ada.row("1").count():
        ada.scroll_to_top()
    ada.log.evaluate("log => { log.scrollTop = 0 }")
    grace.say("before")
    expect(ada.row("before")).to_be_in_viewport()

    def looked_at() -> int:
        """How many elements of Ada's page two messages had looked at."""
        browser.start_tracing(page=ada.page, categories=RECALCULATIONS)
        ada.page.evaluate("performance.mark('hers')")  # a trace has all pages that the browser shows
        grace.say("one")
        expect(ada.row("one")).to_be_in_viewport()
        ada.say("two")
        expect(ada.row("two")).to_be_in_viewport()
        expect(ada.pending).to_have_count(0)
        trace = json.loads(browser.stop_tracing())
        hers = next(each["pid"] for each in trace["traceEvents"] if each["name"] == "hers")
        done = [each for each in trace["traceEvents"] if each["name"] == "UpdateLayoutTree"]
        return sum(each["args"].get("elementCount", 0) for each in done if each["pid"] == hers)

    assert 0 < looked_at() < ada.rows.count() * 2


def test_no_rule_about_the_rows_asks_what_stands_elsewhere(in_room: OpenPage) -> None:
    for sheet in ("conversation", "files", "markup"):
        assert ":has(" not in (SHEETS / f"{sheet}.css").read_text(), sheet
    ada = in_room("ada")
    ada.say("one")
    ada.shows("one")
    found = ada.page.evaluate(RULES_THAT_ASK)
    assert found["asking"] > 10
    assert found["about_rows"] == []
    for path in SHEETS.glob("*.css"):
        sizes = re.findall(r"\d(?:cq[a-z]+)\b", path.read_text())
        assert not sizes, (
            f"{path.name}: {sizes} make all in the container be looked at whenever it is laid out"
        )
