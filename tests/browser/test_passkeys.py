"""Accounts with a passkey, from the first administrator on: made with it or not at all, and offered where it works."""

import uuid
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.chat_page import ChatPage
from tests.browser.passkeys import Authenticator
from tests.clients import eventually
from tests.factors import NewAccount
from tests.people import PASSWORD, Member, administrator, first_path
from tests.servers import Server

OpenBrowser = Callable[..., Page]
INSTEAD, SIGN_IN = "Use a passkey instead", "Sign in with a passkey"


class Visitor:
    """Somebody's browser at the server's name, as passkeys need it, with an authenticator that says yes."""

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.name = page, f"{name} {uuid.uuid4().hex[:8]}"
        self.authenticator = Authenticator(page)

    def begin(self, path: str) -> None:
        """Ask for an account at `path` with a passkey."""
        self.page.goto(path)
        self.page.get_by_label("Your name").fill(self.name)
        self.press(INSTEAD)

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def is_refused(self, said: str) -> None:
        """The page says so, keeps the name, and the button can be pressed again."""
        expect(self.page.get_by_role("alert")).to_contain_text(said)
        expect(self.page.get_by_label("Your name")).to_have_value(self.name)
        expect(self.page.get_by_role("button", name=INSTEAD)).to_be_enabled()

    def is_in(self) -> None:
        # At the rooms, or in the one room that there is.
        expect(self.page.get_by_text(self.name, exact=True).first).to_be_visible()

    def signs_in_anew(self) -> None:
        self.page.goto("/account/")
        self.press("Sign out")
        self.page.goto("/sign-in")
        self.press(SIGN_IN)
        self.is_in()


@pytest.fixture
def browser_of(visitor: OpenBrowser) -> Callable[[Server, str], Visitor]:
    def visit(server: Server, name: str) -> Visitor:
        return Visitor(visitor(SimpleNamespace(url=f"http://localhost:{server.port}")), name)

    return visit


Visit = Callable[[Server, str], Visitor]


@pytest.fixture
def empty(new_server: Callable[..., Server]) -> Server:
    """A server that has no administrator yet."""
    return new_server(workers=1).start()


# -- made together, or not at all ----------------------------------------------------------------------------


def test_the_first_administrators_account_is_made_with_a_passkey(empty: Server, browser_of: Visit) -> None:
    ada = browser_of(empty, "Ada")
    ada.begin(first_path(empty))
    ada.is_in()
    ada.page.goto("/account/")
    expect(ada.page.get_by_text("You run this server.")).to_be_visible()
    expect(ada.page.get_by_text("1 passkey", exact=True)).to_be_visible()
    expect(ada.page.get_by_text("No password", exact=True)).to_be_visible()
    ada.signs_in_anew()


def test_an_invited_person_signs_up_with_a_passkey_and_signs_in_with_it(
    server: Server, browser_of: Visit
) -> None:
    grace = browser_of(server, "Grace")
    grace.begin(administrator(server).invite())
    grace.is_in()
    grace.signs_in_anew()


def test_who_gives_the_passkey_up_at_the_first_start_makes_the_account_with_a_password(
    empty: Server, browser_of: Visit
) -> None:
    path, ada = first_path(empty), browser_of(empty, "Ada")
    ada.authenticator.refuse()
    ada.begin(path)
    ada.is_refused("given up")
    ada.page.goto(path)  # it is as good as before
    ada.page.get_by_label("Your name").fill(ada.name)
    ada.page.get_by_label("Password").fill(PASSWORD)
    ada.press("Make account")
    ada.is_in()
    assert Member(empty, ada.name).sign_in().status_code == 302


def test_who_gives_the_passkey_up_keeps_what_was_typed_and_the_invitation_its_use(
    server: Server, browser_of: Visit
) -> None:
    grace = browser_of(server, "Grace")
    grace.authenticator.refuse()
    grace.page.goto(administrator(server).invite(uses=1))
    grace.page.get_by_label("Your name").fill(grace.name)
    grace.page.get_by_label("Password").fill(PASSWORD)
    grace.press(INSTEAD)
    grace.is_refused("given up")
    grace.press("Make account")
    grace.is_in()
    assert Member(server, grace.name).sign_in().status_code == 302


def test_who_gives_the_passkey_up_may_try_again(server: Server, browser_of: Visit) -> None:
    grace = browser_of(server, "Grace")
    grace.authenticator.refuse()
    grace.begin(administrator(server).invite(uses=1))
    grace.is_refused("given up")
    grace.authenticator.agree()
    grace.press(INSTEAD)
    grace.is_in()


def test_a_name_that_is_taken_is_said_before_the_browser_asks(server: Server, browser_of: Visit) -> None:
    ada = administrator(server)
    grace = browser_of(server, "Grace")
    grace.name = ada.name.upper()
    grace.begin(ada.invite())
    grace.is_refused("That name is taken")
    assert grace.authenticator.passkeys() == 0


@pytest.mark.parametrize("lost", ["the name", "the invitation"])
def test_who_is_overtaken_while_the_browser_asks_is_told_and_has_no_passkey_that_opens_nothing(
    lost: str, server: Server, browser_of: Visit
) -> None:
    ada, grace = administrator(server), browser_of(server, "Grace")
    path = ada.invite(uses=1)
    other = Member(server, grace.name if lost == "the name" else f"Joan {uuid.uuid4().hex[:8]}")

    def overtake(route: Route) -> None:
        at = ada.invite() if lost == "the name" else path
        assert NewAccount(other, at).finish().status_code == 201
        route.continue_()

    grace.page.route("**/passkey/*", overtake)
    grace.begin(path)
    grace.is_refused({"the name": "That name is taken", "the invitation": "used up"}[lost])
    eventually(lambda: grace.authenticator.passkeys() == 0)
    assert other.signed_in()
    grace.page.goto("/account/")
    expect(grace.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_guest_who_signs_up_with_a_passkey_keeps_name_and_messages(
    server: Server, browser_of: Visit, board: int
) -> None:
    grace = browser_of(server, "Grace")
    grace.page.goto(f"/chats/{board}/")
    grace.page.get_by_label("Your name").fill(grace.name)
    grace.press("Come in")
    chat = ChatPage(grace.page, board)
    expect(chat.state).to_have_text("Live")
    chat.say("hello")
    chat.shows("hello")
    expect(chat.rows.locator(".guest").first).to_be_visible()
    grace.page.goto(administrator(server).invite())
    expect(grace.page.get_by_label("Your name")).to_have_value(grace.name)
    grace.press(INSTEAD)
    expect(grace.page.get_by_role("heading", name="Rooms", exact=True)).to_be_visible()
    grace.page.goto(f"/chats/{board}/")
    expect(chat.state).to_have_text("Live")
    chat.shows("hello")
    expect(chat.rows.locator(".author")).to_have_text(grace.name)
    chat.about("hello").get_by_role("button", name="Edit").click()  # it is hers
    chat.say("hello again")
    chat.shows("hello again")


# -- offered where it works ----------------------------------------------------------------------------------


def test_at_a_number_no_passkey_is_offered_and_the_page_leads_to_where_one_is(
    empty: Server, visitor: OpenBrowser
) -> None:
    page, path = visitor(empty), first_path(empty)
    page.goto(path)
    expect(page.get_by_role("button", name="Make account")).to_be_visible()
    expect(page.get_by_role("button", name=INSTEAD)).to_have_count(0)
    page.get_by_role("link", name="localhost").click()
    expect(page).to_have_url(f"http://localhost:{empty.port}{path}")
    expect(page.get_by_role("button", name=INSTEAD)).to_be_visible()

    page.goto(f"{empty.url}/sign-in?next=/account/")
    expect(page.get_by_role("button", name=SIGN_IN)).to_have_count(0)
    page.get_by_role("link", name="localhost").click()
    expect(page).to_have_url(f"http://localhost:{empty.port}/sign-in?next=/account/")
    expect(page.get_by_role("button", name=SIGN_IN)).to_be_visible()


def test_a_browser_without_passkeys_is_offered_none(server: Server, browser_of: Visit) -> None:
    page = browser_of(server, "Grace").page
    page.add_init_script("delete window.PublicKeyCredential")  # as where the page did not come over TLS
    page.goto(administrator(server).invite())
    expect(page.get_by_role("button", name="Make account")).to_be_visible()
    expect(page.get_by_role("button", name=INSTEAD)).to_be_hidden()
    page.goto("/sign-in")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=SIGN_IN)).to_be_hidden()


# -- the only way in -----------------------------------------------------------------------------------------


def test_the_only_passkey_can_be_forgotten_once_there_is_a_password(
    server: Server, browser_of: Visit
) -> None:
    grace = browser_of(server, "Grace")
    grace.begin(administrator(server).invite())
    grace.is_in()
    page = grace.page
    page.goto("/account/passkeys")
    expect(page.get_by_text("Your only way to sign in")).to_be_visible()
    expect(page.get_by_role("button", name="Forget")).to_have_count(0)
    page.goto("/account/password")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    page.goto("/account/passkeys")
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_role("button", name="Forget")).to_have_count(0)
    assert Member(server, grace.name).sign_in().status_code == 302
