"""Whatever befalls the server, what was written is kept once, in the order of writing."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenPage
from tests.browser.faults import locked, stopped
from tests.browser.transports import LONG_POLL, TRANSPORTS
from tests.clients import Person, eventually
from tests.servers import Server

over_each_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture
def server(own_server: Server) -> Server:
    return own_server


def is_kept(server: Server, board: int, *bodies: str) -> None:
    """The room's log is exactly this."""
    mallory = Person(server, "mallory")
    assert [message["body"] for message in mallory.read(board)["messages"]] == list(bodies)
    mallory.close()


@pytest.mark.parametrize("path", ["/chats/{}/", LONG_POLL], ids=["auto", "long poll"])
def test_while_nothing_can_be_kept_messages_wait_and_then_go_in_order(
    path: str, in_room: OpenPage, server: Server, board: int
) -> None:
    ada, grace = in_room("ada", path=path), in_room("grace")
    seen = len(server.log)
    with locked(server):
        ada.say("one", "two")
        eventually(lambda: any("not kept" in line for line in server.log[seen:]), "a refusal of the first")
        expect(ada.state).to_have_text("Live")
        ada.say("three")
        expect(ada.pending.locator(".words")).to_have_text(["one", "two", "three"])
    for chat in (ada, grace):
        chat.shows("one", "two", "three")
    is_kept(server, board, "one", "two", "three")


@pytest.mark.parametrize("path", ["/chats/{}/", LONG_POLL], ids=["auto", "long poll"])
def test_what_was_sent_to_a_server_that_hangs_is_kept_once_when_it_goes_on(
    path: str, in_room: OpenPage, server: Server, board: int
) -> None:
    ada = in_room("ada", path=path)
    with stopped(server.worker_pids):
        ada.say("one", "two")
        expect(ada.pending).to_have_count(2)
        ada.hide(False)  # somebody who comes back to a page wants to know whether the line is alive
        expect(ada.banner).to_contain_text("2 unsent")
    ada.shows("one", "two")
    is_kept(server, board, "one", "two")


@over_each_transport
def test_a_server_that_is_killed_in_the_middle_of_a_send_keeps_it_once_after_all(
    transport: str, in_room: OpenPage, server: Server, board: int
) -> None:
    ada = in_room("ada", **TRANSPORTS[transport])
    ada.say("zero")
    ada.shows("zero")
    with locked(server):
        ada.say("one", "two")
        expect(ada.pending).to_contain_text(["Sending…", "Waiting"])
        server.kill()
    server.start()
    ada.shows("zero", "one", "two")
    is_kept(server, board, "zero", "one", "two")


@over_each_transport
def test_a_reload_in_the_middle_of_a_send_neither_loses_nor_doubles_it(
    transport: str, in_room: OpenPage, server: Server, board: int
) -> None:
    ada = in_room("ada", **TRANSPORTS[transport])
    with locked(server):
        ada.say("one", "two")
        expect(ada.pending).to_contain_text(["Sending…", "Waiting"])
        ada.page.reload()
        expect(ada.pending.locator(".words")).to_have_text(["one", "two"])
    ada.shows("one", "two")
    is_kept(server, board, "one", "two")


@pytest.mark.parametrize("path", ["/chats/{}/", LONG_POLL], ids=["auto", "long poll"])
def test_what_is_sent_and_left_in_one_breath_is_kept_once(
    path: str, in_room: OpenPage, server: Server, board: int
) -> None:
    ada = in_room("ada", path=path)
    said = ["one", "two", "three"]
    for word in said:
        send_and_reload(ada, word)
    ada.shows(*said)
    is_kept(server, board, *said)


def send_and_reload(chat: ChatPage, word: str) -> None:
    expect(chat.state).to_have_text(
        "Live"
    )  # else the form sends it, as without a script, and the reload ends that
    chat.field.fill(word)
    with chat.page.expect_event("load"):
        chat.field.evaluate("field => { field.form.requestSubmit(); location.reload(); }")


@pytest.mark.parametrize("elsewhere", ["the rooms", "another room"])
def test_who_goes_on_to_another_page_need_not_come_back_for_what_was_unsent(
    elsewhere: str, in_room: OpenPage, server: Server, board: int
) -> None:
    mallory = Person(server, "mallory")
    path = "/chats/" if elsewhere == "the rooms" else f"/chats/{mallory.make_room('lobby')}/"
    mallory.close()
    ada, grace = in_room("ada"), in_room("grace")
    with locked(server):
        ada.say("one", "two")
        expect(ada.pending).to_have_count(2)
        ada.page.goto(path)
    grace.shows("one", "two")
    ada.page.go_back()
    ada.shows("one", "two")
    is_kept(server, board, "one", "two")
