"""Two servers that share a database and a bus, and no file: as on two machines, where nobody can tell which one they
are on.
"""

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import httpx
import pytest

from chatapp.bus import LEASE_SECONDS, Committed, Typing, open_bus
from chatapp.bus.notices import encode
from chatapp.message import Author, Message
from chatapp.presence import RENEW_SECONDS
from tests.brokers import BROKERS, yielding
from tests.clients import UNIT, Person, Socket, eventually
from tests.documented import RUNNING
from tests.people import administrator
from tests.postgres import Postgres
from tests.servers import Server
from tests.test_workers import people_shown

KEYS = ("secret_key", "factor_key")


class Machines(NamedTuple):
    first: Server
    second: Server
    broker: Any  # what is behind their bus


@pytest.fixture(scope="module", params=BROKERS[1:])
def machines(
    request: pytest.FixtureRequest, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machines]:
    broker = request.getfixturevalue(f"{request.param}_broker")
    shared = {"database_url": postgres.database(), "bus_url": broker.url}
    folders = [tmp_path_factory.mktemp("machine") / "instance" for _ in range(2)]
    first, second = (Server(folder, **shared) for folder in folders)
    first.start()
    folders[1].mkdir()
    for key in KEYS:
        shutil.copy(folders[0] / key, folders[1])
    second.start()
    yield Machines(first, second, broker)
    first.kill()
    second.kill()


@pytest.fixture
def server(machines: Machines) -> Server:
    return machines.first


@pytest.fixture
def there(machines: Machines, grace: Person) -> Iterator[Person]:
    """grace, who is known at the first machine, at the second one."""
    person = at(machines.second, grace)
    yield person
    person.close()


def at(machine: Server, person: Person) -> Person:
    """The same person, with the same cookie, at another machine."""
    other = Person(machine)
    other.http.cookies.update(person.http.cookies)
    other.id, other.name = person.id, person.name
    return other


def joined(person: Person, room: int) -> Socket:
    socket = person.socket()
    assert socket.join(room, after=0)["type"] == "joined"
    return socket


def shown_everywhere(sockets: Iterable[Socket], room: int, *names: str) -> None:
    for socket in sockets:
        eventually(
            lambda socket=socket: people_shown(socket, room) == (len(names), list(names)),
            f"{names} are shown",
        )


def here_by(machine: Server, room: int) -> set[str]:
    """The ids of those who are in the room, as that machine says when it is asked."""
    with closing(Person(machine)) as person:
        answer = person.http.get(f"/api/rooms/{room}/presence").raise_for_status().json()
    return {who["id"] for who in answer["here"]}


def banned(machine: Server, room: int, person: Person) -> httpx.Response:
    return administrator(machine).http.post(
        f"/api/rooms/{room}/sanctions", json={"kind": "ban", "person": person.id}
    )


def bodies(socket: Socket) -> list[str]:
    return [frame["body"] for frame in socket.of("message") if frame["kind"] == "text"]


def test_what_is_said_at_one_machine_is_read_at_the_other_once_and_in_one_order(
    ada: Person, there: Person, board: int
) -> None:
    here, elsewhere = joined(ada, board), joined(there, board)
    for number in range(20):
        here.send({"type": "send", "room": board, "body": f"here {number}"})
        elsewhere.send({"type": "send", "room": board, "body": f"there {number}"})
    for socket in (here, elsewhere):
        eventually(lambda socket=socket: len(bodies(socket)) == 40, "all that was said at either")
        assert [frame["seq"] for frame in socket.of("message")] == list(range(1, 41))
        socket.close()
    assert bodies(here) == bodies(elsewhere)


def test_who_is_there_and_who_writes_is_told_at_the_other_machine_and_who_has_left_too(
    ada: Person, there: Person, board: int
) -> None:
    here, elsewhere = joined(ada, board), joined(there, board)
    for socket in (here, elsewhere):
        eventually(
            lambda socket=socket: people_shown(socket, board) == (2, ["ada", "grace"]), "both are here"
        )
    elsewhere.send({"type": "typing", "room": board})
    assert here.expect(lambda frame: frame["type"] == "typing")["who"]["id"] == there.id
    elsewhere.close()
    eventually(lambda: people_shown(here, board) == (1, ["ada"]), "one has left")
    here.close()


def test_who_is_sent_out_or_leaves_at_one_machine_is_out_at_the_other(
    ada: Person, there: Person, board: int
) -> None:
    elsewhere = joined(there, board)
    assert banned(ada.server, board, there).status_code == 201
    assert eventually(lambda: elsewhere.closed)[0] == 4403
    hall = ada.make_room("hall")
    elsewhere = joined(there, hall)
    assert there.http.post("/guests/leave").status_code in (302, 303)
    assert eventually(lambda: elsewhere.closed)[0] == 4401


def test_a_guest_who_leaves_while_the_bus_is_away_is_out_at_the_other_machine_when_it_is_back(
    machines: Machines, ada: Person, there: Person, grace: Person, board: int
) -> None:
    elsewhere, of_another = joined(there, board), joined(at(machines.second, ada), board)
    machines.broker.shut()
    try:
        for machine in machines[:2]:
            eventually(lambda machine=machine: any("bus cannot be read" in line for line in machine.log))
        assert grace.http.post("/guests/leave").status_code in (302, 303)
        of_another.send({"type": "send", "room": board, "body": "hello"})
        eventually(lambda: bodies(elsewhere) == ["hello"], "nobody has told of it")
    finally:
        machines.broker.open()
    assert eventually(lambda: elsewhere.closed)[0] == 4401
    of_another.expect(lambda frame: frame["type"] == "rooms")  # whose list may have changed meanwhile
    assert not of_another.closed
    of_another.close()


def test_while_the_bus_is_away_all_is_read_at_the_other_machine_all_the_same_and_presence_comes_back_with_it(
    machines: Machines, ada: Person, there: Person, board: int
) -> None:
    here, elsewhere = joined(ada, board), joined(there, board)
    machines.broker.shut()
    try:
        for machine in machines[:2]:
            eventually(lambda machine=machine: any("bus cannot be read" in line for line in machine.log))
        for number in range(5):
            here.send({"type": "send", "room": board, "body": f"here {number}"})
            eventually(
                lambda number=number: f"here {number}" in bodies(elsewhere), "it is found in the database"
            )
            elsewhere.send({"type": "send", "room": board, "body": f"there {number}"})
            eventually(lambda number=number: f"there {number}" in bodies(here), "in the other direction too")
        third = Person(machines.second, "mallory")
        his = joined(third, board)
        assert banned(ada.server, board, third).status_code == 201
        assert eventually(lambda: his.closed)[0] == 4403
        third.close()
    finally:
        machines.broker.open()
    for machine in machines[:2]:
        eventually(lambda machine=machine: any("every second: that is over" in line for line in machine.log))
    for socket in (here, elsewhere):
        eventually(
            lambda socket=socket: people_shown(socket, board) == (2, ["ada", "grace"]), "both are here"
        )
        assert [frame["seq"] for frame in socket.of("message")] == list(range(1, 12))
    elsewhere.send({"type": "typing", "room": board})
    assert here.expect(lambda frame: frame["type"] == "typing")["who"]["id"] == there.id
    for socket in (here, elsewhere):
        socket.close()


@pytest.mark.long
def test_a_bus_that_was_away_until_every_lease_was_over_has_lost_and_doubled_no_message_and_nobody(
    machines: Machines, ada: Person, there: Person, board: int
) -> None:
    comes, goes = Person(machines.first, "alan"), Person(machines.second, "mallory")
    here, elsewhere, his = joined(ada, board), joined(there, board), joined(goes, board)
    shown_everywhere((here, elsewhere), board, "ada", "grace", "mallory")
    said: list[str] = []
    machines.broker.shut()
    try:
        over = time.monotonic() + LEASE_SECONDS
        his.close()
        hers = joined(comes, board)
        while time.monotonic() < over:
            for socket in (here, elsewhere):
                said.append(str(len(said)))
                socket.send({"type": "send", "room": board, "body": said[-1], "client_id": said[-1]})
                eventually(lambda: bodies(here) == bodies(elsewhere) == said, "it is found in the database")
    finally:
        machines.broker.open()
    shown_everywhere((here, elsewhere, hers), board, "ada", "alan", "grace")
    for machine in machines[:2]:
        eventually(lambda machine=machine: here_by(machine, board) == {ada.id, comes.id, there.id})
    for socket, other, who in ((here, elsewhere, ada), (elsewhere, here, there)):
        socket.send({"type": "typing", "room": board})
        assert other.expect(lambda frame: frame["type"] == "typing")["who"]["id"] == who.id
    for socket in (here, elsewhere, hers):
        assert bodies(socket) == said
        assert [frame["seq"] for frame in socket.of("message")] == list(range(1, len(said) + 1))
        socket.close()
    for socket, own in ((here, said[0::2]), (elsewhere, said[1::2])):
        assert [frame["client_id"] for frame in socket.of("ack")] == own
    comes.close()
    goes.close()


@pytest.mark.long
def test_the_people_of_a_machine_that_dies_are_gone_at_the_other_within_the_time_that_the_docs_name(
    machines: Machines, ada: Person, there: Person, board: int
) -> None:
    longest = LEASE_SECONDS + RENEW_SECONDS
    assert f"**A machine that dies**: its people are shown as here for up to {longest} s" in RUNNING
    here = joined(ada, board)
    joined(there, board)
    shown_everywhere([here], board, "ada", "grace")
    machines.second.kill()
    dead = time.monotonic()
    try:
        eventually(lambda: people_shown(here, board) == (1, ["ada"]), "she is gone", longest + UNIT)
        print(f"\nShe was gone after {time.monotonic() - dead:.1f} s.")
        assert here_by(machines.first, board) == {ada.id}
    finally:
        machines.second.start()
    again = joined(there, board)
    shown_everywhere((here, again), board, "ada", "grace")
    for socket in (here, again):
        socket.close()


@pytest.mark.parametrize("backwards", [False, True], ids=["doubled", "doubled and in reverse"])
def test_readers_get_once_and_in_order_what_the_bus_tells_twice(
    backwards: bool, machines: Machines, ada: Person, there: Person, board: int
) -> None:
    here, elsewhere = joined(ada, board), joined(there, board)
    notices = []
    for number in range(1, 21):
        said = ada.say(board, str(number))
        message = Message(board, said["seq"], "text", Author(ada.id, "ada", True), said["at"], str(number))
        notices.append(Committed(board, number, number, [message], False))
    again = [*(reversed(notices) if backwards else notices), Typing(board, Author("u0", "somebody"))]
    with yielding(), closing(open_bus(machines.broker.url)) as outside:
        outside._send([data for notice in again for data in encode(notice, outside.largest)])
    for socket in (here, elsewhere):
        socket.expect(lambda frame: frame["type"] == "typing")  # all that came before has been heard
        assert [frame["seq"] for frame in socket.of("message")] == list(range(1, 21))
        assert socket.of("reset") == []
        socket.close()
