"""The whole story of a server in browsers, from the first start to what the audit log tells of it."""

import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.passkeys import Authenticator
from tests.people import PASSWORD, first_path
from tests.servers import Server

OpenBrowser = Callable[..., Page]
SECOND = 1000  # milliseconds in which a ban is everywhere: on open sockets, test_withdrawn.py measures it


@pytest.fixture
def server(new_server: Callable[..., Server]) -> Server:
    """An empty one, for the story alone."""
    return new_server(workers=2).start()


def test_from_an_empty_server_to_a_guest_who_is_banned_and_what_the_audit_log_tells(
    server: Server, visitor: OpenBrowser
) -> None:
    at = SimpleNamespace(url=f"http://localhost:{server.port}")  # a name, as passkeys need it

    # Ada has started the server, and is led to making her account with the code that it printed.
    ada = visitor(at)
    ada.goto("/")
    ada.get_by_role("link", name="make the administrator’s account").click()
    ada.get_by_label("Code of this server").fill("0" * 32)
    ada.get_by_role("button", name="Go on").click()
    expect(ada.get_by_role("alert")).to_contain_text("not the code")
    ada.get_by_label("Code of this server").fill(first_path(server).rpartition("/")[2])
    ada.get_by_role("button", name="Go on").click()
    ada.get_by_label("Your name").fill("Ada")
    ada.get_by_label("Password").fill(PASSWORD)
    ada.get_by_role("button", name="Make account").click()
    expect(ada.get_by_role("heading", name="Rooms", exact=True)).to_be_visible()
    expect(ada.get_by_text("no administrator yet")).to_have_count(0)

    # She invites Grace by a link.
    ada.goto("/chats/1/")
    ada.get_by_role("link", name="Administration").click()
    ada.get_by_role("link", name="Invitations", exact=True).click()
    ada.get_by_label("What the invitation is for").fill("for Grace")
    ada.get_by_role("button", name="Make invitation").click()
    link = ada.get_by_role("status").locator(".key").inner_text()
    assert link.startswith(f"{at.url}/invitations/")

    # Grace opens it in a browser of her own, and signs up with a passkey.
    grace = visitor(at)
    Authenticator(grace)
    grace.goto(link)
    grace.get_by_label("Your name").fill("Grace")
    grace.get_by_role("button", name="Use a passkey instead").click()
    live(grace)  # in the Lobby, which every server has, since there is no other room
    expect(grace.locator(".me")).to_contain_text("Grace")
    grace.goto("/account/")
    expect(grace.get_by_text("1 passkey", exact=True)).to_be_visible()
    grace.get_by_role("button", name="Sign out", exact=True).click()
    grace.goto("/sign-in")
    grace.get_by_role("button", name="Sign in with a passkey").click()
    expect(grace.locator(".who")).to_contain_text("Grace")

    # A private room for the two: it comes to Grace's side while she reads in the Lobby.
    grace.locator(".room-card", has_text="Lobby").click()
    live(grace)
    ada.goto("/chats/")
    ada.get_by_label("Name", exact=True).fill("Den")
    ada.get_by_label("Only whom you take in").check()
    ada.get_by_role("button", name="Make room").click()
    live(ada)
    expect(ada.get_by_role("link", name="Take somebody in")).to_be_visible()
    ada.get_by_role("button", name="People here").click()
    ada.get_by_role("link", name="Members, settings, audit log").click()
    ada.get_by_label("Take somebody in").fill("Grace")
    ada.get_by_role("button", name="Take in").click()
    expect(ada.locator(".member", has_text="Grace")).to_be_visible()
    grace.locator("#rooms .room-link", has_text="Den").click()
    inside = live(grace)
    ada.get_by_role("link", name="Back to the room").click()
    den = live(ada)
    den.say("Between us.")
    inside.shows("Between us.")
    inside.say("I am here.")
    den.shows("Between us.", "I am here.")

    # A direct conversation, begun by Grace and found by Ada at the side.
    grace.get_by_role("button", name="People here").click()
    grace.get_by_role("link", name="Members and details").click()
    grace.locator(".member", has_text="Ada").locator("summary").click()
    grace.get_by_role("button", name="Write to Ada").click()
    hers = live(grace)
    hers.say("Have you got a minute?")
    waiting = ada.locator("#direct .room-link", has_text="Grace")
    expect(waiting.locator(".unread-number")).to_have_text("1")
    waiting.click()
    direct = live(ada)
    direct.shows("Have you got a minute?")
    direct.say("Always.")
    hers.shows("Have you got a minute?", "Always.")

    # A guest comes into the public room, and sees nothing of the others.
    mallory = visitor(server)
    mallory.goto("/")
    mallory.locator(".room-card", has_text="Lobby").click()
    mallory.get_by_label("Your name").fill("Mallory")
    mallory.get_by_role("button", name="Come in").click()
    guest = live(mallory)
    expect(mallory.locator(".room-link")).to_have_count(1)
    guest.say("Buy my boots!")
    grace.locator("#rooms .room-link", has_text="Lobby").click()
    there = live(grace)
    there.shows("Buy my boots!")

    # Ada bans her from the server: her page says so by itself, and she does not come in by another name.
    ada.goto("/admin/people")
    ada.locator("tr", has_text="Mallory").get_by_role("link", name="Ban").click()
    ada.get_by_label("Why").fill("sells boots")
    ada.get_by_label("And all guests from").fill("127.0.0.1")
    ada.get_by_label("For how long").select_option("no end")
    ada.get_by_role("button", name="Ban", exact=True).click()
    gone = mallory.locator("main .ended")
    expect(gone.get_by_role("heading")).to_have_text("You are banned here", timeout=SECOND)
    expect(guest.log).to_be_hidden()
    expect(guest.field).to_be_hidden()
    there.say("Quiet again.")
    there.shows("Buy my boots!", "Quiet again.")
    expect(mallory.get_by_text("Quiet again.")).to_have_count(0)
    for again in (mallory, visitor()):  # nor does a browser come in that has no cookie of hers
        again.goto("/")
        expect(again.get_by_role("heading", name="You are banned here")).to_be_visible()
        come_in = again.request.post("/guests", data={"name": "Nell"}, headers={"Origin": server.url})
        assert come_in.status == 403

    # The audit log tells all of it: who did what to whom, and why.
    ada.get_by_role("link", name="Audit log").click()
    told = [
        ("Ada", "banned Mallory from the server, and all guests from 127.0.0.1/32", "Mallory", "sells boots"),
        ("Ada", "took Grace in", "Grace", ""),
        ("Ada", "made a private room", "Den", ""),
        ("Grace", "made an account: Grace (member)", "Grace", ""),
        ("Ada", "made invitation 1 for 1 use", "for Grace", ""),
        ("system", "made Ada an owner", "Ada", ""),
        ("Ada", "made an account: Ada (administrator)", "Ada", ""),
    ]
    rows = ada.locator(".table tbody tr")
    expect(rows).to_have_count(len(told))
    for number, (who, what, whom, why) in enumerate(told):
        row = rows.nth(number)
        expect(row.locator("th")).to_have_text(who)
        expect(row.locator('[data-label="What"]')).to_have_text(what)
        expect(row.locator('[data-label="Whom or what"]')).to_have_text(whom)
        expect(row.locator('[data-label="Why"]')).to_have_text(why)


def live(page: Page) -> ChatPage:
    """The room that the page shows, when it is live."""
    page.wait_for_url(re.compile(r"/chats/\d+/$"))
    chat = ChatPage(page, int(page.url.rstrip("/").rpartition("/")[2]))
    expect(chat.state).to_have_text("Live")
    return chat
