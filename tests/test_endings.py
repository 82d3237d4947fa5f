"""Why somebody may read no more: every transport says the same, at once."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.clients import READERS, LongPollReader, Person, TutorialReader, eventually
from tests.figures import waiting
from tests.people import Member, administrator, member
from tests.servers import Server

Deed = Callable[[Member, int, Person], Any]


@pytest.fixture
def server(one_worker: Server) -> Server:
    """Its figures are those of all that waits."""
    return one_worker


@pytest.fixture
def owner(server: Server) -> Iterator[Member]:
    with closing(member(server, "owner")) as person:
        yield person


@pytest.fixture
def grace(server: Server) -> Iterator[Member]:
    with closing(member(server, "grace")) as person:
        yield person


@pytest.fixture
def guest(server: Server) -> Iterator[Person]:
    with closing(Person(server, f"guest {time.monotonic_ns()}")) as person:
        yield person


@pytest.fixture
def endings(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """What each transport tells somebody who reads a room when something is done, by the transport's name."""
    with ExitStack() as open_readers:

        def told(who: Person, room: int, deed: Callable[[], Any]) -> dict[str, Any]:
            for kind in (LongPollReader, TutorialReader):
                monkeypatch.setattr(kind, "patience", 50)
            before = waiting(server)
            readers = [kind(who, room, after=-1) for kind in READERS]
            for reader in readers:
                reader.may_end = True
                open_readers.callback(lambda reader=reader: reader.over or reader.close())
            for number in range(1, 5):  # so that each poll is the last one again: it takes the short way
                who.say(room, f"word {number}")
                for reader in readers:
                    reader.wait_for(number)
            eventually(lambda: waiting(server) == before + 2, "both polls wait")
            deed()
            for reader in readers:
                eventually(lambda reader=reader: reader.ending, f"{reader.name} is ended")
            return {reader.name: reader.ending for reader in readers}

        yield told


def everywhere(code: str, reason: str) -> dict[str, tuple[str, str]]:
    return {kind.name: (code, reason) for kind in READERS}


def done(owner: Member, method: str, path: str, **json: Any) -> None:
    answer = owner.http.request(method, path, json=json)
    assert answer.status_code < 300, answer.text


def sanctioned(owner: Member, room: int, who: Person, kind: str) -> None:
    done(owner, "POST", f"/api/rooms/{room}/sanctions", kind=kind, person=who.id, seconds=600)


IN_A_ROOM: dict[str, tuple[Deed, str, str]] = {
    "sent out": (
        lambda owner, room, who: done(owner, "POST", f"/api/rooms/{room}/kick", name=who.name),
        "forbidden",
        "You were removed from this room",
    ),
    "banned from it": (
        lambda owner, room, who: sanctioned(owner, room, who, "ban"),
        "forbidden",
        "You are banned from this room",
    ),
    "it becomes private": (
        lambda owner, room, who: done(owner, "PATCH", f"/api/rooms/{room}", kind="private"),
        "forbidden",
        "This room is for its members only",
    ),
    "guests are welcome no more": (
        lambda owner, room, who: done(owner, "PATCH", f"/api/rooms/{room}", guests=False),
        "forbidden",
        "Guests are not welcome in this room",
    ),
    "it is deleted": (
        lambda owner, room, who: done(owner, "DELETE", f"/api/rooms/{room}"),
        "no_such_room",
        "There is no such room",
    ),
    "banned from the server": (
        lambda owner, room, who: done(
            administrator(owner.server), "POST", "/api/bans", person=who.id, seconds=600
        ),
        "forbidden",
        "You are banned here",
    ),
    "left on another page": (
        lambda owner, room, who: who.http.post("/guests/leave"),
        "sign_in",
        "You have left",
    ),
    "made an account": (
        lambda owner, room, who: who.http.post(
            administrator(owner.server).invite(), data={"name": f"{who.name} I", "password": owner.password}
        ),
        "draining",
        "You have an account now: come back with it",
    ),
    "erased": (
        lambda owner, room, who: owner.server.console("user", "erase", who.id, "--yes"),
        "sign_in",
        "You are not known here any more",
    ),
}


@pytest.mark.parametrize("what", IN_A_ROOM)
def test_a_guest_who_may_read_no_more_is_told_the_same_over_every_transport(
    what: str, owner: Member, guest: Person, endings: Callable[..., dict[str, Any]]
) -> None:
    deed, code, reason = IN_A_ROOM[what]
    room = owner.make_room()
    assert endings(guest, room, lambda: deed(owner, room, guest)) == everywhere(code, reason)


def test_a_member_who_is_removed_from_a_private_room_is_told_so_over_every_transport(
    owner: Member, grace: Member, endings: Callable[..., dict[str, Any]]
) -> None:
    room = owner.http.post("/api/rooms", json={"name": "den", "kind": "private"}).json()["id"]
    done(owner, "PUT", f"/api/rooms/{room}/members/{grace.id}", role="member")
    told = endings(grace, room, lambda: done(owner, "DELETE", f"/api/rooms/{room}/members/{grace.id}"))
    assert told == everywhere("forbidden", "You were removed from this room")


@pytest.mark.parametrize("how", ["signed out", "disabled"])
def test_somebody_who_is_signed_out_or_disabled_is_told_the_same_over_every_transport(
    how: str, server: Server, owner: Member, grace: Member, endings: Callable[..., dict[str, Any]]
) -> None:
    boss, room = administrator(server), owner.make_room()
    sign_out = f"/api/people/{grace.id}/sign-out"
    deed = (
        (lambda: done(boss, "POST", sign_out))
        if how == "signed out"
        else (lambda: boss.change(grace.id, disabled=True))
    )
    assert endings(grace, room, deed) == everywhere("sign_in", "You are not signed in any more")


def test_a_room_that_is_closed_and_a_time_out_end_nobodys_reading(owner: Member, guest: Person) -> None:
    room = owner.make_room()
    readers = [kind(guest, room, after=-1) for kind in READERS]
    sanctioned(owner, room, guest, "timeout")
    owner.say(room, "after the time-out")
    done(owner, "PATCH", f"/api/rooms/{room}", closed=True)
    done(owner, "PATCH", f"/api/rooms/{room}", closed=False)
    owner.say(room, "open again")
    for reader in readers:
        eventually(lambda reader=reader: reader.bodies and reader.bodies[-1] == "open again", reader.name)
        reader.close()
        assert reader.ending is None
