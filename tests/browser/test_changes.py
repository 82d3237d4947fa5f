"""What is changed in a room is seen by who is in it, at once and also by who comes later."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.clients import Person, eventually
from tests.servers import Server


def change(person: Person, room: int, **fields: Any) -> None:
    answer = person.http.post(person.messages(room), json=fields)
    assert answer.status_code == 201, answer.text


def administer(server: Server, *arguments: Any) -> None:
    # Who is to be removed is known to be there once their worker has said so.
    eventually(lambda: server.console("room", *arguments).status == 0, f"{arguments}")


def test_an_edit_a_deletion_reactions_and_a_reply_show_live_and_after_a_reload(
    in_room: OpenPage, server: Server, board: int
) -> None:
    ada, grace, wen = in_room("ada"), Person(server, "grace"), Person(server, "wen")
    first = grace.say(board, "teh first")["seq"]
    second = grace.say(board, "the second")["seq"]
    ada.shows("teh first", "the second")

    change(wen, board, kind="text", of=first, body="a reply")
    change(grace, board, kind="edit", of=first, body="the first")
    change(grace, board, kind="delete", of=second)
    for person in (grace, wen):
        change(person, board, kind="reaction", of=first, body="+1")
    change(wen, board, kind="reaction", of=first, body="-1")
    change(wen, board, kind="reaction", of=first, body="-1", remove=True)

    def is_so() -> None:
        row = ada.page.locator(f"#m{first}")
        ada.shows("the first", "grace deleted this message", "a reply")
        expect(row.locator(".edited")).to_be_visible()
        expect(row.locator(".reaction .mark")).to_have_text(["+1"])
        expect(row.locator(".reaction .times")).to_have_text(["2"])
        quote = ada.row("a reply").locator(".quote")
        expect(quote.locator(".quoted-author")).to_have_text("grace")
        expect(quote.locator(".quoted")).to_have_text("the first")

    is_so()
    ada.page.reload()
    is_so()
    for person in (grace, wen):
        person.close()


def test_reactions_stay_with_a_message_that_is_loaded_after_them(
    in_room: OpenPage, server: Server, board: int
) -> None:
    grace = Person(server, "grace")
    liked = grace.say(board, "much liked")["seq"]
    for number in range(60):
        grace.say(board, f"{number}")
    change(grace, board, kind="reaction", of=liked, body="+1")
    grace.close()
    ada = in_room("ada")
    ada.scroll_to_top()
    expect(ada.row("much liked").locator(".reaction .times")).to_have_text("1")


def test_a_new_name_and_topic_are_seen_live(in_room: OpenPage, server: Server, board: int) -> None:
    ada = in_room("ada")
    administer(server, "rename", board, "Release 2.4")
    expect(ada.page.get_by_role("heading", level=1)).to_have_text("Release 2.4")
    expect(ada.page).to_have_title("Release 2.4 · Chat")
    expect(ada.page.locator("#rooms [aria-current] .name")).to_have_text("Release 2.4")
    expect(ada.notices).to_contain_text("system named this room Release 2.4")
    administer(server, "topic", board, "Ships on Thursday")
    expect(ada.page.locator("#room-topic")).to_have_text("Ships on Thursday")
    ada.page.reload()
    expect(ada.notices.first).to_contain_text("system named this room Release 2.4")


def test_a_closed_room_can_be_read_and_not_written_until_it_is_opened(
    in_room: OpenPage, server: Server, board: int
) -> None:
    ada = in_room("ada")
    administer(server, "close", board)
    expect(ada.page.get_by_text("This room is closed.")).to_be_visible()
    expect(ada.field).to_be_hidden()
    ada.page.reload()
    expect(ada.page.get_by_text("This room is closed.")).to_be_visible()
    expect(ada.state).to_have_text("Live")
    administer(server, "open", board)
    expect(ada.field).to_be_visible()
    ada.say("hello")
    ada.shows("hello")


def test_who_is_removed_is_told_so_and_may_come_back(in_room: OpenPage, server: Server, board: int) -> None:
    for name, path in (("ada", "/chats/{}/"), ("grace", "/chats/long_poll/{}/")):
        ada = in_room(name, path=path)
        administer(server, "kick", board, name)
        expect(ada.page.get_by_role("heading", name="You were removed from board")).to_be_visible()
        expect(ada.field).to_be_hidden()
        ada.page.get_by_role("link", name="Come back").click()
        expect(ada.state).to_have_text("Live")
        ada.page.context.close()


def test_who_is_removed_from_another_room_stays_in_this_one(
    in_room: OpenPage, server: Server, board: int
) -> None:
    maker = Person(server, "mallory")
    lobby = maker.make_room("lobby")
    ada, grace = in_room("ada"), in_room("grace")
    expect(ada.page.locator(f'#rooms [data-room="{lobby}"]')).to_have_count(1)
    ada.page.evaluate("room => fetch(`/api/rooms/${room}/messages`)", lobby)
    administer(server, "kick", lobby, "ada")
    grace.say("still here?")
    ada.shows("still here?")
    ada.say("yes")
    grace.shows("still here?", "yes")
    maker.close()


def test_a_room_that_is_deleted_is_gone_from_page_and_list(
    in_room: OpenPage, server: Server, board: int
) -> None:
    ada = in_room("ada")
    administer(server, "delete", board, "--yes")
    expect(ada.page.get_by_role("heading", name="board is gone")).to_be_visible()
    expect(ada.page.locator(f'#rooms [data-room="{board}"]')).to_have_count(0)
    ada.page.reload()
    expect(ada.page.get_by_role("link", name="All rooms")).to_be_visible()


def test_a_cleared_room_starts_over_in_every_page(in_room: OpenPage, server: Server, board: int) -> None:
    ada, grace = in_room("ada"), in_room("grace", path="/chats/long_poll/{}/")
    ada.say("one", "two")
    grace.shows("one", "two")
    administer(server, "clear", board, "--yes")
    for chat in (ada, grace):
        expect(chat.page.get_by_role("heading", name="Nothing said in board yet")).to_be_visible()
    ada.say("three")
    ada.shows("three")
    grace.shows("three")
