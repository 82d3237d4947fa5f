"""The standing cast: servers with one and with three workers, ada, grace and mallory, the rooms lobby and board."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.brokers import PostgresBroker, RedisBroker
from tests.chromium import browser as browser  # a fixture
from tests.clients import Person
from tests.mail_server import MailServer
from tests.postgres import Postgres
from tests.redis_server import RedisServer
from tests.servers import Server

LOG_LINES = 40
every_server = pytest.mark.parametrize("server", ["one_worker", "three_workers"], indirect=True)
STORES = ("sqlite", "postgresql")
STORE = os.environ.get(
    "TEST_STORE", "sqlite"
)  # what servers keep their messages in that no test says more of
assert STORE in STORES, f"TEST_STORE is one of {STORES}"
new_server_of_each_store = pytest.mark.parametrize("new_server", STORES, indirect=True)
in_a_file = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
server_of_each_store = pytest.fixture(
    params=["three_workers", "on_postgres"] if STORE == "sqlite" else ["three_workers"],
)(lambda request: request.getfixturevalue(request.param))  # modules have it as their `server`

gc.disable()  # until all tests are collected: they are there to stay


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if STORE != "sqlite":
        for item in items:
            if item.get_closest_marker("sqlite"):
                item.add_marker(pytest.mark.skip(reason="about SQLite’s own files"))


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Beside a failure stands what the servers of the test said last."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Server):
                report.sections.append((f"log of {name}", "".join(value.log[-LOG_LINES:])))
    return report


def kept_in(kind: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of a server that keeps its messages in a new database of that kind."""
    if kind == "sqlite":
        return {}
    postgres: Postgres = request.getfixturevalue("postgres")
    return {"database_url": postgres.database()}


@pytest.fixture(scope="session")
def one_worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker, shared by the whole suite: a test makes rooms of its own."""
    server = Server(tmp_path_factory.mktemp("one") / "instance", **kept_in(STORE, request)).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def three_workers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The same with three workers on one database."""
    folder = tmp_path_factory.mktemp("three") / "instance"
    server = Server(folder, workers=3, **kept_in(STORE, request)).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this process's own, which stays: each test has databases of its own."""
    postgres = Postgres().start()
    yield postgres
    postgres.close()


@pytest.fixture(scope="module")
def on_postgres(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with three workers that keeps its messages in PostgreSQL. It ends with its module: few use it, and
    to start it costs no more than half a minute in which nobody asks it for anything.
    """
    folder = tmp_path_factory.mktemp("postgres") / "instance"
    server = Server(folder, workers=3, database_url=postgres.database()).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgresql_broker(postgres: Postgres) -> PostgresBroker:
    """A bus of PostgreSQL's."""
    return PostgresBroker(postgres)


@pytest.fixture(scope="session")
def redis_broker() -> Iterator[RedisBroker]:
    """A bus of Redis'."""
    server = RedisServer().start()
    yield RedisBroker(server)
    server.close()


@contextmanager
def stored_in(kind: str, path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a new database: of a file that is not there yet, or of one in PostgreSQL that has its tables."""
    if kind == "sqlite":
        yield f"sqlite:///{path / 'chat.db'}"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    with postgres.empty() as url:
        yield url


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of the test's own, one of each kind."""
    with stored_in(request.param, tmp_path, request) as url:
        yield url


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """A running server with three workers: what is true of three is true of one. `every_server` tries both."""
    return request.getfixturevalue(getattr(request, "param", "three_workers"))


@pytest.fixture
def new_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers of the test's own, which may be stopped, killed and set otherwise."""
    made: list[Server] = []
    kind = getattr(request, "param", STORE)

    def make(workers: int = 1, **settings: str) -> Server:
        where = {} if "database_url" in settings else kept_in(kind, request)
        made.append(Server(tmp_path / f"instance{len(made)}", workers, **where, **settings))
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="module")
def post() -> Iterator[MailServer]:
    """A mail server, which keeps what it is given."""
    server = MailServer().start()
    yield server
    server.stop()


@pytest.fixture
def ada(server: Server) -> Iterator[Person]:
    person = Person(server, "ada")
    yield person
    person.close()


@pytest.fixture
def grace(server: Server) -> Iterator[Person]:
    person = Person(server, "grace")
    yield person
    person.close()


@pytest.fixture
def board(ada: Person) -> int:
    """A room of the test's own."""
    return ada.make_room("board")
