"""Signing in with a name and a password, and a new name on every page. With more: test_passkeys.py,
test_second_factors.py.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import closing

import pytest
from passlib.totp import TOTP
from playwright.sync_api import Page, expect

from tests.browser.chat_page import ChatPage
from tests.clients import Person
from tests.factors import STEP
from tests.people import Member, administrator, member
from tests.servers import Server

OpenBrowser = Callable[..., Page]


def test_who_signs_up_without_a_script_has_a_password(server: Server, visitor: OpenBrowser) -> None:
    name = f"Joan {uuid.uuid4().hex[:8]}"
    page = visitor(java_script_enabled=False)
    page.goto(administrator(server).invite())
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Make account").click()
    expect(page.get_by_role("alert")).to_contain_text("too easy to guess")
    page.get_by_label("Password").fill("nineteen clouds knit socks")
    page.get_by_role("button", name="Make account").click()
    expect(page.get_by_text(name, exact=True).first).to_be_visible()
    page.get_by_role("link", name="Account").click()
    page.get_by_label("Status").fill("Knitting")
    page.get_by_role("button", name="Change status").click()
    expect(page.get_by_label("Status")).to_have_value("Knitting")
    page.get_by_label("Name").fill(f"{name} the second")
    page.get_by_role("button", name="Change name").click()
    expect(page.locator(".who")).to_contain_text(f"{name} the second")


def test_without_a_script_a_second_factor_is_set_up_asked_for_and_lost(
    server: Server, visitor: OpenBrowser
) -> None:
    grace, page = member(server, "grace"), visitor(java_script_enabled=False)

    def say_the_password() -> None:
        page.goto("/sign-in")
        page.get_by_label("Your name").fill(grace.name)
        page.get_by_label("Password").fill(grace.password)
        page.get_by_role("button", name="Sign in", exact=True).click()

    def say(field: str, code: str, button: str = "Go on") -> None:
        page.get_by_label(field).fill(code)
        page.get_by_role("button", name=button).click()

    def is_in() -> None:
        expect(page.get_by_role("heading", name="Rooms", exact=True)).to_be_visible()
        page.get_by_role("link", name="Account").click()

    say_the_password()
    is_in()
    page.get_by_role("link", name="Set up").click()
    page.get_by_role("button", name="Set up").click()
    codes = TOTP(page.locator(".key").inner_text())
    now = time.time()
    first, second = (codes.generate(time=now + seconds).token for seconds in (-STEP, 0))  # each is good once
    say("Code", first, "Turn on")
    page.get_by_role("button", name="Make recovery codes").click()
    recovery = page.locator("#codes li").all_inner_texts()
    page.get_by_role("link", name="Back to your account").click()
    page.get_by_role("button", name="Sign out", exact=True).click()

    say_the_password()
    say("Code", first)
    expect(page.get_by_text("That code is not good")).to_be_visible()
    say("Code", second)
    is_in()
    page.get_by_role("button", name="Sign out", exact=True).click()
    say_the_password()
    page.get_by_role("link", name="Use a recovery code").click()
    say("Recovery code", recovery[3])
    is_in()
    page.get_by_role("listitem").filter(has_text="Second factor").get_by_role("link", name="Change").click()
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_text("No second factor")).to_be_visible()


def test_an_invitation_that_is_used_up_says_whom_to_ask_and_leads_to_signing_in(
    server: Server, visitor: OpenBrowser
) -> None:
    boss, page, late = administrator(server), visitor(), visitor()
    path = boss.invite()
    page.goto(path)
    late.goto(path)
    joan = Member(server, f"Joan {uuid.uuid4().hex[:8]}")
    joan.sign_up(path)
    late.get_by_label("Your name").fill("Nell")
    late.get_by_label("Password").fill("nineteen clouds knit socks")
    late.get_by_role("button", name="Make account").click()
    page.reload()
    for each in (page, late):
        expect(each.get_by_role("heading", name="This invitation is no longer good")).to_be_visible()
        expect(each.get_by_role("main")).to_contain_text(f"Ask {boss.name} for another link")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Your name").fill(joan.name)
    page.get_by_label("Password").fill(joan.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(path)  # who is in already
    expect(page.get_by_role("heading", name="Rooms", exact=True)).to_be_visible()
    page = visitor()
    page.goto("/invitations/never-made")
    expect(page.get_by_role("main")).to_contain_text("Ask whoever gave it to you for another link")


@pytest.mark.parametrize(
    "settings", [{}, {"guest_files": "yes"}, {"file_limit": "0"}, {"sign_up": "invitation"}]
)
def test_a_guest_is_told_that_an_account_sends_files_where_one_can_be_had_for_that(
    settings: dict[str, str], new_server: Callable[..., Server], visitor: OpenBrowser
) -> None:
    server = new_server(**{"sign_up": "open", **settings}).start()
    page = visitor(at=server)
    page.request.post("/guests", data={"name": "ada"}, headers={"Origin": server.url})
    page.goto("/chats/1/")
    hint = page.get_by_text("you can send files")
    if settings:
        expect(page.get_by_role("textbox", name="Message")).to_be_visible()
        expect(hint).to_have_count(0)
        return
    expect(hint).to_be_visible()
    hint.get_by_role("link", name="With an account").click()
    expect(page.get_by_role("heading", name="Make an account")).to_be_visible()
    page.goto("/guests")
    expect(page.get_by_text("and send files")).to_be_visible()


def test_a_link_that_was_used_leads_to_signing_in(server: Server, visitor: OpenBrowser) -> None:
    grace, page = member(server, "grace"), visitor()
    path = server.console("user", "reset-password", grace.name, "--json").json["link"]
    page.goto(path)
    page.get_by_label("New password").fill("nineteen clouds knit socks")
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_text("Your new password is set")).to_be_visible()
    page.goto(path)
    expect(page.get_by_text("This link was used")).to_be_visible()
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Your name").fill(grace.name)
    page.get_by_label("Password").fill("nineteen clouds knit socks")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Rooms", exact=True)).to_be_visible()


def test_what_is_shown_once_is_copied_by_its_button(server: Server, visitor: OpenBrowser) -> None:
    """The link of an invitation, which an administrator finds from their account."""
    boss = administrator(server)
    page = visitor(permissions=["clipboard-read", "clipboard-write"])
    cookie = boss.http.cookies.get("chatapp")
    page.context.add_cookies([{"name": "chatapp", "value": cookie, "url": server.url}])
    page.goto("/account/")
    page.get_by_role("link", name="Administration").click()
    page.get_by_role("link", name="Invitations", exact=True).click()
    page.get_by_role("button", name="Make invitation").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_focused()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator(".key").inner_text()
    page.goto("/account/tokens")
    page.get_by_label("What it is for").fill("builds")
    page.get_by_role("button", name="Make token").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("chat_")


def test_without_a_script_nothing_is_offered_that_would_need_one(
    server: Server, visitor: OpenBrowser, board: int
) -> None:
    boss = administrator(server)
    page = visitor(java_script_enabled=False)
    cookie = boss.http.cookies.get("chatapp")
    page.context.add_cookies([{"name": "chatapp", "value": cookie, "url": server.url}])
    page.goto("/admin/invitations")
    page.get_by_role("button", name="Make invitation").click()
    expect(page.locator(".key")).to_contain_text("/invitations/")
    expect(page.get_by_role("button", name="Copy")).to_be_hidden()
    page.goto(f"/chats/{board}/")
    expect(page.get_by_role("button", name="Go to a room")).to_be_hidden()


def test_a_new_name_shows_at_once_on_every_open_page_also_on_old_messages(
    server: Server, in_room: Callable[..., ChatPage], board: int
) -> None:
    grace = member(server, "Grace")
    grace.say(board, "hello")
    reader = in_room("reader")
    expect(reader.rows.locator(".author")).to_have_text(grace.name)
    name = f"Grace H {uuid.uuid4().hex[:8]}"
    assert grace.change(grace.id, name=name).status_code == 200
    expect(reader.rows.locator(".author")).to_have_text(name)
    later = in_room("later")
    expect(later.rows.locator(".author")).to_have_text(name)


def test_a_face_is_made_here_and_alike_by_the_server_and_the_page_which_ask_nobody_else_for_it(
    server: Server, in_room: Callable[..., ChatPage], board: int
) -> None:
    reader = in_room("reader")
    asked: list[str] = []
    reader.page.on("request", lambda request: asked.append(request.url))
    names = ["Grace Hopper", "joan", "Ñandú Ärger", "ßharp éclair", "أمل حسن", "山田 太郎", "👩‍🚀 Sally"]
    for name in names:
        with closing(Person(server, f"{name} {uuid.uuid4().hex[:6]}")) as somebody:
            somebody.say(board, f"I am {name}")
    faces = reader.rows.locator(".face")
    expect(faces).to_have_count(len(names))

    def shown() -> list[list[str]]:
        found: list[list[str]] = faces.evaluate_all("all => all.map(it => [it.textContent, it.dataset.tint])")
        return found

    live = shown()
    assert len({tint for _, tint in live}) > 1
    reader.page.reload()
    expect(faces).to_have_count(len(names))
    assert shown() == live
    assert [url for url in asked if not url.startswith((server.url, server.url.replace("http", "ws")))] == []


def test_who_is_signed_out_elsewhere_is_told_on_the_page(
    server: Server, visitor: OpenBrowser, board: int
) -> None:
    grace = member(server, "Grace")
    page = visitor()
    cookie = grace.http.cookies.get("chatapp")
    page.context.add_cookies([{"name": "chatapp", "value": cookie, "url": server.url}])
    page.goto(f"/chats/{board}/")
    expect(ChatPage(page, board).state).to_have_text("Live")
    administrator(server).http.post(f"/api/people/{grace.id}/sign-out")
    expect(page.get_by_role("heading", name="You were signed out")).to_be_visible()
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Your name").fill(grace.name)
    page.get_by_label("Password").fill(grace.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(ChatPage(page, board).state).to_have_text("Live")
