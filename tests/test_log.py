"""The log says of each line whose request it belongs to, and is JSON where that is wanted."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.clients import Person, eventually
from tests.raw_socket import RawSocket, nobody_gets
from tests.servers import ROOT, Server

ELSEWHERE = {"Origin": "http://mallory.example"}  # a write from there is refused, and the log says why
ID = "X-Request-ID"
# What the settings cannot do: a fault on a socket.
PLANTED = f"""
import runpy

globals().update(runpy.run_path({str(ROOT / "gunicorn.conf.py")!r}))
init = post_worker_init


def post_worker_init(worker):
    init(worker)
    from chatapp.transports.websocket import Session

    hear = Session._hear

    def planted(self, text):
        if text == "break":
            raise ValueError("planted, with a\\nline break")
        hear(self, text)

    Session._hear = planted
"""


# -- as text ---------------------------------------------------------------------------------------------


def test_each_answer_says_the_id_of_its_request_and_so_does_what_is_logged_of_it(
    server: Server, ada: Person, board: int
) -> None:
    seen = len(server.log)
    answers = [
        ada.http.post(ada.messages(board), json={"body": "hello"}, headers=ELSEWHERE) for _ in range(3)
    ]
    ids = [answer.headers[ID] for answer in answers]
    assert len(set(ids)) == 3
    lines = eventually(
        lambda: len(found := [line for line in server.log[seen:] if "mallory.example" in line]) == 3 and found
    )
    assert sorted(
        re.findall(r"^\[[^]]+\] \[\d+\] \[WARNING\] \[(\w+)\]", "".join(lines), re.MULTILINE)
    ) == sorted(ids)


def test_nobody_gives_their_own_request_an_id_where_no_proxy_is_trusted(server: Server) -> None:
    for given in ("mine", "0" * 16):
        assert nobody_gets(server.url + "/healthz", headers={ID: given}).headers[ID] != given


def test_sockets_and_streams_are_told_their_id_as_well(server: Server, ada: Person, board: int) -> None:
    with RawSocket(server) as socket, RawSocket(server) as stream:
        answer = socket.handshake(Cookie=ada.cookie)
        assert re.fullmatch(
            r"\w{16}", {name.lower(): value for name, value in answer.headers.items()}[ID.lower()]
        )
        stream.request("GET", f"/api/rooms/{board}/stream", Cookie=ada.cookie)
        assert re.search(rf"^{ID}: \w{{16}}\r$", stream.read_until(b"\r\n\r\n").decode(), re.MULTILINE)


# -- as JSON ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Behind a proxy that is trusted."""
    folder = tmp_path_factory.mktemp("log")
    (folder / "planted.py").write_text(PLANTED)
    server = Server(folder / "instance", log_format="json", trusted_proxies="1")
    server.start("-c", str(folder / "planted.py"))
    yield server
    server.kill()


def lines(server: Server, which: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, list(server.log)) if which(line)]


def test_a_trusted_proxy_gives_the_id_unless_it_could_be_taken_for_more_than_a_word(written: Server) -> None:
    with closing(Person(written, "ada")) as ada:
        board = ada.make_room()
        told = ada.http.post(
            ada.messages(board), json={"body": "x"}, headers={**ELSEWHERE, ID: "f3-of.nginx"}
        )
        assert told.headers[ID] == "f3-of.nginx"
    [line] = eventually(lambda: lines(written, lambda line: line.get("request") == "f3-of.nginx"))
    assert "mallory.example" in line["message"]
    assert (line["level"], line["logger"]) == ("warning", "chatapp.auth")
    for given in ("two words", 'a"quote', "x" * 65, "[x]"):
        assert re.fullmatch(r"\w{16}", nobody_gets(written.url + "/healthz", headers={ID: given}).headers[ID])


def test_a_fault_on_a_socket_is_one_line_with_the_id_of_its_handshake(written: Server) -> None:
    with closing(Person(written, "grace")) as grace, closing(grace.socket(**{ID: "the-socket"})) as line:
        assert line.ws.response is not None
        assert line.ws.response.headers[ID] == "the-socket"
        line.join(grace.make_room())
        line.send("break")
        eventually(lambda: line.closed)
    [told] = eventually(lambda: lines(written, lambda line: line.get("request") == "the-socket"))
    assert told["message"] == "a connection could not be served"
    assert "planted, with a\nline break" in told["exception"]


def test_every_line_is_an_object_of_its_own_from_the_first_to_the_last(written: Server) -> None:
    written.stop()
    eventually(lambda: "Shutting down" in written.log[-1], "the last line is in")
    told = lines(written, lambda line: True)
    assert {"Starting gunicorn 27.0.1", "Ready"} <= {line["message"] for line in told}
    for line in told:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert {"level", "logger", "process", "message"} <= line.keys()
