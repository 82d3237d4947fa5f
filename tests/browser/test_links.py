"""A link to a message leads there a year later, whoever opens it, whatever the room asks of them first."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser, OpenPage
from tests.browser.test_weight import fill
from tests.factors import Authenticator
from tests.people import administrator, member
from tests.servers import Server

A_YEAR = timedelta(days=366)
MORE_THAN_IN_MEMORY = 600  # messages: what was said before them is read from the database


def a_year_later(server: Server, room: int) -> None:
    """What was said in the room was said a year ago."""
    with closing(sqlite3.connect(server.instance / "chat.db", timeout=30)) as database, database:
        earlier = int(A_YEAR.total_seconds() * 1_000_000)
        database.execute("UPDATE messages SET at = at - ? WHERE room_id = ?", (earlier, room))


def test_a_link_that_was_copied_leads_to_its_message_in_a_full_room_a_year_later_also_signed_out(
    in_room: OpenPage, visitor: OpenBrowser, server: Server, board: int
) -> None:
    fill(server, board, 99, "long ago ")
    ada = in_room("ada", permissions=["clipboard-read", "clipboard-write"])
    ada.say("where we met")
    expect(ada.row("where we met")).to_be_visible()
    ada.about("where we met").get_by_role("button", name="Copy link").click()
    expect(ada.page.locator("#said")).to_have_text("Link copied")
    link = ada.page.evaluate("navigator.clipboard.readText()")
    assert link == f"{server.url}/chats/{board}/#100"
    fill(server, board, 50, "soon after ")
    a_year_later(server, board)
    fill(server, board, MORE_THAN_IN_MEMORY)

    page = visitor()
    page.goto(link)
    there = ChatPage(page, board)
    expect(there.row("where we met")).to_be_focused()
    for said in ("long ago 99", "where we met", "soon after 1"):
        expect(there.row(said)).to_be_in_viewport()
    year = str((datetime.now(UTC) - A_YEAR).year)
    expect(there.row("where we met").locator("time")).to_have_attribute("title", re.compile(year))
    expect(there.row(str(MORE_THAN_IN_MEMORY))).to_have_count(0)
    page.get_by_label("Your name").fill("joan")
    page.get_by_role("button", name="Come in").click()
    expect(there.field).to_be_visible()
    expect(there.row("where we met")).to_be_focused()
    there.jump.click()
    expect(there.row(str(MORE_THAN_IN_MEMORY))).to_be_in_viewport()


def test_a_link_into_a_private_room_leads_to_its_message_through_signing_in_with_a_second_factor(
    server: Server, visitor: OpenBrowser
) -> None:
    with closing(member(server, "Grace")) as grace:
        codes = Authenticator(grace)
        answer = grace.http.post("/api/rooms", json={"name": "den", "kind": "private"}).raise_for_status()
        den = answer.json()["id"]
        for number in range(1, 101):
            grace.say(den, f"{number}")
        page = visitor()
        page.goto(f"/chats/{den}/#8")
        page.get_by_role("link", name="Sign in").click()
        page.get_by_label("Your name").fill(grace.name)
        page.get_by_label("Password").fill(grace.password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_label("Code").fill(codes.code())
        page.get_by_role("button", name="Go on").click()
        expect(ChatPage(page, den).row("8")).to_be_focused()


def test_a_link_leads_to_its_message_also_who_has_to_say_a_name_and_a_word_first(
    new_server: Callable[..., Server], visitor: OpenBrowser
) -> None:
    server = new_server(guest_code="sesame").start()
    ada = administrator(server)
    room = ada.make_room()
    for number in range(1, 101):
        ada.say(room, f"{number}")
    page = visitor(server)
    page.goto(f"/chats/{room}/#8")
    page.get_by_label("Your name").fill("grace")
    page.get_by_label("Guest word").fill("open")
    page.get_by_role("button", name="Come in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Guest word").fill("sesame")
    page.get_by_role("button", name="Come in").click()
    expect(ChatPage(page, room).row("8")).to_be_focused()
