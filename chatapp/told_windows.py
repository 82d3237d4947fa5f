"""Windows of which the workers of all machines tell each other, in Redis, behind what they count.

Nobody waits for that: each goes by what it knows, its own count and that of the others when it last heard of
it, as the counters of gateways do that are synchronised a few times a second (Kong's `sync_rate`). What gets
through too often meanwhile is made up for: a window lasts as much longer.
"""

import math
import time
from itertools import islice
from typing import NamedTuple

import gevent

from chatapp.counting_server import CountingServer
from chatapp.windows import ProcessStorage

TELL_SECONDS = 0.25  # from the end of one telling to the next; what moves alone is told at once
SHARE = 10  # who has not had this part of what they may is told of to nobody: that is nearly everybody
MOST = 500  # windows told of in one journey, behind which others have their turn at Redis

# Of each key: how many more there are, the ms that are left of its window here, those of a whole one, and how
# many may be in it. The answer: how many there are in all, and the ms that are left of the window for all.
TELL = """
local known = {}
for i, key in ipairs(KEYS) do
    local more, left, window, limit = unpack(ARGV, 4 * i - 3, 4 * i)
    local total, ends = redis.call('INCRBY', key, more), redis.call('PTTL', key)
    local too_many = math.min(total - limit, more)
    if ends < 0 or ends > window * math.max(1, total / limit) then -- it is new, or the clock was set back
        total, ends = more, math.min(left, window)
        redis.call('SET', key, more, 'PX', ends)
    elseif too_many > 0 then
        ends = math.floor(ends + window * too_many / limit)
        redis.call('PEXPIRE', key, ends)
    end
    known[2 * i - 1], known[2 * i] = tonumber(total), tonumber(ends)
end
return known
"""


class _Untold(NamedTuple):
    """How many more there are in a window than others know, its seconds, and how many may be in it."""

    more: int
    expiry: float
    limit: int


class ToldStorage(ProcessStorage):
    """Counting never switches, never fails; a greenlet tells."""

    def __init__(self, server: CountingServer) -> None:
        super().__init__()
        import redis

        self._server = server
        self._client = redis.Redis(connection_pool=server.pool)
        self._untold: dict[str, _Untold] = {}
        self._known: set[str] = set()  # of these windows others know
        self._teller: gevent.Greenlet[[], None] | None = None
        self._told_at = -math.inf

    def within(self, key: str, expiry: float, limit: int) -> bool:
        count = self.incr(key, expiry)
        if count == 1:  # it is another window
            self._known.discard(key)
            self._untold.pop(key, None)
        if count > limit:
            return False
        if count * SHARE >= limit:
            untold = self._untold.get(key)
            before = untold.more if untold else 0 if key in self._known else count - 1
            self._untold[key] = _Untold(before + 1, expiry, limit)
            if not self._teller:
                self._teller = gevent.spawn(self._tell_all)
        return True

    def give_back(self, key: str) -> None:
        super().give_back(key)
        untold = self._untold.pop(key, None)
        if untold and untold.more > 1:
            self._untold[key] = untold._replace(more=untold.more - 1)

    def _tell_all(self) -> None:
        # Between the last look at what is untold and the end nothing switches.
        while self._untold:
            if (early := self._told_at + TELL_SECONDS - time.monotonic()) > 0:
                gevent.sleep(early)
            for _ in range(0, len(self._untold), MOST):
                self._tell_some()
            self._told_at = time.monotonic()

    def _tell_some(self) -> None:
        """Where Redis does not answer others never hear of these, and each counts by itself."""
        now = time.monotonic()
        untold = {key: self._untold.pop(key) for key in list(islice(self._untold, MOST))}
        told = {key: self._windows[key] for key in untold if self.get(key)}  # the others are over
        names = [f"{self._server.prefix} told {key}" for key in told]
        figures: list[int] = []
        for key, (_, until) in told.items():
            more, expiry, limit = untold[key]
            figures += more, math.ceil((until - now) * 1000), round(expiry * 1000), limit
        self._known.update(told)
        known: list[int] = self._server.ask(lambda: self._client.eval(TELL, len(names), *names, *figures), [])
        now = time.monotonic()
        for key, total, left in zip(told, known[::2], known[1::2], strict=False):  # none without an answer
            count, until = told[key]
            # Where others know less, theirs is a later window, or Redis was emptied: ours stands to its end.
            if self.get_expiry(key) == until and total >= min(count, untold[key].limit):
                since = self._untold[key].more if key in self._untold else 0
                self._windows[key] = total + since, now + (left + 1) / 1000

    def _sweep(self, now: float) -> None:
        super()._sweep(now)
        self._known &= self._windows.keys()
