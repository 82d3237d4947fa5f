"""Names that look like somebody's: each trick at each door where a name is taken. Six more: test_accounts.py."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

import httpx
import pytest

from chatapp.names import key
from tests.clients import Person
from tests.people import Member, administrator, member
from tests.raw_socket import problem
from tests.servers import Server

Trick = Callable[[str], str]
TRICKS: dict[str, Trick] = {
    "a joiner of marks": lambda name: name[:2] + "\u034f" + name[2:],
    "a filler of Hangul": lambda name: name + "\u3164",
    "half a filler of Hangul": lambda name: "\uffa0" + name,
    "an inherent vowel of Khmer": lambda name: name[:1] + "\u17b4" + name[1:],
    "a variation of Mongolian": lambda name: name[:3] + "\u180b" + name[3:],
    "a variation of ideographs": lambda name: name + "\U000e0101",
    "tags": lambda name: name + "\U000e0067\U000e007f",
    "a blank of braille": lambda name: name + "\u2800",
    "a hair space": lambda name: name[:2] + "\u200a" + name[2:],
    "no space": lambda name: name.replace(" ", ""),
    "a soft hyphen": lambda name: name[:3] + "\u00ad" + name[3:],
    "a dot on an i": lambda name: name.replace("i", "i\u0307"),
    "an i with a dot": lambda name: name.replace("i", "İ"),
    "an i without one": lambda name: name.replace("i", "ı"),
    "the same mark twice": lambda name: name.replace("é", "e\u0301\u0301"),
    "a mark on another alphabet's letter": lambda name: name.replace("é", "\u0435\u0301"),
    "small capitals": lambda name: name.replace("a", "ᴀ").replace("v", "ᴠ").replace("w", "ᴡ"),
    "two v for a w": lambda name: name.replace("w", "vv"),
    "zero for o": lambda name: name.replace("o", "0"),
    "letters of mathematics": lambda name: "".join(
        chr(0x1D41A + ord(c) - 97) if "a" <= c <= "z" else c for c in name
    ),
    "letters in circles": lambda name: "".join(
        chr(0x24D0 + ord(c) - 97) if "a" <= c <= "z" else c for c in name
    ),
    "Greek": lambda name: name.replace("o", "ο").replace("v", "ν"),
    "Cherokee": lambda name: name.replace("w", "Ꮃ").replace("a", "Ꭺ"),
    "Armenian": lambda name: name.replace("o", "օ"),
}


class Doors(NamedTuple):
    """Everybody who asks for a name; `victim` has it."""

    victim: Member
    boss: Member
    other: Member
    room: int
    invitation: str


@pytest.fixture(scope="module")
def doors(server: Server) -> Iterator[Doors]:
    victim, other = Member(server, f"iwona véoa {uuid.uuid4().hex[:6]}"), member(server, "joan")
    boss = administrator(server)
    assert victim.sign_up(boss.invite()).status_code == 303
    yield Doors(victim, boss, other, other.make_room("board"), boss.invite(uses=1000))
    victim.close()
    other.close()


def as_guest(doors: Doors, name: str) -> httpx.Response:
    with closing(Person(doors.boss.server)) as nobody:
        return nobody.http.post("/guests", json={"name": name})


def as_member(doors: Doors, name: str) -> httpx.Response:
    with closing(Member(doors.boss.server, name)) as person:
        return person.http.post(f"{doors.invitation}/passkey", json={"name": name})


def by_renaming(doors: Doors, name: str) -> httpx.Response:
    return doors.other.change(doors.other.id, name=name)


def as_hook(doors: Doors, name: str) -> httpx.Response:
    return doors.other.http.post(f"/api/rooms/{doors.room}/hooks", json={"name": name})


def as_bot(doors: Doors, name: str) -> httpx.Response:
    wanted = {"name": "x", "scopes": ["read"], "bot": name}
    return doors.boss.http.post("/api/tokens", json=wanted)


TAKING = [as_guest, as_member, by_renaming, as_hook, as_bot]


@pytest.mark.parametrize("take", TAKING)
@pytest.mark.parametrize("trick", TRICKS)
def test_a_name_that_looks_like_somebodys_is_refused(
    trick: str, take: Callable[[Doors, str], httpx.Response], doors: Doors
) -> None:
    name = TRICKS[trick](doors.victim.name)
    assert name != doors.victim.name
    # By a bot's name the person is found, who signs in: nobody makes tokens for them.
    assert take(doors, name).status_code == (403 if take is as_bot else 400)


RESERVED: dict[str, str] = {
    "system": "systеm",  # Cyrillic
    "guest": "gu\u034fest",
    "removed person": "removed\u200aperson",
    "administrator": "Admіnistrator",
    "admin": "ADMlN",
    "moderator": "rnoderator",
}


@pytest.mark.parametrize("take", TAKING)
@pytest.mark.parametrize("name", RESERVED)
def test_the_names_of_nobody_and_of_offices_are_nobodys_also_in_disguise(
    name: str, take: Callable[[Doors, str], httpx.Response], doors: Doors
) -> None:
    for each in (name, RESERVED[name]):
        assert take(doors, each).status_code == 400, each


def test_an_administrator_may_be_called_so(server: Server) -> None:
    with closing(member(server, "grace")) as grace:
        administrator(server).change(grace.id, role="administrator").raise_for_status()
        assert grace.change(grace.id, name="Admin").status_code == 200
        assert grace.change(grace.id, name="System").status_code == 400
        assert grace.change(grace.id, name=grace.name).status_code == 200


TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize("mark", TURNING, ids=[f"U+{ord(mark):04X}" for mark in TURNING])
def test_no_line_that_is_shown_turns_its_surroundings_round(mark: str, doors: Doors) -> None:
    text = f"ada{mark}ecarg"
    for take in TAKING:
        assert take(doors, text).status_code == 400
    room = f"/api/rooms/{doors.room}"
    for answer in (
        doors.other.change(doors.other.id, status=text),
        doors.other.http.post("/api/rooms", json={"name": text}),
        doors.other.http.patch(room, json={"name": text}),
        doors.other.http.patch(room, json={"topic": text}),
    ):
        assert problem(answer) == "bad_request"


@pytest.mark.parametrize(
    "name",
    ["\u3164", "\u2800\u2800", "\u115f\u1160", "\u034f", "\ufe0f", "\U000e0041", "\u0301", "\u00ad\u200b"],
    ids=ascii,
)
def test_a_name_that_shows_as_nothing_is_none(name: str, doors: Doors) -> None:
    for take in TAKING:
        assert take(doors, name).status_code == 400
    assert problem(doors.other.http.post("/api/rooms", json={"name": name})) == "bad_request"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("José", "Jose"),
        ("Анна", "Алла"),
        ("דנה", "דינה"),
        ("小明", "小红"),
        ("김민준", "김민지"),
        ("Ada 🐙", "Ada 🐳"),
        ("نور", "نورة"),
        ("grace", "graze"),
        ("Ada 2", "Ada 3"),
        ("นก", "นา"),
    ],
)
def test_people_whose_names_differ_to_the_eye_have_both(one: str, other: str) -> None:
    assert key(one) != key(other)
    assert key(one)
    assert key(other)


def test_one_may_write_ones_own_name_otherwise(server: Server) -> None:
    with closing(member(server, "grace")) as grace:
        for trick in ("letters of mathematics", "small capitals", "no space"):
            assert grace.change(grace.id, name=TRICKS[trick](grace.name)).status_code == 200
        assert grace.elsewhere().me()["id"] == grace.id  # and signs in with the name as it was
