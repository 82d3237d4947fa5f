"""Reading along: the newest stays in view where it was, and nothing jumps where it was not."""

from contextlib import closing

import pytest
from playwright.sync_api import Route, expect

from tests.browser.chat_page import ChatPage, HeldRequests
from tests.browser.conftest import OpenPage
from tests.clients import Person, eventually
from tests.servers import Server

PAGE = 50  # messages that a page begins with


def tell(server: Server, room: int, count: int, name: str = "grace") -> None:
    """`count` messages that are there before anybody looks: "1", "2" …"""
    with closing(Person(server, name)) as person, closing(person.socket()) as socket:
        socket.join(room)
        for number in range(1, count + 1):
            body = f"{number}"
            socket.send({"type": "send", "room": room, "body": body, "client_id": f"told {number}"})
        eventually(lambda: len(socket.of("ack")) == count, "all are kept")


def top_of(chat: ChatPage, body: str) -> float:
    box = chat.row(body).bounding_box()
    assert box is not None
    return box["y"]


def test_the_newest_stays_in_view_while_one_is_at_the_foot(
    in_room: OpenPage, server: Server, board: int
) -> None:
    tell(server, board, PAGE)
    ada, grace = in_room("ada"), in_room("grace")
    expect(ada.row("50")).to_be_in_viewport()
    grace.say("newest")
    expect(ada.row("newest")).to_be_in_viewport()
    expect(ada.jump).to_be_hidden()


def test_what_is_being_read_stays_where_it_is_when_others_write(
    in_room: OpenPage, server: Server, board: int
) -> None:
    tell(server, board, PAGE)
    ada, grace = in_room("ada"), in_room("grace")
    ada.scroll_up(600)
    expect(ada.row("50")).not_to_be_in_viewport()
    before = top_of(ada, "30")
    grace.say("one", "two", "three")
    expect(ada.jump).to_have_text("3 new")
    expect(ada.words).to_have_count(PAGE + 3)
    assert abs(top_of(ada, "30") - before) < 1
    ada.jump.click()
    expect(ada.row("three")).to_be_in_viewport()
    expect(ada.jump).to_be_hidden()


def test_a_line_shows_where_the_reading_stopped(in_room: OpenPage, server: Server, board: int) -> None:
    tell(server, board, PAGE)
    ada, grace = in_room("ada"), in_room("grace")
    ada.scroll_up(600)
    expect(ada.row("50")).not_to_be_in_viewport()
    grace.say("one", "two")
    expect(ada.page.locator("#messages > .new + .message")).to_contain_text("one")
    ada.say("I have read it")
    expect(ada.page.locator("#messages > .new")).to_have_count(0)


@pytest.mark.parametrize("window", ["at the end of the log", "away from it"])
def test_what_is_being_read_stays_where_it_is_when_it_or_what_stands_above_is_changed(
    window: str, in_room: OpenPage, server: Server, board: int
) -> None:
    with closing(Person(server, "grace")) as grace:
        for number in range(1, 3 * PAGE + 1):
            grace.say(board, f"{number}")
        path, edge = (
            ("/chats/{}/", 150) if window == "at the end of the log" else ("/chats/{}/?before=101", 100)
        )
        ada = in_room("ada", path=path)
        ada.scroll_up(600)
        expect(ada.row(f"{edge}")).not_to_be_in_viewport()

        def top(seq: int) -> float:
            place: float = ada.page.locator(f"#m{seq}").evaluate("row => row.getBoundingClientRect().top")
            return place

        head = ada.log.evaluate("log => log.getBoundingClientRect().top")
        first = next(seq for seq in range(edge - 40, edge) if top(seq) > head)
        for changed, read in ((first - 8, first), (first, first)):
            before = top(read)
            longer = {"kind": "edit", "of": changed, "body": "\n".join([f"{changed}", *"abcdefghij"])}
            grace.http.post(grace.messages(board), json=longer).raise_for_status()
            expect(ada.page.locator(f"#m{changed} .words")).to_contain_text("j")
            assert abs(top(read) - before) < 1, (changed, read)


def test_older_messages_that_could_not_be_loaded_are_tried_again(
    in_room: OpenPage, server: Server, board: int
) -> None:
    tell(server, board, 130)
    ada = in_room("ada")
    expect(ada.row("130")).to_be_in_viewport()
    failed: list[Route] = []

    def fail_once(route: Route) -> None:
        failed.append(route)
        route.abort() if len(failed) == 1 else route.continue_()

    ada.page.route("**/messages?before=*", fail_once)
    ada.scroll_to_top()
    expect(ada.row("31")).to_have_count(1)
    assert len(failed) >= 2


def test_a_link_to_a_message_that_could_not_be_loaded_says_so_and_leads_there_the_next_time(
    in_room: OpenPage, server: Server, board: int
) -> None:
    tell(server, board, 130)
    ada = in_room("ada")
    ada.page.route("**/messages?before=*", lambda route: route.abort())
    go = "seq => { location.hash = ''; location.hash = `#${seq}` }"
    ada.page.evaluate(go, 20)
    expect(ada.page.locator("#said")).to_have_text("Message #20 could not be loaded: try again")
    expect(ada.page.locator("#said")).to_be_visible()
    ada.page.unroute("**/messages?before=*")
    ada.page.evaluate(go, 20)
    expect(ada.row("20")).to_be_in_viewport()


def test_older_messages_load_as_one_scrolls_up_and_nothing_jumps(
    in_room: OpenPage, server: Server, board: int
) -> None:
    tell(server, board, 130)
    ada = in_room("ada")
    expect(ada.row("100")).to_have_count(1)
    before = top_of(ada, "100")
    scrolled = ada.log.evaluate("log => log.scrollTop")
    ada.scroll_to_top()
    expect(ada.row("31")).to_have_count(1)
    ada.log.evaluate("(log, top) => { log.scrollTop = top }", scrolled)
    assert abs(top_of(ada, "100") - before) < 1
    ada.scroll_to_top()
    expect(ada.row("1")).to_have_count(1)
    expect(ada.words).to_have_text([str(number) for number in range(1, 131)])
    expect(ada.page.get_by_role("link", name="Older messages")).to_be_hidden()


def test_as_long_as_a_slow_server_has_not_sent_older_messages_rows_stand_for_them_and_nothing_jumps(
    in_room: OpenPage, server: Server, board: int
) -> None:
    tell(server, board, 230)
    ada = in_room("ada")
    expect(ada.row("181")).to_have_count(1)
    coming = ada.page.locator(".coming")
    expect(coming).to_be_hidden()
    held = HeldRequests(ada.page, "**/messages?before=*")
    ada.scroll_to_top()
    before = top_of(ada, "181")
    held.first()
    expect(coming).to_be_visible()
    assert abs(top_of(ada, "181") - before) < 1
    held.end()
    expect(ada.row("131")).to_have_count(1)
    expect(coming).to_be_hidden()
    assert abs(top_of(ada, "181") - before) < 1


def test_what_a_link_leads_to_and_the_newest_are_said_to_be_on_their_way_while_a_slow_server_sends_them(
    in_room: OpenPage, server: Server, board: int
) -> None:
    tell(server, board, 230)
    ada = in_room("ada")
    loading = ada.page.get_by_text("Loading messages")
    expect(ada.row("181")).to_have_count(1)
    expect(loading).to_be_hidden()
    before = top_of(ada, "230")
    held = HeldRequests(ada.page, "**/messages?before=*")
    ada.page.evaluate("location.hash = '20'")
    held.first()
    expect(loading).to_be_visible()
    assert abs(top_of(ada, "230") - before) < 1
    held.end()
    expect(ada.row("20")).to_be_in_viewport()
    expect(loading).to_be_hidden()
    held = HeldRequests(ada.page, "**/messages?before=9*")
    ada.jump.click()
    held.first()
    expect(loading).to_be_visible()
    held.end()
    expect(ada.row("230")).to_be_in_viewport()
    expect(loading).to_be_hidden()


def test_older_messages_load_until_there_are_texts_to_see(
    in_room: OpenPage, server: Server, board: int
) -> None:
    grace = Person(server, "grace")
    kept = grace.say(board, "much liked")
    for number in range(2 * PAGE + 10):
        reaction = {"body": "+1", "kind": "reaction", "of": kept["seq"], "remove": bool(number % 2)}
        assert grace.http.post(grace.messages(board), json=reaction).status_code == 201
    grace.close()
    ada = in_room("ada")
    ada.shows("much liked")


def test_the_title_counts_what_came_while_the_page_was_hidden(in_room: OpenPage) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    expect(ada.page).to_have_title("board · Chat")
    ada.hide()
    grace.say("one", "two")
    expect(ada.page).to_have_title("(2) board · Chat")
    ada.hide(False)
    expect(ada.page).to_have_title("board · Chat")


def test_the_title_counts_what_came_while_one_read_above(
    in_room: OpenPage, server: Server, board: int
) -> None:
    tell(server, board, PAGE)
    ada, grace = in_room("ada"), in_room("grace")
    ada.scroll_up(600)
    expect(ada.row("50")).not_to_be_in_viewport()
    grace.say("one")
    expect(ada.page).to_have_title("(1) board · Chat")
    ada.jump.click()
    expect(ada.page).to_have_title("board · Chat")


def test_a_hidden_page_that_polls_still_hears(in_room: OpenPage) -> None:
    ada, grace = in_room("ada", path="/chats/long_poll/{}/"), in_room("grace")
    ada.hide()
    grace.say("one")
    expect(ada.page).to_have_title("(1) board · Chat")


def test_one_may_read_far_above_and_come_down_through_all_of_it(
    in_room: OpenPage, server: Server, board: int
) -> None:
    tell(server, board, 560)  # more than a page holds
    ada = in_room("ada")
    while not ada.row("1").count():
        ada.scroll_to_top()
    expect(ada.row("560")).to_have_count(0)
    expect(ada.jump).to_be_visible()
    grace = in_room("grace")
    grace.say("newest")
    expect(ada.jump).to_have_text("1 new")
    ada.jump.click()
    expect(ada.row("newest")).to_be_in_viewport()
    expect(ada.row("560")).to_have_count(1)
    ada.say("and mine")
    expect(ada.words.last).to_have_text("and mine")


def test_a_page_of_history_goes_on_to_the_newest(in_room: OpenPage, server: Server, board: int) -> None:
    tell(server, board, 130)
    ada = in_room("ada", path="/chats/{}/?before=60")
    expect(ada.row("59")).to_be_in_viewport()
    expect(ada.row("60")).to_have_count(1)
    expect(ada.row("59")).to_be_in_viewport()
    grace = in_room("grace")
    grace.say("newest")
    while not ada.row("newest").count():
        ada.log.evaluate("log => { log.scrollTop = 0 }")
    expect(ada.words).to_have_text([*(str(number) for number in range(10, 131)), "newest"])


def test_a_message_read_here_is_read_on_every_device(in_room: OpenPage, server: Server, board: int) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    with ada.page.expect_websocket() as opened:
        ada.page.reload()
    with opened.value.expect_event("framesent", lambda frame: '"read"' in frame and '"seq":1' in frame):
        grace.say("one")


def test_what_was_read_is_not_unread_on_the_page_of_all_rooms(
    in_room: OpenPage, server: Server, board: int
) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    grace.say("one")
    expect(ada.row("one")).to_be_in_viewport()
    grace.say("two", "three")
    expect(ada.row("three")).to_be_in_viewport()
    ada.page.goto("/chats/")
    card = ada.page.locator(f'.room-card[data-room="{board}"]')
    expect(card).to_be_visible()
    expect(card.locator(".count")).to_be_hidden()
