"""What one does about a message shows at once to everybody, by pointer, keyboard or finger, and without a script."""

import re
from contextlib import closing

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser, OpenPage
from tests.browser.test_reading import tell
from tests.clients import Person, eventually
from tests.servers import Server

PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
NO_SCRIPT = {"java_script_enabled": False}


def reactions(chat: ChatPage, body: str) -> Locator:
    return chat.row(body).locator(".reaction")


def cancel(chat: ChatPage) -> Locator:
    """What gives up an answer or an edit."""
    return chat.page.locator("#composer").get_by_role("button", name="Cancel")


def test_two_people_react_answer_change_and_delete_and_both_see_it(in_room: OpenPage) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    both = (ada, grace)
    ada.say("shall we sail?")
    grace.shows("shall we sail?")

    grace.about("shall we sail?").get_by_role("button", name="React with 👍").click()
    for chat in both:
        expect(reactions(chat, "shall we sail?")).to_have_text("👍1")
    reactions(ada, "shall we sail?").click()
    for chat in both:
        expect(reactions(chat, "shall we sail?")).to_have_text("👍2")
        expect(reactions(chat, "shall we sail?")).to_have_attribute("title", "grace, ada")
        expect(reactions(chat, "shall we sail?")).to_have_attribute("aria-pressed", "true")
    reactions(ada, "shall we sail?").click()
    for chat in both:
        expect(reactions(chat, "shall we sail?")).to_have_text("👍1")
    ada.row("shall we sail?").hover()
    ada.row("shall we sail?").get_by_role("link", name="React").click()
    ada.menu.get_by_label("Another mark").fill("⛵")
    ada.page.keyboard.press("Enter")
    for chat in both:
        expect(reactions(chat, "shall we sail?")).to_have_text(["👍1", "⛵1"])
    ada.row("shall we sail?").hover()
    ada.row("shall we sail?").get_by_role("link", name="React").click()
    other = ada.menu.get_by_label("Another mark")
    other.click()
    other.fill(":ocean:")
    ada.page.keyboard.press("Enter")
    for chat in both:
        expect(reactions(chat, "shall we sail?")).to_have_text(["👍1", "⛵1", "🌊1"])

    grace.row("shall we sail?").hover()
    grace.row("shall we sail?").get_by_role("link", name="Reply").click()
    expect(grace.field).to_be_focused()
    expect(grace.page.locator("#about-other")).to_have_text(re.compile("Answering ada: shall we sail?"))
    grace.say("at noon")
    expect(cancel(grace)).to_be_hidden()
    for chat in both:
        expect(chat.row("at noon").locator(".quote")).to_have_text(re.compile("ada shall we sail?"))
        chat.row("at noon").locator(".quote").click()
        expect(chat.page).to_have_url(re.compile("#m1$"))

    grace.field.fill("half a thought")
    grace.about("at noon").get_by_role("button", name="Edit").click()
    expect(grace.field).to_have_value("at noon")
    grace.say("at one")
    for chat in both:
        chat.shows("shall we sail?", "at one")
        expect(chat.row("at one").locator(".edited")).to_be_visible()
    expect(grace.field).to_have_value("half a thought")

    grace.about("at one").get_by_role("button", name="Delete").click()
    ada.shows("shall we sail?", "grace deleted this message")
    grace.shows("shall we sail?", "You deleted this message")
    grace.row("You deleted this message").locator("..").get_by_role("button", name="Undo").click()
    for chat in both:
        chat.shows("shall we sail?", "at one")


@pytest.mark.parametrize("by", ["keyboard", "finger"])
def test_any_emoji_is_found_for_a_reaction_by_the_beginning_of_its_code(in_room: OpenPage, by: str) -> None:
    ada = in_room("ada", has_touch=by == "finger")
    ada.say("shall we sail?")
    ada.shows("shall we sail?")
    other, found = ada.menu.get_by_label("Another mark"), ada.menu.get_by_role("option")
    ada.about("shall we sail?")
    narrow = other.bounding_box()
    other.tap() if by == "finger" else other.focus()
    wide = other.bounding_box()
    assert narrow
    assert wide
    assert wide["width"] > 4 * narrow["width"], "what is written is seen"
    other.press_sequentially("ta")
    expect(found.first).to_have_text("🎉:tada:")  # before tacos and taxis
    found.first.tap() if by == "finger" else other.press("Enter")
    expect(reactions(ada, "shall we sail?")).to_have_text("🎉1")

    ada.about("shall we sail?")
    other.fill("no such emoji")
    other.press("Enter")
    expect(ada.menu.get_by_role("alert")).to_have_text(re.compile("one word of up to 16 characters"))
    other.fill("aye!")  # a word is one, too
    expect(ada.menu.get_by_role("alert")).to_be_hidden()
    other.press("Enter")
    expect(reactions(ada, "shall we sail?")).to_have_text(["🎉1", "aye!1"])


def test_all_of_it_is_done_by_keyboard_alone(in_room: OpenPage) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    grace.say("who is it?")
    ada.shows("who is it?")
    press = ada.page.keyboard.press

    ada.say("me")
    ada.shows("who is it?", "me")
    press("ArrowUp")
    expect(ada.field).to_have_value("me")
    press("Escape")
    expect(ada.field).to_have_value("")
    press("ArrowUp")
    press("!")
    press("Enter")
    ada.shows("who is it?", "me!")

    ada.log.focus()
    press("ArrowUp")
    expect(ada.row("me!")).to_be_focused()
    press("ArrowUp")
    expect(ada.row("who is it?")).to_be_focused()
    press("+")
    expect(ada.menu.get_by_role("button", name="React with 👍")).to_be_focused()
    press("Enter")
    expect(reactions(grace, "who is it?")).to_have_text("👍1")
    expect(ada.row("who is it?")).to_be_focused()
    press("r")
    expect(cancel(ada)).to_be_visible()
    press("Escape")
    expect(cancel(ada)).to_be_hidden()
    ada.log.focus()
    press("End")
    expect(ada.row("me!")).to_be_focused()
    press("e")
    expect(ada.field).to_have_value("me!")
    press("Escape")
    ada.row("me!").focus()
    press("Enter")
    expect(ada.menu).to_be_visible()
    press("Escape")
    expect(ada.row("me!")).to_be_focused()
    press("Delete")
    ada.shows("who is it?", "You deleted this message")
    grace.shows("who is it?", "ada deleted this message")
    expect(ada.rows.last).to_be_focused()


HOLD = """(key) => {
    for (const repeat of [false, true, true, true]) {
        const target = document.activeElement;
        target.dispatchEvent(new KeyboardEvent("keydown", { key, repeat, bubbles: true, cancelable: true }));
    }
}"""


def test_a_key_that_is_held_does_it_once(in_room: OpenPage) -> None:
    ada = in_room("ada")
    ada.say("one", "two")
    ada.shows("one", "two")
    for key in ("l", "c"):
        ada.page.evaluate(
            "navigator.clipboard.writeText = async (words) => (window.copied ??= []).push(words)"
        )
        ada.page.evaluate("window.copied = []")
        ada.row("two").focus()
        ada.page.evaluate(HOLD, key)
        eventually(lambda: ada.page.evaluate("copied.length"))
        assert len(ada.page.evaluate("copied")) == 1
    ada.row("two").focus()
    ada.page.evaluate(HOLD, "Delete")
    ada.shows("one", "You deleted this message")

    def kinds() -> list[str]:
        kept = ada.page.request.get(f"/api/rooms/{ada.room}/messages?after=0").json()["messages"]
        return [each["kind"] for each in kept]

    eventually(lambda: kinds() == ["text", "text", "delete"], "shown before it is kept, and kept once")
    expect(ada.page.locator("#said")).not_to_contain_text("Not done")


def test_what_was_done_is_said_where_one_sees_it(in_room: OpenPage) -> None:
    ada = in_room("ada")
    ada.say("hello")
    ada.shows("hello")
    ada.page.evaluate("navigator.clipboard.writeText = async () => {}")
    ada.about("hello").get_by_role("button", name="Copy text").click()
    for place in ("#said", "#announcement"):
        expect(ada.page.locator(place)).to_have_text("Copied")
    expect(ada.page.locator("#said")).to_be_visible()
    expect(ada.page.locator("#said")).to_be_hidden()  # by itself


def test_without_a_line_nothing_is_marked_unread_and_that_is_said(in_room: OpenPage) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    grace.say("hello")
    ada.shows("hello")
    ada.go_offline()
    expect(ada.banner).to_be_visible()
    ada.about("hello").get_by_role("button", name="Mark unread from here").click()
    expect(ada.page.locator("#said")).to_have_text("Not done: there is no connection to the server right now")
    expect(ada.page.locator("#messages > .new")).to_have_count(0)
    ada.page.context.set_offline(False)
    expect(ada.state).to_have_text("Live")
    ada.about("hello").get_by_role("button", name="Mark unread from here").click()
    expect(ada.page.locator("#said")).to_have_text("Unread from here")
    expect(ada.page.locator("#messages > .new + .message")).to_contain_text("hello")


def test_a_finger_that_rests_on_a_message_opens_its_sheet(in_room: OpenPage) -> None:
    ada, grace = in_room("ada", **PHONE), in_room("grace")
    grace.say("hello")
    ada.shows("hello")
    box = ada.row("hello").locator(".words").bounding_box()
    assert box is not None
    finger = ada.page.context.new_cdp_session(ada.page)
    at = [{"x": box["x"] + 5, "y": box["y"] + 5}]
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
    expect(ada.row("hello")).to_have_class(re.compile("chosen"))
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(ada.menu).to_be_visible()
    ada.menu.get_by_role("button", name="React with 🎉").tap()
    expect(reactions(grace, "hello")).to_have_text("🎉1")
    expect(ada.menu).to_be_hidden()


@pytest.mark.parametrize("path", ["/chats/{}/", "/chats/long_poll/{}/"], ids=["socket", "long poll"])
def test_what_is_done_offline_is_done_later_in_order_also_after_a_reload(
    path: str, in_room: OpenPage, server: Server, board: int
) -> None:
    with closing(Person(server, "grace")) as grace:
        grace.say(board, "hello")
        ada = in_room("ada", path=path)
        ada.say("one")
        ada.shows("hello", "one")
        ada.go_offline()
        expect(ada.banner).to_be_visible()
        ada.about("hello").get_by_role("button", name="React with 👍").click()
        expect(ada.page.locator("#said")).to_have_text("That is done when you are back")
        ada.about("one").get_by_role("button", name="Edit").click()
        ada.say("two")
        ada.about("one").get_by_role("button", name="Delete").click()
        expect(ada.banner).to_contain_text("3 unsent")
        ada.page.context.set_offline(False)
        expect(ada.state).to_have_text("Live")
        ada.shows("hello", "You deleted this message")
        expect(reactions(ada, "hello")).to_have_text("👍1")
        assert [each["kind"] for each in grace.read(board, after=2)["messages"]] == [
            "reaction",
            "edit",
            "delete",
        ]


def test_what_is_refused_for_good_is_said_and_its_words_stay(
    in_room: OpenPage, server: Server, board: int
) -> None:
    ada = in_room("ada")
    ada.say("one")
    ada.shows("one")
    ada.about("one").get_by_role("button", name="Edit").click()
    with closing(Person(server)) as nobody:  # the same person elsewhere
        nobody.http.cookies.update({each["name"]: each["value"] for each in ada.page.context.cookies()})
        nobody.http.post(nobody.messages(board), json={"kind": "delete", "of": 1}).raise_for_status()
    ada.shows("You deleted this message")
    ada.say("one and a half")
    expect(ada.failed).to_contain_text("Not changed: This message was deleted")
    ada.page.reload()
    expect(ada.failed.locator(".words")).to_have_text("one and a half")
    ada.failed.get_by_role("button", name="Edit").click()
    expect(ada.field).to_have_value("one and a half")
    ada.shows("You deleted this message")


def test_a_link_to_a_message_leads_there_however_long_ago_it_was(
    in_room: OpenPage, server: Server, board: int
) -> None:
    tell(server, board, 200)
    ada = in_room("ada", path="/chats/{}/#42")
    expect(ada.row("42")).to_be_in_viewport()
    expect(ada.row("42")).to_be_focused()
    assert ada.rows.count() < 150
    ada.page.evaluate("location.hash = '#7'")
    expect(ada.row("7")).to_be_in_viewport()
    ada.jump.click()
    expect(ada.row("200")).to_be_in_viewport()
    ada.page.evaluate("location.hash = '#999'")
    expect(ada.page.locator("#announcement")).to_have_text("There is no message #999 here (any more)")
    expect(ada.row("200")).to_be_in_viewport()


def test_without_a_script_the_page_of_a_message_does_it(
    person: OpenBrowser, server: Server, board: int
) -> None:
    with closing(Person(server, "grace")) as grace:
        said = grace.say(board, "hello")["seq"]
        page = person("ada", **NO_SCRIPT)

        def to_its_page(seq: int) -> None:
            page.goto(f"/chats/{board}/")
            page.locator(f"#m{seq}").get_by_role("link", name="More").click()

        def row(seq: int) -> Locator:
            return page.locator(f"#m{seq}")

        to_its_page(said)
        page.get_by_role("button", name="React with 👍").click()
        expect(page).to_have_url(re.compile(f"/chats/{board}/#m{said}$"))
        expect(row(said).locator(".reaction")).to_have_text("👍1")
        assert grace.http.post(
            grace.messages(board), json={"kind": "reaction", "body": "🚀", "of": said}
        ).is_success
        to_its_page(said)
        # Who reacted, and with what, can be read there, too.
        expect(page.locator(".one-message .reaction")).to_have_text(["👍1", "🚀1"])
        expect(page.get_by_title("grace")).to_have_text("🚀1")
        page.get_by_role("button", name="Take 👍 back").click()
        expect(row(said).locator(".reaction")).to_have_text("🚀1")
        to_its_page(said)
        page.get_by_label("Reply", exact=True).fill("hello to you")
        page.get_by_role("button", name="Reply").click()
        answer = grace.read(board)["messages"][-1]
        assert (answer["body"], answer["of"]) == ("hello to you", said)
        to_its_page(answer["seq"])
        page.get_by_label("What it says").fill("x" * 4001)
        page.get_by_role("button", name="Change").click()
        expect(page.get_by_role("alert")).to_contain_text("4000 characters")
        page.get_by_label("What it says").fill("good day")
        page.get_by_role("button", name="Change").click()
        expect(row(answer["seq"]).locator(".words")).to_have_text("good day")
        to_its_page(answer["seq"])
        page.get_by_role("button", name="Delete this message").click()
        expect(row(answer["seq"]).locator(".words")).to_have_text("You deleted this message")
        row(answer["seq"]).get_by_role("button", name="Undo").click()
        expect(row(answer["seq"]).locator(".words")).to_have_text("good day")


def test_what_came_back_while_one_was_away_says_what_it_said_last(
    in_room: OpenPage, server: Server, board: int
) -> None:
    with closing(Person(server, "grace")) as grace:
        said = grace.say(board, "one")["seq"]
        ada = in_room("ada")
        ada.shows("one")
        ada.go_offline()
        expect(ada.state).to_have_text("Connecting")
        for change in ({"kind": "edit", "body": "two"}, {"kind": "delete"}, {"kind": "restore"}):
            grace.http.post(grace.messages(board), json={"of": said, **change}).raise_for_status()
        ada.page.context.set_offline(False)
        ada.shows("two")
        expect(ada.row("two").locator(".edited")).to_be_visible()
        for body in ("three", "four"):
            grace.http.post(
                grace.messages(board), json={"of": said, "kind": "edit", "body": body}
            ).raise_for_status()
        ada.shows("four")


def test_in_slow_mode_a_deletion_does_not_wait_behind_the_next_message(
    in_room: OpenPage, server: Server, board: int
) -> None:
    assert server.console("room", "set", board, "--pace", "600").status == 0
    ada = in_room("ada")
    ada.say("my password is swordfish", "oops")
    expect(ada.words.first).to_have_text("my password is swordfish")
    ada.about("my password is swordfish").get_by_role("button", name="Delete").click()
    expect(ada.words.first).to_have_text("You deleted this message")
    expect(ada.pending).to_contain_text("oops")


def test_on_a_phone_each_row_has_more_and_a_deleted_one_stands_apart(
    in_room: OpenPage, board: int, server: Server
) -> None:
    tell(server, board, 2, name="mallory")
    ada = in_room("ada", **PHONE)
    ada.say("one", "two", "three")
    for body in ("two", "one"):
        row = ada.row(body)
        expect(row).to_have_class("message starts" if body == "one" else "message")
        row.get_by_role("link", name="More about this message").tap()
        ada.menu.get_by_role("button", name="Delete").tap()
    first, second = (ada.rows.nth(number) for number in (2, 3))
    for row in (first, second):
        expect(row).to_contain_class("starts deleted")
        expect(row.locator(".face")).to_be_hidden()
    expect(ada.row("three")).to_have_class("message starts")


def test_on_a_phone_more_stands_at_one_edge_in_a_column_where_no_words_come(in_room: OpenPage) -> None:
    ada = in_room("ada", **PHONE)
    ada.say("one", "wide " * 40, "three")
    ada.shows("one", ("wide " * 40).strip(), "three")
    edges = set()
    for row in ada.rows.all():
        button = row.get_by_role("link", name="More about this message").bounding_box()
        words = row.locator(".text").bounding_box()
        assert button
        assert words
        assert words["x"] + words["width"] <= button["x"]
        edges.add(button["x"])
    assert len(edges) == 1


# A finger that rests on a row, or (`up`) is lifted.
FINGER = """(row, type) => row.dispatchEvent(
    new PointerEvent(type, { pointerType: "touch", bubbles: true, clientX: 50, clientY: 50 }))"""


def test_a_row_that_is_deleted_under_a_finger_keeps_no_tint(
    in_room: OpenPage, server: Server, board: int
) -> None:
    ada = in_room("ada", **PHONE)
    with closing(Person(server, "mallory")) as mallory:
        said = mallory.say(board, "gone soon")
        row = ada.row("gone soon")
        row.evaluate(FINGER, "pointerdown")
        expect(row).to_contain_class("chosen")
        deletion = {"kind": "delete", "of": said["seq"]}
        mallory.http.post(mallory.messages(board), json=deletion).raise_for_status()
    expect(ada.rows).to_contain_class("deleted")
    ada.rows.evaluate(FINGER, "pointerup")
    expect(ada.page.locator(".chosen")).to_have_count(0)


def test_of_many_reactions_those_behind_the_twelfth_open_and_stay_open(
    in_room: OpenPage, server: Server, board: int
) -> None:
    with closing(Person(server, "mallory")) as mallory:
        said = mallory.say(board, "who comes along?")

        def react(mark: str) -> None:
            change = {"kind": "reaction", "of": said["seq"], "body": mark}
            mallory.http.post(mallory.messages(board), json=change).raise_for_status()

        for number in range(14):
            react(f"+{number}")
        ada = in_room("ada")
        shown = reactions(ada, "who comes along?").filter(visible=True)
        rest = ada.row("who comes along?").locator(".reaction-rest")
        expect(shown).to_have_count(12)
        react("more")
        expect(rest).to_have_text("+3 more reactions")
        rest.click()
        expect(shown).to_have_count(15)
        expect(reactions(ada, "who comes along?").nth(12)).to_be_focused()
        react("another")
        expect(shown).to_have_count(16)
        expect(rest).to_be_hidden()
