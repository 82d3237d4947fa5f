"""Many tabs of one person in one browser: they share a storage and six connections."""

import pytest
from playwright.sync_api import Dialog, WebSocketRoute, expect

from tests.browser.conftest import OpenPage
from tests.browser.faults import locked
from tests.browser.transports import BROKEN_WEBSOCKET, LONG_POLL
from tests.clients import Person
from tests.servers import Server

IN_THE_BACKGROUND = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })"
NO_STORAGE = """Object.defineProperty(globalThis, 'localStorage', {
    get() { throw new DOMException('denied', 'SecurityError') },
})"""
FILL_STORAGE = """() => {
    let crumb = 'x'.repeat(1024 * 1024);
    for (let number = 0; crumb; number += 1) {
        try { localStorage.setItem(`ballast ${number}`, crumb) } catch { crumb = crumb.slice(crumb.length / 2 + 1) }
    }
}"""


def test_what_waits_in_two_tabs_is_kept_once_and_shows_once_in_both(
    in_room: OpenPage, server: Server, board: int
) -> None:
    first, grace = in_room("ada"), in_room("grace")
    with locked(server):
        first.say("one", "two")
        second = first.another_tab()
        second.say("three")
        expect(second.pending.locator(".words")).to_have_text(["one", "two", "three"])
        expect(first.pending.locator(".words")).to_have_text(["one", "two"])
    grace_sees = grace.words
    expect(grace_sees).to_have_count(3)
    for chat in (first, second, grace):
        expect(chat.pending).to_have_count(0)
        chat.shows(*grace_sees.all_text_contents())
    assert [word for word in grace_sees.all_text_contents() if word != "three"] == ["one", "two"]
    mallory = Person(server, "mallory")
    assert len(mallory.read(board)["messages"]) == 3
    mallory.close()


def test_what_another_tab_has_sent_does_not_wait_here_for_ever_nor_outlive_the_log(
    in_room: OpenPage, server: Server, board: int
) -> None:
    first = in_room("ada")
    first.say("zero")
    first.shows("zero")
    cut_off: list[WebSocketRoute] = []
    first.page.route_web_socket("**/ws", lambda socket: cut_off.append(socket))
    first.page.reload()
    first.say("one", "two")
    expect(first.pending).to_have_count(2)
    second = first.another_tab()
    second.shows("zero", "one", "two")
    first.shows("zero", "one", "two")
    assert server.console("room", "clear", str(board), "--yes").status == 0
    first.page.route_web_socket("**/ws", lambda socket: socket.connect_to_server())
    cut_off[-1].close(code=1012)
    for chat in (second, first):
        expect(chat.page.get_by_role("heading", name="Nothing said in board yet")).to_be_visible()


@pytest.mark.parametrize(
    ("tabs", "path", "script"),
    [
        pytest.param(7, LONG_POLL, "", id="seven that poll"),
        pytest.param(7, "/chats/{}/", BROKEN_WEBSOCKET, id="seven with streams", marks=pytest.mark.long),
    ],
)
def test_more_tabs_than_connections_hear_everything_and_the_front_one_sends(
    tabs: int, path: str, script: str, in_room: OpenPage
) -> None:
    front, grace = in_room("ada", path=path, script=script), in_room("grace")
    behind = [front.another_tab(f"{IN_THE_BACKGROUND}; {script}", path) for _ in range(tabs - 1)]
    for tab in behind:
        tab.hide()
    front.say("one")  # nobody has said anything yet that would end a waiting request
    front.shows("one")
    grace.say("two", "three")
    for tab in (front, *behind):
        tab.shows("one", "two", "three")
    front.hide()
    behind[4].hide(False)
    behind[4].say("four")
    for tab in (front, grace, *behind):
        tab.shows("one", "two", "three", "four")


def test_without_storage_one_writes_as_ever(in_room: OpenPage) -> None:
    ada, grace = in_room("ada", script=NO_STORAGE), in_room("grace")
    ada.field.fill("a draft")
    ada.say("one", "a bell: \x07", "two")
    grace.shows("one", "two")
    ada.failed.get_by_role("button", name="Discard").click()
    ada.shows("one", "two")


def test_what_a_full_storage_cannot_keep_is_sent_and_asked_about_before_one_leaves(in_room: OpenPage) -> None:
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    ada, grace = in_room("ada"), in_room("grace")
    ada.page.on("dialog", answer)
    ada.page.evaluate(FILL_STORAGE)
    ada.say("one")
    grace.shows("one")
    ada.shows("one")
    ada.page.reload()
    assert asked == []
    ada.say("a bell: \x07")
    expect(ada.failed).to_have_count(1)
    ada.page.reload()
    assert asked == ["beforeunload"]
    expect(ada.state).to_have_text("Live")


def test_a_clock_that_is_set_back_does_not_turn_round_what_waits(in_room: OpenPage, server: Server) -> None:
    ada = in_room("ada")
    with locked(server):
        ada.say("one", "two")
        expect(ada.pending).to_have_count(2)
        ada.page.evaluate("() => { const now = Date.now; Date.now = () => now() - 3_600_000 }")
        ada.say("three", "four")
        ada.page.reload()
        expect(ada.pending.locator(".words")).to_have_text(["one", "two", "three", "four"])
    ada.shows("one", "two", "three", "four")
