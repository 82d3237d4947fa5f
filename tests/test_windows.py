"""The counters behind the rate limits: they never switch, never grow for ever, and no clock that is set moves them."""

import subprocess
import sys
import time

import pytest

from chatapp import windows
from chatapp.config import Config
from chatapp.errors import TooFast
from chatapp.limiter import Limiter
from chatapp.permissions import Identity
from chatapp.windows import SWEEP_LEAST, ProcessStorage
from tests.servers import ROOT

ADA = Identity("g1", "ada", "guest", "127.0.0.1")

COUNT_SWITCHES = """
from gevent import monkey
monkey.patch_all()
import greenlet
from chatapp.config import Config
from chatapp.limiter import Limiter
from chatapp.permissions import Identity

switches = []
limiter = Limiter(Config(bus_url="{bus}", rate_messages="100 per hour"))
greenlet.settrace(lambda event, greenlets: switches.append(event))
for _ in range(100):
    limiter.message(Identity("g1", "ada", "guest", "127.0.0.1"))
greenlet.settrace(None)
print(len(switches))
"""


class Clock:
    """A monotonic clock that goes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(windows.time, "monotonic", lambda: self.now)


@pytest.mark.parametrize("bus", ["sqlite:////nowhere/bus.db", "redis://nowhere:6379/0"])
def test_counting_a_message_under_gevent_does_not_switch(bus: str) -> None:
    program = COUNT_SWITCHES.replace("{bus}", bus)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "0", done.stderr


def test_a_window_begins_with_its_first_hit_and_ends_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    limiter = Limiter(Config(rate_messages="2 per 10 seconds"))
    for _ in range(2):
        limiter.message(ADA)
    clock.now += 9
    with pytest.raises(TooFast) as refused:
        limiter.message(ADA)
    assert refused.value.retry_after is not None
    clock.now += refused.value.retry_after
    limiter.message(ADA)


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_is_set_refuses_nobody_and_lets_nobody_through(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, real = Clock(monkeypatch), time.time()
    limiter = Limiter(Config(rate_messages="1 per 10 seconds"))
    limiter.message(ADA)
    monkeypatch.setattr(time, "time", lambda: real + jump)
    with pytest.raises(TooFast):
        limiter.message(ADA)
    clock.now += 10
    limiter.message(ADA)


def test_counters_that_have_expired_are_swept_however_many_come(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, storage = Clock(monkeypatch), ProcessStorage()
    for number in range(20 * SWEEP_LEAST):
        clock.now += 0.1  # a hundred of them are within their ten seconds
        storage.incr(f"guest {number}", 10)
        assert len(storage) <= SWEEP_LEAST
    assert storage.get(f"guest {20 * SWEEP_LEAST - 1}") == 1
    assert storage.get("guest 0") == 0
