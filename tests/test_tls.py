"""PostgreSQL and Redis reached over TLS, where the one that answers has to prove who it is."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.addresses import make_certificate
from tests.clients import Person
from tests.postgres import EncryptedPostgres
from tests.redis_server import EncryptedRedis
from tests.servers import Server
from tests.test_doctor import findings
from tests.test_workers import one_on_each_worker

CONNECTED = """
SELECT pid, application_name, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[EncryptedPostgres]:
    """As durable as `flask doctor` wants it."""
    with closing(EncryptedPostgres(fsync="on", full_page_writes="on")) as postgres:
        postgres.start()
        yield postgres


@pytest.fixture(scope="module")
def redis() -> Iterator[EncryptedRedis]:
    with closing(EncryptedRedis()) as redis:
        redis.start()
        yield redis


def url_of(kind: str, request: pytest.FixtureRequest) -> str:
    if kind == "redis":
        redis: EncryptedRedis = request.getfixturevalue("redis")
        return redis.url
    postgres: EncryptedPostgres = request.getfixturevalue("postgres")
    return postgres.database()


def test_messages_are_kept_and_read_over_tls_on_connections_that_stay(
    postgres: EncryptedPostgres, new_server: Callable[..., Server]
) -> None:
    url = postgres.database()
    server = new_server(workers=2, database_url=url).start()
    ada = Person(server, "ada")
    board = ada.make_room()
    with closing(ada), postgres.connect(url, autocommit=True) as watcher:
        say_everywhere(ada, board)
        before = watcher.execute(CONNECTED).fetchall()
        say_everywhere(ada, board)
        after = watcher.execute(CONNECTED).fetchall()
    assert {row[1:] for row in after} == {("chatapp", True)}
    assert set(before) <= set(after)


def say_everywhere(ada: Person, room: int) -> None:
    """On each worker, and it is read on each of them."""
    everywhere = one_on_each_worker(ada)
    cursors = [socket.join(room, after=0)["cursor"] for socket in everywhere]
    for number, socket in enumerate(everywhere):
        socket.send({"type": "send", "room": room, "body": f"word {number}"})
    for socket in everywhere:
        socket.expect(lambda frame: frame.get("seq") == cursors[0] + len(everywhere))
        socket.close()


@pytest.mark.parametrize("kind", ["postgresql", "redis"])
def test_who_writes_is_told_to_those_on_other_workers_by_a_bus_that_is_reached_over_tls(
    kind: str, request: pytest.FixtureRequest, new_server: Callable[..., Server]
) -> None:
    server = new_server(workers=2, bus_url=url_of(kind, request)).start()
    ada, grace = Person(server, "ada"), Person(server, "grace")
    board = ada.make_room()
    with closing(ada), closing(grace):
        here, elsewhere = one_on_each_worker(ada), one_on_each_worker(grace)
        for socket in (*here, *elsewhere):
            socket.join(board, after=0)
        here[0].send({"type": "typing", "room": board})
        for socket in elsewhere:
            socket.expect(lambda frame: frame["type"] == "typing" and frame["who"]["id"] == ada.id)
        for socket in (*here, *elsewhere):
            socket.close()


@pytest.mark.parametrize(
    ("kind", "setting", "planted"),
    [
        ("postgresql", "database_url", "database-unusable"),
        ("postgresql", "bus_url", "bus-unusable"),
        ("redis", "bus_url", "bus-unusable"),
    ],
)
def test_who_does_not_prove_who_they_are_is_told_apart_from_who_is_not_there(
    kind: str, setting: str, planted: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = url_of(kind, request).replace("/3?", "/4?")  # where no server of another test is still held to be
    known_by = request.getfixturevalue(kind.replace("postgresql", "postgres")).certificate
    make_certificate(tmp_path, "stranger")
    for wrong in (
        url.replace(f"{known_by}", f"{tmp_path / 'stranger.pem'}"),
        url.replace("127.0.0.1", "localhost"),
    ):
        (found,) = look(tmp_path, setting, wrong)
        assert found["name"] == planted
        assert "certificate" in found["what"]
        assert f"CHATAPP_{setting.upper()} as its certificate does" in found["do"]
    assert look(tmp_path, setting, url) == []


def look(folder: Path, setting: str, url: str) -> list[dict[str, str]]:
    """What `flask doctor` finds where nothing was started yet."""
    done = Server(folder / "instance", files_total="1000000", **{setting: url}).flask("doctor", "--json")
    return findings(done.returncode, done.stdout)
