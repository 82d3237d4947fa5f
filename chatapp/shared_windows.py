"""Where rates are counted that hold for all machines together: in Redis, where that is their bus.

Each process counts for itself as well: so a Redis that is away, slow or empty lets nobody through more often
than one without any, and keeps nobody out.
"""

import logging
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import gevent
from gevent.lock import BoundedSemaphore

from chatapp.trouble import Trouble
from chatapp.windows import ProcessStorage

ANSWER_SECONDS = 1  # Redis gets to answer,
AGAIN_SECONDS = 5  # or is not asked again for as long
AT_ONCE = 8  # connections to it

T = TypeVar("T")

log = logging.getLogger(__name__)


def windows_of(bus_url: str) -> ProcessStorage:
    """The place where machines that share the bus at `bus_url` count together. Raises SetupError."""
    return (
        SharedStorage(bus_url)
        if urlsplit(bus_url).scheme in ("redis", "rediss", "unix")
        else ProcessStorage()
    )


class SharedStorage(ProcessStorage):
    """Counting switches, and asking when a window ends. Nothing of it fails."""

    def __init__(self, url: str) -> None:
        super().__init__()
        from limits.storage import RedisStorage

        from chatapp.bus.redis import pool, prefix

        connections = pool(url, ANSWER_SECONDS, ANSWER_SECONDS)
        self._shared = RedisStorage(
            "redis://", connection_pool=connections, key_prefix=f"{prefix(connections)}rates"
        )
        self._turn = BoundedSemaphore(AT_ONCE)
        self._again_at = 0.0
        self._away = Trouble(log, "rates are counted in each worker by itself, Redis does not answer")

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        own = super().incr(key, expiry, amount)
        return max(own, self._ask(lambda: self._shared.incr(key, int(expiry), amount), 0))

    def get_expiry(self, key: str) -> float:
        left = self._ask(lambda: self._shared.get_expiry(key) - time.time(), 0.0)
        return max(super().get_expiry(key), time.monotonic() + left)

    def _ask(self, question: Callable[[], T], otherwise: T) -> T:
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
