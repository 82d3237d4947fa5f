"""An account that is made with a passkey: begun in one request, made in another, by whoever sends it. There is the account
with its passkey in the end, once, or nothing of either, and a link with one use let one in.
"""

import base64
import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from chatapp.security.first_passkey import PURPOSE, SECONDS
from tests.clients import Person
from tests.factors import NewAccount, Passkey, base64url, sign_up_with_passkey
from tests.people import Member, administrator, first_path, member
from tests.raw_socket import problem
from tests.servers import Server
from tests.test_accounts import at_once

CROWD = 12


@pytest.fixture(scope="module")
def server(three_workers: Server) -> Server:
    return three_workers


@pytest.fixture
def link(server: Server) -> str:
    """An invitation with one use."""
    return administrator(server).invite(uses=1)


@pytest.fixture
def mary(server: Server, link: str) -> NewAccount:
    """An account that is begun with it."""
    return begun(server, link)


def begun(server: Server, path: str, name: str = "mary") -> NewAccount:
    return NewAccount(Member(server, f"{name} {uuid.uuid4().hex[:8]}"), path)


def is_nothing(account: NewAccount) -> bool:
    """Neither the account nor the passkey is there."""
    with closing(sqlite3.connect(account.person.server.instance / "chat.db")) as database:
        of_name = database.execute("SELECT 1 FROM users WHERE name = ?", (account.person.name,))
        of_key = database.execute("SELECT 1 FROM passkeys WHERE credential_id = ?", (account.key.id,))
        return not of_name.fetchall() and not of_key.fetchall() and not account.person.signed_in()


def signs_in(server: Server, key: Passkey) -> bool:
    with closing(Member(server, "")) as anew:
        path, answer = key.offered(anew)
        return anew.http.post(path, json={"credential": answer}).status_code == 200 and anew.signed_in()


# -- what was not begun, or otherwise -----------------------------------------------------------------------


def test_nothing_is_made_of_what_was_begun_and_not_finished(
    server: Server, link: str, mary: NewAccount
) -> None:
    assert is_nothing(mary)
    assert Member(server, mary.person.name).sign_up(link).status_code == 303  # the name and the link are free


def nonsense(mary: NewAccount) -> str:
    return "nonsense"


def of_signing_in(mary: NewAccount) -> str:
    state: str = mary.person.http.post("/sign-in/passkey", json={}).json()["response"]["wan_state"]
    return state


def of_adding_one(mary: NewAccount) -> str:
    joan = member(mary.person.server, "joan")
    asked = joan.http.post("/account/passkeys", json={"name": "a key", "usage": "first"})
    state: str = asked.json()["response"]["wan_state"]
    return state


def with_anothers_name(mary: NewAccount) -> str:
    head, _, signature = mary.path.rpartition("/")[2].partition(".")
    said = json.loads(base64.urlsafe_b64decode(head + "=="))
    said[1] = administrator(mary.person.server).name
    return f"{base64url(json.dumps(said).encode())}.{signature}"


class LongAgo(TimestampSigner):
    def get_timestamp(self) -> int:
        return super().get_timestamp() - SECONDS - 1


def of_long_ago(mary: NewAccount) -> str:
    key = (mary.person.server.instance / "secret_key").read_text().split()[0]
    now = URLSafeTimedSerializer(key, salt=PURPOSE)
    said = now.loads(mary.path.rpartition("/")[2])  # also that it is signed as it is here
    return str(URLSafeTimedSerializer(key, salt=PURPOSE, signer=LongAgo).dumps(said))


@pytest.mark.parametrize("state", [nonsense, of_signing_in, of_adding_one, with_anothers_name, of_long_ago])
def test_what_was_not_begun_so_makes_no_account(
    state: Callable[[NewAccount], str], link: str, mary: NewAccount
) -> None:
    answer = mary.finish(path=f"{link}/passkey/{state(mary)}")
    assert problem(answer) == "forbidden"
    assert is_nothing(mary)
    assert mary.finish().status_code == 201  # as it was begun it is good


def test_what_was_begun_for_an_account_is_no_way_to_add_a_passkey_or_to_sign_in(
    server: Server, mary: NewAccount
) -> None:
    joan, state = member(server, "joan"), mary.path.rpartition("/")[2]
    for door in ("/account/passkeys", "/sign-in/passkey", "/account/verify/passkey"):
        mary.finish(joan, f"{door}/{state}")
    assert not signs_in(server, mary.key)
    assert is_nothing(mary)


def test_what_was_begun_with_one_link_is_not_finished_with_another(server: Server, mary: NewAccount) -> None:
    state, other = mary.path.rpartition("/")[2], administrator(server).invite(uses=1)
    assert problem(mary.finish(path=f"{other}/passkey/{state}")) == "forbidden"
    assert is_nothing(mary)
    assert Member(server, mary.person.name).sign_up(other).status_code == 303


def test_what_a_guest_began_another_one_does_not_finish(server: Server, link: str) -> None:
    with closing(Person(server, "nell")) as nell, closing(Person(server, "mallory")) as mallory:
        account = begun(server, link)
        account.person.http.cookies.update(nell.http.cookies)
        account = NewAccount(account.person, link)
        thief = Member(server, account.person.name)
        thief.http.cookies.update(mallory.http.cookies)
        assert problem(account.finish(thief)) == "forbidden"
        assert thief.me()["id"] == mallory.id
        assert account.finish().status_code == 201
        assert account.person.me()["id"] == nell.id


def test_an_invitation_leads_to_no_administrator(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    path = first_path(server)
    first = begun(server, path, "mallory")
    other = administrator(server).invite()
    state = first.path.rpartition("/")[2]
    assert problem(first.finish(path=f"{other}/passkey/{state}")) == "forbidden"
    assert problem(first.finish()) == "forbidden"  # there is one by now
    assert is_nothing(first)


def test_who_is_signed_in_makes_no_second_account(server: Server, link: str, mary: NewAccount) -> None:
    joan = member(server, "joan")
    assert problem(joan.http.post(f"{link}/passkey", json={"name": "joan too"})) == "forbidden"
    assert problem(mary.finish(joan)) == "forbidden"
    assert is_nothing(mary)


# -- answers that are none -----------------------------------------------------------------------------------


WRONG: dict[str, dict[str, Any]] = {
    "given to another site": {"origin": "https://chat.example.evil.example"},
    "of another host's passkeys": {"rp": "evil.example"},
    "to another challenge": {"challenge": base64url(b"another challenge")},
    "of signing in": {"type": "webauthn.get"},
    "that nobody touched": {"flags": 0},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_answer_makes_no_account(wrong: str, mary: NewAccount) -> None:
    assert problem(mary.finish(**WRONG[wrong])) == "bad_request"
    assert is_nothing(mary)
    assert mary.finish().status_code == 201


MANGLED: dict[str, Callable[[dict[str, Any]], object]] = {
    "nothing": lambda answer: None,
    "a list": lambda answer: [answer],
    "nested too deep": lambda answer: "[" * 30_000,
    "without its response": lambda answer: {**answer, "response": None},
    "whose attestation is no CBOR": lambda answer: attested(answer, b"\xff"),
    "whose attestation is a number": lambda answer: attested(answer, b"\x01"),
    "whose attestation is a list of none": lambda answer: attested(answer, b"\x80"),
    "whose attestation is nested too deep": lambda answer: attested(answer, b"\x81" * 20_000),
    "whose attestation lacks its data": lambda answer: attested(answer, b"\xa1\x63fmt\x64none"),
    "whose client data is no JSON": lambda answer: responded(answer, clientDataJSON=base64url(b"{")),
    "with an id of another key": lambda answer: {**answer, "id": base64url(b"another")},
}


def responded(answer: dict[str, Any], **fields: str) -> dict[str, Any]:
    return {**answer, "response": {**answer["response"], **fields}}


def attested(answer: dict[str, Any], cbor: bytes) -> dict[str, Any]:
    return responded(answer, attestationObject=base64url(cbor))


@pytest.mark.parametrize("mangled", MANGLED)
def test_what_is_no_answer_is_refused_and_no_fault(mangled: str, mary: NewAccount) -> None:
    made = MANGLED[mangled](json.loads(mary.answer()))
    sent = made if isinstance(made, str) else json.dumps(made)
    answer = mary.person.http.post(mary.path, json={"credential": sent})
    assert problem(answer) == "bad_request"
    assert is_nothing(mary)


@pytest.mark.parametrize("mangled", MANGLED)
def test_what_is_no_answer_is_no_fault_at_the_doors_of_the_library_either(
    mangled: str, server: Server
) -> None:
    joan = member(server, "joan")
    asked = joan.http.post("/account/passkeys", json={"name": "a key", "usage": "first"}).json()["response"]
    added = f"/account/passkeys/{asked['wan_state']}", Passkey().made(asked["credential_options"], server.url)
    key = Passkey(joan, name="another")
    for path, good in (added, key.offered(joan, "/account/verify/passkey")):
        made = MANGLED[mangled](json.loads(good))
        sent = made if isinstance(made, str) else json.dumps(made)
        told_all = "attestation" in mangled and "verify" in path  # there is none in it
        status = joan.http.post(path, json={"credential": sent}).status_code
        assert status == (200 if told_all else 400), path


# -- once ----------------------------------------------------------------------------------------------------


def test_what_was_finished_is_not_finished_again(server: Server) -> None:
    path = administrator(server).invite(uses=CROWD)
    account = begun(server, path)
    crowd = [Member(server, account.person.name) for _ in range(CROWD)]
    answers = at_once(CROWD, lambda number: account.finish(crowd[number]).status_code)
    assert answers.count(201) == 1
    assert set(answers) <= {201, 400, 403}
    assert sum(each.signed_in() for each in crowd) == 1
    assert signs_in(server, account.key)
    # Nor once the account is gone, and its name free.
    server.console("user", "erase", account.person.name, "--messages", "remove", "--yes")
    assert problem(account.finish()) == "forbidden"
    assert is_nothing(account)


def test_a_link_that_another_used_up_meanwhile_makes_no_account(
    server: Server, link: str, mary: NewAccount
) -> None:
    assert sign_up_with_passkey(Member(server, f"joan {uuid.uuid4().hex[:8]}"), link).status_code == 201
    answer = mary.finish()
    assert problem(answer) == "forbidden"
    assert "used up" in answer.json()["detail"]
    assert is_nothing(mary)


def test_a_name_that_another_took_meanwhile_is_refused_and_the_link_is_as_it_was(
    server: Server, link: str, mary: NewAccount
) -> None:
    joan = member(server, "joan")
    assert joan.change(joan.id, name=mary.person.name).status_code == 200
    answer = mary.finish()
    assert problem(answer) == "bad_request"
    assert "taken" in answer.json()["detail"]
    assert sign_up_with_passkey(Member(server, f"mary {uuid.uuid4().hex[:8]}"), link).status_code == 201


def test_a_passkey_is_one_accounts_however_many_say_that_it_is_theirs(server: Server) -> None:
    path = administrator(server).invite(uses=CROWD)
    crowd = [begun(server, path) for _ in range(CROWD)]
    for each in crowd:
        each.key.id = crowd[0].key.id  # an id is what the browser says it is
    answers = at_once(CROWD, lambda number: crowd[number].finish().status_code)
    assert sorted(answers) == [201] + [400] * (CROWD - 1)
    assert sum(each.person.signed_in() for each in crowd) == 1


def test_of_many_first_administrators_with_passkeys_one_is_it(new_server: Callable[..., Server]) -> None:
    server = new_server(workers=2).start()
    crowd = [begun(server, first_path(server), f"ada {number}") for number in range(6)]
    answers = at_once(len(crowd), lambda number: crowd[number].finish().status_code)
    assert sorted(answers) == [201] + [403] * (len(crowd) - 1)
    (ada,) = [each.person for each in crowd if each.person.signed_in()]
    assert ada.me()["role"] == "administrator"


# -- the only way in -----------------------------------------------------------------------------------------


@pytest.fixture
def grace(server: Server, link: str) -> Iterator[Member]:
    """Somebody with one passkey, called `a key`, and no password."""
    with closing(Member(server, f"grace {uuid.uuid4().hex[:8]}")) as person:
        assert sign_up_with_passkey(person, link).status_code == 201
        yield person


def forget(person: Member, name: str) -> int:
    return person.http.post("/account/passkeys/delete", json={"name": name}).status_code


def names_of_passkeys(person: Member) -> list[str]:
    held = person.http.get("/account/passkeys", headers={"Content-Type": "application/json"})
    return [each["name"] for each in held.json()["response"]["registered_credentials"]]


def test_nobody_forgets_their_only_way_to_sign_in(grace: Member) -> None:
    (name,) = names_of_passkeys(grace)
    assert forget(grace, name) == 403
    Passkey(grace, name="another")
    assert forget(grace, name) == 200
    assert forget(grace, "another") == 403
    assert names_of_passkeys(grace) == ["another"]


def test_of_two_passkeys_that_are_forgotten_at_once_one_stays(grace: Member) -> None:
    (name,) = names_of_passkeys(grace)
    Passkey(grace, name="another")
    there = [grace, Member(grace.server, grace.name)]
    there[1].http.cookies.update(grace.http.cookies)
    answers = at_once(2, lambda number: forget(there[number], [name, "another"][number]))
    assert sorted(answers) == [200, 403]
    assert len(names_of_passkeys(grace)) == 1


def test_a_passkey_that_is_a_second_factor_alone_is_no_way_to_sign_in(grace: Member) -> None:
    (name,) = names_of_passkeys(grace)
    asked = grace.http.post("/account/passkeys", json={"name": "second", "usage": "secondary"}).json()[
        "response"
    ]
    credential = Passkey().made(asked["credential_options"], grace.server.url)
    added = grace.http.post(f"/account/passkeys/{asked['wan_state']}", json={"credential": credential})
    assert added.status_code == 200
    assert forget(grace, name) == 403
    assert forget(grace, "second") == 200
