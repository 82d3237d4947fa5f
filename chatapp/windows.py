"""Where the `limits` library counts: this process's memory, on a clock that nobody sets.

The library's own MemoryStorage starts a thread on a hit, to remove what has expired. Under gevent that
switches in the middle of what must not, and every key is looked at up to a hundred times a second. It also
goes by the time of day: set back an hour, it refuses whoever was at their limit for that hour.
"""

import time

from limits.storage import Storage

SWEEP_LEAST = 1000  # counters below which none are looked for that have expired


class ProcessStorage(Storage):
    """Counters that expire. Nothing in here switches. An expired counter is kept until the next sweep."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, tuple[int, float]] = {}  # how many, until when
        self._sweep_at = SWEEP_LEAST

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count `amount` in the window of `key`, which ends `expiry` seconds after its first hit."""
        now = time.monotonic()
        count, until = self._windows.get(key, (0, 0.0))
        if until <= now:
            count, until = 0, now + expiry
            if key not in self._windows and len(self._windows) >= self._sweep_at:
                self._sweep(now)
        self._windows[key] = (count + amount, until)
        return count + amount

    def within(self, key: str, expiry: float, limit: int) -> bool:
        """Count one more; whether that is within `limit`."""
        return self.incr(key, expiry) <= limit

    def give_back(self, key: str) -> None:
        """Take one back that was just counted, and then not done."""
        count, until = self._windows[key]
        self._windows[key] = count - 1, until

    def get(self, key: str) -> int:
        """How many there were in the window of `key`."""
        count, until = self._windows.get(key, (0, 0.0))
        return count if until > time.monotonic() else 0

    def get_expiry(self, key: str) -> float:
        """When the window of `key` ends, on `time.monotonic()`."""
        return self._windows.get(key, (0, time.monotonic()))[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        """Forget everything; how many counters that were."""
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget one."""
        self._windows.pop(key, None)

    def _sweep(self, now: float) -> None:
        # When the table has doubled since the last time: so a hit costs the same however many there are.
        self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
        self._sweep_at = max(SWEEP_LEAST, 2 * len(self._windows))
