"""What begins with a slash is done once, however often Enter is pressed (what there is: test_mentions.py)."""

from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage, HeldRequests
from tests.browser.conftest import OpenBrowser
from tests.people import administrator
from tests.servers import Server


def test_a_command_is_done_once_however_often_enter_is_pressed_meanwhile(
    visitor: OpenBrowser, server: Server
) -> None:
    owner, page = administrator(server), visitor()
    cookies = owner.http.cookies.items()
    page.context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies])
    ada = ChatPage(page, owner.make_room("ships"))
    page.goto(f"/chats/{ada.room}/")
    expect(ada.state).to_have_text("Live")
    held = HeldRequests(page, f"**/api/rooms/{ada.room}")
    ada.field.fill("/topic Ships on Thursday")
    ada.field.press("Enter")
    request = held.first()
    ada.field.press("Enter")
    ada.field.press("Enter")
    expect(ada.field).to_have_value("/topic Ships on Thursday")
    request.continue_()
    expect(page.locator("#room-topic")).to_have_text("Ships on Thursday")
    expect(ada.field).to_have_value("")
    assert len(held.routes) == 1
    expect(ada.notices.filter(has_text="Ships on Thursday")).to_have_count(1)
    expect(ada.rows).to_have_count(0)
