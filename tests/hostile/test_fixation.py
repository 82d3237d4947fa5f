"""A cookie that somebody else knows: planted before one signs in, or copied before one is out."""

import base64
import json
import re
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import httpx
import pytest

from tests.clients import Person, eventually
from tests.factors import Authenticator, Passkey, found, half_way
from tests.people import PASSWORD, Member, administrator, member
from tests.raw_socket import problem
from tests.servers import Server

SIGN_IN = 4401
OTHER = "twelve green tractors sing"


class Cautious(NamedTuple):
    """Somebody with all the ways in that there are; each use takes a code that was not used: a later one."""

    person: Member
    codes: Authenticator
    passkey: Passkey
    steps: list[int]
    recovery: list[str]


@pytest.fixture(scope="module")
def plain(server: Server) -> Iterator[Member]:
    with closing(member(server, "grace")) as person:
        yield person


@pytest.fixture(scope="module")
def cautious(server: Server) -> Iterator[Cautious]:
    with closing(member(server, "joan")) as person:
        passkey, codes = Passkey(person), Authenticator(person)
        yield Cautious(person, codes, passkey, [-2, -1, 0, 1, 2, 3], list(codes.recovery))


def browser(server: Server, planted: httpx.Cookies) -> Member:
    """Somebody's browser with a cookie in it that is known elsewhere."""
    person = Member(server, "")
    person.http.cookies.update(planted)
    return person


def inside(cookies: httpx.Cookies) -> dict[str, Any]:
    """What stands in our cookie: it is signed, not secret."""
    value = cookies["chatapp"]
    data = value.lstrip(".").split(".")[0]
    raw = base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
    return json.loads(zlib.decompress(raw) if value.startswith(".") else raw)


def csrf_of(person: Person) -> str:
    return found(r'name="csrf-token" content="([^"]+)"', person.http.get("/chats/").text)


# -- planted -----------------------------------------------------------------------------------------------


def guests(server: Server, mallory: Person) -> Member:
    return browser(server, mallory.http.cookies)


def pages(server: Server, mallory: Person) -> Member:
    visitor = Member(server, "")
    visitor.http.get("/sign-in")
    return visitor


def half_signed_in(server: Server, mallory: Person) -> Member:
    own = member(server, "mallory")
    Authenticator(own)
    return half_way(own)


def signed_out(server: Server, mallory: Person) -> Member:
    own = member(server, "mallory")
    assert own.http.post("/sign-out").status_code == 302
    return own


Plant = Callable[[Server, Person], Member]
PLANTS: list[Plant] = [guests, pages, half_signed_in, signed_out]


def by_password(victim: Member, plain: Member, cautious: Cautious) -> str:
    victim.name, victim.password = plain.name, PASSWORD
    assert victim.sign_in().status_code == 302
    return plain.id


def by_code(victim: Member, plain: Member, cautious: Cautious) -> str:
    victim.name, victim.password = cautious.person.name, PASSWORD
    assert victim.sign_in().headers["Location"].startswith("/sign-in/code")
    code = cautious.codes.code(cautious.steps.pop(0))
    assert victim.http.post("/sign-in/code", data={"code": code}).status_code == 302
    return cautious.person.id


def by_recovery_code(victim: Member, plain: Member, cautious: Cautious) -> str:
    victim.name, victim.password = cautious.person.name, PASSWORD
    victim.sign_in()
    answer = victim.http.post("/sign-in/recovery", data={"code": cautious.recovery.pop()})
    assert answer.status_code == 302
    return cautious.person.id


def by_passkey(victim: Member, plain: Member, cautious: Cautious) -> str:
    path, credential = cautious.passkey.offered(victim)
    answer = victim.http.post(path, json={"credential": credential})
    assert answer.status_code == 200, answer.text
    return cautious.person.id


def by_signing_up(victim: Member, plain: Member, cautious: Cautious) -> str:
    victim.name = f"mary {uuid.uuid4().hex[:8]}"
    assert victim.sign_up(administrator(victim.server).invite()).status_code == 303
    return victim.id


WAYS = [by_password, by_code, by_recovery_code, by_passkey, by_signing_up]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_cookie_is_not_what_is_signed_in_afterwards(
    plant: Plant,
    way: Callable[..., str],
    server: Server,
    mallory: Person,
    plain: Member,
    cautious: Cautious,
    unharmed: None,
) -> None:
    with closing(plant(server, mallory)) as known:
        if way is by_passkey and plant is half_signed_in:
            known.http.get("/sign-in")  # the page with the button: it ends what was begun before
        token = csrf_of(known)
        before = inside(known.http.cookies)
        was = known.http.get("/api/me").json().get("id")
        with closing(browser(server, known.http.cookies)) as victim:
            who = way(victim, plain, cautious)
            assert victim.me()["id"] == who
            after = inside(victim.http.cookies)
            assert after["session"] != before.get("session")
            assert not {"person", "word", "tf_user_id", "tf_state"} & after.keys()
            # What was known of the old cookie opens nothing with the new one, nor the other way round.
            if was is None or not was.startswith("g") or way is not by_signing_up:
                assert known.http.get("/api/me").json().get("id") == was
            else:
                assert problem(known.http.get("/api/me")) == "sign_in"  # the guest is a member now
            del victim.http.headers["Origin"]
            answer = victim.http.post("/account/name", data={"name": "x"}, headers={"X-CSRF-Token": token})
            assert problem(answer) == "forbidden"


def test_what_was_begun_with_a_password_ends_when_the_password_does(server: Server) -> None:
    grace = member(server, "grace")
    codes = Authenticator(grace)
    with closing(half_way(grace)) as thief:
        form = {"password": PASSWORD, "new_password": OTHER, "new_password_confirm": OTHER}
        assert grace.http.post("/account/password", data=form).status_code == 302
        answer = thief.http.post("/sign-in/code", data={"code": codes.code()})
        assert answer.headers["Location"].startswith("/sign-in")
        assert not thief.signed_in()


def test_who_was_let_in_half_way_is_not_let_in_when_the_other_comes_all_the_way(
    server: Server, cautious: Cautious
) -> None:
    with closing(half_way(cautious.person)) as thief, closing(browser(server, thief.http.cookies)) as owner:
        code = cautious.codes.code(cautious.steps.pop(0))
        assert owner.http.post("/sign-in/code", data={"code": code}).status_code == 302
        assert owner.signed_in()
        assert not thief.signed_in()


# -- copied ------------------------------------------------------------------------------------------------


def signs_out(grace: Member, boss: Member) -> None:
    assert grace.http.post("/sign-out").status_code == 302


def takes_a_new_password(grace: Member, boss: Member) -> None:
    form = {"password": PASSWORD, "new_password": OTHER, "new_password_confirm": OTHER}
    assert grace.http.post("/account/password", data=form).status_code == 302
    assert grace.signed_in()  # in this browser, with another cookie


def sets_a_password_by_a_link(grace: Member, boss: Member) -> None:
    page = boss.http.post(f"/admin/people/{grace.id}", data={"do": "reset"}).text
    path = found(r"(/reset/[\w-]+)", page)
    assert grace.http.post(path, data={"password": OTHER}).status_code == 303


def is_disabled_and_enabled_again(grace: Member, boss: Member) -> None:
    boss.change(grace.id, disabled=True).raise_for_status()
    boss.change(grace.id, disabled=False).raise_for_status()


def is_signed_out_by_an_administrator(grace: Member, boss: Member) -> None:
    boss.http.post(f"/api/people/{grace.id}/sign-out").raise_for_status()


def signs_in_again_in_the_same_browser(grace: Member, boss: Member) -> None:
    signs_out(grace, boss)
    assert grace.sign_in().status_code == 302


@pytest.mark.parametrize(
    "end",
    [
        signs_out,
        takes_a_new_password,
        sets_a_password_by_a_link,
        is_disabled_and_enabled_again,
        is_signed_out_by_an_administrator,
        signs_in_again_in_the_same_browser,
    ],
)
def test_a_copied_cookie_is_nobodys_at_any_door_after_its_owner(
    end: Callable[[Member, Member], None], server: Server, board: int
) -> None:
    grace = member(server, "grace")
    with closing(browser(server, grace.http.cookies)) as thief:
        assert thief.me()["id"] == grace.id
        with closing(thief.socket()) as line:
            line.join(board)
            end(grace, administrator(server))
            assert eventually(lambda: line.closed)[0] == SIGN_IN
        for _ in range(2):  # also when it is looked up anew
            assert problem(thief.http.get("/api/me")) == "sign_in"
            assert problem(thief.http.post(f"/api/rooms/{board}/messages", json={"body": "hi"})) == "sign_in"
        assert thief.http.get("/account/").status_code == 302
        assert thief.http.get("/api/tokens").status_code == 401
        with closing(thief.socket()) as line:
            line.send({"type": "send", "room": board, "body": "hi"})
            assert line.expect(lambda frame: frame["type"] == "error")["code"] == "sign_in"


def test_the_cookie_of_a_server_is_nobodys_at_another_one(server: Server, plain: Member) -> None:
    """Signed with a key that is not ours; and ours with something else in it."""
    from itsdangerous import URLSafeTimedSerializer

    forged = URLSafeTimedSerializer(
        "another key", salt="cookie-session", signer_kwargs={"key_derivation": "hmac"}
    )
    payload, _, rest = plain.http.cookies["chatapp"].lstrip(".").partition(".")
    other = inside(plain.http.cookies) | {"person": {"id": "g1", "name": "x"}}
    turned = base64.urlsafe_b64encode(json.dumps(other).encode()).rstrip(b"=").decode()
    for value in (
        str(forged.dumps(other)),
        f"{turned}.{rest}",
        f"{payload}.{rest}"[::-1],
        f".{payload}.{rest}x",
    ):
        answer = httpx.get(f"{server.url}/api/me", headers={"Cookie": f"chatapp={value}"})
        assert problem(answer) == "sign_in"


def test_of_two_cookies_of_one_name_none_makes_somebody_of_another(
    server: Server, plain: Member, mallory: Person
) -> None:
    """A neighbour's page may plant one beside ours; whichever counts, it is one of the two and no mixture."""
    own, planted = plain.http.cookies["chatapp"], mallory.http.cookies["chatapp"]
    for first, second in ((own, planted), (planted, own)):
        fields = {"Cookie": f"chatapp={first}; chatapp={second}"}
        me = httpx.get(f"{server.url}/api/me", headers=fields).json()
        assert (me["id"], me["name"]) in ((plain.id, plain.name), (mallory.id, mallory.name))
        assert re.fullmatch(r"u\d+|g[0-9a-f]{16}", me["id"])
