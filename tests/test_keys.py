"""`flask keys rotate`: another key signs, and nobody is signed out, unless that is what is wanted."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.clients import Person
from tests.raw_socket import nobody_posts, problem
from tests.servers import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers, so that each has to find out by itself."""
    server = Server(tmp_path_factory.mktemp("keys") / "instance", workers=2).start()
    yield server
    server.kill()


@pytest.fixture
def ada(server: Server) -> Iterator[Person]:
    with closing(Person(server, "ada")) as person:
        yield person


def keys(server: Server) -> list[str]:
    return (server.instance / "secret_key").read_text().split()


def rotate(server: Server, *arguments: str, input: str = "") -> str:
    done = server.console("keys", "rotate", *arguments, answer=input)
    assert done.status == 0, done.err
    return done.out


def csrf_token(person: Person) -> str:
    page = person.http.get("/chats/").text
    return page.partition('name="csrf-token" content="')[2].partition('"')[0]


def says(person: Person, token: str | None = None) -> list[httpx.Response]:
    """A word on each of some new connections, so that both workers hear one: with `token` instead of Origin."""
    proof = {"X-CSRF-Token": token} if token else {"Origin": person.server.url}
    headers = {"Cookie": person.cookie, **proof}
    url = f"{person.server.url}/api/rooms/1/messages"
    return [nobody_posts(url, json={"body": "hi"}, headers=headers) for _ in range(6)]


def test_nobody_is_signed_out_and_no_open_page_has_to_be_loaded_again(server: Server, ada: Person) -> None:
    token, before = csrf_token(ada), keys(server)
    for count in (1, 2):
        older = len(before) + count - 1
        assert f"{older} older" in rotate(server)
        assert keys(server)[count:] == before
        for answer in [*says(ada), *says(ada, token)]:
            assert answer.status_code == 201
            assert answer.json()["author"]["id"] == ada.id
    server.restart()
    assert {answer.status_code for answer in [*says(ada), *says(ada, token)]} == {201}


def test_the_new_key_signs_at_once_in_every_worker(server: Server, ada: Person) -> None:
    old = keys(server)
    rotate(server)
    with closing(Person(server, "grace")) as grace:
        token = csrf_token(grace)
        assert {answer.status_code for answer in [*says(grace), *says(grace, token)]} == {201}
        (server.instance / "secret_key").write_text("\n".join(old))  # as if the new one had never been
        assert {problem(answer) for answer in says(grace)} == {"sign_in"}
    assert {answer.status_code for answer in says(ada)} == {201}


def test_forgetting_signs_everybody_out_and_asks_first(server: Server, ada: Person) -> None:
    before = keys(server)
    assert server.console("keys", "rotate", "--forget", answer="n\n").status != 0
    assert keys(server) == before
    assert "signed out" in rotate(server, "--forget", input="y\n")
    assert len(keys(server)) == 1
    assert keys(server) != before
    assert {problem(answer) for answer in says(ada)} == {"sign_in"}
    server.restart()
    assert {problem(answer) for answer in says(ada)} == {"sign_in"}
    with closing(Person(server, "grace")) as grace:
        assert {answer.status_code for answer in says(grace)} == {201}


def test_who_said_the_guests_word_need_not_say_it_again(new_server: Callable[..., Server]) -> None:
    server = new_server(guest_code="sesame").start()
    with httpx.Client(base_url=server.url, headers={"Origin": server.url}, verify=False) as ada:
        assert ada.post("/guests", json={"name": "ada", "code": "sesame"}).status_code == 201
        rotate(server)
        assert ada.post("/api/rooms/1/messages", json={"body": "hi"}).status_code == 201


def test_the_file_is_for_this_user_only_and_is_never_half_written(server: Server) -> None:
    path: Path = server.instance / "secret_key"
    (server.instance / "secret_key.new").write_text("left by a machine that stopped")
    os.chmod(server.instance / "secret_key.new", 0o644)
    before = path.stat().st_ino
    rotate(server)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_ino != before, "another file was put in its place"
    assert not (server.instance / "secret_key.new").exists()


def test_a_file_that_is_gone_or_no_key_signs_nobody_out_while_the_server_runs(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(workers=2).start()
    path = server.instance / "secret_key"
    with closing(Person(server, "ada")) as ada:
        for content in ("", "short"):
            path.write_text(content)
            assert {answer.status_code for answer in says(ada)} == {201}, content
        path.unlink()
        assert {answer.status_code for answer in says(ada)} == {201}


def test_without_a_server_the_first_rotation_makes_the_first_two_keys(
    new_server: Callable[..., Server],
) -> None:
    server = new_server()
    assert "1 older" in rotate(server)
    assert len(keys(server)) == 2
