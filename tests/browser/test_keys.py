"""By keyboard from room to room, in the field, and to where the reading stopped."""

import re
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenBrowser, OpenPage
from tests.browser.test_reading import tell
from tests.clients import Person
from tests.people import member
from tests.servers import Server


def test_ctrl_k_leads_to_a_room_by_a_part_of_its_name(in_room: OpenPage, server: Server) -> None:
    with closing(Person(server, "grace")) as grace, closing(grace.socket()) as socket:
        lighthouse, cafe = grace.make_room("The Lighthouse"), grace.make_room("Café Ñandú")
        socket.join(cafe)  # of more rooms than one page follows, those with people in them count at once
        ada = in_room("ada")
        press, switcher = ada.page.keyboard.press, ada.page.locator("#switcher")
        press("ControlOrMeta+k")
        expect(switcher).to_be_visible()
        field = switcher.get_by_role("combobox", name="Go to a room")
        expect(field).to_be_focused()
        field.fill("no such room")
        expect(switcher.get_by_text("No room and nobody is called that.")).to_be_visible()
        press("Enter")
        expect(switcher).to_be_visible()
        field.fill("cafe n")
        expect(switcher.get_by_role("option")).to_have_text(["Café Ñandú"])
        press("Enter")
        expect(ada.page).to_have_url(re.compile(f"/chats/{cafe}/$"))
        expect(ada.state).to_have_text("Live")
        ada.page.get_by_role("button", name="Go to a room").click()
        field.fill("lighth")
        expect(switcher.get_by_role("option", selected=True)).to_have_text("The Lighthouse")
        switcher.get_by_role("option").click()
        expect(ada.page).to_have_url(re.compile(f"/chats/{lighthouse}/$"))
        expect(ada.state).to_have_text("Live")
        grace.say(cafe, "are you there?")
        expect(ada.page.locator(f'[data-room="{cafe}"] .count')).to_be_visible()
        press("ControlOrMeta+k")
        option = switcher.get_by_role("option").filter(has_text="Café")
        expect(option.locator(".count")).to_have_text("1 unread")
        expect(option.locator(".mark svg")).to_be_visible()
        press("Escape")
        expect(switcher).to_be_hidden()


def test_ctrl_k_leads_to_somebody_and_begins_the_conversation(
    server: Server, browser_of: OpenBrowser, board: int
) -> None:
    with closing(member(server, "Ida")) as ada, closing(member(server, "Wilhelmina")) as wilhelmina:
        page = browser_of(ada)
        page.goto(f"/chats/{board}/")
        expect(page.locator("#state")).to_have_text("Live")
        page.keyboard.press("ControlOrMeta+k")
        page.get_by_role("combobox", name="Go to a room").fill("wilhelmin")
        expect(page.locator("#switcher").get_by_role("option")).to_have_text([f"W{wilhelmina.name}"])
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(wilhelmina.name)
        expect(page.locator("#state")).to_have_text("Live")
        page.keyboard.press("ControlOrMeta+k")  # they are a room now, and offered once
        page.get_by_role("combobox", name="Go to a room").fill("wilhelmin")
        expect(page.locator("#switcher").get_by_role("option")).to_have_count(1)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_fields_for_people_offer_names_and_take_several(
    server: Server, browser_of: OpenBrowser, script: bool
) -> None:
    people = [member(server, f"{word} {script}") for word in ("Adelheid", "Xaver", "Xenia")]
    with closing(people[0]) as ada, closing(people[1]) as xaver, closing(people[2]) as xenia:
        room = ada.http.post("/api/rooms", json={"name": "den", "kind": "private"}).json()["id"]
        page = browser_of(ada, java_script_enabled=script)
        for path, label in ((f"/chats/{room}/details/", "Take somebody in"), ("/chats/", "With whom")):
            page.goto(path)
            field, offered = page.get_by_label(label), page.locator("#names option")
            assert ada.name not in [option.get_attribute("value") for option in offered.all()]
            if script:
                field.fill(f"{xaver.name}, xen")
                both = f"{xaver.name}, {xenia.name}"
                expect(page.locator(f'#names option[value="{both}"]')).to_be_attached()
            field.fill(f"{xaver.name}, {xenia.name}")
            field.press("Enter")
            expect(page.locator("body")).to_contain_text(xenia.name)
        expect(page.get_by_role("heading", level=1)).to_have_text(f"{xaver.name}, {xenia.name}")
        page.goto(f"/chats/{room}/details/#members")
        expect(page.locator(".member .name")).to_have_text([person.name for person in people])


def test_ctrl_slash_shows_the_keys_and_a_question_mark_where_it_is_not_written(in_room: OpenPage) -> None:
    ada = in_room("ada")
    sheet = ada.page.locator("#keys")
    ada.field.press("?")
    expect(ada.field).to_have_value("?")
    expect(sheet).to_be_hidden()
    ada.field.press("ControlOrMeta+/")
    expect(sheet).to_be_visible()
    ada.page.keyboard.press("Escape")
    ada.log.focus()
    ada.page.keyboard.press("?")
    expect(sheet.get_by_text("From message to message")).to_be_visible()
    sheet.get_by_role("link", name="About this server").click()
    expect(ada.page.get_by_text("which speaks chatapp.v1")).to_be_visible()
    expect(ada.page.get_by_text("From message to message")).to_be_visible()


def test_what_enter_does_is_ones_own_choice_and_stays(in_room: OpenPage) -> None:
    ada = in_room("ada")
    ada.page.get_by_role("button", name="Keys").click()
    ada.page.get_by_label("Enter breaks the line").check()
    ada.page.keyboard.press("Escape")
    for press in (lambda: None, ada.page.reload):
        press()
        expect(ada.page.locator("#composer-hint")).to_have_text("Ctrl+Enter sends, Enter breaks the line")
        ada.field.fill("one")
        ada.field.press("Enter")
        expect(ada.field).to_have_value("one\n")
        ada.page.keyboard.type("two")
        ada.field.press("Control+Enter")
        expect(ada.field).to_have_value("")
    ada.shows("one\ntwo", "one\ntwo")


@pytest.mark.parametrize(
    ("locale", "caps"),
    [
        ("en-GB", {"Ctrl", "Shift", "Home", "End", "Del"}),
        ("de", {"Strg", "Umschalt", "Pos1", "Ende", "Entf"}),
        ("ar", {"Ctrl", "Shift", "Home", "End", "Del"}),  # as they stand on Arabic keyboards
    ],
)
def test_keys_are_called_as_the_reader_s_keyboard_has_them(
    locale: str, caps: set[str], person: OpenBrowser
) -> None:
    page = person("ada", locale=locale)
    page.goto("/about")
    shown = set(page.locator("kbd").all_text_contents())
    assert caps <= shown
    assert not (shown & {"Ctrl", "Shift", "Home", "End", "Delete", "Del"}) - caps


def test_keys_format_what_is_marked_and_take_that_back(in_room: OpenPage) -> None:
    ada = in_room("ada")
    ada.field.fill("all hands")
    ada.field.evaluate("field => field.setSelectionRange(4, 9)")
    for key, shown in (
        ("b", "all **hands**"),
        ("i", "all **_hands_**"),
        ("i", "all **hands**"),
        ("b", "all hands"),
        ("e", "all `hands`"),
    ):
        ada.field.press(f"ControlOrMeta+{key}")
        expect(ada.field).to_have_value(shown)
    ada.field.press("ControlOrMeta+z")
    expect(ada.field).to_have_value("all hands")


def test_a_line_and_a_button_show_where_the_reading_stopped_the_last_time(
    person: OpenBrowser, server: Server, board: int
) -> None:
    tell(server, board, 120)
    page = person("ada")
    new, button = page.locator("#messages > .new"), page.get_by_role("button", name="To the first unread")
    page.goto(f"/chats/{board}/")
    expect(page.locator("#m120")).to_be_in_viewport()
    expect(new).to_have_count(0)  # who was never here has read nothing
    answer = page.request.post(
        f"/api/rooms/{board}/read", data={"seq": 30, "unread": True}, headers={"Origin": server.url}
    )
    assert answer.status == 204
    page.goto(f"/chats/{board}/")
    expect(page.locator("#m120")).to_be_in_viewport()
    button.click()
    expect(page.locator("#m31")).to_be_in_viewport()
    expect(new).to_be_in_viewport()
    assert page.locator("#m31").evaluate("row => row.previousElementSibling.className") == "new"
    expect(button).to_be_hidden()
