"""The field: Enter sends, Shift+Enter breaks the line, words stay words."""

import json
import re
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import HeldRequests
from tests.browser.conftest import OpenPage
from tests.clients import Person
from tests.servers import Server


def test_enter_sends_and_shift_enter_breaks_the_line(in_room: OpenPage) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    ada.field.press_sequentially("first line")
    ada.field.press("Shift+Enter")
    ada.field.press_sequentially("second line")
    expect(ada.field).to_have_value("first line\nsecond line")
    ada.field.press("Enter")
    expect(ada.field).to_have_value("")
    expect(grace.words).to_have_text(["first line\nsecond line"], use_inner_text=True)


def test_enter_that_ends_a_composition_does_not_send(in_room: OpenPage) -> None:
    ada = in_room("ada")
    ada.field.fill("にほん")
    for composing in ({"isComposing": True}, {"keyCode": 229}):
        ada.field.dispatch_event(
            "keydown", {"key": "Enter", "bubbles": True, "cancelable": True, **composing}
        )
    expect(ada.field).to_have_value("にほん")
    expect(ada.rows).to_have_count(0)
    ada.field.press("Enter")
    ada.shows("にほん")


def test_a_name_is_looked_for_once_it_is_composed_and_the_enter_that_ends_that_chooses_nothing(
    in_room: OpenPage, server: Server, board: int
) -> None:
    ada = in_room("ada")
    lines, method = ada.page.get_by_role("option"), ada.page.context.new_cdp_session(ada.page)
    with closing(Person(server, "grace")) as grace, closing(Person(server, "日本太郎")) as taro:
        for each in (grace, taro):
            each.read(board, after=-1, wait=0)  # is there for a minute
        ada.field.press_sequentially("@")
        expect(lines).to_contain_text(["grace", "日本太郎"])
        method.send("Input.imeSetComposition", {"text": "日本", "selectionStart": 2, "selectionEnd": 2})
        expect(ada.field).to_have_value("@日本")
        enter = {"key": "Enter", "bubbles": True, "cancelable": True, "isComposing": True}
        ada.field.dispatch_event("keydown", enter)
        expect(ada.field).to_have_value("@日本")
        expect(lines).to_have_count(2)
        method.send("Input.insertText", {"text": "日本"})
        expect(lines).to_contain_text(["日本太郎"])
        ada.field.press("Enter")
        expect(ada.field).to_have_value("@日本太郎 ")
        expect(ada.rows).to_have_count(0)


def test_nothing_is_sent_where_there_is_nothing_to_say(in_room: OpenPage) -> None:
    ada = in_room("ada")
    expect(ada.send).to_be_disabled()
    ada.field.fill("  \n ")
    ada.field.press("Enter")
    expect(ada.send).to_be_disabled()
    ada.say("something")
    ada.shows("something")


def test_the_field_grows_with_the_text(in_room: OpenPage) -> None:
    ada = in_room("ada")
    heights = []
    for lines in (1, 5, 100):
        ada.field.fill("\n".join("a line" for _ in range(lines)))
        heights.append(ada.field.evaluate("field => field.offsetHeight"))
    short, tall, tallest = heights
    assert short < tall <= tallest <= 12 * 16


def test_a_draft_is_still_there_after_a_reload_and_gone_once_sent(in_room: OpenPage) -> None:
    ada = in_room("ada")
    ada.field.fill("half a thou")
    ada.page.reload()
    expect(ada.field).to_have_value("half a thou")
    ada.field.press("Enter")
    ada.shows("half a thou")
    ada.page.reload()
    expect(ada.field).to_have_value("")


@pytest.mark.parametrize("above", [0, 60], ids=["on the page", "above what the page begins with"])
def test_a_half_written_answer_is_still_one_after_a_reload(
    above: int, in_room: OpenPage, server: Server
) -> None:
    ada = in_room("ada")
    with closing(Person(server, "grace")) as grace:
        asked = grace.say(ada.room, "shall we sail?")["seq"]
        ada.about("shall we sail?").get_by_role("button", name="Reply").click()
        ada.field.fill("aye, at")
        grace.say_all(ada.room, [f"word {number}" for number in range(above)])
        ada.page.reload()
        expect(ada.page.locator("#about-other")).to_have_text(re.compile("Answering grace: shall we sail?"))
        expect(ada.field).to_have_value("aye, at")
        ada.say("aye, at noon")
        expect(ada.row("aye, at noon").locator(".quote")).to_be_visible()
        expect(ada.pending).to_have_count(0)
        assert grace.read(ada.room)["messages"][-1]["of"] == asked


def test_an_answer_that_was_given_up_or_whose_question_has_gone_is_a_draft_without_one_after_a_reload(
    in_room: OpenPage, server: Server
) -> None:
    ada = in_room("ada")
    about = ada.page.locator("#about-other")
    with closing(Person(server, "grace")) as grace:
        for question in ("shall we sail?", "when?"):
            asked = grace.say(ada.room, question)["seq"]
            ada.about(question).get_by_role("button", name="Reply").click()
            ada.field.fill("aye")
            if question == "when?":
                ada.page.goto("/chats/")
                grace.http.post(
                    grace.messages(ada.room), json={"kind": "delete", "of": asked}
                ).raise_for_status()
                ada.page.goto(f"/chats/{ada.room}/")
            else:
                about.get_by_role("button", name="Cancel").click()
                ada.page.reload()
            expect(ada.field).to_have_value("aye")
            expect(ada.state).to_have_text("Live")
            expect(about).to_be_hidden()
    ada.say("aye")
    expect(ada.row("aye")).to_have_count(1)
    expect(ada.row("aye").locator(".quote")).to_have_count(0)


def test_a_draft_that_waits_leaves_a_pencil_at_its_room(in_room: OpenPage, server: Server) -> None:
    ada = in_room("ada")
    with closing(Person(server, "mallory")) as mallory:
        other = mallory.make_room("attic")
    ada.field.fill("to be finished")
    for path in (f"/chats/{other}/", "/chats/"):
        ada.page.goto(path)
        expect(ada.page.locator(f'[data-room="{ada.room}"] .draft')).to_be_visible()
        expect(ada.page.locator(".draft")).to_have_count(1)
    ada.page.goto(f"/chats/{ada.room}/")
    ada.say("finished")
    ada.shows("finished")
    ada.page.goto("/chats/")
    expect(ada.page.locator(".room-card")).not_to_have_count(0)
    expect(ada.page.locator(".draft")).to_have_count(0)


def test_each_room_keeps_its_own_draft_however_one_comes_back_to_it(
    in_room: OpenPage, server: Server, board: int
) -> None:
    with closing(Person(server, "grace")) as grace:
        attic = grace.make_room("attic")
    ada = in_room("ada")

    def goes_to(room: int, draft: str) -> None:
        ada.page.locator(f'.room-links [data-room="{room}"]').click()
        expect(ada.page).to_have_url(f"{server.url}/chats/{room}/")
        expect(ada.state).to_have_text("Live")
        expect(ada.field).to_have_value(draft)

    ada.field.fill("for the board\nin two lines")
    goes_to(attic, "")
    ada.field.fill("for the attic")
    ada.page.reload()
    expect(ada.field).to_have_value("for the attic")
    goes_to(board, "for the board\nin two lines")
    ada.page.reload()
    expect(ada.field).to_have_value("for the board\nin two lines")
    ada.page.go_back()
    expect(ada.field).to_have_value("for the attic")
    ada.field.press("Enter")
    ada.shows("for the attic")
    goes_to(board, "for the board\nin two lines")
    goes_to(attic, "")


def test_what_is_written_while_the_script_of_a_page_comes_is_a_draft_behind_the_one_there_was(
    in_room: OpenPage,
) -> None:
    ada = in_room("ada")
    for written, draft in (("first", "first"), ("second", "first\n\nsecond")):
        held = HeldRequests(ada.page, "**/composer.js*")
        ada.page.reload(wait_until="commit")
        held.first()
        ada.field.fill(written)
        held.end()
        expect(ada.field).to_have_value(draft)
        expect(ada.state).to_have_text("Live")
        ada.page.reload()
        expect(ada.field).to_have_value(draft)


def test_near_the_limit_a_counter_counts_characters_not_bytes(in_room: OpenPage) -> None:
    ada = in_room("ada")
    counter = ada.page.locator("#counter")
    expect(counter).to_be_hidden()
    ada.field.fill("🙂" * 3_990)
    expect(counter).to_have_text("10 left")
    ada.field.fill("🙂" * 4_003)
    expect(counter).to_have_text("3 too many")
    expect(ada.send).to_be_disabled()
    ada.field.press("Enter")
    expect(ada.rows).to_have_count(0)
    ada.field.fill("🙂" * 4_000)
    ada.field.press("Enter")
    ada.shows("🙂" * 4_000)


def test_markup_in_bodies_names_and_rooms_stays_text(in_room: OpenPage, server: Server) -> None:
    markup = "<img src=x onerror=document.title='broken'>"
    made = server.console("room", "create", markup, "--topic", f"{markup} topic", "--json")
    assert made.status == 0, made.err
    room = json.loads(made.out)["id"]
    ada, grace = in_room(markup[:40], room), in_room("grace", room)
    ada.say("<b>bold</b> & </script><script>document.title = 'broken'</script> {{ 7 * 7 }}")
    body = "<b>bold</b> & </script><script>document.title = 'broken'</script> {{ 7 * 7 }}"
    grace.shows(body)
    grace.page.reload()
    grace.shows(body)
    expect(grace.page.locator("#messages .author")).to_have_text([markup[:40]])
    expect(grace.page.get_by_role("heading", level=1)).to_have_text(markup)
    expect(grace.page.locator("#room-topic")).to_have_text(f"{markup} topic")
    expect(grace.page.locator("#rooms")).to_contain_text(markup)
    expect(grace.page).to_have_title(f"{markup} · Chat")
    grace.page.goto("/chats/")
    expect(grace.page.locator(".room-cards")).to_contain_text(body)
    expect(grace.page.locator("img")).to_have_count(0)


def test_a_code_in_full_is_its_emoji_with_a_space_or_when_it_is_sent_but_not_in_code(
    in_room: OpenPage,
) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    with ada.page.expect_response("**/emoji.json"):
        ada.field.press_sequentially("done :tada:")
    ada.field.press("Enter")
    grace.shows("done 🎉")
    ada.field.press_sequentially("at 10:30:45 `:tada:` :heart_eyes: ")
    expect(ada.field).to_have_value("at 10:30:45 `:tada:` 😍 ")
    ada.field.fill(":nobody_knows: `a :tada:` and :tada:")  # as from elsewhere
    ada.field.press("Enter")
    grace.shows("done 🎉", ":nobody_knows: a :tada: and 🎉")


def test_what_is_sent_does_not_wait_for_emoji_that_cannot_be_had(in_room: OpenPage) -> None:
    ada = in_room("ada")
    ada.page.route("**/emoji.json", lambda route: route.abort())
    ada.field.press_sequentially("done :tada:")
    ada.field.press("Enter")
    ada.field.press_sequentially("and on")
    ada.field.press("Enter")
    ada.shows("done :tada:", "and on")
