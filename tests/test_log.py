"""The log says of each line whose request it belongs to, is JSON where that is wanted, and names what blocks a worker."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from types import FrameType
from typing import Any
from unittest import mock

import pytest
from gevent.hub import Hub

from chatapp.watch import LOOK_SECONDS, Watch
from tests.clients import Person, eventually
from tests.figures import figures
from tests.raw_socket import RawSocket, nobody_gets
from tests.servers import ROOT, Server

ELSEWHERE = {"Origin": "http://mallory.example"}  # a write from there is refused, and the log says why
ID = "X-Request-ID"
# What the settings cannot do: a fault on a socket.
PLANTED = """
import runpy
from pathlib import Path

globals().update(runpy.run_path("{root}/gunicorn.conf.py"))
init = post_worker_init


def post_worker_init(worker):
    init(worker)
    import gevent
    from chatapp.transports.websocket import Session

    hear = Session._hear

    def planted(self, text):
        if text == "break":
            raise ValueError("planted, with a\\nline break")
        if text == "die":
            gevent.spawn(lambda: 1 / 0)
        elif text == "block":
            dreadful()
        else:
            hear(self, text)

    Session._hear = planted


def dreadful():
    # Until it may end; each block is said, and before it is over.
    from chatapp import watch
    from gevent import monkey

    watch.SAY_SECONDS, watch.LONG_SECONDS = 0.0, 0.1
    while not Path("{folder}/enough").exists():
        monkey.get_original("time", "sleep")(0.01)
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
    (folder / "planted.py").write_text(PLANTED.replace("{root}", str(ROOT)).replace("{folder}", str(folder)))
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


def blocked(server: Server, how: str) -> list[dict[str, Any]]:
    return lines(
        server, lambda line: f"the hub {how} for" in line["message"] and "dreadful (" in line["message"]
    )


def test_what_blocks_a_worker_is_named_with_its_stack_and_counted(written: Server) -> None:
    before = figures(written)
    with closing(Person(written, "ada")) as ada, closing(ada.socket()) as line:
        line.send("block")
        still = eventually(lambda: blocked(written, "has been blocked"))
        (written.instance.parent / "enough").touch()
        over = eventually(lambda: blocked(written, "was blocked"))
    for [told] in (still, over):
        assert re.search(
            r"dreadful \(.*planted\.py:\d+\) < planted \(.* < \w+ \(transports/conversation\.py",
            told["message"],
        )
        assert (told["level"], told["logger"]) == ("warning", "chatapp.watch")
    grown = ("hub_blocked_total", "hub_blocked_seconds_total")
    now = figures(written)
    assert all(now[name] > before[name] for name in grown)


def test_what_a_greenlet_dies_of_is_a_line_as_any_other(written: Server) -> None:
    with closing(Person(written, "ada")) as ada, closing(ada.socket()) as line:
        line.send("die")
        [told] = eventually(lambda: lines(written, lambda line: "a greenlet failed" in line["message"]))
    assert "ZeroDivisionError" in told["exception"]


def test_every_line_is_an_object_of_its_own_from_the_first_to_the_last(written: Server) -> None:
    written.stop()
    eventually(lambda: "Shutting down" in written.log[-1], "the last line is in")
    told = lines(written, lambda line: True)
    assert {"Starting gunicorn 27.0.1", "Ready"} <= {line["message"] for line in told}
    for line in told:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert {"level", "logger", "process", "message"} <= line.keys()


def test_requests_that_gunicorn_logs_are_objects_as_well_with_the_id_that_was_answered(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(log_format="json").start("--access-logfile", "-")
    given = [nobody_gets(server.url + "/healthz").headers[ID] for _ in range(2)]

    def logged() -> list[dict[str, Any]]:
        return lines(server, lambda line: line["logger"] == "gunicorn.access")

    eventually(lambda: [line.get("request") for line in logged()] == given)
    assert all('"GET /healthz HTTP/1.1" 200' in line["message"] for line in logged())


def test_that_only_config_py_asks_for_json_is_said_since_the_master_goes_on_writing_text(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(workers=2)
    server.instance.mkdir(exist_ok=True)
    (server.instance / "config.py").write_text("CHATAPP_LOG_FORMAT = 'json'\n")
    server.start()
    [told] = [line for line in server.log if "CHATAPP_LOG_FORMAT" in line]
    assert "is in config.py" in json.loads(told)["message"]


# -- the watch over the hub ------------------------------------------------------------------------------


class Loop:
    iteration = 1


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []
    monkeypatch.setattr("chatapp.watch._write", heard.append)
    return heard


class Watched:
    """A hub that goes round, or does not, at times that the test says."""

    def __init__(self) -> None:
        self.now, self._watch = time.monotonic(), Watch()
        self._watch._loop = self.loop = Loop()

    def stands_still(self, seconds: float, frame: FrameType | None = None) -> None:
        for _ in range(round(seconds / LOOK_SECONDS)):
            self._look(frame or sys._getframe())

    def keeps_even_the_watch_from_looking(self, seconds: float) -> None:
        """What computes in C: the hub has gone round meanwhile, and the watch looks while it has not ended yet."""
        self.now += seconds
        self.loop.iteration += 1
        self._look(sys._getframe())

    def goes_round(self, seconds: float = LOOK_SECONDS) -> None:
        for _ in range(round(seconds / LOOK_SECONDS)):
            self.loop.iteration += 1
            self._look(sys._getframe())

    def _look(self, frame: FrameType) -> None:
        self.now += LOOK_SECONDS
        self._watch._look(self.now, frame)


def test_a_hub_that_goes_round_or_stands_still_for_less_than_50_ms_is_not_said_to_be_blocked(
    said: list[str],
) -> None:
    hub = Watched()
    for _ in range(10):
        hub.goes_round(0.2)
        hub.stands_still(LOOK_SECONDS)
    hub.goes_round()
    assert said == []


def test_a_hub_that_waits_for_the_kernel_is_not_blocked(said: list[str]) -> None:
    hub = Watched()
    waits = mock.Mock(f_code=Hub.run.__code__)
    hub.stands_still(5.0, waits)
    hub.stands_still(LOOK_SECONDS)  # just woken, in the round in which it slept
    hub.goes_round()
    assert said == []


def test_what_keeps_the_watch_from_looking_blocks_the_hub(said: list[str]) -> None:
    hub = Watched()
    hub.goes_round()
    hub.keeps_even_the_watch_from_looking(0.04)
    hub.goes_round()
    hub.keeps_even_the_watch_from_looking(0.4)
    hub.goes_round()
    [line] = said
    assert re.match(r"the hub was blocked for 0\.4\d s: keeps_even_the_watch", line)


def test_of_many_blocks_one_a_minute_is_said_and_each_that_is_longer(said: list[str]) -> None:
    hub = Watched()
    for seconds in (0.475, 0.075, 0.175, 0.075, 1.975, 0.075):
        hub.goes_round(1.0)
        hub.stands_still(seconds)
    hub.goes_round(60.0)
    hub.stands_still(0.075)
    hub.goes_round()
    assert [re.match(r"the hub was blocked for (\S+) s(.*): stands_still ", line).groups() for line in said] == [
        ("0.50", ""), ("2.00", "; meanwhile 3 shorter ones"),
        ("0.10", "; meanwhile 1 shorter ones")]  # fmt: skip


def test_a_block_without_an_end_is_said_before_gunicorn_ends_the_worker(said: list[str]) -> None:
    hub = Watched()
    hub.goes_round()
    hub.stands_still(20.0)
    [line] = said
    assert line.startswith("the hub has been blocked for 5 s, and still is: stands_still ")
