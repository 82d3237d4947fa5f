"""Without JavaScript the same pages read, name, write and make rooms."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser, OpenPage
from tests.clients import Person
from tests.servers import Server

NO_SCRIPT = {"java_script_enabled": False}
WORDS = "#messages > .message .words"


def words(page: Page) -> list[str]:
    return page.locator(WORDS).all_text_contents()


def test_a_stranger_reads_gets_a_name_and_writes(visitor: OpenBrowser, server: Server, board: int) -> None:
    grace = Person(server, "grace")
    grace.say(board, "who is there?")
    page = visitor(**NO_SCRIPT)
    page.goto(f"/chats/{board}/")
    assert words(page) == ["who is there?"]
    page.get_by_label("Your name").fill("ada")
    page.get_by_role("button", name="Come in").click()
    expect(page).to_have_url(re.compile(f"/chats/{board}/$"))
    page.get_by_role("textbox", name="Message").fill("it is me\nada")
    page.get_by_role("button", name="Send").click()
    expect(page).to_have_url(re.compile(f"/chats/{board}/$"))
    assert words(page) == ["who is there?", "it is me\nada"]
    expect(page.get_by_role("textbox", name="Message")).to_have_value("")
    kept = [message["body"] for message in grace.read(board)["messages"]]
    assert kept == ["who is there?", "it is me\nada"]
    grace.close()


def test_a_guest_takes_another_name_and_leaves_and_their_other_pages_end_with_it(
    visitor: OpenBrowser, in_room: OpenPage, board: int
) -> None:
    tab = in_room("ada")
    page = visitor(**NO_SCRIPT)
    page.context.add_cookies(tab.page.context.cookies())  # type: ignore[arg-type]
    page.goto(f"/chats/{board}/")
    expect(page.locator(".people-count").first).to_have_text("1")
    page.get_by_role("link", name="Guest").click()
    page.get_by_label("Name").fill("system")
    page.get_by_role("button", name="Change name").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Name").fill("Ada of the board")
    page.get_by_role("button", name="Change name").click()
    expect(page.locator(".who")).to_contain_text("Ada of the board")
    expect(tab.page.locator(".ended")).to_contain_text("You have left")

    page.get_by_role("link", name="Guest", exact=True).click()
    with page.expect_response("**/guests/leave") as answer:
        page.get_by_role("button", name="Leave").click()
    assert answer.value.all_headers()["clear-site-data"] == '"cache"'  # no way back shows what was read
    expect(page.get_by_label("Your name")).to_have_value("")
    page.goto("/guests")
    expect(page).to_have_url(re.compile("/chats/$"))


def test_where_there_is_one_room_who_comes_in_is_there(
    visitor: OpenBrowser, new_server: Callable[..., Server]
) -> None:
    page = visitor(new_server().start(), **NO_SCRIPT)
    page.goto("/")
    page.get_by_label("Your name").fill("ada")
    page.get_by_role("button", name="Come in").click()
    expect(page).to_have_url(re.compile("/chats/1/$"))


def test_the_newest_message_is_in_view_and_older_ones_are_a_link_away(
    visitor: OpenBrowser, server: Server, board: int
) -> None:
    grace = Person(server, "grace")
    for number in range(1, 71):
        grace.say(board, f"{number}")
    grace.close()
    page = visitor(**NO_SCRIPT)
    page.goto(f"/chats/{board}/")
    assert words(page) == [f"{number}" for number in range(21, 71)]
    expect(page.get_by_text("70", exact=True)).to_be_in_viewport()
    page.get_by_role("link", name="Older messages").click()
    expect(page.locator(WORDS)).to_have_text([f"{number}" for number in range(1, 21)])
    expect(page.get_by_role("link", name="Older messages")).to_be_hidden()
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(WORDS).last).to_have_text("70")


def test_a_guest_makes_a_room(person: OpenBrowser) -> None:
    page = person("ada", **NO_SCRIPT)
    page.goto("/chats/")
    page.get_by_label("Name", exact=True).fill("a room without script")
    page.get_by_label("Topic").fill("plain forms")
    page.get_by_role("button", name="Make room").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("a room without script")
    expect(page.locator("#room-topic")).to_have_text("plain forms")
    expect(page.get_by_role("heading", name="Nothing said in a room without script yet")).to_be_visible()


def test_a_refused_message_says_why_and_its_words_stay(person: OpenBrowser, board: int) -> None:
    page = person("ada", **NO_SCRIPT)
    page.goto(f"/chats/{board}/")
    page.get_by_role("textbox", name="Message").fill("x" * 4001)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("4000 characters")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("x" * 4001)


def test_commands_are_not_said_aloud(person: OpenBrowser, board: int) -> None:
    page = person("ada", java_script_enabled=False)
    page.goto(f"/chats/{board}/")
    chat = ChatPage(page, board)
    for body in ("/me waves", "//me waves", "/etc/hosts"):
        chat.field.fill(body)
        chat.send.click()
    expect(chat.words).to_have_text(["waves", "/me waves", "/etc/hosts"])
    chat.field.fill("/kick grace")
    chat.send.click()
    expect(page.get_by_role("alert")).to_contain_text("There are no commands without JavaScript")
    expect(chat.field).to_have_value("/kick grace")
    expect(chat.words).to_have_count(3)


def test_a_refused_name_says_why_above_the_form_that_still_leads_to_the_room(
    visitor: OpenBrowser, board: int
) -> None:
    page = visitor(**NO_SCRIPT)
    page.goto(f"/chats/{board}/")
    page.get_by_label("Your name").fill("system")
    page.get_by_role("button", name="Come in").click()
    expect(page.get_by_role("alert")).to_contain_text("reserved")
    expect(page.get_by_label("Your name")).to_have_value("system")
    page.get_by_label("Your name").fill("ada")
    page.get_by_role("button", name="Come in").click()
    expect(page).to_have_url(re.compile(f"/chats/{board}/$"))


def test_a_room_that_is_not_there_says_so(visitor: OpenBrowser) -> None:
    page = visitor(**NO_SCRIPT)
    answer = page.goto("/chats/999999/")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no room here that you can see")
    page.get_by_role("link", name="All rooms").click()
    expect(page).to_have_url(re.compile("/chats/$"))


def test_who_is_here_can_be_seen(visitor: OpenBrowser, person: OpenBrowser, board: int) -> None:
    ada = person("ada")
    ada.goto(f"/chats/{board}/")
    expect(ada.locator("#state")).to_have_text("Live")
    page = visitor(**NO_SCRIPT)
    page.goto(f"/chats/{board}/")
    page.get_by_role("button", name="People here").click()
    expect(page.locator("#people-here .name")).to_have_text(["ada"])


def test_the_page_is_loaded_anew_by_a_link_also_on_a_phone(
    person: OpenBrowser, server: Server, board: int
) -> None:
    page = person("ada", viewport={"width": 390, "height": 844}, **NO_SCRIPT)
    page.goto(f"/chats/{board}/")
    grace = Person(server, "grace")
    grace.say(board, "meanwhile")
    page.get_by_role("link", name="Reload the page").click()
    expect(page.locator(WORDS)).to_have_text("meanwhile")
    grace.close()


def test_a_messages_page_says_what_it_is_has_its_address_and_one_deletes_last(
    person: OpenBrowser, server: Server, board: int
) -> None:
    page = person("ada", **NO_SCRIPT)
    page.goto(f"/chats/{board}/")
    page.get_by_role("textbox", name="Message").fill("mine")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("link", name="More about this message").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Message")
    expect(page.locator("#link")).to_have_text(f"{server.url}/chats/{board}/#1")
    expect(page.locator(".one-message .face")).to_have_class("face own")
    buttons = page.locator("main").get_by_role("button").all_inner_texts()
    assert buttons[-2:] == ["Mark unread from here", "Delete this message"]
