"""The Redis at which rates are counted by all machines: it answers in bounded time, or is done without."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import gevent
from gevent.lock import BoundedSemaphore

from chatapp.trouble import Trouble

ANSWER_SECONDS = 1  # it gets to answer,
AGAIN_SECONDS = 5  # or is not asked again for as long
AT_ONCE = 8  # connections to it

T = TypeVar("T")

log = logging.getLogger(__name__)


class CountingServer:
    """`pool`: connections to it; `prefix`: what the names of all counters there begin with."""

    def __init__(self, url: str) -> None:
        """Raises SetupError for a URL that is none. Connects to nothing yet."""
        from chatapp.bus.redis import pool, prefix

        self.pool = pool(url, ANSWER_SECONDS, ANSWER_SECONDS)
        self.prefix = f"{prefix(self.pool)}rates"
        self._turn = BoundedSemaphore(AT_ONCE)
        self._again_at = 0.0
        self._away = Trouble(log, "rates are counted in each worker by itself, Redis does not answer")

    def ask(self, question: Callable[[], T], otherwise: T) -> T:
        """What `question` finds out there, or `otherwise` where it does not answer. Switches, never fails."""
        if time.monotonic() < self._again_at:
            return otherwise
        try:
            # Around all of it: looking up a name, connecting and asking are timed one by one, if at all.
            with gevent.Timeout(ANSWER_SECONDS, TimeoutError("no answer in time")), self._turn:
                answer = question()
        except Exception as error:
            self._again_at = time.monotonic() + AGAIN_SECONDS
            self._away.tell(str(error))
            return otherwise
        self._away.over()
        return answer
