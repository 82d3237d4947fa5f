"""Turnstile: of many greenlets that are woken at once, one goes on at a time, and all else in between."""

from collections import deque

import gevent
from gevent.event import Event


class Turnstile:
    """First come, first served.

    Why: `Event.set` runs all its waiters in one callback of gevent's loop, and a greenlet that then does
    `gevent.sleep(0)` stands in the loop's queue of callbacks. A thousand polls that take a millisecond each
    to answer are then a second in which nobody's message is even read. In here they stand in a queue of
    their own: of the loop's queue they take one place.
    """

    def __init__(self) -> None:
        self._queue: deque[Event] = deque()
        self._usher: gevent.Greenlet[[], None] | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def pass_through(self) -> None:
        """Wait for one's turn. Switches."""
        turn = Event()
        self._queue.append(turn)
        if self._usher is None:
            self._usher = gevent.spawn(self._let_through)
        turn.wait()

    def _let_through(self) -> None:
        # Between the last look at the queue and `_usher = None` nothing switches: nobody is stranded.
        while self._queue:
            self._queue.popleft().set()
            gevent.sleep(0)  # that one runs now, and whatever else has become due
        self._usher = None
