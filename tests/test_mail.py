"""E-mail, where a mail server is set: addresses that are confirmed, links for new passwords, notices.

Against a real mail server on this machine, and a chat with one worker, so that mails go out in the order in
which they were asked for.
"""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from chatapp import mail
from chatapp.config import Config
from tests.addresses import free_port, make_certificate
from tests.clients import Person, eventually
from tests.factors import Authenticator
from tests.mail_server import (
    PASSWORD as MAIL_PASSWORD,
)
from tests.mail_server import (
    PUBLIC,
    SETTINGS,
    USER,
    MailServer,
    link_in,
    said_in,
)
from tests.people import PASSWORD, Member, administrator, member
from tests.servers import Server

NEW = "twelve green tractors sing"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, post: MailServer) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("mail") / "instance", **post.settings).start()
    yield server
    server.kill()


@pytest.fixture
def grace(server: Server) -> Iterator[Member]:
    with closing(member(server, "grace")) as person:
        yield person


@pytest.fixture
def mary(server: Server) -> Iterator[Member]:
    with closing(member(server, "mary")) as person:
        yield person


def address_of(person: Member, at: str = "mill.example") -> str:
    """One that only this person gives."""
    return f"{person.id}@{at}"


def give(person: Member, address: str) -> httpx.Response:
    answer = person.http.post("/account/email", data={"email": address})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/email"), answer.text
    return answer


def with_address(person: Member, post: MailServer, address: str = "") -> str:
    """The address of `person`, given and confirmed."""
    address = address or address_of(person)
    seen = len(post.to(address))
    give(person, address)
    path = link_in(post.next_to(address, seen))
    assert person.http.post(path).status_code == 303
    return address


def ask_for_link(server: Server, who: str, **headers: str) -> httpx.Response:
    """In a browser in which nobody is signed in."""
    with closing(Person(server)) as nobody:
        return nobody.http.post("/sign-in/forgotten", data={"who": who}, headers=headers)


# -- without a mail server ---------------------------------------------------------------------------------


def test_where_no_mail_server_is_set_nothing_speaks_of_addresses(one_worker: Server) -> None:
    person, nobody = member(one_worker, "grace"), Person(one_worker)
    for page in (person.http.get("/account/"), nobody.http.get("/sign-in")):
        assert page.status_code == 200
        assert not re.search(r"mail|/sign-in/forgotten", page.text.replace("autocomplete", ""), re.IGNORECASE)
    for path in ("/account/email", "/email/x", "/sign-in/forgotten"):
        assert person.http.get(path).status_code == 404
        assert person.http.post(path).status_code == 404
    assert person.http.post("/account/email/remove").status_code == 404
    shown = one_worker.console("user", "show", person.name).out
    assert "mail" not in shown


# -- an address --------------------------------------------------------------------------------------------


def test_an_address_counts_once_the_button_behind_its_link_was_pressed_and_the_link_is_good_once(
    server: Server, post: MailServer, grace: Member
) -> None:
    address = address_of(grace)
    give(grace, f"  {address} ")
    assert "not confirmed yet" in grace.http.get("/account/email").text
    mail = post.next_to(address)
    assert grace.name in said_in(mail)
    path = link_in(mail)
    with closing(Person(server)) as scanner:  # a program that looks through mails, and opens what it finds
        page = scanner.http.get(path)
        assert (page.status_code, scanner.http.head(path).status_code) == (200, 200)
        assert address in page.text
        assert grace.name in page.text
        assert "e-mail" not in server.console("user", "show", grace.name).out
        assert scanner.http.post(path).status_code == 303  # without being signed in
        assert [scanner.http.get(path).status_code, scanner.http.post(path).status_code] == [403, 403]
    assert f"e-mail  {address}" in server.console("user", "show", grace.name).out
    assert json.loads(server.console("user", "show", grace.name, "--json").out)["email"] == address
    assert address in grace.http.get("/account/").text
    told = server.console("audit", "--about", grace.id).out
    assert "set an e-mail address" in told
    assert address not in told
    assert address not in json.dumps(grace.me())
    assert address not in mary_sees(server, grace)


def mary_sees(server: Server, person: Member) -> str:
    """What another member gets to know of somebody."""
    with closing(member(server, "mary")) as mary:
        return mary.http.get("/api/people", params={"q": person.name}).text


def test_a_mail_is_a_plain_text_from_the_address_that_is_set(
    server: Server, post: MailServer, grace: Member
) -> None:
    address = address_of(grace)
    give(grace, address)
    mail = post.next_to(address)
    assert mail["From"].addresses[0].addr_spec == SETTINGS["mail_from"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@example.org>")
    assert mail.get_content_type() == "text/plain"
    assert (SETTINGS["mail_from"], [address]) in post.envelopes


def test_a_new_address_is_told_to_the_old_one_and_so_is_that_there_is_none_any_more(
    server: Server, post: MailServer, grace: Member
) -> None:
    old = with_address(grace, post)
    new = with_address(grace, post, address_of(grace, "other.example"))
    notice = said_in(post.next_to(old, 1))
    assert "another e-mail address" in notice
    assert new not in notice
    assert grace.http.post("/account/email/remove").status_code == 303
    assert "no e-mail address" in said_in(post.next_to(new, 1))
    grace.http.get("/account/email")  # which says once more what was done
    assert new not in grace.http.get("/account/email").text
    assert "took an e-mail address away" in server.console("audit", "--about", grace.id).out
    with_address(grace, post)  # what somebody has no more is free
    assert len(post.to(new)) == 2


def test_an_address_belongs_to_one_account_and_who_asks_for_it_is_not_told_whose_it_is(
    server: Server, post: MailServer, grace: Member, mary: Member
) -> None:
    address, own = with_address(grace, post), address_of(mary)

    def given(address: str) -> tuple[int, str, str]:
        answer = give(mary, address)
        page = re.sub(r'(?:value|content)="[^"]*"', "", mary.http.get("/account/email").text)
        return answer.status_code, answer.headers["Location"], page.replace(address, "…")

    assert given(address) == given(own)
    told = said_in(post.next_to(address, 1))
    assert "belongs to another account" in told
    assert grace.name in told
    assert "/email/" not in told
    in_capitals = f"{grace.id.upper()}@mill.example"
    assert given(in_capitals.replace("mill", "Mill"))[0] == 303
    assert "belongs to another account" in said_in(post.next_to(in_capitals))


def test_of_two_who_are_about_to_confirm_one_address_the_first_has_it(
    server: Server, post: MailServer, grace: Member, mary: Member
) -> None:
    address = address_of(grace)
    give(grace, address)
    first = link_in(post.next_to(address))
    give(mary, address)
    second = link_in(post.next_to(address, 1))
    assert mary.http.post(second).status_code == 303
    assert grace.http.post(first).status_code == 400
    owners = server.ask("SELECT person_id FROM users WHERE email = ?", address)
    assert owners == [(mary.id,)]


@pytest.mark.parametrize("how", ["another address", "a new password", "none at all", "a day"])
def test_a_link_for_an_address_ends_with(how: str, server: Server, post: MailServer, grace: Member) -> None:
    give(grace, address_of(grace))
    path = link_in(post.next_to(address_of(grace)))
    if how == "another address":
        give(grace, address_of(grace, "other.example"))
    elif how == "a new password":
        form = {"password": PASSWORD, "new_password": NEW, "new_password_confirm": NEW}
        assert grace.http.post("/account/password", data=form).status_code == 302
    elif how == "none at all":
        assert grace.http.post("/account/email/remove").status_code == 303
    else:
        server.ask("UPDATE address_links SET expires_at = 1 WHERE email = ?", address_of(grace))
    assert [grace.http.get(path).status_code, grace.http.post(path).status_code] == [403, 403]


def test_who_signed_in_long_ago_says_who_they_are_before_the_address_is_changed(
    server: Server, post: MailServer, grace: Member
) -> None:
    address = with_address(grace, post)
    grace.signed_in_long_ago()
    assert grace.signed_in()
    for answer in (
        grace.http.get("/account/email"),
        grace.http.post("/account/email", data={"email": address_of(grace, "other.example")}),
        grace.http.post("/account/email/remove"),
        grace.http.get("/account/leave"),
        grace.http.post("/account/leave", data={"messages": "remove", "sure": "1"}),
    ):
        assert answer.headers["Location"].startswith("/account/verify?next=")
    assert f"e-mail  {address}" in server.console("user", "show", grace.name).out
    assert "not confirmed" not in grace.http.get("/account/").text
    assert grace.http.post("/account/verify", data={"password": PASSWORD}).status_code == 302
    assert grace.http.get("/account/email").status_code == 200
    assert post.to(address_of(grace, "other.example")) == []


def test_an_address_is_given_by_who_is_signed_in_and_by_nobody_else(server: Server, grace: Member) -> None:
    form = {"email": address_of(grace)}
    with closing(Person(server, "guest of mail")) as guest:
        assert guest.http.get("/account/email").headers["Location"].startswith("/sign-in")
        assert guest.http.post("/account/email", data=form).status_code == 401
        assert guest.http.post("/account/email/remove").status_code == 401
    foreign = {"Origin": "https://mallory.example"}
    assert grace.http.post("/account/email", data=form, headers=foreign).status_code == 403
    assert "not confirmed" not in grace.http.get("/account/email").text


NO_ADDRESSES = [
    "",
    "grace",
    "@mill.example",
    "grace@",
    "grace@mill.example\r\nBcc: mallory@example.org",
    "grace@mill.example\nSubject: hello",
    "grace\r\n@mill.example",
    "grace@mill.example, mallory@example.org",
    "grace@mill.example;mallory@example.org",
    "<grace@mill.example>",
    "Grace <grace@mill.example>",
    '"grace\r\n"@mill.example',
    '"grace mallory"@mill.example',
    "grace@[127.0.0.1]",
    "grace@mill.example\u2028Bcc: x",
    "grace@mill.example\x00",
    "gräce@mill.example",
    "g" * 250 + "@mill.example",
]


@pytest.mark.parametrize("address", NO_ADDRESSES, ids=lambda address: repr(address)[:30])
def test_what_is_no_address_is_refused_and_writes_no_header(
    address: str, server: Server, post: MailServer, grace: Member
) -> None:
    before = len(post.taken)
    answer = grace.http.post("/account/email", data={"email": address})
    assert answer.status_code == 400
    assert "That is no e-mail address" in answer.text
    assert ask_for_link(server, address).status_code == 303
    with_address(grace, post)  # mails go out in order: whatever came before it would be there
    [mail] = post.taken[before:]
    assert "Bcc" not in mail
    assert post.envelopes[-1][1] == [address_of(grace)]


def test_a_site_name_with_a_line_break_is_one_line_of_a_header(
    new_server: Callable[..., Server], post: MailServer
) -> None:
    server = new_server(**post.settings)
    server.instance.mkdir()
    (server.instance / "config.py").write_text(
        'CHATAPP_SITE_NAME = "The Mill\\r\\nBcc: mallory@example.org"\n'
    )
    server.start()
    grace = member(server, "grace")
    with_address(grace, post, "grace.of.the.mill@mill.example")
    mail = post.to("grace.of.the.mill@mill.example")[-1]
    assert "Bcc" not in mail
    assert mail["From"].addresses[0].display_name == "The Mill Bcc: mallory@example.org"


def test_a_code_for_an_address_is_tried_so_often_from_one_address(
    new_server: Callable[..., Server], post: MailServer
) -> None:
    server = new_server(rate_sign_ins="2 per hour", **post.settings).start()
    with closing(Person(server)) as thief:
        tried = [thief.http.post(f"/email/{'x' * 32}").status_code for _ in range(21)]
    assert tried == [403] * 20 + [429]


# -- a new password ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["name", "name otherwise", "address", "address otherwise"])
def test_who_has_forgotten_their_password_sets_a_new_one_with_a_mailed_link_once(
    how: str, server: Server, post: MailServer, grace: Member
) -> None:
    address = with_address(grace, post)
    who = {"name": grace.name, "name otherwise": grace.name.upper(), "address": address}.get(
        how, address.upper()
    )
    assert ask_for_link(server, who).status_code == 303
    mail = post.next_to(address, 1)
    assert grace.name in said_in(mail)
    path = link_in(mail)
    with closing(Person(server)) as visitor:
        assert grace.name in visitor.http.get(path).text
        assert visitor.http.post(path, data={"password": NEW}).status_code == 303
        assert visitor.http.post(path, data={"password": NEW}).status_code == 403
    eventually(lambda: not grace.signed_in())
    assert Member(server, grace.name, NEW).sign_in().status_code == 302
    assert "has a new password" in said_in(post.next_to(address, 2))
    assert "made a link for a new password" in server.console("audit", "--about", grace.id).out


def test_a_newer_link_and_a_new_password_end_a_mailed_one(
    server: Server, post: MailServer, grace: Member
) -> None:
    address = with_address(grace, post)
    links = []
    for seen in (1, 2):
        ask_for_link(server, grace.name)
        links.append(link_in(post.next_to(address, seen)))
    assert [grace.http.get(path).status_code for path in links] == [403, 200]
    form = {"password": PASSWORD, "new_password": NEW, "new_password_confirm": NEW}
    assert grace.http.post("/account/password", data=form).status_code == 302
    assert grace.http.get(links[1]).status_code == 403


def test_with_a_second_factor_a_mailed_link_lets_nobody_in_alone(
    server: Server, post: MailServer, grace: Member
) -> None:
    codes, address = Authenticator(grace), with_address(grace, post)
    ask_for_link(server, grace.name)
    with closing(Member(server, grace.name, NEW)) as visitor:
        path = link_in(post.next_to(address, 1))
        assert visitor.http.post(path, data={"password": NEW}).status_code == 303
        assert visitor.sign_in().headers["Location"].startswith("/sign-in/code")
        assert not visitor.signed_in()
        assert visitor.http.post("/sign-in/code", data={"code": codes.code()}).status_code == 302
        assert visitor.signed_in()


def test_whoever_is_asked_about_the_answer_is_the_same_and_only_who_there_is_gets_a_mail(
    server: Server, post: MailServer, grace: Member, mary: Member
) -> None:
    address, boss = with_address(grace, post), administrator(server)
    with closing(member(server, "joan")) as joan:
        disabled = with_address(joan, post)
        boss.change(joan.id, disabled=True).raise_for_status()
        give(mary, address_of(mary))  # not confirmed
        post.next_to(address_of(mary))
        before = len(post.taken)

        def answered(who: str) -> tuple[int, dict[str, str], str]:
            with closing(Person(server)) as nobody:
                answer = nobody.http.post(
                    "/sign-in/forgotten", data={"who": who}, headers={"Accept": "text/html"}
                )
                page = nobody.http.get("/sign-in").text
            hidden = {"date", "x-request-id", "set-cookie"}
            headers = {name: value for name, value in answer.headers.items() if name not in hidden}
            return answer.status_code, headers, re.sub(r'(?:value|content)="[^"]*"', "", page)

        asked = [
            "nobody of that name",
            "nobody@mill.example",
            mary.name,
            address_of(mary),
            joan.name,
            disabled,
        ]
        answers = [answered(who) for who in [*asked, "", "x" * 5000, grace.name]]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 303
    assert "a link is on its way" in answers[0][2]
    post.next_to(address, 1)  # the last of all
    assert [mail["To"] for mail in post.taken[before:]] == [address]


def test_a_name_that_is_somebody_elses_address_gets_none_of_their_mails(
    server: Server, post: MailServer, grace: Member, mary: Member
) -> None:
    address, other = with_address(grace, post), with_address(mary, post)
    assert mary.http.post("/account/name", data={"name": address[:40]}).status_code == 303
    ask_for_link(server, address)
    assert grace.name in said_in(post.next_to(address, 1))
    assert len(post.to(other)) == 1


def test_no_answer_waits_for_the_mail_server_nor_does_anybody_else(
    new_server: Callable[..., Server], post: MailServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes every connection and says nothing
        port = silent.getsockname()[1]
        server = new_server(mail_url=f"smtp://127.0.0.1:{port}", **SETTINGS).start()
        with closing(member(server, "grace")) as grace:
            give(grace, address_of(grace))
            connection, _ = silent.accept()  # there it hangs
            assert "not confirmed yet" in grace.http.get("/account/email").text
            assert ask_for_link(server, grace.name).status_code == 303
            assert grace.say(grace.make_room("board"), "hello")["seq"] == 1
            connection.close()


CLAIMS = ["Host", "X-Forwarded-Host", "X-Forwarded-Server", "X-Host", "Forwarded", "X-Original-URL"]


@pytest.mark.parametrize(
    ("proxies", "header"),
    [*(("0", claim) for claim in CLAIMS), ("1", "Host"), ("1", "X-Forwarded-Host")],
)
def test_a_mailed_link_leads_to_this_server_whatever_the_request_says_that_it_is(
    proxies: str,
    header: str,
    server: Server,
    post: MailServer,
    grace: Member,
    new_server: Callable[..., Server],
) -> None:
    if proxies == "1":
        server = new_server(trusted_proxies="1", **post.settings).start()
        grace = member(server, "grace")
    address = with_address(grace, post, f"{grace.id}.{header.lower()}.{proxies}@mill.example")
    evil = "host=mallory.example" if header == "Forwarded" else "mallory.example"
    with httpx.Client(
        base_url=server.url, verify=False
    ) as nobody:  # without Origin, which would have to match
        answer = nobody.post("/sign-in/forgotten", data={"who": grace.name}, headers={header: evil})
    assert answer.status_code == 303
    mail = post.next_to(address, 1)
    assert "mallory" not in mail.as_string() + said_in(mail)
    assert f"{PUBLIC}/reset/" in said_in(mail)


def test_links_are_asked_for_so_often_by_account_and_by_address_whoever_there_is(
    new_server: Callable[..., Server], post: MailServer
) -> None:
    server = new_server(rate_sign_ins="2 per hour", **post.settings).start()
    grace = member(server, "grace")
    address = with_address(grace, post, "grace.often@mill.example")

    def asked(who: str) -> list[int]:
        return [ask_for_link(server, who).status_code for _ in range(3)]

    assert asked(grace.name) == asked("nobody of that name") == [303, 303, 429]
    assert asked(address) == asked("nobody@mill.example") == [303, 303, 429]
    # However she was asked for, these are the mails that came; and one more to somebody else goes out last.
    last = with_address(member(server, "mary"), post, "mary.seldom@mill.example")
    assert [mail["Subject"] for mail in post.to(address)[1:]] == ["A new password on Chat"] * 2
    assert len(post.to(last)) == 1
    others = [ask_for_link(server, f"somebody {'x' * number}").status_code for number in range(20)]
    assert others[-1] == 429  # by the address from which they come
    assert Member(server, grace.name).sign_in().status_code == 429  # which is that of sign-ins, too


def test_an_address_is_asked_to_be_confirmed_so_often_by_one_account(
    new_server: Callable[..., Server], post: MailServer
) -> None:
    server = new_server(rate_sign_ins="2 per hour", **post.settings).start()
    grace = member(server, "grace")
    found = [
        grace.http.post("/account/email", data={"email": f"victim{number}@mill.example"}).status_code
        for number in range(3)
    ]
    assert found == [303, 303, 429]


# -- notices -----------------------------------------------------------------------------------------------


def test_who_has_an_address_hears_of_a_new_password(server: Server, post: MailServer, grace: Member) -> None:
    address = with_address(grace, post)
    form = {"password": PASSWORD, "new_password": NEW, "new_password_confirm": NEW}
    assert grace.http.post("/account/password", data=form).status_code == 302
    assert "has a new password" in said_in(post.next_to(address, 1))


@pytest.mark.parametrize("way", ["their own", "on a page", "in a terminal"])
def test_who_has_an_address_hears_that_they_are_erased(
    way: str, server: Server, post: MailServer, grace: Member
) -> None:
    address, form = with_address(grace, post), {"messages": "keep", "sure": "1"}
    if way == "their own":
        assert grace.http.post("/account/leave", data=form).status_code == 303
    elif way == "on a page":
        page = f"/admin/people/{grace.id}"
        assert administrator(server).http.post(page, data={"do": "erase", **form}).status_code == 303
    else:
        assert server.console("user", "erase", grace.name, "--yes").status == 0
    mail = post.next_to(address, 1)
    assert mail["Subject"] == "Your account on Chat was erased"
    assert grace.name in said_in(mail)


@pytest.mark.parametrize("how", ["by themselves", "by an administrator", "in a terminal"])
def test_who_has_an_address_hears_of_a_second_factor_that_was_taken_away(
    how: str, server: Server, post: MailServer, grace: Member
) -> None:
    Authenticator(grace)
    address = with_address(grace, post)
    if how == "by themselves":
        assert grace.http.post("/account/second-factor", data={"setup": "disable"}).status_code == 302
    elif how == "by an administrator":
        boss = administrator(server)
        page = f"/admin/people/{grace.id}"
        assert boss.http.post(page, data={"do": "reset-factor"}).status_code == 303
    else:
        done = server.console("user", "reset-factor", grace.name)
        assert done.status == 0, done.err
    assert "second factor" in said_in(post.next_to(address, 1))


# -- a mail server that fails ------------------------------------------------------------------------------


def said(server: Server, what: str) -> list[str]:
    return [line for line in list(server.log) if what in line]


def test_while_the_mail_server_is_down_the_log_says_so_once_and_mails_go_out_when_it_is_back(
    new_server: Callable[..., Server],
) -> None:
    post = MailServer()  # not there yet
    server = new_server(**post.settings).start()
    grace, mary = member(server, "grace"), member(server, "mary")
    for person in (grace, mary):
        give(person, address_of(person))
    eventually(lambda: said(server, "mails are not sent: "))
    post.start()
    try:
        for person in (grace, mary):
            path = link_in(post.next_to(address_of(person)))
            assert person.http.post(path).status_code == 303
        eventually(lambda: said(server, "mails are not sent: that is over"))
    finally:
        post.stop()
    assert len(said(server, "mails are not sent: Connection refused")) == 1
    assert_says_no_address(server)


def assert_says_no_address(server: Server) -> None:
    log = "".join(server.log)
    assert "mill.example" not in log
    assert "/email/" not in log
    assert "/reset/" not in log


def test_what_the_mail_server_puts_off_is_tried_again_and_what_it_refuses_for_good_is_not(
    new_server: Callable[..., Server],
) -> None:
    post = MailServer().start()
    server = new_server(**post.settings).start()
    grace, mary = member(server, "grace"), member(server, "mary")
    try:
        post.answers = ["451 come back later, grace@mill.example"]
        give(grace, address_of(grace))
        post.next_to(address_of(grace))
        assert post.tried == 2
        post.answers = [f"554 nobody wants that, {address_of(mary)}"]
        give(mary, address_of(mary))
        eventually(lambda: said(server, "code 554"))
        give(grace, address_of(grace, "other.example"))
        post.next_to(address_of(grace, "other.example"))
        assert post.tried == 4
        assert post.to(address_of(mary)) == []
    finally:
        post.stop()
    assert_says_no_address(server)


def test_a_mail_server_is_believed_with_a_certificate_that_is_trusted_and_gets_the_password_over_tls(
    new_server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_certificate(tmp_path, "mail")
    post = MailServer(tls=tmp_path).start()
    url = f"smtp://{USER}:{quote(MAIL_PASSWORD, safe='')}@127.0.0.1:{post.port}"
    try:
        doubtful = new_server(mail_url=url, **SETTINGS).start()
        grace = member(doubtful, "grace")
        give(grace, address_of(grace))
        eventually(lambda: said(doubtful, "certificate"))
        assert post.taken == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "mail.pem"))
        trusting = new_server(mail_url=url, **SETTINGS).start()
        mary = member(trusting, "mary")
        with_address(mary, post)
        assert post.private == [True]
        page = administrator(trusting).http.get("/admin/settings").text
        assert "CHATAPP_MAIL_URL" in page
        for told in ("".join(doubtful.log), "".join(trusting.log), page):
            assert MAIL_PASSWORD not in told
            assert quote(MAIL_PASSWORD, safe="") not in told
    finally:
        post.stop()


def outbox(url: str) -> mail.Outbox:
    return mail.Outbox(Config(mail_url=url, **SETTINGS))


def a_mail(to: str = "grace@mill.example") -> mail.Mail:
    return mail.Mail(to, "hello", "good day\n")


def test_the_password_for_the_mail_server_goes_over_no_network_in_the_clear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mail, "PAUSES", ())
    post = MailServer(host="127.0.0.2").start()  # not quite this machine, as far as the program knows
    try:
        box = outbox(f"smtp://{USER}:sesame@127.0.0.2:{post.port}")
        failed: list[str] = []
        monkeypatch.setattr(box._not_sent, "tell", lambda cause, times=1: failed.append(cause))
        box.send(a_mail)
        box.flush(60)
        assert post.taken == []
        assert ["STARTTLS" in cause for cause in failed] == [True]
        open_box = outbox(f"smtp://127.0.0.2:{post.port}")  # without one there is nothing to give away
        open_box.send(a_mail)
        open_box.flush(60)
        assert len(post.taken) == 1
    finally:
        post.stop()


def test_no_more_mails_wait_than_a_few_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "LIMIT", 3)
    post = MailServer().start()
    try:
        box = outbox(post.url)
        for number in range(5):
            box.send(lambda number=number: a_mail(f"grace{number}@mill.example"))  # type: ignore[misc]
        box.flush(60)
        assert [each["To"] for each in post.taken] == [f"grace{number}@mill.example" for number in range(3)]
        box.send(a_mail)  # there is room again
        box.flush(60)
        assert len(post.taken) == 4
    finally:
        post.stop()


def test_a_mail_is_given_up_after_so_many_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "PAUSES", (0, 0))
    box = outbox(f"smtp://127.0.0.1:{free_port()}")
    failed: list[str] = []
    monkeypatch.setattr(box._not_sent, "tell", lambda cause, times=1: failed.append(cause))
    box.send(a_mail)
    eventually(lambda: (box.flush(1), box._held == 0)[1])
    assert failed == ["Connection refused"] * 3


# -- what is kept ------------------------------------------------------------------------------------------


def test_an_address_is_given_out_with_what_is_kept_of_somebody_and_gone_with_it(
    server: Server, post: MailServer, grace: Member
) -> None:
    address = with_address(grace, post)
    wanted = address_of(grace, "other.example")
    give(grace, wanted)
    link_in(post.next_to(wanted))
    kept = json.loads(server.console("user", "export", grace.name).out)
    assert kept["account"]["email"] == address
    assert "email_key" not in kept["account"]
    assert [each["email"] for each in kept["addresses_to_confirm"]] == [wanted]
    assert not {"key", "user_id"} & kept["addresses_to_confirm"][0].keys()
    done = server.console("user", "erase", grace.name, "--yes")
    assert done.status == 0, done.err
    left = server.dump()
    assert address not in left
    assert wanted not in left
