"""Windows in which all machines count together and ask at each count, in Redis.

Each process counts for itself as well: so a Redis that is away, slow or empty lets nobody through more often
than one without any, and keeps nobody out.
"""

import time

from chatapp.counting_server import CountingServer
from chatapp.windows import ProcessStorage


class SharedStorage(ProcessStorage):
    """Counting switches, and asking when a window ends. Nothing of it fails."""

    def __init__(self, server: CountingServer) -> None:
        super().__init__()
        from limits.storage import RedisStorage

        self._ask = server.ask
        self._shared = RedisStorage("redis://", connection_pool=server.pool, key_prefix=server.prefix)

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        own = super().incr(key, expiry, amount)
        return max(own, self._ask(lambda: self._shared.incr(key, int(expiry), amount), 0))

    def get_expiry(self, key: str) -> float:
        left = self._ask(lambda: self._shared.get_expiry(key) - time.time(), 0.0)
        return max(super().get_expiry(key), time.monotonic() + left)
