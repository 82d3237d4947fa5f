"""What is asked for after the password: a code, a passkey, a recovery code; and the ways on where one is lost."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import passkeys
from tests.browser.chat_page import ChatPage
from tests.factors import Authenticator
from tests.people import Member, member
from tests.servers import Server

OpenBrowser = Callable[..., Page]


class Owner:
    """Somebody with an account, in a browser at the server's name, as passkeys need it."""

    def __init__(self, page: Page, person: Member) -> None:
        self.page, self.person = page, person

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def asks_for(self, path: str) -> None:
        """Begin to sign in, on the way to `path`."""
        self.page.goto(f"/sign-in?next={path}")
        self.says_the_password()

    def says_the_password(self) -> None:
        self.page.get_by_label("Your name").fill(self.person.name)
        self.page.get_by_label("Password").fill(self.person.password)
        self.press("Sign in")

    def says(self, code: str, field: str = "Six-digit code") -> None:
        self.page.get_by_label(field, exact=True).fill(code)
        self.press("Go on")

    def is_at_the_account(self) -> None:
        expect(self.page.get_by_role("heading", name="Your account")).to_be_visible()

    def is_in(self, room: int) -> None:
        expect(ChatPage(self.page, room).state).to_have_text("Live")
        assert self.page.url.endswith(f"/chats/{room}/")

    def signs_out(self) -> None:
        self.page.goto("/account/")
        self.press("Sign out")

    def adds_a_passkey(self, use: str) -> None:
        self.page.goto("/account/passkeys")
        self.page.get_by_label(use).check()
        self.press("Add a passkey")
        self.is_at_the_account()


@pytest.fixture
def grace(server: Server, visitor: OpenBrowser) -> Owner:
    page = visitor(SimpleNamespace(url=f"http://localhost:{server.port}"))
    return Owner(page, member(server, "Grace"))


def test_a_code_of_the_authenticator_is_said_as_it_shows_it_and_leads_where_one_was_going(
    grace: Owner, board: int
) -> None:
    codes = Authenticator(grace.person)
    grace.asks_for(f"/chats/{board}/")
    grace.says("000 000")
    expect(grace.page.get_by_role("alert")).to_contain_text("That code is not good")
    code = codes.code()
    grace.says(f"{code[:3]} {code[3:]}")
    grace.is_in(board)
    grace.page.goto("/account/")
    expect(grace.page.get_by_role("status")).to_have_count(0)  # nothing is said of it so much later


def test_who_has_lost_the_authenticator_says_a_recovery_code_and_comes_where_they_were_going(
    grace: Owner, board: int
) -> None:
    codes = Authenticator(grace.person)
    grace.asks_for(f"/chats/{board}/")
    grace.page.get_by_role("link", name="Use a recovery code").click()
    grace.says(f" {codes.recovery[0].upper()}", "Recovery code")  # as one copies it from paper
    grace.is_in(board)


def test_a_security_key_that_asks_for_no_pin_is_a_second_factor(grace: Owner, board: int) -> None:
    passkeys.Authenticator(grace.page, asks=False)
    grace.asks_for("/account/")
    grace.adds_a_passkey("as a second factor")
    expect(grace.page.get_by_text("Second factor: a passkey")).to_be_visible()
    grace.page.get_by_role("link", name="Make them").click()
    grace.press("Make recovery codes")
    recovery = grace.page.locator("#codes .key").first.inner_text()
    grace.signs_out()
    grace.asks_for(f"/chats/{board}/")
    grace.press("Use a passkey")
    grace.is_in(board)
    grace.signs_out()
    grace.asks_for(f"/chats/{board}/")
    grace.page.get_by_role("link", name="Use a recovery code").click()
    grace.says(recovery, "Recovery code")
    grace.is_in(board)


def test_who_has_two_second_factors_chooses_one_and_may_take_the_other(grace: Owner, board: int) -> None:
    codes = Authenticator(grace.person)
    passkeys.Authenticator(grace.page, asks=False)
    grace.asks_for("/account/")
    grace.says(codes.code())
    grace.adds_a_passkey("as a second factor")
    grace.signs_out()
    grace.asks_for(f"/chats/{board}/")
    grace.press("A passkey")
    grace.press("Use a passkey")
    grace.is_in(board)
    grace.signs_out()
    grace.asks_for(f"/chats/{board}/")
    grace.press("A passkey")
    grace.page.get_by_role("link", name="Another second factor").click()
    grace.press("A code from your authenticator")
    grace.says(codes.code(1))
    grace.is_in(board)


def test_after_a_passkey_that_asked_for_nothing_the_second_factor_is_asked_for(
    grace: Owner, board: int
) -> None:
    codes, key = Authenticator(grace.person), passkeys.Authenticator(grace.page, asks=False)
    grace.asks_for("/account/")
    grace.says(codes.code())
    grace.adds_a_passkey("To sign in")
    grace.signs_out()

    def name_it(route: Route) -> None:
        """Chromium finds a key that asks for nothing only by its name; other browsers do without."""
        answer = route.fetch()
        told = answer.json()
        allowed = [{"type": "public-key", "id": id} for id in key.ids()]
        told["response"]["credential_options"]["allowCredentials"] = allowed
        route.fulfill(response=answer, json=told)

    grace.page.goto(f"/sign-in?next=/chats/{board}/")
    grace.page.route("**/sign-in/passkey", name_it)
    grace.press("Sign in with a passkey")
    grace.says(codes.code(1))
    grace.is_in(board)


def test_who_begins_anew_in_another_window_is_told_so_and_comes_where_they_were_going(
    grace: Owner, board: int
) -> None:
    codes = Authenticator(grace.person)
    grace.asks_for(f"/chats/{board}/")
    other = grace.page.context.new_page()
    other.goto("/sign-in")
    expect(other.get_by_label("Password")).to_be_visible()
    grace.says(codes.code(-1))
    expect(grace.page.get_by_role("alert")).to_contain_text("begun anew in another window")
    grace.says_the_password()
    grace.page.context.new_page().goto(grace.page.url)
    late = grace.page.context.pages[-1]
    grace.says(codes.code())
    grace.is_in(board)
    Owner(late, grace.person).says(codes.code(1))  # it is not asked for any more
    Owner(late, grace.person).is_in(board)


def test_a_second_factor_that_is_turned_off_leads_back_to_the_account(grace: Owner) -> None:
    codes = Authenticator(grace.person)
    grace.asks_for("/account/second-factor")
    grace.says(codes.code())
    grace.press("Turn off")
    grace.is_at_the_account()
    expect(grace.page.get_by_role("status")).to_have_text("Your second factor is off.")
    expect(grace.page.get_by_text("No second factor")).to_be_visible()
