"""Many on what is there for one, at the same moment or one after another. With three workers, so that they meet in
the database alone.

A hundred on an invitation, six on the first administrator's code: test_accounts.py.
"""

import uuid
from contextlib import closing

import pytest

from tests.clients import Person
from tests.factors import Authenticator, NewAccount, Passkey, found, half_way
from tests.people import Member, administrator, member
from tests.servers import Server
from tests.test_accounts import at_once

CROWD = 20
TRIES = 6  # each on a connection of its own: nearly always in more than one worker


@pytest.fixture(scope="module", params=["three_workers", "on_postgres"])
def server(request: pytest.FixtureRequest) -> Server:
    """Where one writes at a time, and where many do."""
    return request.getfixturevalue(request.param)


def copies(person: Member, count: int = CROWD) -> list[Member]:
    """The same browser, so many times."""
    made = [Member(person.server, person.name, person.password) for _ in range(count)]
    for each in made:
        each.http.cookies.update(person.http.cookies)
    return made


def signed_in(people: list[Member]) -> int:
    return sum(person.signed_in() for person in people)


def stored_codes(person: Member) -> int:
    ((count,),) = person.server.ask(
        "SELECT json_array_length(mf_recovery_codes) FROM users WHERE person_id = ?", person.id
    )
    return int(count)


def test_a_recovery_code_lets_one_in(server: Server, unharmed: None) -> None:
    grace = member(server, "grace")
    code = Authenticator(grace).recovery[0]
    crowd = copies(half_way(grace))
    at_once(
        CROWD, lambda number: crowd[number].http.post("/sign-in/recovery", data={"code": code}).status_code
    )
    assert signed_in(crowd) == 1
    assert stored_codes(grace) == 7


def test_of_recovery_codes_that_are_used_together_none_comes_back(server: Server) -> None:
    grace = member(server, "grace")
    codes = Authenticator(grace).recovery
    crowd = copies(half_way(grace), len(codes))
    answers = at_once(
        len(codes),
        lambda number: crowd[number].http.post("/sign-in/recovery", data={"code": codes[number]}).status_code,
    )
    assert answers == [302] * len(codes)
    assert stored_codes(grace) == 0


def test_a_code_of_an_authenticator_lets_one_in(server: Server, unharmed: None) -> None:
    grace = member(server, "grace")
    code = Authenticator(grace).code()
    crowd = copies(half_way(grace))
    at_once(CROWD, lambda number: crowd[number].http.post("/sign-in/code", data={"code": code}).status_code)
    assert signed_in(crowd) == 1


def test_a_passkeys_answer_lets_one_in(server: Server, unharmed: None) -> None:
    grace = member(server, "grace")
    key = Passkey(grace)
    crowd = [Member(server, "") for _ in range(CROWD)]
    path, credential = key.offered(crowd[0])
    at_once(CROWD, lambda number: crowd[number].http.post(path, json={"credential": credential}).status_code)
    assert signed_in(crowd) == 1


def test_a_link_for_a_new_password_sets_one(server: Server, unharmed: None) -> None:
    grace = member(server, "grace")
    page = administrator(server).http.post(f"/admin/people/{grace.id}", data={"do": "reset"}).text
    path = found(r"(/reset/[\w-]+)", page)
    words = [f"{number} green tractors sing" for number in range(CROWD)]
    visitors = [Person(server) for _ in range(CROWD)]
    answers = at_once(CROWD, lambda n: visitors[n].http.post(path, data={"password": words[n]}).status_code)
    assert sorted(set(answers)) == [303, 403]
    assert answers.count(303) == 1
    assert Member(server, grace.name, words[answers.index(303)]).sign_in().status_code == 302
    assert Member(server, grace.name, words[answers.index(403)]).sign_in().status_code == 200


def test_a_name_is_one_persons_however_many_ask_for_what_looks_like_it(
    server: Server, unharmed: None
) -> None:
    base = f"ada {uuid.uuid4().hex[:8]}"
    looks = [
        base,
        base.upper(),
        base.replace("a", "а"),
        base.replace(" ", "\u200a"),
        base + "\u034f",
        f"{base}\u3164",
    ]
    path = administrator(server).invite(uses=CROWD)
    there = [member(server, "joan") for _ in looks]
    new = [NewAccount(Member(server, name), path) for name in looks]

    def take(number: int) -> bool:
        if number < len(looks):
            return there[number].change(there[number].id, name=looks[number]).status_code == 200
        return new[number - len(looks)].finish().status_code == 201

    assert sum(at_once(2 * len(looks), take)) == 1
    assert signed_in([each.person for each in new]) <= 1


def test_a_guest_becomes_one_person(server: Server, unharmed: None) -> None:
    path = administrator(server).invite(uses=CROWD)
    guest = Person(server, f"mary {uuid.uuid4().hex[:8]}")
    crowd = [Member(server, f"mary {uuid.uuid4().hex[:8]}") for _ in range(CROWD)]
    for each in crowd:
        each.http.cookies.update(guest.http.cookies)
    begun = [NewAccount(each, path) for each in crowd]
    answers = at_once(CROWD, lambda n: begun[n].finish().status_code)
    # Whoever comes too late is somebody else than who began it, or is told that the guest has an account.
    assert answers.count(201) == 1
    assert crowd[answers.index(201)].me()["id"] == guest.id
    assert set(answers) <= {201, 401, 403}


def test_a_conversation_of_the_same_people_is_one_room(server: Server, unharmed: None) -> None:
    grace, joan = member(server, "grace"), member(server, "joan")
    sides = [(person, other) for person, other in ((grace, joan), (joan, grace)) for _ in range(CROWD // 2)]
    crowd = [(copies(person, 1)[0], other.id) for person, other in sides]

    def begin(number: int) -> int:
        person, other = crowd[number]
        return int(person.http.post("/api/direct", json={"people": [other]}).json()["id"])

    assert len(set(at_once(CROWD, begin))) == 1


def test_of_two_owners_who_remove_each_other_one_stays(server: Server, unharmed: None) -> None:
    """Each may, until the other one has: what was permitted is decided again where it is kept."""
    grace, joan = member(server, "grace"), member(server, "joan")
    room = grace.http.post("/api/rooms", json={"name": "den", "kind": "private"}).json()["id"]
    path = f"/api/rooms/{room}/members"
    assert grace.http.put(f"{path}/{joan.id}", json={"role": "owner"}).status_code == 200
    pair = [(grace, joan.id), (joan, grace.id)]
    at_once(2, lambda n: pair[n][0].http.put(f"{path}/{pair[n][1]}", json={"role": "member"}).status_code)
    seen = next(answer for each in (grace, joan) if (answer := each.http.get(path)).status_code == 200)
    assert "owner" in [each["role"] for each in seen.json()["members"]]


def test_a_code_that_let_somebody_in_lets_nobody_in_again_in_any_worker(server: Server) -> None:
    joan = member(server, "joan")
    codes = Authenticator(joan)
    code = codes.code()
    with closing(half_way(joan)) as own:
        assert own.http.post("/sign-in/code", data={"code": code}).status_code == 302
        assert own.signed_in()
    with closing(half_way(joan)) as thief:
        for used in (code, codes.first):  # and the one with which it was set up
            for _ in range(TRIES):
                again = Member(server, "")
                again.http.cookies.update(thief.http.cookies)
                with closing(again):
                    assert again.http.post("/sign-in/code", data={"code": used}).status_code == 200
                    assert not again.signed_in()


def test_a_passkeys_answer_is_taken_once_in_all_workers(server: Server) -> None:
    joan = member(server, "joan")
    key = Passkey(joan)
    with closing(Member(server, "")) as own:
        path, credential = key.offered(own)
        assert own.http.post(path, json={"credential": credential}).status_code == 200
        assert own.me()["id"] == joan.id
    for _ in range(TRIES):
        with closing(Member(server, "")) as thief:
            assert thief.http.post(path, json={"credential": credential}).status_code == 400
            assert not thief.signed_in()
    # What was said to the server to show once more who one is is no way in either.
    path, credential = key.offered(joan, "/account/verify/passkey")
    assert joan.http.post(path, json={"credential": credential}).status_code == 200
    with closing(Member(server, "")) as thief:
        path = path.replace("/account/verify", "/sign-in")
        assert thief.http.post(path, json={"credential": credential}).status_code == 400
        assert not thief.signed_in()
