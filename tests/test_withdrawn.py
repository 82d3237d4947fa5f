"""Who loses a right is out within a second, on open sockets of every worker, whether or not anybody tells of it.

What comes to whom before and after, by the numbers of the log: test_rights.py, test_workers.py and the torture.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.clients import Person, eventually
from tests.people import administrator, member
from tests.programs import Program, make_token
from tests.servers import Server
from tests.test_shell import Shell
from tests.test_workers import one_on_each_worker

SECOND = 1.0
# A machine that is busy with other work is late now and then; a server that is late is so each time.
TRIES = 3


class Withdrawal(NamedTuple):
    """How somebody who follows `room` loses a right: by a request of the administrator's, and in a terminal.

    `code`: with which their sockets are closed; `kind`: of the room.
    """

    code: int
    request: tuple[str, str, dict[str, Any]]
    line: str
    who: Callable[[Server], Person] = lambda server: member(server, "grace")
    kind: str = "public"


def guest(server: Server) -> Person:
    return Person(server, f"mallory {uuid.uuid4().hex[:8]}")


def program(server: Server) -> Program:
    """One of somebody's, whose id is its token's number."""
    grace = member(server, "grace")
    made = make_token(grace)
    found = Program(server, made["token"])
    found.id, found.name = grace.id, str(made["id"])
    return found


WITHDRAWALS = {
    "removed from a private room": Withdrawal(
        4403,
        ("DELETE", "/api/rooms/{room}/members/{id}", {}),
        "room({room}).remove('{id}')",
        kind="private",
    ),
    "banned from a room": Withdrawal(
        4403,
        ("POST", "/api/rooms/{room}/sanctions", {"kind": "ban", "person": "{id}"}),
        "room({room}).ban('{name}')",
    ),
    "in a public room that becomes private": Withdrawal(
        4403, ("PATCH", "/api/rooms/{room}", {"kind": "private"}), "room({room}).kind = 'private'", guest
    ),
    "a guest who is banned from the server": Withdrawal(
        4403, ("POST", "/api/bans", {"person": "{id}"}), "accounts.ban(get_hub(), SYSTEM, '{id}', 0)", guest
    ),
    "a member who is banned from the server": Withdrawal(
        4403, ("POST", "/api/bans", {"person": "{id}"}), "person('{id}').ban()"
    ),
    "signed out everywhere": Withdrawal(
        4401, ("POST", "/api/people/{id}/sign-out", {}), "person('{id}').sign_out()"
    ),
    "disabled": Withdrawal(
        4401, ("PATCH", "/api/people/{id}", {"disabled": True}), "person('{id}').disable()"
    ),
    "whose token is revoked": Withdrawal(
        4401, ("DELETE", "/api/tokens/{name}", {}), "tokens.revoke(get_hub(), SYSTEM, {name})", program
    ),
}


@pytest.fixture
def server(three_workers: Server) -> Server:
    return three_workers


@pytest.fixture(scope="module")
def mute(three_workers: Server) -> Iterator[Shell]:
    """A shell that keeps and tells nobody: as a process that is killed between its commit and its notice."""
    shell = Shell(three_workers)
    shell("from chatapp import accounts, tokens; from chatapp.permissions import SYSTEM")
    shell("from chatapp.globals import get_hub; get_hub().bus.publish = lambda notice: None")
    yield shell
    shell.close()


@pytest.mark.parametrize("told", [True, False], ids=["told", "and nobody tells of it"])
@pytest.mark.parametrize("what", WITHDRAWALS)
def test_open_sockets_on_every_worker_end_within_a_second_of_who_is(
    what: str, told: bool, server: Server, mute: Shell
) -> None:
    boss, withdrawal = administrator(server), WITHDRAWALS[what]

    def seconds() -> float:
        """How long it took, from before it was asked for until the last socket was closed."""
        who = withdrawal.who(server)
        room = boss.http.post("/api/rooms", json={"name": "den", "kind": withdrawal.kind}).json()["id"]
        if who.id.startswith("u"):
            part = {"role": "member"}
            boss.http.put(f"/api/rooms/{room}/members/{who.id}", json=part).raise_for_status()
        sockets = one_on_each_worker(who)
        for socket in sockets:
            assert socket.join(room)["type"] == "joined"
        names = {"room": room, "id": who.id, "name": who.name}
        began = time.monotonic()
        if told:
            method, path, fields = withdrawal.request
            body = {k: v.format(**names) if isinstance(v, str) else v for k, v in fields.items()}
            boss.http.request(method, path.format(**names), json=body).raise_for_status()
        else:
            assert "Error" not in mute(withdrawal.line.format(**names))
        codes = {eventually(lambda socket=socket: socket.closed)[0] for socket in sockets}
        took = time.monotonic() - began
        assert codes == {withdrawal.code}
        return took

    assert any(seconds() < SECOND for _ in range(TRIES))
