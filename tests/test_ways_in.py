"""Ways to sign in that come and go by others' hands: a bot that gets its first one, a second factor that is lost."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from chatapp import accounts
from chatapp.errors import BadRequest
from chatapp.journal import people_reading
from chatapp.journal.people_requests import ChangeAccount, KeepPasskey, OfferReset, Person, Reset
from chatapp.journal.requests import PeopleRequest
from chatapp.journal.token_requests import MakeToken
from tests.factors import Authenticator, Passkey, half_way, sign_up_with_passkey
from tests.people import PASSWORD, Member, administrator, member
from tests.servers import Server
from tests.test_asked_again import FAR, Office, office

__all__ = ["office"]

PASSKEY: dict[str, Any] = {
    "credential_id": b"1",
    "public_key": b"2",
    "sign_count": 0,
    "transports": [],
    "backup_state": False,
    "device_type": "single_device",
    "name": "a key",
    "usage": "first",
}


def by_link(it: Office, bot: Person) -> list[PeopleRequest]:
    return [OfferReset("a code", bot.id, FAR), Reset("a code", "a hash", "another")]


WAYS: dict[str, Callable[[Office, Person], list[PeopleRequest]]] = {
    "a password": lambda it, bot: [ChangeAccount(bot.id, {"password": "a hash"})],
    "a password by a link": by_link,
    "a passkey": lambda it, bot: [KeepPasskey(bot.id, PASSKEY)],
}


def holders(office: Office, *keys: str) -> list[str]:
    """Of these tokens, those that are good; also as the process remembers them."""
    good = [key for key in keys if office.journal.read(people_reading.holder_of_token, key)[1]]
    assert [key for key in keys if office.people.bearer(key, "127.0.0.1")] == good
    return good


@pytest.mark.parametrize("way", WAYS)
def test_with_the_first_way_in_the_tokens_end_that_others_made(way: str, office: Office) -> None:
    bot = office.sign_up("Builds", "a session without a way in")
    office.journal.ask(MakeToken("one", bot.id, "builds", ("write",), bot=True))
    assert holders(office, "one") == ["one"]
    office.ask_together(*WAYS[way](office, bot))
    assert holders(office, "one") == []
    assert [act for act in office.acts if act.startswith("is no bot any more")]
    office.journal.ask(MakeToken("two", bot.id, "own", ("read",)))
    office.ask_together(ChangeAccount(bot.id, {"password": "another hash"}, True))
    assert holders(office, "one", "two") == ["two"]


def test_a_passkey_that_is_only_a_second_factor_goes_with_it_and_the_others_stay(office: Office) -> None:
    grace, hub = office.grace, office.hub
    office.journal.ask(KeepPasskey(grace.id, PASSKEY))
    with pytest.raises(BadRequest):
        accounts.reset_factor(hub, office.identity, grace)
    office.journal.ask(KeepPasskey(grace.id, {**PASSKEY, "credential_id": b"2", "usage": "secondary"}))
    accounts.reset_factor(hub, office.identity, grace)
    account = office.journal.read(people_reading.account, "person_id", grace.id)
    assert account is not None
    assert [each["usage"] for each in account["passkeys"]] == ["first"]
    assert office.asked[-1].identity == office.identity
    with pytest.raises(BadRequest):
        accounts.reset_factor(hub, office.identity, office.ada)


def test_a_second_factor_that_is_lost_is_taken_away_by_a_form(server: Server) -> None:
    boss, grace = administrator(server), member(server, "grace")
    page = f"/admin/people/{grace.id}"
    assert 'value="reset-factor"' not in boss.http.get(page).text
    assert boss.http.post(page, data={"do": "reset-factor"}).status_code == 400
    assert boss.http.post(f"/admin/people/{boss.id}", data={"do": "reset-factor"}).status_code == 400
    factor, key = Authenticator(grace), Passkey(grace)
    other, third = half_way(grace), half_way(grace)
    assert 'value="reset-factor"' in boss.http.get(page).text
    assert grace.http.post(page, data={"do": "reset-factor"}).status_code == 404
    assert boss.http.post(page, data={"do": "reset-factor"}).status_code == 303
    assert f"took the second factor of {grace.name} away" in boss.http.get("/admin/audit").text
    # What was begun with the factor leads nowhere; the password alone is enough, and the passkey is still one.
    assert other.http.post("/sign-in/code", data={"code": factor.code()}).status_code < 500
    assert third.http.post("/sign-in/recovery", data={"code": factor.recovery[0]}).status_code < 500
    assert not other.signed_in()
    assert not third.signed_in()
    assert grace.signed_in()
    assert grace.elsewhere().signed_in()
    nobody = Member(server, grace.name)
    address, answer = key.offered(nobody)
    assert nobody.http.post(address, json={"credential": answer}).status_code == 200
    assert nobody.signed_in()


def test_a_second_factor_that_is_lost_is_taken_away_in_a_terminal(server: Server) -> None:
    administrator(server)
    grace = member(server, "grace")
    refused = server.console("user", "reset-factor", grace.name)
    assert (refused.status, "has no second factor" in refused.err) == (1, True)
    Authenticator(grace)
    done = server.console("user", "reset-factor", grace.name)
    assert done.status == 0, done.err
    assert "Took the second factor away of" in done.out
    assert Member(server, grace.name).sign_in().headers["Location"] == "/chats/"
    told = server.console("audit", "--about", grace.id).out
    assert f"took the second factor of {grace.name} away" in told


def test_who_is_asked_once_more_who_they_are_is_asked_for_what_they_have(server: Server) -> None:
    def asked(person: Member) -> tuple[bool, bool]:
        page = person.http.get("/account/verify").text
        return (
            'type="password"' in page,
            "passkey belongs to a name" in page,
        )  # here by a number, so not offered

    joan, grace = member(server, "joan"), Member(server, f"grace {uuid.uuid4().hex[:8]}")
    assert asked(joan) == (True, False)
    Passkey(joan)
    assert asked(joan) == (True, True)
    assert sign_up_with_passkey(grace, administrator(server).invite()).status_code == 201
    assert asked(grace) == (False, True)


def test_who_signed_in_a_while_ago_says_once_more_who_they_are_and_is_where_they_were(server: Server) -> None:
    joan = member(server, "joan")
    joan.signed_in_long_ago()
    for path in ("/account/passkeys", "/account/second-factor", "/account/recovery-codes", "/account/leave"):
        asked = joan.http.get(path).headers["Location"]
        page = joan.http.get(asked).text
        assert "say once more who you are" in page
        assert 'role="status"' not in page, "it is said once"
        assert httpx.URL(asked).params["next"] == path
    answer = joan.http.post(asked, data={"password": PASSWORD, "next": path})
    assert answer.headers["Location"] == path
    assert joan.http.get(path).status_code == 200


def test_who_has_no_way_to_sign_in_is_warned_and_told_who_helps(server: Server) -> None:
    grace = Member(server, f"grace {uuid.uuid4().hex[:8]}")
    assert sign_up_with_passkey(grace, administrator(server).invite()).status_code == 201
    warned = "You could not sign in again"
    assert warned not in grace.http.get("/account/").text
    # As accounts were left whose passkey was never made, before both were made together.
    server.ask("DELETE FROM passkeys WHERE user_id = (SELECT id FROM users WHERE person_id = ?)", grace.id)
    assert warned in grace.http.get("/account/").text
    assert "can give you a link for a new password" in grace.http.get("/account/verify").text
    form = {"new_password": PASSWORD, "new_password_confirm": PASSWORD}
    assert grace.http.post("/account/password", data=form).status_code == 302
    assert warned not in grace.http.get("/account/").text
    assert Member(server, grace.name).sign_in().status_code == 302
