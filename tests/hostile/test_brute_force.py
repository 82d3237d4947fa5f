"""Guessing: how often somebody may, at what, and what they learn by it.

A server with narrow limits, which trusts no proxy. Each test comes from an address of its own, in 127.0.0.0/8.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.clients import Person
from tests.factors import Authenticator, Passkey, half_way, sign_up_with_passkey
from tests.people import PASSWORD, Member, administrator, first_path
from tests.programs import program
from tests.servers import Server

LIMIT, FACTOR, GUESTS = 2, 10, 8
WORD = "open sesame"
TOO_FAST = 429
addresses = itertools.count(2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("guessed at") / "instance"
    rates = {"rate_sign_ins": f"{LIMIT} per hour", "rate_guests": f"{GUESTS} per hour"}
    server = Server(folder, guest_code=WORD, sign_up="open", **rates).start()
    yield server
    server.kill()


class Place:
    """An address from which people come."""

    def __init__(self, server: Server) -> None:
        self.server, self.address = server, f"127.0.0.{next(addresses)}"

    def http(self) -> httpx.Client:
        transport = httpx.HTTPTransport(local_address=self.address)
        return httpx.Client(
            base_url=self.server.url, headers={"Origin": self.server.url}, transport=transport, timeout=70
        )

    def browser(self, name: str = "", password: str = PASSWORD) -> Member:
        person = Member(self.server, name, password)
        person.http.close()
        person.http = self.http()
        return person

    def guess(self, name: str, password: str = "a wrong password", **more: dict[str, str]) -> httpx.Response:
        """An attempt in a browser that has nothing to do with the others."""
        with closing(self.browser()) as one:
            return one.http.post("/sign-in", data={"username": name, "password": password}, **more)


@pytest.fixture
def place(server: Server) -> Place:
    return Place(server)


people = itertools.count(1)


@pytest.fixture
def grace(server: Server) -> Iterator[Member]:
    """Whose account it is; at an address of hers."""
    with closing(Place(server).browser(f"grace hopper {next(people)}")) as person:
        assert person.sign_up("/sign-up").status_code == 303
        yield person


def statuses(answers: Iterator[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


# -- passwords ---------------------------------------------------------------------------------------------

DISGUISES: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "wide letters": lambda name: "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in name),
    "other letters": lambda name: name.replace("a", "а").replace("e", "е"),
    "spaces": lambda name: f"   {name.replace(' ', '   ')}   ",
    "what shows as nothing": lambda name: "\u200b".join(name),
    "marks": lambda name: "\u034f".join(name),
}


def test_guesses_at_an_account_count_together_however_its_name_is_written(
    place: Place, grace: Member
) -> None:
    looks = [disguise(grace.name) for disguise in DISGUISES.values()]
    assert statuses(place.guess(name) for name in looks) == [200] * LIMIT + [TOO_FAST] * (len(looks) - LIMIT)
    assert place.guess(grace.name, PASSWORD).status_code == TOO_FAST  # also the right one


WRITTEN: dict[str, Callable[[httpx.Client, str], httpx.Response]] = {
    "as a form in parts": lambda http, name: http.post(
        "/sign-in", files={"username": (None, name), "password": (None, PASSWORD)}
    ),
    "as JSON": lambda http, name: http.post("/sign-in", json={"username": name, "password": PASSWORD}),
    "as JSON under another type": lambda http, name: http.post(
        "/sign-in",
        content=f'{{"username":"{name}","password":"{PASSWORD}"}}',
        headers={"Content-Type": "application/x+json"},
    ),
    "as a list of one": lambda http, name: http.post(
        "/sign-in", json={"username": [name], "password": [PASSWORD]}
    ),
    "as a list of pairs": lambda http, name: http.post(
        "/sign-in", json=[["username", name], ["password", PASSWORD]]
    ),
    "as JSON beside a form's": lambda http, name: http.post(
        "/sign-in?username=nobody", json={"username": name, "password": PASSWORD}
    ),
    "as the first of two": lambda http, name: http.post(
        "/sign-in", data={"username": [name, "nobody"], "password": PASSWORD}
    ),
    "as the second of two": lambda http, name: http.post(
        "/sign-in", data={"username": ["nobody", name], "password": PASSWORD}
    ),
    "under another field's name": lambda http, name: http.post(
        "/sign-in", data={"email": name, "identity": name, "username": "", "password": PASSWORD}
    ),
    "in the address": lambda http, name: http.post(
        "/sign-in", params={"username": name}, data={"password": PASSWORD}
    ),
    "behind a hundred spaces": lambda http, name: http.post(
        "/sign-in", data={"username": " " * 100 + name, "password": PASSWORD}
    ),
}


@pytest.fixture(scope="module")
def throttled(server: Server) -> str:
    """The name of somebody whose password was guessed at."""
    place = Place(server)
    with closing(place.browser("grace the throttled")) as person:
        assert person.sign_up("/sign-up").status_code == 303
    assert statuses(place.guess(person.name) for _ in range(LIMIT + 1))[-1] == TOO_FAST
    return person.name


@pytest.mark.parametrize("form", WRITTEN)
def test_a_throttled_account_is_not_reached_by_a_name_that_is_written_elsewhere(
    form: str, place: Place, throttled: str
) -> None:
    with closing(place.browser()) as thief:
        answer = WRITTEN[form](thief.http, throttled)
        assert answer.status_code in (200, 400, TOO_FAST)
        assert not thief.signed_in()


def test_an_unknown_account_is_throttled_as_a_known_one_in_the_same_words(
    place: Place, grace: Member
) -> None:
    def asked(name: str) -> list[tuple[int, dict[str, str], str]]:
        own = re.compile(r'value="[^"]*"|content="[^"]*"')
        answers = [place.guess(name) for _ in range(LIMIT + 1)]
        hidden = {"date", "x-request-id", "set-cookie", "retry-after", "content-length"}
        return [
            (
                each.status_code,
                {header: value for header, value in each.headers.items() if header not in hidden},
                re.sub(r"\d+", "N", own.sub("", each.text)),
            )
            for each in answers
        ]

    assert asked(grace.name) == asked("nobody of that name")


ACCOUNTS: dict[str, list[tuple[str, ...]]] = {
    "a person": [("user", "create", "{}", "--password", PASSWORD)],
    "nobody": [],
    "somebody who is disabled": [
        ("user", "create", "{}", "--password", PASSWORD),
        ("user", "disable", "{}"),
    ],
    "a bot": [("token", "create", "{}", "--bot")],
}


def cpu(server: Server) -> int:
    """What the only worker has used of the processor, in ticks of 10 ms: others' work does not count."""
    fields = Path(f"/proc/{server.worker_pids[0]}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_guess_is_the_same_work_and_the_same_answer_whoever_it_is_about(server: Server) -> None:
    """So how long it takes does not say either who there is."""
    costs, answers = {}, set()
    for number, (whose, commands) in enumerate(ACCOUNTS.items()):
        place, names = Place(server), [f"katherine {number * 10 + each}" for each in range(5)]
        for name, command in itertools.product(names, commands):
            done = server.console(*(word.replace("{}", name) for word in command))
            assert done.status == 0, done.err
        place.guess("somebody else")  # what is done once for all is done
        before = cpu(server)
        told = [place.guess(name) for name in names for _ in range(LIMIT)]
        costs[whose] = cpu(server) - before
        own = re.compile(r'value="[^"]*"|content="[^"]*"')
        answers |= {(each.status_code, own.sub("", each.text)) for each in told}
    assert len(answers) == 1
    assert max(costs.values()) < 2 * min(costs.values()), costs


CLAIMS = [
    "X-Forwarded-For",
    "Forwarded",
    "X-Real-IP",
    "X-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Originating-IP",
    "X-Cluster-Client-IP",
    "Via",
    "Client-IP",
]


def test_from_one_address_only_so_many_accounts_are_tried_whatever_the_request_says_of_where_it_is_from(
    place: Place,
) -> None:
    def try_one(number: int) -> int:
        name = CLAIMS[number % len(CLAIMS)]
        address = f"203.0.113.{number}"
        value = f"for={address}" if name == "Forwarded" else address
        return place.guess(f"somebody {'x' * number}", headers={name: value}).status_code

    found = [try_one(number) for number in range(LIMIT * FACTOR + len(CLAIMS))]
    assert found == [200] * LIMIT * FACTOR + [TOO_FAST] * len(CLAIMS)


def test_who_is_guessed_at_goes_on_and_comes_in_with_a_passkey(
    server: Server, place: Place, grace: Member
) -> None:
    key, bot = Passkey(grace), program(grace)
    assert statuses(place.guess(grace.name) for _ in range(LIMIT + 1))[-1] == TOO_FAST
    assert grace.signed_in()
    assert bot.http.get("/api/me").status_code == 200
    with closing(place.browser()) as elsewhere:
        path, credential = key.offered(elsewhere)
        assert elsewhere.http.post(path, json={"credential": credential}).status_code == 200
        assert elsewhere.me()["id"] == grace.id


def test_what_is_tried_under_somebodys_id_for_a_name_does_not_count_for_them(
    place: Place, grace: Member
) -> None:
    for name in (grace.id, f"@{grace.id}"):
        assert statuses(place.guess(name) for _ in range(LIMIT + 1))[-1] == TOO_FAST
    assert grace.http.post("/account/verify", data={"password": PASSWORD}).status_code == 302


def test_a_stolen_session_does_not_guess_the_password(place: Place, grace: Member) -> None:
    doors = [
        "/account/verify",
        "/account/password",
        "/account/verify",
        "/account/password",
        "/account/verify",
    ]
    new = {"new_password": "a b c d e f g h", "new_password_confirm": "a b c d e f g h"}
    found = [grace.http.post(door, data={"password": "a wrong one", **new}).status_code for door in doors]
    assert found == [200] * LIMIT + [TOO_FAST] * (len(doors) - LIMIT)


# -- second factors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["/sign-in/code", "/sign-in/recovery"])
def test_codes_are_guessed_at_as_seldom_as_passwords_and_all_together(
    door: str, server: Server, place: Place, grace: Member
) -> None:
    codes = Authenticator(grace)
    right = {"/sign-in/code": codes.code(), "/sign-in/recovery": codes.recovery[0]}
    with closing(place.browser(grace.name)) as thief:
        assert thief.sign_in().headers["Location"].startswith("/sign-in/code")
        doors = ["/sign-in/code", "/sign-in/recovery"]
        found = [thief.http.post(each, data={"code": "000000"}).status_code for each in doors]
        assert found == [200] * LIMIT
        assert thief.http.post(door, data={"code": right[door]}).status_code == TOO_FAST
        # Nor in another browser, for which the password was said anew.
        with closing(half_way(grace)) as another:
            assert another.http.post(door, data={"code": right[door]}).status_code == TOO_FAST
            assert not another.signed_in()
        assert not thief.signed_in()


# -- words, links, numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["json", "data"])
def test_the_guests_word_is_not_found_by_trying(given: str, place: Place) -> None:
    def say(code: str, number: int) -> int:
        headers = {"X-Forwarded-For": f"203.0.113.{number}"}
        with place.http() as http:
            form = {"name": f"mallory {number}", "code": code}
            return http.post("/guests", **{given: form}, headers=headers).status_code

    tried = [
        say(word, number)
        for number, word in enumerate(["sesame", "open", WORD.upper(), "", "x", "y", "z", "ä"])
    ]
    assert tried == [403] * GUESTS
    assert say(WORD, 99) == TOO_FAST


@pytest.mark.parametrize("door", ["/first/{}", "/reset/{}"])
def test_codes_in_addresses_are_tried_so_often_from_one_address(
    door: str, server: Server, place: Place
) -> None:
    administrator(server)
    right = first_path(server) if "first" in door else door.format("y" * 32)
    with place.http() as http:
        tried = [
            http.post(door.format("x" * 32), data={"password": "x"}).status_code
            for _ in range(LIMIT * FACTOR)
        ]
        assert set(tried) == {403}
        assert http.post(right, data={"password": PASSWORD, "name": "mallory"}).status_code == TOO_FAST


LINKS: dict[str, Callable[[Member], str]] = {
    "an invitation": lambda boss: boss.invite(),
    "a token": lambda boss: f"chat_{program(boss).token.removeprefix('chat_')}",
    "a hook": lambda boss: boss.http.post(
        f"/api/rooms/{room_of(boss)}/hooks", json={"name": "Builds"}
    ).json()["url"],
}


def room_of(boss: Member) -> int:
    made = boss.http.post("/api/rooms", json={"name": "board"})
    assert made.status_code == 201, made.text
    return int(made.json()["id"])


CHANGES: dict[str, Callable[[str], str]] = {
    "one letter": lambda code: code[:-1] + ("A" if code[-1] != "A" else "B"),
    "the other case": lambda code: code.swapcase(),
    "its beginning": lambda code: code[:-1],
    "its end": lambda code: code[1:],
    "a longer one": lambda code: code + "A",
    "a line break after it": lambda code: code + "%0A",
    "a zero after it": lambda code: code + "%00",
    "what stands for anything": lambda code: "%25",
    "what stands for any letter": lambda code: "_" * len(code),
}


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """A good one of each kind, once it was asked for."""
    return {}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", LINKS)
def test_nothing_but_the_whole_of_a_code_is_the_code(
    kind: str, change: str, server: Server, place: Place, made: dict[str, str]
) -> None:
    boss = administrator(server)
    good = made[kind] = made.get(kind) or LINKS[kind](boss)
    head, _, code = good.rpartition("/") if kind != "a token" else ("", "", good.removeprefix("chat_"))
    wrong = CHANGES[change](code)
    assert wrong != code
    with place.http() as http:
        if kind == "a token":
            field = {"Authorization": f"Bearer chat_{wrong}"}
            assert http.get("/api/me", headers=field).status_code == 401
        elif kind == "a hook":
            answer = http.post(f"{head}/{wrong}", json={"text": "x"})
            assert (answer.status_code, answer.text) == (404, "no_service")
        else:
            assert http.get(f"{head}/{wrong}").status_code == 403


def test_an_account_that_is_made_from_one_address_too_often_is_not_made(place: Place) -> None:
    found = []
    for number in range(GUESTS + 2):
        with closing(place.browser(f"mallory {'i' * number} {place.address}")) as one:
            found.append(sign_up_with_passkey(one, "/sign-up").status_code)
    assert found == [201] * GUESTS + [TOO_FAST] * 2
    with closing(Person(place.server)) as nobody:
        assert nobody.http.get("/readyz").status_code == 200
