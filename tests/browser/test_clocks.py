"""What lasts until a time goes by the server's clock, also in a browser whose own is a day off."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Request, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser, OpenPage
from tests.clients import Person, eventually
from tests.people import administrator
from tests.servers import Server

DAY = 24 * 60 * 60 * 1000  # ms
OFF = """(() => {
    const Real = Date, off = %d;
    globalThis.Date = class extends Real {
        constructor(...given) { given.length ? super(...given) : super(Real.now() + off); }
        static now() { return Real.now() + off; }
    };
})()"""

off = pytest.mark.parametrize("clock", [-DAY, DAY], ids=["a day behind", "a day ahead"])


@off
def test_a_deletion_can_be_undone_where_the_clock_is_off(clock: int, in_room: OpenPage) -> None:
    ada = in_room("ada", script=OFF % clock)
    ada.say("hello")
    ada.shows("hello")
    ada.about("hello").get_by_role("button", name="Delete").click()
    ada.shows("You deleted this message")
    ada.page.reload()
    ada.page.get_by_role("button", name="Undo").click()
    ada.shows("hello")


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which a deletion can be undone for a second."""
    server = Server(tmp_path_factory.mktemp("hasty") / "instance", undo_seconds="1").start()
    yield server
    server.kill()


@off
def test_what_can_be_undone_no_more_is_not_offered_where_the_clock_is_off(
    clock: int, hasty: Server, person: OpenBrowser
) -> None:
    with closing(Person(hasty, "mallory")) as maker:
        board = maker.make_room("board")
    page = person("ada", hasty)
    page.add_init_script(OFF % clock)
    page.goto(f"/chats/{board}/")
    ada = ChatPage(page, board)
    ada.say("hello")
    ada.shows("hello")
    ada.about("hello").get_by_role("button", name="Delete").click()
    ada.shows("You deleted this message")
    own = page.locator("#messages > .message").get_attribute("id")[1:]
    eventually(lambda: "/restore" not in page.request.get(f"/chats/{board}/messages/{own}/").text())
    page.reload()
    expect(ada.state).to_have_text("Live")
    ada.shows("You deleted this message")
    expect(page.locator("#messages .undo")).to_be_hidden()


@off
def test_slow_mode_says_how_long_where_the_clock_is_off(
    clock: int, in_room: OpenPage, server: Server
) -> None:
    owner = administrator(server)
    board = owner.make_room("board")
    owner.http.patch(f"/api/rooms/{board}", json={"slow_seconds": 60}).raise_for_status()
    mallory = in_room("mallory", board, script=OFF % clock)
    hint = mallory.page.locator("#composer-hint")
    expect(hint).to_have_text("Slow mode: one message in 60 sec")
    mallory.say("one")
    expect(hint).to_have_text(re.compile(r"Slow mode: the next message goes in [3-6]\d s"))


@off
def test_a_time_out_ends_by_itself_and_is_not_asked_about_until_then_where_the_clock_is_off(
    clock: int, in_room: OpenPage, server: Server
) -> None:
    owner = administrator(server)
    board = owner.make_room("board")
    mallory = in_room("mallory", board, script=OFF % clock)
    asked: list[Request] = []
    mallory.page.on("request", lambda request: "/about/" in request.url and asked.append(request))
    own = mallory.page.evaluate("JSON.parse(document.getElementById('page').textContent).identity.id")
    timeout = {"kind": "timeout", "person": own, "seconds": 4}
    owner.http.post(f"/api/rooms/{board}/sanctions", json=timeout).raise_for_status()
    expect(mallory.page.get_by_text("You may only read in this room until")).to_be_visible()
    expect(mallory.field).to_be_visible()
    assert len(asked) <= 3, (
        "that it begins, and that it is over, is asked once each, and once more if that came early"
    )


def test_the_full_local_time_of_a_message_is_told_on_hover_and_by_keyboard_or_finger_in_its_menu(
    in_room: OpenPage, server: Server, board: int
) -> None:
    with closing(Person(server, "grace")) as grace:
        said = datetime.fromisoformat(grace.say(board, "when?")["at"])
    ada = in_room("ada", timezone_id="Pacific/Auckland")
    there = said.astimezone(ZoneInfo("Pacific/Auckland"))
    time = ada.row("when?").locator(".head time")
    expect(time).to_have_text(f"{there:%H:%M}")
    full = re.compile(rf"^{there:%A}, {there:%B} {there.day}, {there:%Y}\D+{there:%H:%M:%S}$")
    expect(time).to_have_attribute("title", full)
    ada.row("when?").press("Enter")
    expect(ada.menu.locator("time")).to_have_text(full)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_times_are_local_on_every_page_and_named_utc_where_no_script_runs(
    script: bool, server: Server, browser_of: OpenBrowser
) -> None:
    with closing(administrator(server).elsewhere()) as admin:
        room = admin.make_room("tides")
        admin.say(room, "high water")
        page = browser_of(admin, timezone_id="Asia/Kathmandu", java_script_enabled=script)
        for path in (f"/chats/{room}/details/", f"/chats/{room}/messages/1/", "/admin/audit", "/account/"):
            page.goto(path)
            if script:
                expect(page.locator("time").first).to_have_attribute("title", re.compile(r"\d\d:\d\d:\d\d"))
                expect(page.locator("main")).not_to_contain_text("UTC")
            else:
                assert "UTC" in page.content()  # also within <noscript>
