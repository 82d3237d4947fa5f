"""What the server will not have is shown as not sent, says why, and its words are not lost."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenPage
from tests.browser.transports import LONG_POLL
from tests.clients import Person
from tests.servers import Server

BELL = "a bell: \x07"


def press(chat: ChatPage, button: str) -> None:
    chat.failed.get_by_role("button", name=button).click()


def administer(server: Server, *arguments: str) -> None:
    assert server.console("room", *arguments).status == 0


@pytest.mark.parametrize("path", ["/chats/{}/", LONG_POLL], ids=["auto", "long poll"])
def test_a_refusal_in_the_middle_holds_up_nothing_and_can_be_discarded(path: str, in_room: OpenPage) -> None:
    ada, grace = in_room("ada", path=path), in_room("grace")
    ada.say("one", BELL, "two")
    grace.shows("one", "two")
    expect(ada.failed).to_have_count(1)
    expect(ada.failed).to_contain_text("Not sent: A message has no control characters")
    press(ada, "Discard")
    ada.shows("one", "two")


def test_a_failed_message_is_still_there_after_a_reload(in_room: OpenPage) -> None:
    ada = in_room("ada")
    ada.say(BELL)
    expect(ada.failed).to_have_count(1)
    ada.page.reload()
    expect(ada.failed).to_have_count(1)
    press(ada, "Discard")
    expect(ada.rows).to_have_count(0)
    ada.page.reload()
    expect(ada.state).to_have_text("Live")
    expect(ada.rows).to_have_count(0)


def test_a_message_that_has_become_too_long_can_be_shortened(
    in_room: OpenPage, new_server: Callable[..., Server]
) -> None:
    server = new_server().start()
    mallory = Person(server, "mallory")
    ada = in_room("ada", mallory.make_room("board"), at=server)
    server.stop()
    server.settings["CHATAPP_BODY_LIMIT"] = "10"
    ada.say("longer than that", "short")
    server.start()
    expect(ada.failed).to_contain_text("Not sent: A message has at most 10 characters; this one has 16")
    expect(ada.failed.get_by_role("button")).to_have_text(["Edit", "Discard"])
    press(ada, "Edit")
    ada.shows("short")
    expect(ada.field).to_be_focused()
    expect(ada.field).to_have_value("longer than that")
    ada.page.reload()
    expect(ada.field).to_have_value("longer than that")
    ada.say("shorter")
    ada.shows("short", "shorter")
    assert [message["body"] for message in mallory.read(ada.room)["messages"]] == ["short", "shorter"]
    mallory.close()


def test_words_that_come_back_stand_before_a_draft(in_room: OpenPage) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    ada.say(BELL)
    ada.field.fill("half a thou")
    press(ada, "Edit")
    expect(ada.rows).to_have_count(0)
    expect(ada.field).to_have_value(f"{BELL}\n\nhalf a thou")
    ada.field.press("Backspace")  # the cursor stands where the words end that were refused
    expect(ada.send).to_be_enabled()
    ada.field.press("Enter")
    grace.shows("a bell: \n\nhalf a thou")
    ada.shows("a bell: \n\nhalf a thou")


def test_what_is_given_up_in_one_tab_is_gone_from_the_other(in_room: OpenPage) -> None:
    first, grace = in_room("ada"), in_room("grace")
    first.say(f"one {BELL}", f"two {BELL}", f"three {BELL}")
    expect(first.failed).to_have_count(3)
    second = first.another_tab()
    expect(second.failed).to_have_count(3)
    second.failed.first.get_by_role("button", name="Discard").click()
    expect(first.failed).to_have_count(2)
    first.failed.first.get_by_role("button", name="Edit").click()
    expect(second.failed.locator(".words")).to_have_text([f"three {BELL}"])
    second.failed.get_by_role("button", name="Discard").click()
    first.say("four")
    for chat in (first, second, grace):
        chat.shows("four")


def test_a_refused_message_says_why_and_can_be_sent_again_from_any_tab(
    in_room: OpenPage, server: Server
) -> None:
    first, grace = in_room("ada"), in_room("grace")
    first.go_offline()
    expect(first.banner).to_be_visible()
    first.say("too late")
    administer(server, "close", str(first.room))
    first.page.context.set_offline(False)
    expect(first.failed).to_contain_text("Not sent: the room is closed")
    second = first.another_tab()
    expect(second.failed.get_by_role("button")).to_have_text(["Discard"])
    administer(server, "open", str(first.room))
    expect(second.failed.get_by_role("button")).to_have_text(["Send again", "Edit", "Discard"])
    press(second, "Send again")
    for chat in (first, second, grace):
        chat.shows("too late")
