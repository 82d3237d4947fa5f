"""Who may do what in a room, as those see it whom it concerns: at once, without loading the page again."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser, OpenPage
from tests.browser.fields import fill_again
from tests.clients import Person, eventually
from tests.people import Member, administrator, member
from tests.servers import Server

PHONE = {"viewport": {"width": 360, "height": 780}, "has_touch": True, "is_mobile": True}
WIDE = {"viewport": {"width": 1440, "height": 900}}
NO_SCRIPT = {"java_script_enabled": False}
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OpenAs = Callable[..., ChatPage]


def ask(who: Member, method: str, path: str, **json: Any) -> Any:
    """What the API answers."""
    answer = who.http.request(method, f"/api/rooms{path}", json=json)
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


@pytest.fixture
def ada(server: Server) -> Iterator[Member]:
    with closing(member(server, "Ada")) as person:
        yield person


@pytest.fixture
def grace(server: Server) -> Iterator[Member]:
    with closing(member(server, "Grace")) as person:
        yield person


@pytest.fixture
def wen(server: Server) -> Iterator[Member]:
    with closing(member(server, "Wen")) as person:
        yield person


@pytest.fixture
def board(ada: Member) -> int:
    """A public room that Ada owns."""
    return ada.make_room("board")


@pytest.fixture
def den(ada: Member) -> int:
    """A private room that Ada owns."""
    room: int = ask(ada, "POST", "", name="den", kind="private")["id"]
    return room


@pytest.fixture
def room_of(browser_of: OpenBrowser, board: int) -> OpenAs:
    """Opens the board, or another room, for a member; returns when the page is live."""

    def make(person: Member, room: int = board, **options: Any) -> ChatPage:
        return opened(browser_of(person, **options), room)

    return make


def opened(page: Page, room: int, path: str = "/chats/{}/") -> ChatPage:
    """A room in a tab that there is."""
    page.goto(path.format(room))
    chat = ChatPage(page, room)
    expect(chat.state).to_have_text("Live")
    return chat


def guest_id(page: Page) -> str:
    """The id of the guest who looks at a room's page."""
    own: str = page.evaluate("JSON.parse(document.getElementById('page').textContent).identity.id")
    return own


def at_the_side(chat: ChatPage, room: int) -> Locator:
    return chat.page.locator(f'.room-links [data-room="{room}"]')


# -- parts ------------------------------------------------------------------------------------------------


def test_who_is_made_a_moderator_moderates_at_once_and_who_is_made_a_member_again_does_so_no_more(
    room_of: OpenAs, ada: Member, grace: Member, wen: Member, board: int
) -> None:
    wen.say(board, "hello")
    of = wen.say(board, "shameful")["seq"]
    ada.http.post(ada.messages(board), json={"kind": "delete", "of": of}).raise_for_status()
    chat = room_of(grace, **WIDE)
    chat.page.get_by_role("button", name="People here").click()
    to_details = chat.page.locator("#ways-on .to-details")
    undo = chat.page.get_by_role("button", name="Undo")
    expect(to_details).to_have_text(["Members and details"])
    expect(undo).to_have_count(0)

    ask(ada, "PUT", f"/{board}/members/{grace.id}", role="moderator")
    expect(to_details).to_have_text(["Members, settings, audit log", re.compile("Reports")])
    expect(undo).to_be_visible()
    menu = chat.about("hello")
    expect(menu.get_by_role("button", name="Delete")).to_be_visible()
    expect(menu.get_by_role("button", name="Time out, send out, ban")).to_be_visible()
    chat.page.keyboard.press("Escape")

    ask(ada, "PUT", f"/{board}/members/{grace.id}", role="member")
    expect(undo).to_have_count(0)
    expect(chat.page.locator("#ways-on .to-details")).to_have_count(1)
    menu = chat.about("hello")
    expect(menu.get_by_role("link", name="Report")).to_be_visible()
    expect(menu.get_by_role("button", name="Delete")).to_be_hidden()


# -- people ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/chats/{}/", "/chats/long_poll/{}/"], ids=["socket", "long poll"])
def test_what_somebody_says_of_themselves_shows_beside_their_name_and_long_words_are_cut(
    path: str, browser_of: OpenBrowser, room_of: OpenAs, ada: Member, grace: Member, board: int
) -> None:
    room_of(grace)
    grace.change(grace.id, status="at sea").raise_for_status()
    chat = opened(browser_of(ada, **WIDE), board, path)
    says = chat.page.locator("#people-here .person").filter(has_text=grace.name).locator(".says")
    chat.page.get_by_role("button", name="People here").click()
    expect(says).to_have_text("at sea")
    if path == "/chats/{}/":  # who polls asks who is here only now and then
        words = "<b>back</b> " + "on the second of next month " * 3
        grace.change(grace.id, status=words.strip()).raise_for_status()
        expect(says).to_have_text(words.strip())
        is_cut = "it => it.scrollWidth > it.clientWidth && it.clientHeight < 30"
        eventually(lambda: says.evaluate(is_cut), "in one line, and cut")
        grace.change(grace.id, status="").raise_for_status()
        expect(says).to_be_hidden()


def test_a_face_has_the_same_letter_and_tint_wherever_it_stands(
    browser_of: OpenBrowser, room_of: OpenAs, ada: Member, grace: Member, board: int
) -> None:
    """Of a name of two words, in rows of the server's and of the script's, at the side and in completion."""
    room_of(grace).say("from grace")
    chat = room_of(ada, **WIDE)
    chat.page.get_by_role("button", name="People here").click()
    faces = [
        chat.row("from grace").locator(".face"),
        chat.page.locator("#people-here .person").filter(has_text=grace.name).locator(".face"),
        chat.page.locator("#completions .completion").filter(has_text=grace.name).locator(".face"),
    ]
    chat.field.press_sequentially("@Gra")
    expect(faces[2]).to_be_visible()  # before another page takes the focus: it would go
    tint = faces[0].get_attribute("data-tint") or ""
    for face in faces:
        expect(face).to_have_text("G")
        expect(face).to_have_attribute("data-tint", tint)
    plain = browser_of(ada, **NO_SCRIPT)
    plain.goto(f"/chats/{board}/")
    served = plain.locator("#messages > .message .face")
    expect(served).to_have_text("G")
    expect(served).to_have_attribute("data-tint", tint)


def test_messages_that_are_scrolled_to_stand_under_the_name_that_their_author_has_now(
    room_of: OpenAs, ada: Member, grace: Member, board: int
) -> None:
    grace.say(board, "the first")
    for number in range(60):
        ada.say(board, f"{number}")
    name = f"Grace H {grace.id}"
    grace.change(grace.id, name=name).raise_for_status()
    chat = room_of(ada)
    expect(chat.row("the first")).to_have_count(0)
    chat.scroll_to_top()
    expect(chat.row("the first").locator(".author")).to_have_text(name)


def card_of(chat: ChatPage, name: str) -> Locator:
    """What the pane at the side says of somebody who is here."""
    if not chat.page.locator("#people").is_visible():
        chat.page.get_by_role("button", name="People here").click()
    chat.page.locator("#people-here").get_by_role("link", name=name).click()
    card = chat.page.locator("#person-menu #person")
    expect(card.get_by_role("heading", name=name)).to_be_visible()
    return card


def test_who_is_here_can_be_written_to_alone_and_what_they_said_is_found_from_their_name(
    room_of: OpenAs, ada: Member, grace: Member
) -> None:
    room_of(grace)
    chat = room_of(ada, **WIDE)
    said = card_of(chat, grace.name).get_by_role("link", name="What they said here")
    assert f"{grace.name}".replace(" ", "+") in (said.get_attribute("href") or "")
    expect(chat.page.get_by_role("link", name="Their account")).to_be_hidden()  # of administrators alone
    chat.page.get_by_role("button", name="Send a direct message").click()
    expect(chat.page.get_by_role("heading", name=grace.name, level=1)).to_be_visible()


def test_who_was_a_guest_first_is_one_no_longer_in_the_list_and_can_be_written_to(
    room_of: OpenAs, browser_of: OpenBrowser, server: Server, ada: Member, board: int
) -> None:
    """They have kept the guest's id."""
    with closing(Member(server, f"Joan {ada.id}")) as joan:
        joan.http.post("/guests", json={"name": joan.name}).raise_for_status()
        joan.sign_up(administrator(server).invite())
        room_of(joan)
        chat = room_of(ada, **WIDE)
        card = card_of(chat, joan.name)
        expect(card.get_by_role("button", name="Send a direct message")).to_be_visible()
        expect(chat.page.locator("#people-here .guest:not(.part):visible")).to_have_count(0)


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_moderator_times_somebody_out_from_the_list_of_who_is_here(
    size: dict[str, Any], room_of: OpenAs, in_room: OpenPage, ada: Member
) -> None:
    mallory = in_room("mallory")
    chat = room_of(ada, **size)
    card = card_of(chat, "mallory")
    card.get_by_text("Time out, send out, ban").click()
    expect(card.get_by_role("button", name="Apply")).to_be_in_viewport()
    card.get_by_role("button", name="Apply").click()
    expect(card).to_be_hidden()
    expect(mallory.page.get_by_text("You may only read in this room until")).to_be_visible()


def test_who_is_a_member_and_not_here_stands_below_those_who_are(
    browser_of: OpenBrowser, room_of: OpenAs, ada: Member, grace: Member, board: int
) -> None:
    chat = room_of(ada, **WIDE)
    away = chat.page.locator("#away")
    chat.page.get_by_role("button", name="People here").click()
    expect(chat.page.locator("#people-here .name")).to_have_text([ada.name])
    grace.http.post(f"/api/rooms/{board}/join").raise_for_status()
    expect(away.get_by_role("heading")).to_have_text("Away · 1")
    away.get_by_role("link", name=grace.name).click()
    expect(chat.page.locator("#person-menu").get_by_text("Send a direct message")).to_be_visible()
    room_of(grace)
    expect(away).to_be_hidden()
    expect(chat.page.locator("#people-here .name")).to_have_text(sorted([ada.name, grace.name]))


def test_a_name_in_the_list_keeps_the_focus_when_others_come_and_gets_it_back_from_what_it_opens(
    in_room: OpenPage,
) -> None:
    ada = in_room("ada", **WIDE)
    card = card_of(ada, "ada")
    expect(card.get_by_role("link", name="You as a guest")).to_be_visible()
    expect(card.get_by_role("button")).to_have_count(0)  # nothing is done to oneself
    row = ada.page.locator("#people-here").get_by_role("link", name="ada")
    ada.page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(row).to_be_focused()
    in_room("grace")
    expect(ada.page.locator("#people-here .name")).to_have_text(["ada", "grace"])
    expect(row).to_be_focused()
    ada.page.keyboard.press("Escape")
    expect(ada.page.locator("#people")).to_be_hidden()


def test_without_a_script_a_name_leads_to_the_room_s_details_where_a_refusal_is_said_beside_it(
    browser_of: OpenBrowser, in_room: OpenPage, ada: Member, board: int
) -> None:
    mallory = in_room("mallory")
    page = browser_of(ada, **NO_SCRIPT)
    page.goto(f"/chats/{board}/")
    link = page.locator("#people-here").get_by_role("link", name="mallory", include_hidden=True)
    page.goto(link.get_attribute("href") or "")
    card = page.locator("#person")
    card.get_by_text("Time out, send out, ban").click()
    card.get_by_label("Ban from this room").check()
    card.get_by_label("And all guests from").fill("nowhere")
    card.get_by_role("button", name="Apply").click()
    expect(card.get_by_role("alert")).to_be_visible()
    fill_again(card.get_by_label("And all guests from"), "")
    card.get_by_role("button", name="Apply").click()
    expect(page.locator("#sanctions ~ .member-list").first).to_contain_text("mallory")
    expect(mallory.page.get_by_role("heading", name="You are banned from board")).to_be_visible()


# -- rooms that come and go ----------------------------------------------------------------------------


def test_a_private_room_comes_to_the_side_of_who_is_taken_in_and_goes_with_their_part(
    room_of: OpenAs, ada: Member, grace: Member, den: int
) -> None:
    hers = room_of(grace)
    expect(at_the_side(hers, den)).to_have_count(0)
    ask(ada, "PUT", f"/{den}/members/{grace.id}")
    expect(at_the_side(hers, den).locator('[data-mark="private"]')).to_be_visible()
    ask(ada, "DELETE", f"/{den}/members/{grace.id}")
    expect(at_the_side(hers, den)).to_have_count(0)
    hers.say("still here")
    hers.shows("still here")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_who_leaves_a_private_room_is_told_first_that_there_is_no_way_back_and_then_that_they_left(
    script: bool, browser_of: OpenBrowser, ada: Member, grace: Member, board: int, den: int
) -> None:
    ask(ada, "PUT", f"/{den}/members/{grace.id}")
    ask(grace, "POST", f"/{board}/join")
    page = browser_of(grace, java_script_enabled=script)
    page.goto(f"/chats/{den}/")
    page.get_by_role("button", name="People here").click()
    about = page.locator("#about")
    about.get_by_text("Leave", exact=True).click()
    expect(about.get_by_text("You cannot come back unless somebody takes you in.")).to_be_visible()
    about.get_by_role("button", name="Leave this room").click()
    expect(page.get_by_role("status").filter(has_text="You have left “den”.")).to_be_visible()
    expect(page.locator(f'.room-card[data-room="{den}"]')).to_have_count(0)
    page.goto(f"/chats/{board}/")
    page.get_by_role("button", name="People here").click()
    about.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("status").filter(has_text="You have left “board”.")).to_be_visible()


@pytest.mark.parametrize("path", ["/chats/{}/", "/chats/long_poll/{}/"], ids=["socket", "long poll"])
def test_a_member_who_is_removed_while_reading_is_told_so_and_gets_nothing_more(
    path: str, browser_of: OpenBrowser, ada: Member, grace: Member, den: int
) -> None:
    ask(ada, "PUT", f"/{den}/members/{grace.id}")
    inside = opened(browser_of(grace), den, path)
    ada.say(den, "between us")
    inside.shows("between us")
    ask(ada, "DELETE", f"/{den}/members/{grace.id}")
    ended = inside.page.locator("main .ended")
    expect(ended).to_contain_text("den")
    expect(inside.field).to_be_hidden()
    expect(inside.log).to_be_hidden()
    ada.say(den, "now without her")
    expect(at_the_side(inside, den)).to_have_count(0)
    expect(inside.page.get_by_text("now without her")).to_have_count(0)


def test_beside_a_room_that_one_is_removed_from_the_others_go_on(
    room_of: OpenAs, ada: Member, grace: Member, board: int, den: int
) -> None:
    ask(ada, "PUT", f"/{den}/members/{grace.id}")
    with closing(ada.socket()) as socket:
        socket.join(board)  # of more rooms than one socket follows, those with people in them count at once
        inside = room_of(grace, den)
        count = at_the_side(inside, board).locator(".unread-number")
        before = int(count.text_content() or 0)
        ada.say(board, "one")
        expect(count).to_have_text(str(before + 1))
        ask(ada, "DELETE", f"/{den}/members/{grace.id}")
        expect(inside.page.get_by_role("heading", name="You were removed from den")).to_be_visible()
        ada.say(board, "two")
        expect(count).to_have_text(str(before + 2))


def test_a_room_that_becomes_private_under_its_readers_says_so(
    in_room: OpenPage, ada: Member, board: int
) -> None:
    mallory = in_room("mallory")
    ask(ada, "PATCH", f"/{board}", kind="private")
    expect(mallory.page.get_by_role("heading", name="You can no longer read board")).to_be_visible()
    expect(mallory.page.get_by_text("for its members only")).to_be_visible()
    expect(at_the_side(mallory, board)).to_have_count(0)


def test_a_ban_ends_every_tab_in_every_worker(
    visitor: OpenBrowser, person: OpenBrowser, three_workers: Server
) -> None:
    with closing(Person(three_workers, "grace")) as grace:
        room = grace.make_room("board")
        page = person("mallory", at=three_workers)
        page.goto(f"/chats/{room}/")
        first = ChatPage(page, room)
        expect(first.state).to_have_text("Live")
        tabs = [first, *(first.another_tab() for _ in range(5))]
        first.say("spam")
        for tab in tabs:
            tab.shows("spam")
        banned = three_workers.console("room", "ban", str(room), "mallory", "--why", "spam")
        assert banned.status == 0, banned.err
        for tab in tabs:
            expect(tab.page.get_by_role("heading", name="You are banned from board")).to_be_visible()
        first.page.reload()
        expect(first.page.get_by_text("You are banned from this room")).to_be_visible()
        assert grace.read(room)["messages"]


def test_who_is_banned_from_a_room_is_told_until_when_and_tries_again(
    in_room: OpenPage, ada: Member, board: int
) -> None:
    mallory = in_room("mallory")
    guest = guest_id(mallory.page)
    for seconds, lasts in ((3600, "unless the ban is lifted sooner"), (0, "until the ban is lifted.")):
        banned = {"kind": "ban", "person": guest, "seconds": seconds, "why": f"spam {seconds}"}
        ask(ada, "POST", f"/{board}/sanctions", **banned)
        if seconds:
            mallory.page.get_by_role("link", name="Until when").click()
        else:
            mallory.page.reload()
        expect(mallory.page.get_by_role("heading", name="You are banned from this room")).to_be_visible()
        expect(mallory.page.get_by_text(lasts)).to_be_visible()
        expect(mallory.page.get_by_text(f"Why: “spam {seconds}”")).to_be_visible()
        expect(mallory.page.locator("main time")).to_have_count(1 if seconds else 0)
    for sanction in ask(ada, "GET", f"/{board}/sanctions")["sanctions"]:
        ask(ada, "DELETE", f"/{board}/sanctions/{sanction['id']}")
    mallory.page.get_by_role("link", name="Try again").click()
    expect(mallory.state).to_have_text("Live")


# -- who may write -------------------------------------------------------------------------------------


def test_a_time_out_takes_the_composer_away_until_it_is_lifted(
    in_room: OpenPage, ada: Member, board: int
) -> None:
    mallory = in_room("mallory")
    mallory.say("hi")
    mallory.shows("hi")
    mallory.page.locator(".people-button").click()
    mallory.page.get_by_text("About this room").click()
    rules = mallory.page.locator("#about .rules")
    expect(rules).to_be_visible()
    ask(
        ada,
        "POST",
        f"/{board}/sanctions",
        kind="timeout",
        person=guest_id(mallory.page),
        seconds=600,
        why="loud",
    )
    expect(
        mallory.page.get_by_text(re.compile("You may only read in this room until .*Why: “loud”"))
    ).to_be_visible()
    expect(mallory.field).to_be_hidden()
    expect(rules).to_be_visible()
    mallory.page.reload()
    expect(
        mallory.page.get_by_text(re.compile("You may only read in this room until .*Why: “loud”"))
    ).to_be_visible()
    expect(mallory.state).to_have_text("Live")
    [sanction] = ask(ada, "GET", f"/{board}/sanctions")["sanctions"]
    ask(ada, "DELETE", f"/{board}/sanctions/{sanction['id']}")
    expect(mallory.field).to_be_visible()
    mallory.say("sorry")
    mallory.shows("hi", "sorry")


def test_a_time_out_ends_by_itself(in_room: OpenPage, ada: Member, board: int) -> None:
    mallory = in_room("mallory")
    ask(ada, "POST", f"/{board}/sanctions", kind="timeout", person=guest_id(mallory.page), seconds=4)
    expect(mallory.notices).to_contain_text("timed mallory out for 4 seconds")
    expect(mallory.page.locator("#foot-state")).to_have_attribute("data-may", "yes")
    expect(mallory.field).to_be_visible()


def test_where_only_members_write_one_joins_and_writes_without_a_new_page(
    room_of: OpenAs, in_room: OpenPage, ada: Member, wen: Member, board: int
) -> None:
    hers, mallory = room_of(wen), in_room("mallory")
    hers.page.evaluate("window.same = true")
    ask(ada, "PATCH", f"/{board}", posting="members")
    for chat in (hers, mallory):
        expect(chat.page.get_by_text("Only members write in this room.")).to_be_visible()
        expect(chat.field).to_be_hidden()
    hers.page.locator(".foot").get_by_role("button", name="Join").click()
    expect(hers.field).to_be_visible()
    hers.say("I am one now")
    hers.shows("I am one now")
    assert hers.page.evaluate("window.same")
    expect(mallory.page.locator(".foot").get_by_role("button", name="Join")).to_have_count(0)


def test_slow_mode_says_how_long_and_what_was_written_goes_then(
    in_room: OpenPage, ada: Member, board: int
) -> None:
    mallory = in_room("mallory", **PHONE)
    hint = mallory.page.locator("#composer-hint")
    ask(ada, "PATCH", f"/{board}", slow_seconds=3)
    expect(hint).to_have_text("Slow mode: one message in 3 sec")
    mallory.say("one", "two")
    expect(hint).to_contain_text("the next message goes in")
    mallory.shows("one", "two")
    ask(ada, "PATCH", f"/{board}", slow_seconds=0)
    expect(hint).not_to_contain_text("Slow mode")


# -- moderators ----------------------------------------------------------------------------------------


def test_a_deletion_is_undone_beside_it_by_who_did_it_at_once_for_everybody_and_without_a_script(
    browser_of: OpenBrowser, room_of: OpenAs, ada: Member, grace: Member, board: int
) -> None:
    said = grace.say(board, "hello")["seq"]
    hers, his = room_of(ada), room_of(grace)

    def undo(page: Page) -> Locator:
        return page.locator(f"#m{said}").get_by_role("button", name="Undo")

    hers.about("hello").get_by_role("button", name="Delete").click()
    hers.shows("You deleted this message")
    his.shows(f"{ada.name} deleted this message")
    expect(undo(his.page)).to_be_hidden()
    undo(hers.page).click()
    for chat in (hers, his):
        chat.shows("hello")

    ask(grace, "POST", f"/{board}/messages", kind="delete", of=said)
    expect(undo(his.page)).to_be_visible()
    expect(undo(hers.page)).to_be_hidden()
    plain = browser_of(grace, **NO_SCRIPT)
    plain.goto(f"/chats/{board}/")
    expect(plain.locator(f"#m{said} .words")).to_have_text("You deleted this message")
    undo(plain).click()
    expect(plain.locator(f"#m{said} .words")).to_have_text("hello")
    for chat in (hers, his):
        chat.shows("hello")
        chat.page.reload()
        chat.shows("hello")
        expect(undo(chat.page)).to_be_hidden()


def test_what_its_author_deleted_a_moderator_deletes_once_more_and_then_the_author_has_no_undo(
    browser_of: OpenBrowser, room_of: OpenAs, ada: Member, grace: Member, board: int
) -> None:
    said, later = (grace.say(board, body)["seq"] for body in ("hello", "again"))
    hers, his = room_of(ada), room_of(grace)
    undo = his.page.locator(".undo").get_by_role("button", name="Undo")
    ask(grace, "POST", f"/{board}/messages", kind="delete", of=said)
    hers.shows(f"{grace.name} deleted this message", "again")
    his.shows("You deleted this message", "again")
    expect(undo).to_be_visible()
    hers.about(f"{grace.name} deleted this message").get_by_role("button", name="Delete").click()
    hers.shows("You deleted this message", "again")
    his.shows(f"{ada.name} deleted this message", "again")
    expect(undo).to_be_hidden()
    menu = hers.about("You deleted this message")
    expect(menu.get_by_role("button", name="Time out")).to_be_visible()
    expect(menu.get_by_role("button", name="Delete")).to_be_hidden()
    hers.page.keyboard.press("Escape")

    ask(grace, "POST", f"/{board}/messages", kind="delete", of=later)
    plain = browser_of(ada, **NO_SCRIPT)
    plain.goto(f"/chats/{board}/messages/{later}/")
    expect(plain.get_by_text("Its author can still bring it back")).to_be_visible()
    plain.get_by_role("button", name="Delete this message").click()
    expect(plain.locator(f"#m{later} .words")).to_have_text("You deleted this message")
    his.shows(f"{ada.name} deleted this message", f"{ada.name} deleted this message")
    expect(undo.nth(0)).to_be_hidden()
    expect(undo.nth(1)).to_be_hidden()
    plain.goto(f"/chats/{board}/messages/{later}/")
    expect(plain.get_by_role("button", name="Bring it back")).to_be_visible()


def test_the_keyboard_alone_deletes_a_message_and_times_its_author_out(
    room_of: OpenAs, in_room: OpenPage, ada: Member, board: int
) -> None:
    mallory = in_room("mallory")
    mallory.say("spam", "more spam")
    mallory.shows("spam", "more spam")
    owner = room_of(ada)
    menu = owner.page.locator("#message-menu")
    owner.row("more spam").locator(".more").focus()
    owner.page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    owner.page.keyboard.press("ArrowUp")
    expect(menu.get_by_role("button", name="Time out")).to_be_focused()
    owner.page.keyboard.press("ArrowUp")
    owner.page.keyboard.press("Enter")
    expect(menu).to_be_hidden()
    mallory.shows("spam", f"{ada.name} deleted this message")
    owner.row("spam").locator(".more").focus()
    owner.page.keyboard.press("Enter")
    owner.page.keyboard.press("ArrowUp")
    owner.page.keyboard.press("Enter")
    menu.get_by_label("Reason").fill("spam")
    owner.page.keyboard.press("Enter")
    expect(mallory.page.get_by_text("You may only read in this room until")).to_be_visible()
    owner.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()


def test_the_menu_of_a_message_stays_whole_in_the_window_when_a_choice_makes_it_taller(
    room_of: OpenAs, ada: Member, board: int
) -> None:
    with closing(Person(ada.server, "mallory")) as mallory:
        mallory.say(board, "spam")
    owner = room_of(ada, viewport={"width": 1280, "height": 600})
    menu = owner.page.locator("#message-menu")
    owner.about("spam").get_by_role("button", name="Time out").click()
    menu.get_by_label("Ban from this room").check()
    expect(menu.get_by_label("And all guests from")).to_be_visible()
    box = menu.bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 600


def test_who_runs_nothing_is_offered_nothing_against_others(
    in_room: OpenPage, visitor: OpenBrowser, server: Server, board: int
) -> None:
    mallory, wen = in_room("mallory"), in_room("wen")
    wen.say("hi")
    mallory.shows("hi")
    menu = mallory.about("hi")
    expect(menu.get_by_role("button", name="Reply")).to_be_visible()
    for act in ("Edit", "Delete", "Time out"):
        expect(menu.get_by_role("button", name=act)).to_be_hidden()
    mallory.page.goto(f"/chats/{board}/messages/1/")
    expect(mallory.page.get_by_role("button", name="Reply")).to_be_visible()
    for act in ("Change", "Delete this message", "Apply"):
        expect(mallory.page.get_by_role("button", name=act)).to_have_count(0)
    page = visitor()
    page.goto(f"/chats/{board}/messages/1/")
    expect(page.get_by_text("hi", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_be_visible()  # of its link, and that is all
    expect(page.get_by_role("button")).to_have_count(1)


def test_a_room_is_run_by_forms_without_a_script(browser_of: OpenBrowser, ada: Member, grace: Member) -> None:
    page = browser_of(ada, **NO_SCRIPT)
    page.goto("/chats/")
    page.get_by_label("Name", exact=True).fill("the den")
    page.get_by_label("Only whom you take in").check()
    page.get_by_role("button", name="Make room").click()
    page.get_by_role("button", name="People here").click()
    page.get_by_role("link", name="Members, settings, audit log").click()
    expect(page.get_by_text("Its members; for others it is not there")).to_be_visible()
    page.get_by_label("Topic").fill("quiet")
    page.get_by_label("Who may write").select_option(label="Moderators")
    page.get_by_label("Slow mode, seconds").fill("ten")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("whole number")
    expect(page.get_by_label("Topic")).to_have_value("quiet")
    fill_again(page.get_by_label("Slow mode, seconds"), "30")
    page.get_by_label("Keep for days").fill("90")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#part").get_by_text("Moderators")).to_be_visible()
    expect(page.locator("#part").get_by_text("One message in 30 seconds")).to_be_visible()
    expect(page.locator("#part").get_by_text("for 90 days")).to_be_visible()
    fill_again(page.get_by_label("Take somebody in"), "nobody of that name")
    page.get_by_role("button", name="Take in").click()
    expect(page.get_by_role("alert")).to_contain_text("nobody")
    fill_again(page.get_by_label("Take somebody in"), grace.name)
    page.get_by_role("button", name="Take in").click()
    room = int(page.url.split("/")[4])
    assert room in [listed["id"] for listed in grace.http.get("/api/rooms").json()["rooms"]]
    more = page.locator(".member", has_text="Grace").locator("summary")
    more.click()
    page.get_by_label("Part", exact=True).locator("visible=true").select_option("moderator")
    page.get_by_role("button", name="Give this part").locator("visible=true").click()
    expect(page.locator(".member", has_text="Grace").locator("> .guest")).to_have_text("moderator")
    page.locator(".member", has_text="Grace").locator("summary").click()
    page.get_by_role("button", name="Remove").locator("visible=true").click()
    expect(page.locator(".member")).to_have_count(1)
    assert grace.http.get(grace.messages(room)).status_code == 404
    expect(page.locator(".audit")).to_contain_text(f"{ada.name} removed {grace.name}")
    page.get_by_role("button", name="Mute").click()
    expect(page.get_by_role("button", name="Unmute")).to_be_visible()
    page.goto("/chats/")
    expect(page.locator(".room-card.muted .name")).to_have_text("the den")


def test_somebody_is_sent_out_by_a_form_without_a_script_and_may_come_back(
    browser_of: OpenBrowser, in_room: OpenPage, ada: Member, board: int
) -> None:
    mallory, page = in_room("mallory"), browser_of(ada, **NO_SCRIPT)
    page.goto(f"/chats/{board}/details/")
    page.get_by_label("Send out: may come back").check()
    expect(page.get_by_label("For how long")).to_be_hidden()
    page.get_by_label("Reason").locator("visible=true").fill("to cool down")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".audit li").first).to_contain_text(f"{ada.name} removed mallory “to cool down”")
    expect(mallory.page.get_by_role("heading", name="You were removed from board")).to_be_visible()
    mallory.page.get_by_role("link", name="Come back").click()
    expect(mallory.state).to_have_text("Live")


def test_a_range_of_addresses_is_banned_for_guests_by_a_form_without_a_script(
    browser_of: OpenBrowser, in_room: OpenPage, person: OpenBrowser, ada: Member, grace: Member, board: int
) -> None:
    mallory, page = in_room("mallory"), browser_of(ada, **NO_SCRIPT)
    page.goto(f"/chats/{board}/details/")
    network = page.get_by_label("And all guests from")
    expect(network).to_be_hidden()
    page.get_by_label("Ban from this room").check()
    network.fill("over there")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).to_contain_text("192.0.2.0/24")
    fill_again(network, "127.0.0.0/8")
    page.get_by_role("button", name="Apply").click()
    banned = page.locator("#sanctions ~ ul .sanction", has_text="mallory")
    expect(banned).to_have_count(1)  # herself, her browser, and where she comes from
    expect(banned).to_contain_text("also in that browser, with all guests from 127.0.0.0/8")
    expect(mallory.page.get_by_role("heading", name="You are banned from board")).to_be_visible()
    nell = person("nell")
    nell.goto(f"/chats/{board}/")
    expect(nell.get_by_text("You are banned from this room")).to_be_visible()
    assert grace.read(board)  # from there, too, but no guest
    page.get_by_role("button", name="Lift the ban of mallory").click()
    expect(banned).to_have_count(0)
    opened(nell, board)


def test_a_room_is_cleared_and_deleted_by_forms_that_ask_whether_one_is_sure(
    browser_of: OpenBrowser, in_room: OpenPage, ada: Member, board: int
) -> None:
    mallory, page = in_room("mallory"), browser_of(ada, **NO_SCRIPT)
    mallory.say("hi")
    mallory.shows("hi")
    page.goto(f"/chats/{board}/details/")
    for path, button in (
        (f"/chats/{board}/clear", "Clear this room"),
        (f"/chats/{board}/delete", "Delete this room"),
    ):
        page.get_by_role("button", name=button).click()  # the browser asks for the tick
        unsure = page.request.post(path, headers={"Origin": ada.server.url})
        assert unsure.status == 400
    mallory.shows("hi")
    page.get_by_label("Remove all messages").check()
    page.get_by_role("button", name="Clear this room").click()
    expect(page.locator(".audit li").first).to_contain_text(f"{ada.name} cleared the room")
    expect(mallory.rows).to_have_count(0)
    mallory.say("anew")
    mallory.shows("anew")
    page.get_by_label("Remove the room").check()
    page.get_by_role("button", name="Delete this room").click()
    expect(page.get_by_role("heading", name="Rooms", exact=True)).to_be_visible()
    expect(mallory.page.get_by_role("heading", name="board is gone")).to_be_visible()


def test_the_address_of_a_new_webhook_and_what_refuses_one_are_in_view(
    browser_of: OpenBrowser, ada: Member, board: int
) -> None:
    page = browser_of(ada)
    page.goto(f"/chats/{board}/details/")
    page.get_by_label("A new one, by name").fill(ada.name)
    page.get_by_role("button", name="Make webhook").click()
    expect(page.get_by_role("alert")).to_be_in_viewport()
    fill_again(page.get_by_label("A new one, by name"), "Builds")
    page.get_by_role("button", name="Make webhook").click()
    expect(page.get_by_role("status").locator(".key")).to_be_in_viewport()


def test_a_long_name_without_a_space_makes_the_administrators_table_no_wider(
    browser_of: OpenBrowser, server: Server, ada: Member
) -> None:
    room = ask(ada, "POST", "", name="Donaudampfschifffahrtsgesellschaft" * 2, kind="private")["id"]
    page = browser_of(administrator(server), viewport={"width": 1280, "height": 800})
    page.goto("/admin/rooms")
    expect(page.get_by_text("Donaudampfschifffahrtsgesellschaft" * 2, exact=True)).to_be_visible()
    assert page.evaluate(SIDEWAYS) == 0
    ask(ada, "DELETE", f"/{room}")


def test_details_offer_nothing_that_one_may_not_do(
    visitor: OpenBrowser, person: OpenBrowser, board: int
) -> None:
    for page in (visitor(), person("mallory")):
        page.goto(f"/chats/{board}/details/")
        expect(page.get_by_role("heading", name="board")).to_be_visible()
        expect(page.locator("main form")).to_have_count(0)
        expect(page.get_by_text("Audit log")).to_have_count(0)


def test_two_people_write_to_each_other_from_a_rooms_details(
    room_of: OpenAs, grace: Member, wen: Member, board: int
) -> None:
    hers, his = room_of(grace), room_of(wen)
    for chat in (hers, his):
        chat.page.get_by_role("button", name="People here").click()
        chat.page.locator("#about").get_by_role("button", name="Join").click()
        expect(chat.page.locator("#about").get_by_role("button", name="Leave")).to_be_visible()
    hers.page.goto(f"/chats/{board}/details/")
    row = hers.page.locator(".member", has_text=wen.name)
    row.locator("summary").click()
    row.get_by_role("button", name=f"Write to {wen.name}").click()
    expect(hers.page.get_by_role("heading", level=1)).to_have_text(wen.name)
    expect(hers.state).to_have_text("Live")
    hers.say("have you got a minute?")
    direct = his.page.locator("#direct .room-link")
    expect(direct.locator(".name")).to_have_text(grace.name)
    expect(direct.locator(".unread-number")).to_have_text("1")


@pytest.mark.parametrize("options", [PHONE, WIDE], ids=["phone", "wide"])
def test_details_do_not_scroll_sideways(
    options: dict[str, Any], browser_of: OpenBrowser, server: Server
) -> None:
    with closing(member(server, "A" + "d" * 30)) as person:
        room = person.make_room("Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen")
        page = browser_of(person, **options)
        page.goto(f"/chats/{room}/details/")
        page.locator("summary").first.click()
        assert page.evaluate(SIDEWAYS) == 0
