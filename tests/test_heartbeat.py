"""The wheel of heartbeats."""

from collections.abc import Iterator

import gevent
import pytest

from chatapp.errors import ChatError
from chatapp.heartbeat import Heartbeat
from chatapp.permissions import Identity
from tests.clients import UNIT


class Reader:
    identity, transport = Identity("u1", "ada", "member"), "websocket"

    def __init__(self, fault: Exception | None = None) -> None:
        self.beats = 0
        self._fault = fault

    def beat(self, now: float) -> None:
        self.beats += 1
        if self._fault is not None:
            raise self._fault

    def dismiss(self, error: ChatError) -> None:
        raise NotImplementedError


@pytest.fixture
def heartbeat() -> Iterator[Heartbeat]:
    heartbeat = Heartbeat(1)
    running = gevent.spawn(heartbeat.run)
    yield heartbeat
    running.kill()


def test_a_connection_whose_heartbeat_fails_takes_nobody_elses(
    heartbeat: Heartbeat, caplog: pytest.LogCaptureFixture
) -> None:
    ada, mallory = Reader(), Reader(RuntimeError("broken"))
    heartbeat.add(mallory)
    heartbeat.add(ada)
    with gevent.Timeout(UNIT):
        while min(ada.beats, mallory.beats) < 2:
            gevent.sleep(0.01)
    assert "broken" in caplog.text
    assert set(heartbeat.of("u1")) == {ada, mallory}
    heartbeat.remove(ada)
    heartbeat.remove(mallory)
    assert heartbeat.of("u1") == heartbeat.connections == []
