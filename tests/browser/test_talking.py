"""Two people talk, each in a browser, over each transport."""

import re
from collections.abc import Callable
from contextlib import closing

import httpx
import pytest
from playwright.sync_api import expect

from chatapp.presence import NAMED
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser, OpenPage
from tests.browser.transports import (
    BROKEN_WEBSOCKET,
    DEAF_WEBSOCKET,
    LONG_POLL,
    NO_EVENT_SOURCE,
    NO_WEBSOCKET,
    TRANSPORTS,
)
from tests.clients import Person
from tests.people import administrator
from tests.programs import Program, make_token
from tests.servers import Server


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_two_people_talk_live_over_each_transport(transport: str, in_room: OpenPage) -> None:
    ada, grace = in_room("ada", **TRANSPORTS[transport]), in_room("grace")
    ada.is_live_over(transport)
    ada.say("hello")
    grace.shows("hello")
    grace.say("hello, ada")
    ada.shows("hello", "hello, ada")
    grace.shows("hello", "hello, ada")


@pytest.mark.parametrize(
    "script", [NO_WEBSOCKET, BROKEN_WEBSOCKET, DEAF_WEBSOCKET], ids=["none", "broken", "deaf"]
)
def test_without_websocket_the_page_goes_on_with_an_event_stream(script: str, in_room: OpenPage) -> None:
    in_room("ada", script=script).is_live_over("Server-Sent Events")


def test_without_an_event_stream_either_it_polls(in_room: OpenPage) -> None:
    in_room("ada", script=f"{NO_WEBSOCKET}; {NO_EVENT_SOURCE}").is_live_over("long poll")


def test_the_long_poll_page_only_ever_polls(in_room: OpenPage) -> None:
    ada = in_room("ada", path=LONG_POLL)
    ada.is_live_over("long poll")


def test_who_reads_without_a_name_sees_what_is_said(
    in_room: OpenPage, visitor: OpenBrowser, board: int
) -> None:
    mallory, ada = visitor(), in_room("ada")
    mallory.goto(f"/chats/{board}/")
    expect(mallory.locator("#state")).to_have_text("Live")
    ada.say("hello")
    expect(mallory.get_by_text("hello", exact=True)).to_be_visible()
    expect(mallory.get_by_label("Your name")).to_be_visible()


def test_what_a_program_says_is_marked_as_a_guests_words_are(
    in_room: OpenPage, visitor: OpenBrowser, server: Server, board: int
) -> None:
    boss = administrator(server)
    hook = boss.http.post(f"/api/rooms/{board}/hooks", json={"name": f"Ops {board}"}).json()
    ada = in_room("ada")
    httpx.post(hook["url"], json={"text": "deployed"}).raise_for_status()
    with closing(Program(server, make_token(boss, bot=f"Builds {board}")["token"])) as bot:
        bot.say(board, "built")
    ada.say("good")
    ada.shows("deployed", "built", "good")
    without_script = visitor(java_script_enabled=False)
    without_script.goto(f"/chats/{board}/")
    for page in (ada, ChatPage(without_script, board)):
        for said in ("deployed", "built"):
            expect(page.row(said).locator(".program")).to_have_text("bot")
            expect(page.row(said).get_by_text("guest", exact=True)).to_be_hidden()
        expect(page.row("good").get_by_text("guest", exact=True)).to_be_visible()
        expect(page.row("good").locator(".program")).to_be_hidden()


def test_a_bot_is_marked_among_the_people_while_it_is_here_and_as_a_member_who_is_not(
    in_room: OpenPage, server: Server, board: int
) -> None:
    boss, ada = administrator(server), in_room("ada")
    made = make_token(boss, bot=f"Builds {board}")
    ada.page.get_by_role("button", name="People here").click()
    person = ada.page.locator("a.person", has_text=f"Builds {board}")
    with closing(Program(server, made["token"])) as bot, closing(bot.socket()) as socket:
        socket.join(board)
        expect(ada.page.locator("#people-here").locator(person)).to_have_accessible_name(
            re.compile(rf"Builds {board}\s*bot")
        )
        answer = boss.http.put(f"/api/rooms/{board}/members/{made['person']}", json={"role": "member"})
        assert answer.status_code == 200, answer.text
    expect(ada.page.locator("#away").locator(person).locator(".program")).to_have_text("bot")
    expect(ada.page.locator("#people-here .program")).to_be_hidden()


def test_many_messages_in_a_row_stay_in_order_for_both(in_room: OpenPage) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    said = [f"message {number}" for number in range(25)]
    ada.say(*said)
    ada.shows(*said)
    grace.shows(*said)


def test_others_see_that_somebody_is_typing(in_room: OpenPage) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    expect(ada.page.locator(".people-count").first).to_have_text("2")
    grace.field.press_sequentially("hel")
    expect(ada.page.locator("#typing")).to_have_text("grace is typing…")
    grace.field.press("Enter")
    ada.shows("hel")
    expect(ada.page.locator("#typing")).to_have_text("")


def test_the_head_counts_and_the_panel_names_who_is_here(in_room: OpenPage) -> None:
    ada = in_room("ada")
    grace = in_room("grace")
    expect(ada.page.locator(".people-button .people-count")).to_have_text("2")
    ada.page.get_by_role("button", name="People here").click()
    expect(ada.page.locator("#people-here .name")).to_have_text(["ada", "grace"])
    grace.page.context.close()
    expect(ada.page.locator("#people-here .name")).to_have_text(["ada"])
    expect(ada.page.locator(".people-button .people-count")).to_have_text("1")


def test_another_room_counts_at_the_side_what_is_said_there(in_room: OpenPage, server: Server) -> None:
    with closing(Person(server, "mallory")) as mallory:
        lobby = mallory.make_room("lobby")
    grace = in_room("grace", lobby)
    ada = in_room("ada")  # of many rooms a page follows those where somebody is
    count = ada.page.locator(f'#rooms [data-room="{lobby}"] .unread-number')
    expect(count).to_be_hidden()
    grace.say("over here")
    expect(count).to_have_text("1")
    grace.say("anybody?")
    expect(count).to_have_text("2")


def test_what_is_unread_at_the_side_and_in_the_title_are_texts_of_others_that_are_still_there(
    in_room: OpenPage, server: Server, board: int
) -> None:
    with closing(Person(server, "mallory")) as mallory, closing(mallory.socket()) as there:
        attic = mallory.make_room("attic")
        there.join(attic)  # of many rooms a page follows those where somebody is
        ada = in_room("ada")
        count = ada.page.locator(f'.rooms-pane [data-room="{attic}"] .count')
        ada.hide()
        for room in (attic, board):
            one, two = mallory.say(room, "one"), mallory.say(room, "two")
            for change in (
                {"kind": "edit", "of": one["seq"], "body": "one, and more"},
                {"kind": "reaction", "of": one["seq"], "body": "👍"},
                {"kind": "delete", "of": two["seq"]},
            ):
                mallory.http.post(mallory.messages(room), json=change).raise_for_status()
        expect(ada.page).to_have_title("(1) board · Chat")
        expect(count).to_have_text("1 unread")
        for room in (attic, board):
            back = {"kind": "restore", "of": two["seq"]}
            mallory.http.post(mallory.messages(room), json=back).raise_for_status()
        expect(ada.page).to_have_title("(2) board · Chat")
        expect(count).to_have_text("2 unread")


def test_what_one_says_and_leaves_at_once_is_not_unread(in_room: OpenPage, board: int) -> None:
    ada = in_room("ada")
    ada.say("and off")
    ada.shows("and off")
    ada.page.goto("/chats/")
    card = ada.page.locator(f'.room-card[data-room="{board}"]')
    expect(card).to_contain_text("and off")
    expect(card.locator(".count")).to_be_hidden()


def test_in_a_large_room_of_which_the_first_are_named_one_finds_oneself(
    in_room: OpenPage, server: Server, board: int
) -> None:
    with closing(Person(server)) as guest:
        for number in range(NAMED + 1):
            guest.http.cookies.clear()
            guest.http.post("/guests", json={"name": f"Visitor {number}"}).raise_for_status()
            guest.read(board, after=-1)
    zoe = in_room("zoe")
    zoe.page.get_by_role("button", name="People here").click()
    expect(zoe.page.locator("#people-rest")).to_have_text("and 1 more")
    expect(zoe.page.locator(".people-button .people-count")).to_have_text(str(NAMED + 2))
    expect(zoe.page.locator("#people-here .name").last).to_have_text("zoe")


def test_of_more_rooms_than_one_line_follows_those_with_people_count_at_once_and_the_rest_soon(
    person: OpenBrowser, in_room: OpenPage, new_server: Callable[..., Server]
) -> None:
    server = new_server(rooms_per_socket="2").start()
    mallory = Person(server, "mallory")
    board, attic, lobby = (mallory.make_room(name) for name in ("board", "attic", "lobby"))
    grace = in_room("grace", lobby, at=server)
    page = person("ada", at=server)
    page.clock.install()
    with page.expect_response("**/api/rooms"):
        page.goto(f"/chats/{board}/")
    count = page.locator("#rooms .unread-number")
    grace.say("over here")
    expect(count.nth(lobby - 1)).to_have_text("1")
    mallory.say(attic, "and here")
    page.clock.fast_forward(20_000)
    expect(count.nth(attic - 1)).to_have_text("1")
    mallory.close()
