"""Scripts and style sheets go out compressed, to whom takes that; nothing else does."""

import re
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask, request

from chatapp import compression
from tests.clients import Person
from tests.people import member
from tests.raw_socket import nobody_gets
from tests.servers import ROOT, Server

STATIC = Path(ROOT, "static")


@pytest.mark.parametrize("coding", ["br", "gzip"])
@pytest.mark.parametrize("file", ["js/room.js", "css/base.css"])
def test_what_is_static_is_compressed_and_is_the_file(coding: str, file: str, one_worker: Server) -> None:
    for _ in range(2):  # made, and remembered
        answer = nobody_gets(f"{one_worker.url}/static/{file}", headers={"Accept-Encoding": coding})
        assert answer.headers["Content-Encoding"] == coding
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert answer.content == (STATIC / file).read_bytes()
        assert int(answer.headers["Content-Length"]) < len(answer.content) / 2
    again = nobody_gets(
        f"{one_worker.url}/static/{file}",
        headers={"Accept-Encoding": coding, "If-None-Match": answer.headers["ETag"]},
    )
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("spelled", ["data/../css/base.css", "css/./././base.css", "css/no/../base.css"])
def test_a_file_is_compressed_once_however_its_address_is_spelled(spelled: str) -> None:
    app = Flask("app", static_folder=STATIC)
    keys = []
    for path in ("css/base.css", spelled):
        with app.test_request_context(f"/static/{path}"):
            request.view_args = {"filename": path}
            keys.append(compression._version(request))
    assert keys[0] == keys[1]


def test_who_takes_no_compression_gets_the_file_as_it_is(one_worker: Server) -> None:
    answer = nobody_gets(f"{one_worker.url}/static/js/room.js", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in answer.headers
    assert answer.content == (STATIC / "js/room.js").read_bytes()


def test_what_has_a_secret_in_it_is_not_compressed(ada: Person, board: int) -> None:
    ada.say(board, "hello " * 200)
    for path in ("/chats/", f"/chats/{board}/", ada.messages(board), "/about"):
        assert "Content-Encoding" not in ada.http.get(path).headers


def linked(person: Person, room: int, kind: str) -> list[str]:
    """Addresses of what the page of a room asks for at once."""
    page = person.http.get(f"/chats/{room}/", headers={"Accept": "text/html"}).text
    return sorted(set(re.findall(rf'(?:src|href)="([^"]+\.{kind})"', page)))


def size(server: Server, paths: list[str], coding: str) -> int:
    """In bytes, as they go out."""
    answers = [nobody_gets(server.url + path, headers={"Accept-Encoding": coding}) for path in paths]
    return sum(int(answer.headers["Content-Length"]) for answer in answers)


def test_what_a_room_is_made_of_is_small_and_asked_for_at_once_and_from_here_alone(
    server: Server, ada: Person, board: int
) -> None:
    """60 KB of scripts, 30 KB of style sheets: for a guest, who comes over plain HTTP, by gzip; for who has an
    account and may send files, over TLS, by Brotli, which browsers take there alone.
    """
    with closing(member(server, "mary")) as mary:
        for person, coding in ((ada, "gzip"), (mary, "br")):
            scripts, sheets = linked(person, board, "js"), linked(person, board, "css")
            sources = [(STATIC / "js" / Path(path).name).read_text() for path in scripts]
            imported = {
                name
                for source in sources
                for name in re.findall(r'^import .*? from "\./(.+?)";', source, re.M)
            }
            assert imported <= {Path(path).name for path in scripts}
            assert all(path.startswith("/static/") for path in (*scripts, *sheets))
            assert size(server, scripts, coding) <= 60 * 1024
            assert size(server, sheets, coding) <= 30_000
