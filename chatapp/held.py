"""Held: what slow clients make this process hold of large requests that come and large answers that go."""

from collections import Counter

from chatapp.errors import TooFast

LARGE = 65_536  # bytes; what is smaller is bounded by the number of connections
LIMIT = 256 * 1024 * 1024  # bytes in all
SHARE = LIMIT // 16  # bytes for one address, so that nobody alone shuts out the others


class Held:
    """A client that does not take a page of 200 long messages has us hold 3 MB; a thousand would be 3 GB."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()
        self._all = 0

    def take(self, size: int, address: str) -> None:
        """Count `size` bytes that are held for `address`. Raises TooFast where that is too much."""
        if self._of[address] + size > SHARE or self._all + size > LIMIT:
            raise TooFast("Too much is on its way already: try again", retry_after=1)
        self._of[address] += size
        self._all += size

    def give_back(self, size: int, address: str) -> None:
        self._all -= size
        self._of[address] -= size
        if not self._of[address]:
            del self._of[address]
