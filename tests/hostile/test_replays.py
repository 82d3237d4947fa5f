"""What was good once, or for something else, or before it was taken back: used again.

What is elsewhere: tokens over every transport (test_tokens.py), addresses of hooks (test_hooks.py), used links
and recovery codes (test_accounts.py), cookies (test_fixation.py), what was on its way (test_in_flight.py), and what another worker has taken already
(test_races.py).
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.clients import Person
from tests.factors import PRESENT, Authenticator, Passkey, base64url, found, half_way
from tests.people import PASSWORD, Member, administrator, member
from tests.programs import make_token
from tests.raw_socket import problem
from tests.servers import Server

OTHER = "twelve green tractors sing"


@pytest.fixture(scope="module")
def grace(server: Server) -> Iterator[Member]:
    with closing(member(server, "grace")) as person:
        yield person


@pytest.fixture(scope="module")
def key(grace: Member) -> Passkey:
    return Passkey(grace)


def browser(server: Server) -> Member:
    return Member(server, "")


# -- codes -------------------------------------------------------------------------------------------------


def test_recovery_codes_end_when_there_are_new_ones(server: Server) -> None:
    joan = member(server, "joan")
    codes = Authenticator(joan)
    assert joan.http.post("/account/recovery-codes", data={"generate_new_codes": "1"}).status_code == 200
    with closing(half_way(joan)) as thief:
        for code in codes.recovery[:2]:
            assert thief.http.post("/sign-in/recovery", data={"code": code}).status_code == 200
        assert not thief.signed_in()


# -- passkeys ----------------------------------------------------------------------------------------------


WRONG: dict[str, Callable[[Passkey], dict[str, Any]]] = {
    "given to another site": lambda key: {"origin": "https://chat.example.evil.example"},
    "given to a page without TLS": lambda key: {"origin": "http://127.0.0.1"},
    "of another host's passkeys": lambda key: {"rp": "evil.example"},
    "to another challenge": lambda key: {"challenge": base64url(b"another challenge")},
    "by another key": lambda key: {"key": ec.generate_private_key(ec.SECP256R1())},
    "of making a passkey": lambda key: {"type": "webauthn.create"},
    "that nobody touched": lambda key: {"flags": 0},
    "for another account": lambda key: {"user": base64url(b"0" * 32)},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_passkeys_answer_is_refused(wrong: str, server: Server, key: Passkey) -> None:
    with closing(browser(server)) as thief:
        path, credential = key.offered(thief, **WRONG[wrong](key))
        answer = thief.http.post(path, json={"credential": credential})
        assert answer.status_code == 400, answer.text
        assert not thief.signed_in()


def test_a_passkey_without_a_finger_or_a_pin_does_not_stand_for_the_second_factor(server: Server) -> None:
    joan = member(server, "joan")
    key, codes = Passkey(joan), Authenticator(joan)
    with closing(browser(server)) as thief:
        path, credential = key.offered(thief, flags=PRESENT)
        thief.http.post(path, json={"credential": credential})
        assert not thief.signed_in()
        assert thief.http.post("/sign-in/code", data={"code": codes.code()}).status_code == 302
        assert thief.signed_in()


def test_a_passkey_that_was_forgotten_or_whose_owner_is_disabled_lets_nobody_in(server: Server) -> None:
    joan = member(server, "joan")
    key = Passkey(joan)
    boss = administrator(server)
    with closing(browser(server)) as thief:
        boss.change(joan.id, disabled=True).raise_for_status()
        path, credential = key.offered(thief)
        assert thief.http.post(path, json={"credential": credential}).status_code == 400
        boss.change(joan.id, disabled=False).raise_for_status()
        assert joan.sign_in().status_code == 302
        assert joan.http.post("/account/passkeys/delete", json={"name": "a key"}).status_code == 200
        path, credential = key.offered(thief)
        assert thief.http.post(path, json={"credential": credential}).status_code == 400
        assert not thief.signed_in()


# -- links and tokens --------------------------------------------------------------------------------------


def link(server: Server, person: Member) -> str:
    page = administrator(server).http.post(f"/admin/people/{person.id}", data={"do": "reset"})
    return found(r"(/reset/[\w-]+)", page.text)


def test_a_link_for_a_password_ends_with_a_newer_one_and_with_a_new_password(server: Server) -> None:
    joan = member(server, "joan")
    earlier, later = link(server, joan), link(server, joan)
    with closing(browser(server)) as thief:
        assert thief.http.get(earlier).status_code == 403
        assert thief.http.get(later).status_code == 200
        form = {"password": PASSWORD, "new_password": OTHER, "new_password_confirm": OTHER}
        assert joan.http.post("/account/password", data=form).status_code == 302
        assert thief.http.post(later, data={"password": "thirteen blue foxes dig"}).status_code == 403
    assert Member(server, joan.name, OTHER).sign_in().status_code == 302


def csrf_of(person: Person) -> str:
    return found(r'name="csrf-token" content="([^"]+)"', person.http.get("/chats/").text)


def test_a_csrf_token_ends_with_the_session_that_it_is_of(server: Server) -> None:
    joan = member(server, "joan")
    token = csrf_of(joan)

    def writes(with_token: str) -> int:
        fields = {"Cookie": joan.cookie, "X-CSRF-Token": with_token}
        return httpx.post(f"{server.url}/account/status", data={"status": "x"}, headers=fields).status_code

    assert writes(token) == 303
    for _ in range(2):
        assert joan.http.post("/sign-out").status_code == 302
        assert joan.sign_in().status_code == 302
        assert writes(token) == 403
    assert writes(csrf_of(joan)) == 303


def test_a_guests_csrf_token_is_none_of_the_person_who_signs_in_there(server: Server, grace: Member) -> None:
    other = Member(server, grace.name)
    assert other.http.post("/guests", json={"name": "somebody"}).status_code == 201
    token = csrf_of(other)
    assert other.sign_in().status_code == 302
    fields = {"Cookie": other.cookie, "X-CSRF-Token": token}
    answer = httpx.post(f"{server.url}/account/status", data={"status": "x"}, headers=fields)
    assert problem(answer) == "forbidden"


# -- for something else ------------------------------------------------------------------------------------

DOORS: dict[str, Callable[[Member, str], bool]] = {
    "a token": lambda who, secret: bearer(who, secret).status_code == 200,
    "a cookie": lambda who, secret: cookie(who, secret).status_code == 200,
    "an invitation": lambda who, secret: who.http.get(f"/invitations/{secret}").status_code == 200,
    "a link for a password": lambda who, secret: who.http.get(f"/reset/{secret}").status_code == 200,
    "the first code": lambda who, secret: who.http.get(f"/first/{secret}").status_code == 200,
    "a hook": lambda who, secret: hook(who, secret).status_code == 200,
    "a challenge": lambda who, secret: passkey(who, secret).status_code == 200,
}


def bearer(who: Member, secret: str) -> httpx.Response:
    return httpx.get(f"{who.server.url}/api/me", headers={"Authorization": f"Bearer {secret}"})


def cookie(who: Member, secret: str) -> httpx.Response:
    return httpx.get(f"{who.server.url}/api/me", headers={"Cookie": f"chatapp={secret}"})


def hook(who: Member, secret: str) -> httpx.Response:
    return who.http.post(f"/hooks/1/{secret}", json={"text": "x"})


def passkey(who: Member, secret: str) -> httpx.Response:
    credential = Passkey.answer(who.key, {"challenge": "", "rpId": "127.0.0.1"}, who.server.url)  # type: ignore[attr-defined]
    return who.http.post(f"/sign-in/passkey/{secret}", json={"credential": credential})


@pytest.fixture(scope="module")
def secrets(server: Server, grace: Member, key: Passkey) -> dict[str, str]:
    """One of each kind, all of them good."""
    boss = administrator(server)
    room = grace.make_room()
    made = grace.http.post(f"/api/rooms/{room}/hooks", json={"name": "Builds"}).json()
    with closing(browser(server)) as asking:
        path, _ = key.offered(asking)
    other = grace.elsewhere()
    return {
        "a token": make_token(grace)["token"],
        "a cookie": grace.http.cookies["chatapp"],
        "an invitation": boss.invite().rpartition("/")[2],
        "a link for a password": link(server, grace).rpartition("/")[2],
        "a hook": made["url"].rpartition("/")[2],
        "a challenge": path.rpartition("/")[2],
        "a CSRF token": csrf_of(grace),
        "the key of a session": found(r'value="([0-9a-f]{64})"', other.http.get("/account/").text),
    }


@pytest.mark.parametrize("door", DOORS)
def test_a_secret_of_one_kind_is_none_of_another(
    door: str, server: Server, key: Passkey, secrets: dict[str, str], unharmed: None
) -> None:
    with closing(browser(server)) as thief:
        thief.key = key  # type: ignore[attr-defined]
        taken = [kind for kind, secret in secrets.items() if kind != door and DOORS[door](thief, secret)]
        assert taken == []
        if door in ("a token", "a cookie", "an invitation", "a link for a password"):
            assert DOORS[door](thief, secrets[door])  # where it belongs it is good


@pytest.mark.parametrize(
    ("table", "column", "door"),
    [
        ("tokens", "key", "a token"),
        ("tokens", "'chat_' || substr(key, 1, 43)", "a token"),
        ("sessions", "key", "a cookie"),
        ("invitations", "key", "an invitation"),
        ("reset_links", "key", "a link for a password"),
        ("hooks", "key", "a hook"),
    ],
    ids=["token", "token, dressed up", "session", "invitation", "reset link", "hook"],
)
def test_what_the_database_keeps_of_a_secret_opens_nothing(
    table: str, column: str, door: str, server: Server, secrets: dict[str, str]
) -> None:
    with closing(sqlite3.connect(server.instance / "chat.db")) as database:
        kept = [row[0] for row in database.execute(f"SELECT {column} FROM {table}")]
    assert kept
    with closing(browser(server)) as thief:
        assert not any(DOORS[door](thief, each) for each in kept[-5:])
