"""Who may do what in a room, as those see it whom it concerns: at once, without loading the page again."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser, OpenPage
from tests.clients import Person
from tests.servers import Server

PHONE = {"viewport": {"width": 360, "height": 780}, "has_touch": True, "is_mobile": True}
NO_SCRIPT = {"java_script_enabled": False}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Who comes in under a name with a capital letter is a member of this server."""
    server = Server(tmp_path_factory.mktemp("members") / "instance")
    server.app = "tests.signed_in:app"
    yield server.start()
    server.stop()


class Member(Person):
    """A member of the server, outside of a browser."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__(server, name)
        self.id = f"u{self.id[1:]}"

    def ask(self, method: str, path: str, **json: Any) -> Any:
        answer = self.http.request(method, f"/api/rooms{path}", json=json)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def ada(server: Server) -> Iterator[Member]:
    with closing(Member(server, "Ada")) as member:
        yield member


@pytest.fixture
def board(ada: Member) -> int:
    """A public room that Ada owns."""
    return ada.make_room("board")


@pytest.fixture
def den(ada: Member) -> int:
    """A private room that Ada owns."""
    room: int = ada.ask("POST", "", name="den", kind="private")["id"]
    return room


def identity(page: Page) -> str:
    """The id under which somebody looks at a room's page."""
    own: str = page.evaluate("JSON.parse(document.getElementById('page').textContent).identity.id")
    return own


def at_the_side(chat: ChatPage, room: int) -> Any:
    return chat.page.locator(f'.room-links [data-room="{room}"]')


# -- rooms that come and go ----------------------------------------------------------------------------


def test_a_private_room_comes_to_the_side_of_who_is_taken_in_and_goes_with_their_part(
    in_room: OpenPage, ada: Member, board: int, den: int
) -> None:
    grace = in_room("Grace")
    expect(at_the_side(grace, den)).to_have_count(0)
    ada.ask("PUT", f"/{den}/members/{identity(grace.page)}")
    expect(at_the_side(grace, den).locator('[data-mark="private"]')).to_be_visible()
    ada.ask("DELETE", f"/{den}/members/{identity(grace.page)}")
    expect(at_the_side(grace, den)).to_have_count(0)
    grace.say("still here")
    grace.shows("still here")


@pytest.mark.parametrize("path", ["/chats/{}/", "/chats/long_poll/{}/"], ids=["socket", "long poll"])
def test_a_member_who_is_removed_while_reading_is_told_so_and_gets_nothing_more(
    path: str, in_room: OpenPage, ada: Member, board: int, den: int
) -> None:
    grace = in_room("Grace")
    own = identity(grace.page)
    ada.ask("PUT", f"/{den}/members/{own}")
    inside = grace.another_tab(path=path.replace("{}", str(den)))
    ada.say(den, "between us")
    inside.shows("between us")
    ada.ask("DELETE", f"/{den}/members/{own}")
    ended = inside.page.locator("main .ended")
    expect(ended).to_be_visible()
    expect(ended).to_contain_text("den")
    expect(inside.field).to_be_hidden()
    expect(inside.words).not_to_be_visible()
    ada.say(den, "now without her")
    expect(at_the_side(inside, den)).to_have_count(0)
    expect(inside.page.get_by_text("now without her")).to_have_count(0)


def test_beside_a_room_that_one_is_removed_from_the_others_go_on(
    in_room: OpenPage, ada: Member, board: int, den: int
) -> None:
    grace = in_room("Grace")
    own = identity(grace.page)
    ada.ask("PUT", f"/{den}/members/{own}")
    inside = opened(grace, den)
    count = at_the_side(inside, board).locator(".unread-number")
    before = int(count.text_content() or 0)
    ada.say(board, "one")
    expect(count).to_have_text(str(before + 1))
    ada.ask("DELETE", f"/{den}/members/{own}")
    expect(inside.page.get_by_role("heading", name="You were removed from den")).to_be_visible()
    ada.say(board, "two")
    expect(count).to_have_text(str(before + 2))


def opened(chat: ChatPage, room: int) -> ChatPage:
    """Another room in the same tab."""
    chat.page.goto(f"/chats/{room}/")
    opened = ChatPage(chat.page, room)
    expect(opened.state).to_have_text("Live")
    return opened


def test_a_room_that_becomes_private_under_its_readers_says_so(
    in_room: OpenPage, ada: Member, board: int
) -> None:
    mallory = in_room("mallory")
    ada.ask("PATCH", f"/{board}", kind="private")
    expect(mallory.page.get_by_role("heading", name="You may not read board any more")).to_be_visible()
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
        banned = three_workers.flask("room", "ban", str(room), "mallory", "--why", "spam")
        assert banned.returncode == 0, banned.stderr
        for tab in tabs:
            expect(tab.page.get_by_role("heading", name="You may not read board any more")).to_be_visible()
            expect(tab.page.get_by_text("You are banned from this room")).to_be_visible()
        first.page.reload()
        expect(first.page.get_by_text("You are banned from this room")).to_be_visible()
        assert grace.read(room)["messages"]


# -- who may write -------------------------------------------------------------------------------------


def test_a_time_out_takes_the_composer_away_until_it_is_lifted(
    in_room: OpenPage, ada: Member, board: int
) -> None:
    mallory = in_room("mallory")
    mallory.say("hi")
    mallory.shows("hi")
    ada.ask(
        "POST", f"/{board}/sanctions", kind="timeout", person=identity(mallory.page), seconds=600, why="loud"
    )
    expect(mallory.page.get_by_text("You may only read in this room until")).to_be_visible()
    expect(mallory.field).to_be_hidden()
    mallory.page.reload()
    expect(mallory.page.get_by_text("You may only read in this room until")).to_be_visible()
    expect(mallory.state).to_have_text("Live")
    [sanction] = ada.ask("GET", f"/{board}/sanctions")["sanctions"]
    ada.ask("DELETE", f"/{board}/sanctions/{sanction['id']}")
    expect(mallory.field).to_be_visible()
    mallory.say("sorry")
    mallory.shows("hi", "sorry")


def test_a_time_out_ends_by_itself(in_room: OpenPage, ada: Member, board: int) -> None:
    mallory = in_room("mallory")
    ada.ask("POST", f"/{board}/sanctions", kind="timeout", person=identity(mallory.page), seconds=4)
    expect(mallory.notices).to_contain_text("let mallory only read for 4 seconds")
    expect(mallory.page.locator("#foot-state")).to_have_attribute("data-may", "yes")
    expect(mallory.field).to_be_visible()


def test_where_only_members_write_one_joins_and_writes_without_a_new_page(
    in_room: OpenPage, ada: Member, board: int
) -> None:
    wen, mallory = in_room("Wen"), in_room("mallory")
    wen.page.evaluate("window.same = true")
    ada.ask("PATCH", f"/{board}", posting="members")
    for chat in (wen, mallory):
        expect(chat.page.get_by_text("Only members write in this room.")).to_be_visible()
        expect(chat.field).to_be_hidden()
    foot = wen.page.locator(".foot")
    foot.get_by_role("button", name="Join").click()
    expect(wen.field).to_be_visible()
    wen.say("I am one now")
    wen.shows("I am one now")
    assert wen.page.evaluate("window.same")
    expect(mallory.page.locator(".foot").get_by_role("button", name="Join")).to_have_count(0)


def test_slow_mode_says_how_long_and_what_was_written_goes_then(
    in_room: OpenPage, ada: Member, board: int
) -> None:
    mallory = in_room("mallory", **PHONE)
    hint = mallory.page.locator("#composer-hint")
    ada.ask("PATCH", f"/{board}", slow_seconds=3)
    expect(hint).to_have_text("Slow mode: one message in 3 s")
    mallory.say("one", "two")
    expect(hint).to_contain_text("the next message goes in")
    mallory.shows("one", "two")
    ada.ask("PATCH", f"/{board}", slow_seconds=0)
    expect(hint).not_to_contain_text("Slow mode")


# -- moderators ----------------------------------------------------------------------------------------


def test_the_keyboard_alone_deletes_a_message_and_times_its_author_out(
    in_room: OpenPage, ada: Member, board: int
) -> None:
    mallory = in_room("mallory")
    mallory.say("spam", "more spam")
    mallory.shows("spam", "more spam")
    owner = in_room("Ada")
    ada.ask("PUT", f"/{board}/members/{identity(owner.page)}", role="moderator")
    owner.page.reload()
    expect(owner.state).to_have_text("Live")
    menu = owner.page.locator("#message-menu")
    owner.row("more spam").locator(".more").focus()
    owner.page.keyboard.press("Enter")
    expect(menu.get_by_role("button", name="Delete this message")).to_be_focused()
    owner.page.keyboard.press("Enter")
    expect(menu).to_be_hidden()
    mallory.shows("spam", "Ada deleted this message")
    owner.row("spam").locator(".more").focus()
    owner.page.keyboard.press("Enter")
    menu.get_by_label("Reason").fill("spam")
    owner.page.keyboard.press("Enter")
    expect(mallory.page.get_by_text("You may only read in this room until")).to_be_visible()
    owner.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()


def test_who_runs_nothing_has_no_tools_on_messages(in_room: OpenPage, server: Server, board: int) -> None:
    mallory = in_room("mallory")
    mallory.say("hi")
    mallory.shows("hi")
    expect(mallory.page.locator(".more")).to_have_count(0)
    page = mallory.page.request.get(f"/chats/{board}/messages/2/", headers={"Accept": "text/html"})
    assert page.status == 403


def test_a_room_is_run_by_forms_without_a_script(person: OpenBrowser, server: Server) -> None:
    page = person("Ada", **NO_SCRIPT)
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
    page.get_by_label("Slow mode, seconds").fill("30")
    page.get_by_label("Keep for days").fill("90")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#part").get_by_text("Moderators")).to_be_visible()
    expect(page.locator("#part").get_by_text("One message in 30 seconds")).to_be_visible()
    expect(page.locator("#part").get_by_text("for 90 days")).to_be_visible()
    with closing(Member(server, "Grace")) as grace:
        page.get_by_label("Take somebody in").fill("nobody of that name")
        page.get_by_role("button", name="Take in").click()
        expect(page.get_by_role("alert")).to_contain_text("nobody")
        page.get_by_label("Take somebody in").fill(grace.id)
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
    expect(page.locator(".audit")).to_contain_text("Ada removed Grace")
    page.get_by_role("button", name="Mute").click()
    expect(page.get_by_role("button", name="Unmute")).to_be_visible()
    page.goto("/chats/")
    expect(page.locator(".room-card.muted .name")).to_have_text("the den")


def test_details_offer_nothing_that_one_may_not_do(
    visitor: OpenBrowser, person: OpenBrowser, board: int
) -> None:
    for page in (visitor(), person("mallory")):
        page.goto(f"/chats/{board}/details/")
        expect(page.get_by_role("heading", name="board")).to_be_visible()
        expect(page.locator("main form")).to_have_count(0)
        expect(page.get_by_text("Audit log")).to_have_count(0)


def test_two_people_write_to_each_other_from_a_rooms_details(
    in_room: OpenPage, ada: Member, board: int
) -> None:
    grace, wen = in_room("Grace"), in_room("Wen")
    for chat in (grace, wen):
        chat.page.get_by_role("button", name="People here").click()
        chat.page.locator("#about").get_by_role("button", name="Join").click()
        expect(chat.page.locator("#about").get_by_role("button", name="Leave")).to_be_visible()
    grace.page.goto(f"/chats/{board}/details/")
    row = grace.page.locator(".member", has_text="Wen")
    row.locator("summary").click()
    row.get_by_role("button", name="Write to Wen").click()
    expect(grace.page.get_by_role("heading", level=1)).to_have_text("Wen")
    expect(grace.state).to_have_text("Live")
    grace.say("have you got a minute?")
    direct = wen.page.locator("#direct .room-link")
    expect(direct.locator(".name")).to_have_text("Grace")
    expect(direct.locator(".unread-number")).to_have_text("1")


@pytest.mark.parametrize(
    "options", [PHONE, {"viewport": {"width": 1440, "height": 900}}], ids=["phone", "wide"]
)
def test_details_do_not_scroll_sideways(options: dict[str, Any], person: OpenBrowser, server: Server) -> None:
    page = person("A" + "d" * 39, **options)
    page.goto("/chats/")
    page.get_by_label("Name", exact=True).fill("Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen")
    page.get_by_role("button", name="Make room").click()
    expect(page.locator("#state")).to_have_text("Live")
    page.goto(page.url + "details/")
    page.locator("summary").first.click()
    width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(width) == 0
