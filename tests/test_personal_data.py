"""What is kept of somebody: given out on their wish, and taken out of the database."""

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.clients import Person, eventually
from tests.people import Member, administrator, member
from tests.servers import Server


@pytest.fixture
def mary(server: Server) -> Iterator[Member]:
    with closing(member(server, "mary")) as person:
        yield person


def lived(mary: Member, other: Person, secret: str) -> int:
    """A room in which mary has said, changed and answered things, and of which she is the owner."""
    room = mary.make_room(f"hers {uuid.uuid4().hex[:8]}")
    other.say(room, "hello")
    mary.say(room, f"not yet {secret}")
    for change in (
        {"kind": "edit", "of": 2, "body": secret},
        {"kind": "reaction", "of": 1, "body": "👍"},
    ):
        mary.http.post(mary.messages(room), json=change).raise_for_status()
    return room


def everything(server: Server) -> str:
    """All that the database holds, as text."""
    with closing(sqlite3.connect(server.instance / "chat.db")) as database:
        return "\n".join(database.iterdump())


def erase(server: Server, who: str, messages: str) -> None:
    done = server.console("user", "erase", who, "--messages", messages, "--yes")
    assert done.status == 0, done.err


def test_what_is_kept_of_somebody_is_printed_without_secrets(
    server: Server, mary: Member, grace: Person
) -> None:
    room = lived(mary, grace, "my secret")
    kept: dict[str, Any] = json.loads(server.console("user", "export", mary.name).out)
    assert kept["account"]["name"] == mary.name
    assert [message["body"] for message in kept["messages"]] == ["my secret", "my secret", "👍"]
    assert [(each["room_id"], each["role"]) for each in kept["rooms"]] == [(room, "owner")]
    assert kept["sessions"][0]["address"] == "127.0.0.1"
    assert not {"password", "key", "tf_totp_secret"} & (kept["account"].keys() | kept["sessions"][0].keys())
    assert grace.id not in json.dumps(kept)


@pytest.mark.parametrize("messages", ["keep", "remove"])
def test_who_is_erased_is_nowhere_any_more_and_what_they_said_stays_without_a_name_or_goes(
    messages: str, server: Server, mary: Member, grace: Person
) -> None:
    secret = uuid.uuid4().hex
    room = lived(mary, grace, secret)
    with closing(mary.socket()) as hers, closing(grace.socket()) as his:
        for socket in (hers, his):
            socket.join(room)
        erase(server, mary.name, messages)
        assert eventually(lambda: hers.closed)[0] == 4401
        his.expect(lambda frame: frame["type"] == "reset")
    assert not mary.signed_in()
    shown = grace.read(room, after=0)["messages"]
    assert [message["seq"] for message in shown] == [1, 2, 3, 4]
    assert {message["author"]["name"] for message in shown} == {grace.name, "removed person"}
    said = [message["body"] for message in shown if message["kind"] == "text"]
    assert said == ["hello", secret if messages == "keep" else ""]
    left = everything(server)
    assert mary.name not in left
    assert (secret in left) == (messages == "keep")
    assert grace.say(room, "who was that?")["seq"] == 5


def test_a_name_of_who_was_erased_is_free_and_their_id_is_not(server: Server, mary: Member) -> None:
    erase(server, mary.name, "keep")
    again = Member(server, mary.name)
    assert again.sign_up(administrator(server).invite()).status_code == 303
    assert again.id != mary.id
    again.close()


def test_the_last_administrator_is_not_erased_nor_who_there_is_not(server: Server) -> None:
    for who in (administrator(server).name, "nobody at all"):
        done = server.console("user", "erase", who, "--yes")
        assert done.status == 1
        assert "Traceback" not in done.err


def test_a_guest_is_erased_by_their_id(server: Server, grace: Person) -> None:
    room = grace.make_room()
    grace.say(room, "my secret")
    erase(server, grace.id, "remove")
    assert [message["body"] for message in grace.read(room, after=0)["messages"]] == [""]
