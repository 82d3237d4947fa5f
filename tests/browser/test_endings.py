"""What stands in place of a conversation that one may read no more: the same over every transport."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenPage
from tests.browser.transports import TRANSPORTS
from tests.people import Member, administrator, member
from tests.servers import Server

# As a page that the browser keeps while another is shown.
FALL_ASLEEP = "dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))"
WAKE_UP = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"

Deed = Callable[[Member, int, str], Any]


@pytest.fixture
def owner(server: Server) -> Iterator[Member]:
    with closing(member(server, "Owner")) as person:
        yield person


def done(who: Member, method: str, path: str, **json: Any) -> None:
    answer = who.http.request(method, path, json=json)
    assert answer.status_code < 300, answer.text


ENDINGS: dict[str, tuple[Deed, str, str]] = {
    "sent out": (
        lambda owner, room, guest: done(owner, "POST", f"/api/rooms/{room}/kick", name="mallory"),
        "You were removed from board",
        "{owner} removed you: ",
    ),
    "banned from it": (
        lambda owner, room, guest: done(
            owner, "POST", f"/api/rooms/{room}/sanctions", kind="ban", person=guest, seconds=600
        ),
        "You are banned from board",
        "you cannot read or write there",
    ),
    "it becomes private": (
        lambda owner, room, guest: done(owner, "PATCH", f"/api/rooms/{room}", kind="private"),
        "You can no longer read board",
        "This room is for its members only, since",
    ),
    "it is deleted": (
        lambda owner, room, guest: done(owner, "DELETE", f"/api/rooms/{room}"),
        "board is gone",
        "It was deleted",
    ),
    "banned from the server": (  # the last: there is no way back
        lambda owner, room, guest: done(
            administrator(owner.server), "POST", "/api/bans", person=guest, seconds=600
        ),
        "You are banned here",
        "you cannot read or write here",
    ),
}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_why_one_may_read_no_more_stands_there_whatever_the_transport(
    transport: str, server: Server, in_room: OpenPage, owner: Member
) -> None:
    how = TRANSPORTS[transport]
    mallory = in_room("mallory", owner.make_room(), **how)
    ended = mallory.page.locator("main .ended")
    for deed, title, detail in ENDINGS.values():
        room = owner.make_room()
        mallory.page.goto(how.get("path", "/chats/{}/").format(room))
        expect(mallory.state).to_have_text("Live")
        mallory.is_live_over(transport)
        deed(owner, room, own_id(mallory))
        expect(ended.get_by_role("heading")).to_have_text(title)
        expect(ended).to_contain_text(detail.format(owner=owner.name))
        expect(mallory.log).to_be_hidden()
    ended.get_by_role("link", name="Until when").click()
    expect(mallory.page.get_by_text("You cannot read or write on")).to_be_visible()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_who_was_sent_out_while_no_line_was_open_sees_it_and_stays_where_they_came_back_since(
    transport: str, server: Server, in_room: OpenPage, owner: Member
) -> None:
    room = owner.make_room()
    mallory = in_room("mallory", room, **TRANSPORTS[transport])
    mallory.is_live_over(transport)
    mallory.say("hello")  # whoever wrote lately can be sent out by name
    mallory.shows("hello")
    ended = mallory.page.locator("main .ended")
    sent_out = ENDINGS["sent out"][0]

    mallory.page.evaluate(FALL_ASLEEP)
    expect(mallory.state).not_to_have_text("Live")
    sent_out(owner, room, own_id(mallory))
    mallory.page.evaluate(WAKE_UP)
    expect(ended).to_contain_text(f"{owner.name} removed you: ")

    ended.get_by_role("link", name="Come back").click()
    expect(mallory.state).to_have_text("Live")
    mallory.page.evaluate(FALL_ASLEEP)
    expect(mallory.state).not_to_have_text("Live")
    sent_out(owner, room, own_id(mallory))
    elsewhere = mallory.page.context.request.post(
        f"{server.url}/api/rooms/{room}/messages", data={"body": "back"}, headers={"Origin": server.url}
    )
    assert elsewhere.status == 201, elsewhere.text()
    mallory.page.evaluate(WAKE_UP)
    mallory.shows("hello", "back")
    expect(mallory.state).to_have_text("Live")
    owner.say(room, "later")
    mallory.shows("hello", "back", "later")
    expect(ended).to_be_hidden()


def test_who_was_sent_out_once_and_came_back_stays_when_the_room_starts_over(
    server: Server, in_room: OpenPage, owner: Member
) -> None:
    """After a reset the last messages come again, and with them what is long over."""
    room = owner.make_room()
    mallory = in_room("mallory", room)
    mallory.say("hello")
    mallory.shows("hello")
    ENDINGS["sent out"][0](owner, room, own_id(mallory))
    mallory.page.get_by_role("link", name="Come back").click()
    expect(mallory.state).to_have_text("Live")
    mallory.page.clock.install()
    gone = member(server, "Grace")
    with closing(gone):
        gone.say(room, "and goodbye")
        mallory.shows("hello", "and goodbye")
        assert (
            server.console("user", "erase", gone.name, "--yes").status == 0
        )  # whoever is named gets a new log
    expect(mallory.page.locator("#messages .author").last).to_have_text("removed person")
    mallory.page.clock.run_for(2_000)  # longer than an end is waited for
    expect(mallory.state).to_have_text("Live")
    owner.say(room, "still there?")
    mallory.shows("hello", "and goodbye", "still there?")


def own_id(chat: ChatPage) -> str:
    own: str = chat.page.evaluate("JSON.parse(document.getElementById('page').textContent).identity.id")
    return own
