"""E-mail in a browser without JavaScript: an address is given, confirmed and used, with what stands on the pages."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenBrowser
from tests.browser.test_without_script import NO_SCRIPT
from tests.mail_server import MailServer, link_in
from tests.people import PASSWORD, Member, administrator, member
from tests.servers import Server

ADDRESS = "grace@mill.example"
NEW = "twelve green tractors sing"


@pytest.fixture(scope="module")
def mailing(tmp_path_factory: pytest.TempPathFactory, post: MailServer) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("mailing") / "instance", **post.settings).start()
    yield server
    server.kill()


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_an_address_is_given_confirmed_and_gets_a_link_for_a_new_password(
    visitor: OpenBrowser, mailing: Server, post: MailServer
) -> None:
    administrator(mailing)
    with closing(member(mailing, "grace")) as grace:
        page = visitor(mailing, **NO_SCRIPT)
        page.goto("/sign-in?next=/account/")
        sign_in(page, grace.name, PASSWORD)
        page.get_by_role("link", name="Give one").click()
        page.get_by_label("Your address").fill(ADDRESS)
        page.get_by_role("button", name="Mail me the link").click()
        expect(page.get_by_role("status")).to_contain_text("on its way")
        expect(page.get_by_text("not confirmed yet")).to_be_visible()

        page.goto(link_in(post.next_to(ADDRESS)))
        expect(page.get_by_text(grace.name).last).to_be_visible()
        page.get_by_role("button", name="Confirm the address").click()
        expect(page.get_by_role("status")).to_contain_text("is confirmed")
        page.get_by_role("link", name="Back to your account").click()
        expect(page.get_by_text(ADDRESS)).to_be_visible()

        other = visitor(mailing, **NO_SCRIPT)
        other.goto("/sign-in")
        other.get_by_role("link", name="Forgotten your password?").click()
        other.get_by_label("Your name, or your e-mail address").fill(ADDRESS)
        other.get_by_role("button", name="Mail me a link").click()
        expect(other.get_by_role("status")).to_contain_text("on its way")
        other.goto(link_in(post.next_to(ADDRESS, 1)))
        other.get_by_label("New password").fill(NEW)
        other.get_by_role("button", name="Set password").click()
        expect(other).to_have_url(re.compile("/sign-in$"))
        sign_in(other, grace.name, NEW)
        expect(other).to_have_url(re.compile("/chats/$"))
        assert not Member(mailing, grace.name, PASSWORD).signed_in()


@pytest.mark.parametrize("width", [320, 1280])
def test_the_pages_fit_also_with_the_longest_address(
    width: int, visitor: OpenBrowser, mailing: Server, post: MailServer
) -> None:
    with closing(member(mailing, "mary")) as mary:
        address = f"{'m' * 60}{mary.id}@{'a-long-name.' * 8}example"
        assert mary.http.post("/account/email", data={"email": address}).status_code == 303
        path = link_in(post.next_to(address))
        options: Any = {"viewport": {"width": width, "height": 800}}
        page = visitor(mailing, **options)
        page.goto("/sign-in?next=/account/")
        sign_in(page, mary.name, PASSWORD)
        expect(page).to_have_url(re.compile("/account/$"))
        for place in ("/account/email", path, "/sign-in/forgotten"):
            page.goto(place)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, place
        page.goto(path)
        page.get_by_role("button", name="Confirm the address").click()
        expect(page).to_have_url(re.compile("/account/email$"))
        for place in ("/account/email", "/account/"):
            page.goto(place)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, place
