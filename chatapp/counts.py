"""What this process has counted since it started, for `/metrics`. Plain numbers: nobody pays for more on a
message's way, and what costs something is done when they are read.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)


class Spread:
    """How often something was at most so much. `bounds`: in ascending order."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)  # the last: beyond all bounds
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Counts:
    """One for each process: `COUNTS`."""

    def __init__(self) -> None:
        # Messages that were written to readers: at once, at the pace of their sockets, or as a poll's answer.
        self.pushed = self.caught_up = self.polled = 0
        self.quick_polls = 0  # polls that were answered the short way: transports/again.py
        self.quick_handshakes = 0  # likewise: transports/quick_handshake.py
        self.fell_behind = 0  # readers that were live and whose sockets did not take all
        self.blocked, self.blocked_seconds = 0, 0.0  # how often the hub was, for over 50 ms, and for how long
        self.refusals: Counter[str] = Counter()  # by their code in errors.py
        self.group_sizes = Spread(SIZES)  # requests that were kept in one transaction
        self.commit_seconds = Spread(SECONDS)  # from the turn of a group until it is on the disk
        self.bus_seconds = Spread(SECONDS)  # from a notice's sending until it was heard, see bus/


COUNTS = Counts()
