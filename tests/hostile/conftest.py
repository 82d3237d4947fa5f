"""Whoever attacks here does so on a server that must not even have noticed: no fault in its log."""

import re
import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.clients import Person
from tests.servers import Server


@pytest.fixture(scope="module")
def server(one_worker: Server) -> Server:
    """One worker: what is refused is refused before anything that workers share."""
    return one_worker


@pytest.fixture(scope="module")
def ada(server: Server) -> Iterator[Person]:
    with closing(Person(server, "ada")) as person:
        yield person


@pytest.fixture
def mallory(server: Server) -> Iterator[Person]:
    with closing(Person(server, f"mallory {uuid.uuid4().hex[:8]}")) as person:
        yield person


@pytest.fixture(scope="module")
def board(ada: Person) -> int:
    """A room that ada owns, with something in it, so that no poll has to wait."""
    room = ada.make_room(f"board {uuid.uuid4().hex[:8]}")
    ada.say(room, "something")
    return room


@pytest.fixture
def unharmed(server: Server) -> Iterator[None]:
    """The server has no fault to tell of when the test is over, and still answers."""
    seen = len(server.log)
    yield
    with closing(Person(server)) as nobody:
        assert nobody.http.get("/readyz").status_code == 200
    said = "".join(server.log[seen:])
    assert "Traceback" not in said
    assert not re.search(r"\[(ERROR|CRITICAL)\]", said)
