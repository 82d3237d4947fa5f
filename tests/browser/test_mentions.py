"""Who is called sees it, at once and in every tab; names complete themselves; what one has read can be unread."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chat_page import ChatPage, HeldRequests
from tests.browser.conftest import OpenBrowser
from tests.browser.transports import NO_WEBSOCKET
from tests.clients import Person, Socket, eventually
from tests.people import Member, member
from tests.servers import Server

OpenAs = Callable[..., ChatPage]
# The browser's own are shown by the desktop, which a test cannot see.
NOTIFICATIONS = """if (location.protocol === "http:") {
    window.told = [];
    window.Notification = class {
        static permission = localStorage.getItem("allowed") ?? "default";
        static async requestPermission() {
            localStorage.setItem("allowed", "granted");
            return (Notification.permission = "granted");
        }
        constructor(title, options) {
            window.told.push({ title, ...options });
            window.newest = this;
        }
        close() {}
    };
}"""


@pytest.fixture
def ada(server: Server) -> Iterator[Member]:
    with closing(member(server, "Ada")) as person:
        yield person


@pytest.fixture
def grace(server: Server) -> Iterator[Member]:
    with closing(member(server, "Grace")) as person:
        yield person


@pytest.fixture
def room_of(visitor: OpenBrowser) -> OpenAs:
    """Opens a room for a member in a browser of their own; returns when the page is live."""

    def make(person: Member, room: int, script: str = NOTIFICATIONS, **options: Any) -> ChatPage:
        page = visitor(at=person.server, **options)
        cookies = person.http.cookies.items()
        page.context.add_cookies(
            [{"name": name, "value": value, "url": person.server.url} for name, value in cookies]
        )
        page.context.add_init_script(script)
        page.goto(f"/chats/{room}/")
        chat = ChatPage(page, room)
        expect(chat.state).to_have_text("Live")
        return chat

    return make


def at_the_side(page: Page, room: int) -> Locator:
    return page.locator(f'.rooms-pane [data-room="{room}"]')


def direct(ada: Member, grace: Member) -> int:
    answer = ada.http.post("/api/direct", json={"people": [grace.id]})
    assert answer.status_code == 200, answer.text
    room: int = answer.json()["id"]
    return room


NEVER_BY_TIME = "window.setInterval = () => 0"  # nothing is asked for by and by
NO_LOCKS = "() => navigator.locks.query().then(({ held, pending }) => held.length + pending.length === 0)"


def shown_titles(chat: ChatPage) -> list[str]:
    titles: list[str] = chat.page.evaluate("told.map(({ title, body }) => `${title}: ${body}`)")
    return titles


def test_who_is_called_sees_it_in_the_text_at_the_side_and_on_the_tab(
    server: Server, ada: Member, grace: Member, room_of: OpenAs, visitor: OpenBrowser
) -> None:
    board, attic = ada.make_room(), ada.make_room("attic")
    talk = direct(ada, grace)
    here, other = room_of(ada, board), room_of(grace, board)
    over_sse = room_of(grace, board, script=NO_WEBSOCKET)
    count = at_the_side(other.page, attic).locator(".count")
    icon = other.page.locator('link[rel="icon"]')

    # In the text: for her it is a pill in a tinted row, for him it is a name.
    here.say(f"Well, @{grace.name.upper()}: <b>look</b>")
    row = other.row(f"Well, @{grace.name.upper()}: <b>look</b>")
    expect(row).to_have_class("message starts for-me")
    expect(row.locator(".mention.own")).to_have_text(f"@{grace.name.upper()}")
    expect(here.rows.locator(".mention")).to_have_text(f"@{grace.name.upper()}")
    expect(here.rows.locator(".mention.own")).to_have_count(0)
    # As the server writes it, too.
    plain = visitor(java_script_enabled=False)
    plain.context.add_cookies(other.page.context.cookies())  # type: ignore[arg-type]
    plain.goto(f"/chats/{board}/")
    expect(plain.locator(".message.for-me .mention.own")).to_have_text(f"@{grace.name.upper()}")

    # At the side: what is said to all is a number, what calls her or is hers alone a pill; over either transport.
    ada.say(attic, "hello, all")
    expect(count).to_have_text("1 unread")
    ada.say(attic, f"hello @{grace.name}")
    ada.say(talk, "just you")
    for page in (other.page, over_sse.page):
        expect(at_the_side(page, attic).locator(".count.for-me")).to_have_text("1 for you")
        expect(at_the_side(page, talk).locator(".count.for-me")).to_have_text("1 for you")
        expect(page).to_have_title("(2) board · Chat")
    expect(icon).to_have_attribute("href", f"{server.url}/static/css/mark-called.svg")
    # An edit calls no longer; a muted room calls all the same; what is read elsewhere is read here.
    grace.http.post(f"/api/rooms/{attic}/join")
    grace.http.post(f"/api/rooms/{attic}/mute", json={"muted": True})
    expect(at_the_side(other.page, attic).locator(".bell")).to_be_visible()
    expect(count).to_have_text("1 for you")
    ada.http.post(ada.messages(attic), json={"kind": "edit", "of": 2, "body": "hello"}).raise_for_status()
    expect(count).to_be_hidden()
    grace.http.post(f"/api/rooms/{talk}/read", json={"seq": 1})
    expect(at_the_side(other.page, talk).locator(".count")).to_be_hidden()
    expect(other.page).to_have_title("board · Chat")
    expect(icon).to_have_attribute("href", f"{server.url}/static/css/mark.svg")


def test_faces_of_conversations_say_who_is_here(ada: Member, grace: Member, room_of: OpenAs) -> None:
    board, attic = ada.make_room(), grace.make_room("attic")
    talk = direct(ada, grace)
    here = room_of(ada, board)
    presence = at_the_side(here.page, talk).locator(".presence")
    expect(presence).to_contain_text("away")
    other = room_of(grace, attic)
    expect(presence).to_contain_text("here")
    other.page.context.close()
    expect(presence).to_contain_text("away")


def test_faces_of_conversations_say_it_also_where_there_are_more_rooms_than_a_page_follows(
    new_server: Callable[..., Server], room_of: OpenAs
) -> None:
    server = new_server(rooms_per_socket="2").start()
    with closing(member(server, "Ada")) as ada, closing(member(server, "Grace")) as grace:
        rooms = [ada.make_room() for _ in range(3)]
        talk = direct(ada, grace)
        here = room_of(ada, rooms[0], script=NEVER_BY_TIME)
        presence = at_the_side(here.page, talk).locator(".presence")
        expect(presence).to_contain_text("away")
        with closing(grace.socket()) as socket:
            socket.join(rooms[1])
            expect(presence).to_contain_text("here")
        expect(presence).to_contain_text("away")


def test_who_went_while_the_list_of_rooms_was_under_way_is_away(
    ada: Member, grace: Member, room_of: OpenAs
) -> None:
    board, attic = ada.make_room(), grace.make_room("attic")
    talk = direct(ada, grace)
    here = room_of(ada, board)
    presence = at_the_side(here.page, talk).locator(".presence")
    other = room_of(grace, attic)
    expect(presence).to_contain_text("here")
    held = HeldRequests(here.page, "**/api/rooms")
    ada.http.post(f"/api/rooms/{attic}/join").raise_for_status()
    ada.http.post(f"/api/rooms/{attic}/mute", json={"muted": True}).raise_for_status()
    route = held.first()
    answer = route.fetch()
    assert next(each for each in answer.json()["rooms"] if each["id"] == talk)["party"][0]["here"]
    other.page.context.close()
    expect(presence).to_contain_text("away")
    route.fulfill(response=answer)
    expect(at_the_side(here.page, attic).locator(".bell")).to_be_visible()
    expect(presence).to_contain_text("away")


def test_what_is_offered_follows_who_comes_and_the_chosen_line_stays_chosen(
    server: Server, ada: Member, room_of: OpenAs
) -> None:
    board = ada.make_room()
    chat = room_of(ada, board)
    lines, chosen = chat.page.get_by_role("option"), chat.page.locator("[role=option][aria-selected=true]")
    with chat.page.expect_response("**/api/people?q=xand"):
        chat.field.press_sequentially("Dear @xand")
    with ExitStack() as guests:

        def comes(name: str) -> Socket:
            socket = guests.enter_context(
                closing(guests.enter_context(closing(Person(server, name))).socket())
            )
            socket.join(board)
            return socket

        comes("Xandra")
        expect(lines).to_contain_text(["Xandra"])
        comes("Xandro")
        expect(lines).to_contain_text(["Xandra", "Xandro"])
        chat.field.press("ArrowDown")
        expect(chosen).to_contain_text("Xandro")
        first = comes("Xandor")
        expect(lines).to_contain_text(["Xandor", "Xandra", "Xandro"])
        expect(chosen).to_contain_text("Xandro")
        expect(chat.field).to_have_attribute("aria-activedescendant", "completions-2")
        first.close()
        expect(lines).to_contain_text(["Xandra", "Xandro"])
        chat.field.press("Enter")
        expect(chat.field).to_have_value("Dear @Xandro ")
        chat.field.press_sequentially("and @xand")
        expect(lines).to_have_count(2)
        chat.field.press("Escape")
        comes("Xandine")
        expect(chat.page.locator(".people-button .people-count")).to_have_text("4")
        expect(chat.page.locator("#completions")).to_be_hidden()  # it was closed


def test_what_is_said_meanwhile_asks_for_nobody_and_makes_no_line_anew(
    ada: Member, grace: Member, room_of: OpenAs
) -> None:
    board = ada.make_room()
    chat = room_of(ada, board)
    asked: list[str] = []
    chat.page.on("request", lambda request: "/api/people" in request.url and asked.append(request.url))

    def says(body: str) -> None:
        """A while later, for what a page remembers of people."""
        chat.page.evaluate("Date.now = ((now) => () => now() + 10_000)(Date.now)")
        grace.say(board, body)
        expect(chat.row(body)).to_be_visible()

    with chat.page.expect_response("**/api/people?q=nobody"):
        chat.field.press_sequentially("Dear @nobody")
    asked.clear()
    for number in range(3):
        says(f"news {number}")
    chat.field.fill("")
    with chat.page.expect_response("**/api/people?q=Grace"):
        chat.field.fill("@Grace")
    says("news of which she is an author")  # by then the answer is on the page
    line = chat.page.get_by_role("option").first
    expect(line).to_contain_text(grace.name)
    line.evaluate("(line) => (line.isOld = true)")
    asked = [url for url in asked if "nobody" in url]
    says("more news")
    assert line.evaluate("(line) => line.isOld")
    assert asked == []


def test_members_are_offered_once_they_are_known_however_fast_one_writes(
    ada: Member, grace: Member, room_of: OpenAs
) -> None:
    answer = ada.http.post("/api/rooms", json={"name": "den", "kind": "private"}).raise_for_status()
    den = answer.json()["id"]
    ada.http.put(f"/api/rooms/{den}/members/{grace.id}", json={"role": "member"}).raise_for_status()
    chat = room_of(ada, den)
    held = HeldRequests(chat.page, f"**/api/rooms/{den}/members")
    chat.field.press_sequentially("@gra")
    route = held.first()
    chat.field.press_sequentially("ce")
    route.continue_()
    expect(chat.page.get_by_role("option")).to_contain_text([grace.name])


def test_of_many_of_one_name_those_who_are_in_the_room_are_offered_first(
    server: Server, ada: Member, grace: Member, room_of: OpenAs
) -> None:
    board = ada.make_room()
    for number in range(9):
        member(server, f"Grac {number}").close()  # by name they come before her
    room_of(grace, board)
    chat = room_of(ada, board)
    expect(chat.page.locator(".people-button .people-count")).to_have_text("2")
    chat.field.press_sequentially("@grac")
    expect(chat.page.get_by_role("option")).to_have_count(8)
    expect(chat.page.get_by_role("option").first).to_contain_text(grace.name)


def test_a_room_that_is_named_is_a_link_for_who_may_read_it_and_words_for_others(
    ada: Member, grace: Member, room_of: OpenAs
) -> None:
    board, den = ada.make_room(), ada.make_room("den of badgers")
    cave = ada.http.post("/api/rooms", json={"name": "Cave", "kind": "private"}).json()["id"]
    ada.say(board, "see #den of badgers, #cave, not `#cave`")
    chat, other = room_of(ada, board), room_of(grace, board)
    chat.say("or #Cave.")
    for page, links in ((chat, [den, cave, cave]), (other, [den])):
        page.shows("see #den of badgers, #cave, not #cave", "or #Cave.")
        expect(page.words.get_by_role("link")).to_have_count(len(links))
        for link, room in zip(page.words.get_by_role("link").all(), links, strict=True):
            expect(link).to_have_attribute("href", f"/chats/{room}/")


def test_names_rooms_and_emoji_complete_themselves_while_one_writes(
    server: Server, ada: Member, grace: Member, room_of: OpenAs
) -> None:
    board, den = ada.make_room(), ada.make_room("den of dragons")
    guest = Person(server, "Zoë the guest")
    with closing(Person(server, "Zora")) as gone:  # who is not there cannot be called, and is not offered
        gone.say(board, "and off")
    chat, other = room_of(ada, board), room_of(grace, board)
    with closing(guest), closing(guest.socket()) as socket:
        socket.join(board)
        expect(chat.page.locator(".people-button .people-count")).to_have_text("3")
        lines = chat.page.get_by_role("option")
        chat.field.press_sequentially("Dear @zo")
        expect(lines).to_have_text(["ZZoë the guestguest"])
        expect(chat.field).to_have_attribute("aria-activedescendant", "completions-0")
        chat.field.press("Escape")
        expect(chat.page.locator("#completions")).to_be_hidden()
        chat.field.press_sequentially("e")
        expect(chat.page.locator("#completions")).to_be_hidden()
        chat.field.fill("")
        chat.field.press_sequentially("Dear @zo")
        expect(lines).to_have_count(1)
        chat.field.press("Enter")
        expect(chat.field).to_have_value("Dear @Zoë the guest ")
        chat.field.press_sequentially("and @" + grace.name[:5].lower())
        expect(lines.first).to_contain_text("Grace")
        chat.field.press("ArrowDown")
        chat.field.press("ArrowUp")
        chat.field.press_sequentially(grace.name[5:])
        expect(lines).to_have_count(1)
        chat.field.press("Tab")
        chat.field.press_sequentially("in #drag")
        expect(lines).to_have_text(["#den of dragons"])
        chat.field.press("Enter")
        with chat.page.expect_response("**/static/data/emoji.json"):
            chat.field.press_sequentially(":tad")
        expect(lines.first).to_contain_text(":tada:")
        chat.field.press("Enter")
        said = f"Dear @Zoë the guest and @{grace.name} in #den of dragons 🎉"
        expect(chat.field).to_have_value(said + " ")
        chat.field.press("Enter")
        expect(other.row(said).locator(".mention")).to_have_text(["@Zoë the guest", f"@{grace.name}"])
        assert den


def test_what_was_read_is_unread_again_from_a_message_on_in_every_tab_until_one_comes_back(
    ada: Member, grace: Member, room_of: OpenAs
) -> None:
    board, attic = ada.make_room(), ada.make_room("attic")
    for number in range(3):
        grace.say(board, f"@{ada.name} {number}")
    chat, elsewhere = room_of(ada, board), room_of(ada, attic)
    tab = chat.another_tab()
    count = at_the_side(elsewhere.page, board).locator(".count")
    expect(count).to_be_hidden()
    row = chat.row(f"@{ada.name} 1")
    row.hover()
    row.get_by_role("link", name="More about this message").click()
    chat.page.get_by_role("button", name="Mark unread from here").click()
    expect(count).to_have_text("2 for you")
    for each in (chat, tab):
        expect(at_the_side(each.page, board).locator(".count")).to_have_text("2 for you")
        expect(each.page.locator("#messages > .new + .message")).to_contain_text(f"@{ada.name} 1")
    grace.say(board, "and more")  # in view of both, and not taken for read
    chat.shows(f"@{ada.name} 0", f"@{ada.name} 1", f"@{ada.name} 2", "and more")
    expect(at_the_side(chat.page, board).locator(".count")).to_have_text("2 for you")
    chat.hide()
    chat.hide(False)
    expect(count).to_be_hidden()
    expect(at_the_side(chat.page, board).locator(".count")).to_be_hidden()


def test_a_browser_tells_what_one_chose_once_and_only_while_no_page_is_in_front(
    ada: Member, grace: Member, room_of: OpenAs
) -> None:
    board, attic = ada.make_room(), grace.make_room("attic")
    chat = room_of(ada, board)
    tab = chat.another_tab()
    chat.page.get_by_role("button", name="People here").click()
    chat.page.get_by_text("Notifications", exact=True).click()
    choices = chat.page.get_by_role("group", name="Notify me of")
    expect(choices.get_by_role("radio", name="mentions")).to_be_disabled()
    choices.get_by_role("button", name="Allow notifications").click()
    expect(choices.get_by_role("radio", name="mentions")).to_be_checked()
    expect(choices.get_by_role("radio", name="mentions")).to_be_enabled()
    tab.page.reload()  # it was not there when its browser was asked
    expect(tab.state).to_have_text("Live")

    grace.say(board, f"@{ada.name}: in front of you")
    expect(chat.words).to_have_count(1)
    expect(tab.words).to_have_count(1)
    chat.hide()
    tab.hide()
    chat.page.wait_for_function(NO_LOCKS)  # so that none counts as in front any more
    grace.say(attic, "to all")
    grace.say(attic, f"@{ada.name}: " + "long " * 100)
    expect(at_the_side(chat.page, attic).locator(".count.for-me")).to_have_text("1 for you")
    expect(at_the_side(tab.page, attic).locator(".count.for-me")).to_have_text("1 for you")
    eventually(lambda: shown_titles(chat) or shown_titles(tab))
    chat.page.wait_for_function(NO_LOCKS)
    told = [*shown_titles(chat), *shown_titles(tab)]
    assert len(told) == 1, told
    assert told[0].startswith(f"{grace.name} in attic: @{ada.name}: long")
    assert told[0].endswith("…")

    # Her choice for this room: kept on the server, and so in her other browsers.
    chat.hide(False)
    with chat.page.expect_response("**/notify") as answer:
        choices.get_by_role("radio", name="all messages").check()
    assert answer.value.status == 204
    room = next(each for each in ada.http.get("/api/rooms").json()["rooms"] if each["id"] == board)
    assert room["notify"] == "all"
    expect(choices.get_by_role("radio", name="all messages")).to_be_checked()
    chat.hide()
    tab.page.close()
    grace.say(board, "to all here")
    chat.page.wait_for_function("() => told.some(({ body }) => body === 'to all here')")
    chat.page.evaluate("newest.onclick()")
    expect(chat.page).to_have_url(f"{chat.page.url.partition('#')[0]}#m2")


def test_what_calls_one_is_told_also_of_rooms_that_the_page_does_not_follow(
    new_server: Callable[..., Server], room_of: OpenAs
) -> None:
    server = new_server(rooms_per_socket="1").start()
    with closing(member(server, "Ada")) as ada, closing(member(server, "Grace")) as grace:
        board, attic = ada.make_room(), grace.make_room("attic")
        allowed = f'{NOTIFICATIONS}; localStorage.setItem("allowed", "granted"); {NOTIFICATIONS}'
        chat = room_of(ada, board, script=allowed)
        chat.hide()
        chat.page.wait_for_function(NO_LOCKS)
        grace.say(attic, "to all")
        grace.say(attic, f"@{ada.name}: come up")
        talk = direct(grace, ada)
        grace.say(talk, "just you")
        told = [f"{grace.name} in attic: @{ada.name}: come up", f"{grace.name}: just you"]
        eventually(lambda: sorted(shown_titles(chat)) == told, "it is told")
        expect(chat.page).to_have_title("(2) board · Chat")


def test_commands_are_offered_to_who_may_give_them(ada: Member, grace: Member, room_of: OpenAs) -> None:
    board = ada.make_room()
    hers, lines = room_of(grace, board), "role=option >> css=.name"
    hers.say("/help")
    expect(hers.page.locator(lines)).to_have_text(["/me", "/help"])
    hers.field.press("Escape")
    for begun in ("/", "/k"):
        hers.field.press_sequentially(begun)
        expect(hers.page.locator(lines)).to_have_text(["/me", "/help"] if begun == "/" else [])
        hers.field.fill("")


def test_why_nothing_can_be_chosen_is_said_beside_it(ada: Member, room_of: OpenAs) -> None:
    """Before the browser was asked, after it was forbidden, where it has none; in German, too."""
    board = ada.make_room()
    denied = NOTIFICATIONS.replace('?? "default"', '?? "denied"')
    for script, locale, said in (
        (NOTIFICATIONS, "en-GB", "wants your permission first"),
        (denied, "en-GB", "This browser blocks notifications of Chat"),
        ("delete window.Notification;", "en-GB", "This browser has no notifications"),
        (denied, "de", "Dieser Browser blockiert"),
    ):
        page = room_of(ada, board, script=script, locale=locale).page
        page.locator(".people-button").click()
        page.locator(".of-notifications summary").click()
        choices = page.locator("#notify")
        expect(choices.get_by_role("radio").first).to_be_disabled()
        expect(choices.locator('[value="mentions"]')).to_be_checked()
        expect(choices).to_contain_text(said)
        expect(choices).to_have_accessible_description(re.compile(said))


def test_what_begins_with_a_slash_is_done(ada: Member, grace: Member, room_of: OpenAs) -> None:
    board = ada.make_room()
    chat = room_of(ada, board)
    lines, refused = chat.page.get_by_role("option"), chat.page.locator("#command-refused")
    chat.say("/help")
    expect(lines.locator(".name")).to_have_text(["/topic", "/me", "/invite", "/kick", "/help"])
    expect(lines.filter(has_text="/kick")).to_contain_text("may come back")
    expect(chat.field).to_have_value("")
    chat.field.press("Escape")
    expect(lines).to_have_count(0)
    expect(chat.field).to_have_value("")
    chat.say("/help")
    expect(lines.first).to_have_text(re.compile("/topic"))
    chat.field.press("Tab")
    expect(chat.field).to_have_value("/topic ")
    chat.field.press_sequentially("Ships on Thursday")
    chat.field.press("Enter")
    expect(chat.page.locator("#room-topic")).to_have_text("Ships on Thursday")
    expect(chat.field).to_have_value("")
    chat.field.press_sequentially("/invite " + grace.name[:9].lower())
    expect(lines.locator(".name")).to_have_text([grace.name])
    chat.field.press("Enter")
    chat.field.press("Enter")
    expect(chat.notices.filter(has_text=f"took {grace.name} in")).to_have_count(1)
    chat.say("/dance with me")
    expect(refused).to_contain_text("There is no command /dance")
    expect(chat.field).to_have_value("/dance with me")
    chat.say("/kick")
    expect(refused).to_have_text("Say whom: /kick Ada")
    chat.say("/kick nobody at all")
    expect(refused).to_contain_text("nobody")
    with closing(Person(ada.server, "Zoë of the attic")) as zoe, closing(zoe.socket()) as socket:
        socket.join(ada.make_room("attic"))
        chat.say("/invite Zoë of the attic")
        expect(refused).to_contain_text("A guest is taken in while they are in this room")
        socket.join(board)
        expect(chat.page.locator(".people-button .people-count")).to_have_text("2")
        chat.field.press("Enter")
        expect(chat.notices.filter(has_text="took Zoë of the attic in")).to_have_count(1)
    for body in ("//dance", "/etc/hosts is a file", "/me waves"):
        chat.say(body)
        expect(chat.field).to_have_value("")
    chat.shows("/dance", "/etc/hosts is a file", "waves")
    for _ in ("by the script", "by the server"):
        expect(chat.row("waves")).to_contain_class("starts")
        expect(chat.row("/etc/hosts is a file")).not_to_contain_class("starts")
        chat.page.reload()
    expect(chat.state).to_have_text("Live")
    expect(refused).to_be_hidden()
    here = room_of(grace, board)
    chat.field.press_sequentially("/kick " + grace.name[:9].lower())
    expect(lines.locator(".name")).to_have_text([grace.name])
    chat.field.press("Enter")
    expect(chat.field).to_have_value(f"/kick @{grace.name} ")
    chat.field.press("Enter")
    expect(here.page.locator(".ended")).to_be_visible()


def test_to_invite_who_is_in_already_is_said_and_leaves_them_what_they_are(
    ada: Member, grace: Member, room_of: OpenAs
) -> None:
    board = ada.make_room()
    assert (
        ada.http.put(f"/api/rooms/{board}/members/{grace.id}", json={"role": "moderator"}).status_code == 200
    )
    chat = room_of(ada, board)
    chat.say(f"/invite {grace.name}")
    expect(chat.page.locator("#command-refused")).to_have_text(f"{grace.name} is a member already")
    expect(chat.field).to_have_value(f"/invite {grace.name}")
    expect(chat.notices).to_have_count(1)  # that she became a moderator
    assert [member["role"] for member in ada.http.get(f"/api/rooms/{board}/members").json()["members"]] == [
        "owner",
        "moderator",
    ]


def test_who_moderates_does_not_throw_themselves_out(ada: Member, room_of: OpenAs) -> None:
    board = ada.make_room()
    chat = room_of(ada, board)
    chat.say(f"/kick {ada.name}")
    expect(chat.page.locator("#command-refused")).to_have_text("That would be yourself")
    expect(chat.field).to_have_value(f"/kick {ada.name}")
    expect(chat.page.locator(".ended")).to_have_count(0)
