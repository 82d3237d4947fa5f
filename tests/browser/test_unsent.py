"""What was written is never lost and never doubled, whatever happens to the line."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import PATIENCE, OpenBrowser, OpenPage
from tests.browser.faults import locked
from tests.browser.transports import LONG_POLL
from tests.clients import Person
from tests.servers import Server

OpenGated = Callable[[str], "tuple[ChatPage, Gate]"]


class Gate:
    """Stands between a page and the server's socket; closed, it holds back what the server says."""

    def __init__(self) -> None:
        self._open = True
        self._held: list[tuple[WebSocketRoute, str | bytes]] = []

    def __call__(self, page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()
        server_side.on_message(lambda frame: self._pass(page_side, frame))

    def close(self) -> None:
        self._open = False

    def open(self) -> None:
        self._open = True
        for page_side, frame in self._held:
            page_side.send(frame)

    def _pass(self, page_side: WebSocketRoute, frame: str | bytes) -> None:
        if self._open:
            page_side.send(frame)
        else:
            self._held.append((page_side, frame))


@pytest.fixture
def gated(person: OpenBrowser, board: int) -> OpenGated:
    """Opens the board for a guest whose page hears the server through a gate."""

    def make(name: str) -> tuple[ChatPage, Gate]:
        gate, page = Gate(), person(name)
        page.route_web_socket("**/ws", gate)
        page.goto(f"/chats/{board}/")
        chat = ChatPage(page, board)
        expect(chat.state).to_have_text("Live")
        return chat, gate

    return make


def test_my_message_shows_at_once_and_is_confirmed_when_it_is_kept(gated: OpenGated) -> None:
    ada, gate = gated("ada")
    gate.close()
    ada.say("hello")
    expect(ada.pending).to_contain_text("hello")
    expect(ada.pending).to_contain_text("Sending…")
    gate.open()
    ada.shows("hello")


def test_the_last_message_is_edited_also_where_it_is_not_back_yet(gated: OpenGated) -> None:
    ada, gate = gated("ada")
    ada.say("before")
    ada.shows("before")
    gate.close()
    ada.say("hello")
    ada.field.press("ArrowUp")
    expect(ada.pending).to_contain_text("hello")
    expect(ada.field).to_have_value("")
    gate.open()
    expect(ada.field).to_have_value("hello")


def test_who_writes_on_does_not_edit_the_last_message_when_it_comes_back(gated: OpenGated) -> None:
    ada, gate = gated("ada")
    gate.close()
    ada.say("hello")
    ada.field.press("ArrowUp")
    ada.field.fill("and more")
    gate.open()
    ada.shows("hello")
    ada.field.press("Enter")
    ada.shows("hello", "and more")


def test_what_waits_behind_an_unanswered_message_keeps_its_place(gated: OpenGated) -> None:
    ada, gate = gated("ada")
    gate.close()
    ada.say("one", "two", "three")
    expect(ada.pending).to_have_count(3)
    expect(ada.pending.locator(".fate-word")).to_have_text(["Sending…", "Waiting", "Waiting"])
    gate.open()
    ada.shows("one", "two", "three")


def test_what_others_say_meanwhile_stands_above_what_is_not_yet_kept(
    gated: OpenGated, in_room: OpenPage
) -> None:
    (ada, gate), grace = gated("ada"), in_room("grace")
    gate.close()
    ada.say("mine")
    expect(grace.words).to_have_text(["mine"])
    grace.say("hers")
    grace.shows("mine", "hers")
    gate.open()
    ada.shows("mine", "hers")


@pytest.mark.parametrize("path", ["/chats/{}/", LONG_POLL], ids=["auto", "long poll"])
def test_offline_the_page_says_so_keeps_what_is_written_and_sends_it_once(
    path: str, in_room: OpenPage
) -> None:
    ada, grace = in_room("ada", path=path), in_room("grace")
    grace.say("before")
    ada.shows("before")
    ada.page.context.set_offline(True)
    expect(ada.banner).to_contain_text("Offline")
    ada.say("written offline")
    expect(ada.banner).to_contain_text(re.compile(r"Offline 1 unsent · up to date as of \d\d:\d\d"))
    expect(ada.pending).to_contain_text("Waiting")
    grace.say("meanwhile")
    grace.shows("before", "meanwhile")
    ada.page.context.set_offline(False)
    ada.shows("before", "meanwhile", "written offline")
    grace.shows("before", "meanwhile", "written offline")
    expect(ada.banner).to_be_hidden()
    expect(ada.state).to_have_text("Live")


@pytest.mark.parametrize("path", ["/chats/{}/", LONG_POLL], ids=["auto", "long poll"])
def test_a_restart_in_the_middle_loses_nothing_and_doubles_nothing(
    path: str, in_room: OpenPage, own_server: Server
) -> None:
    server = own_server
    mallory = Person(server, "mallory")
    board = mallory.make_room("board")
    ada, grace = in_room("ada", board, path, at=server), in_room("grace", board, at=server)
    ada.say("one")
    grace.shows("one")
    server.stop()
    ada.say("two", "three")
    expect(ada.banner).to_contain_text(re.compile(r"2 unsent · up to date as of \d\d:\d\d"))
    grace.say("four")
    server.start()
    expect(ada.words).to_have_count(4)
    expect(ada.pending).to_have_count(0)
    expect(grace.words).to_have_count(4)
    expect(grace.pending).to_have_count(0)
    order = ada.words.all_text_contents()
    assert order == grace.words.all_text_contents()
    assert [word for word in order if word != "four"] == ["one", "two", "three"]
    kept = mallory.read(board)["messages"]
    assert [message["body"] for message in kept] == order
    mallory.close()


def test_a_hundred_messages_may_wait_and_the_next_one_stays_in_the_field(
    in_room: OpenPage, server: Server
) -> None:
    ada = in_room("ada")
    said = [f"{number}" for number in range(100)]
    with locked(server):
        ada.field.evaluate(
            """(field, said) => {
                for (const body of said) {
                    field.value = body;
                    field.dispatchEvent(new Event("input"));
                    field.form.requestSubmit();
                }
            }""",
            said,
        )
        ada.say("one too many")
        expect(ada.page.locator("#said")).to_contain_text("Too many messages are unsent")
        expect(ada.field).to_have_value("one too many")
        expect(ada.pending).to_have_count(100)
    expect(ada.pending).to_have_count(0, timeout=3 * PATIENCE)  # one after the other
    ada.shows(*said)
    ada.field.press("Enter")
    ada.shows(*said, "one too many")


def test_who_has_to_say_another_word_comes_back_to_what_was_unsent(
    in_room: OpenPage, new_server: Callable[..., Server]
) -> None:
    server = new_server().start()
    mallory = Person(server, "mallory")
    board = mallory.make_room("board")
    ada = in_room("ada", board, at=server)
    server.stop()
    ada.say("one", "two")
    server.settings["CHATAPP_GUEST_CODE"] = "sesame"
    server.start()
    ended = ada.page.get_by_role("heading", name="Your name is no longer known here")
    expect(ended).to_be_visible()
    ada.page.get_by_role("link", name="Come in again").click()
    expect(ada.page.get_by_label("Your name")).to_have_value("ada")
    ada.page.get_by_label("Guest word").fill("sesame")
    ada.page.get_by_role("button", name="Come in").click()
    ada.shows("one", "two")
    mallory.close()
