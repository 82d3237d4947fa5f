"""The fast paths that have a switch (docs/design.md), all off: everybody is told the same.

What each of them does, and when it is not taken, has tests at its own place; the table in docs/design.md names them.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import fields
from types import SimpleNamespace
from typing import cast

import gevent
import gevent.socket
import msgspec
import pytest
from flask import Flask

from chatapp.accepted import Accepted
from chatapp.config import Config
from chatapp.hub import Hub
from chatapp.sockets import send_all
from chatapp.transports.hijack import TakenOver, _taken_over
from chatapp.transports.requests_v1 import FRAMES, frame_of, parse
from tests.clients import READERS, UNIT, Person, eventually
from tests.figures import quick
from tests.servers import Server
from tests.torture.run import NO_FAST_PATHS


def test_each_switch_is_one_that_the_torture_turns() -> None:
    named = {item.name for item in fields(Config) if item.name.startswith("quick_")}
    assert named == NO_FAST_PATHS.keys()


def test_without_any_of_them_every_reader_gets_the_same_in_order_and_senders_their_answers(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(**NO_FAST_PATHS).start()
    with ExitStack() as opened:
        ada, grace = (opened.enter_context(closing(Person(server, name))) for name in ("ada", "grace"))
        board = ada.make_room()
        readers = [kind(grace, board, after=-1) for kind in READERS]
        socket = opened.enter_context(closing(ada.socket()))
        socket.join(board)
        said = [
            f"word {number}" + "é" * 50 * number for number in range(60)
        ]  # some are too long for a short frame
        for number, body in enumerate(said):
            socket.send({"type": "send", "room": board, "body": body, "client_id": str(number)})
        socket.send({"type": "send", "room": board, "body": 7, "client_id": "wrong"})
        eventually(lambda: len(socket.of("ack")) == len(said))
        assert [ack["client_id"] for ack in socket.of("ack")] == [str(number) for number in range(60)]
        assert socket.expect(lambda frame: frame["type"] == "error")["client_id"] == "wrong"
        readers.append(READERS[0](grace, board, after=0))  # late: from the log
        for reader in readers:
            reader.wait_for(len(said))
            reader.stopping = True
        for reader in readers:
            reader.close()
            assert reader.bodies == said, reader.name
        assert quick(server) == 0


@pytest.mark.parametrize("kind", sorted(FRAMES))
def test_a_frame_is_the_same_whether_it_is_decoded_at_once_or_step_by_step(kind: str) -> None:
    text = msgspec.json.encode(
        {"type": kind, "room": 1, "seq": 2, "body": "hello", "beyond": ["this"]}
    ).decode()
    found = frame_of(text)
    assert found is not None, "at once"
    assert found == parse(msgspec.json.decode(text))


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"type":"shout"}', '{"type":"send","room":"1"}', '{"type":"join"}']
)
def test_what_is_to_be_refused_is_left_to_the_steps_that_say_why(text: str) -> None:
    assert frame_of(text) is None


def test_an_answer_that_the_kernel_does_not_take_at_once_goes_out_whole_behind_that() -> None:
    ours, theirs = gevent.socket.socketpair()
    with ours, theirs:
        send_all(ours, b"short")
        assert theirs.recv(100) == b"short"
        long = b"x" * 4_000_000
        sending = gevent.spawn(send_all, ours, long)
        received = 0
        with gevent.Timeout(UNIT):
            while received < len(long):
                received += len(theirs.recv(1 << 20))
            sending.get()


def test_a_reader_is_served_when_gunicorn_has_let_go_of_its_request() -> None:
    happened: list[str] = []
    ours, theirs = gevent.socket.socketpair()

    def handle(_listener: object, client: gevent.socket.socket, _address: object) -> None:
        _taken_over[client] = TakenOver(
            client.dup(), lambda: happened.append("served")
        )  # as `take_over` does
        client.close()
        happened.append("let go")

    settings = SimpleNamespace(keepalive=0, accesslog="", statsd_host="", max_requests=0)
    log = SimpleNamespace(error_log=logging.Logger("unheard"))
    wsgi = Flask("chat")
    hub = wsgi.extensions["chatapp"] = cast(Hub, SimpleNamespace(config=Config()))
    worker = SimpleNamespace(
        wsgi=wsgi,
        cfg=settings,
        log=log,
        worker_connections=10,
        sockets=[None],
        handle=handle,
        handle_request=None,
    )
    Accepted(worker, hub)
    with theirs:
        worker.handle(None, ours, None)
        assert happened == ["let go", "served"]
        assert theirs.recv(1) == b"", "and at its end the connection has one"
