"""Everybody of a machine that is gone comes back to the others.

An event each are an attempt of a browser and its end: each client is there by itself, waits as
static/js/connection.js does, and queues at the server that the load balancer gave it to. A server is one
queue: it takes them in the order in which they came, also those who have given up meanwhile, for it has
read their request by then.

Left out: what is lost where the kernel's queue of connections is full (its senders come again after 1 s,
which is within what waits here anyway), and what late readers are sent when they are back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import NamedTuple

import simpy

from benchmarks.simulation.chat import Happening
from benchmarks.simulation.costs import Costs

# As static/js/connection.js has them, seconds.
OPEN_LIMIT = 8.0
FIRST_RETRY, LAST_RETRY = 0.5, 30.0
RETURN_SPREAD = 5.0
FAILURES_PER_RUNG = 2
REACHABLE_LIMIT = 5.0
RUNGS = 3
SHARE_FOR_COMERS = 0.5  # of a core: the rest serves who is there
SILENCE = (35.0, 40.0)  # HEARTBEAT, up to LOOK, and PONG_LIMIT: until a page knows that nobody is there


class How(NamedTuple):
    """`known`: between which two seconds a page knows. `lost`: it takes that for a failure, and does not come
    back as it was told to.
    """

    name: str
    known: tuple[float, float]
    lost: bool


CUT = How("its processes die", (0.0, 0.0), lost=True)
GOING = How("it is stopped (1012)", (0.0, RETURN_SPREAD), lost=False)
VANISHED = How("it vanishes without a word", SILENCE, lost=True)


@dataclass
class Server:
    """`share` of its core that it has for those who come."""

    share: float
    free: float = 0.0

    def take(self, now: float, seconds: float) -> float:
        """When somebody who comes now, and costs so much CPU, has been served."""
        self.free = max(now, self.free) + seconds / self.share
        return self.free


class Storm:
    """`back`: when each came back, in that order."""

    def __init__(
        self, costs: Costs, clients: int, servers: int, share: float, how: How, seed: int = 1
    ) -> None:
        self._costs, self._how = costs, how
        self._random = Random(seed)
        self._world = simpy.Environment()
        self._balancer = cycle([Server(share) for _ in range(servers)])
        self.attempts = 0
        self.back: list[float] = []
        for _ in range(clients):
            self._world.process(self._client())
        self._world.run()

    def when(self, share: float) -> float:
        """Seconds until that share of them were back."""
        return self.back[max(0, int(share * len(self.back)) - 1)]

    def _client(self) -> Happening:
        world, costs, random = self._world, self._costs, self._random
        failures = on_rung = rung = 0
        yield world.timeout(random.uniform(*self._how.known))
        if self._how.lost:
            yield world.timeout(_delay(random, failures))
            failures = on_rung = 1
        while True:
            self.attempts += 1
            wait = next(self._balancer).take(world.now, costs.connect) - world.now
            if wait <= OPEN_LIMIT:
                yield world.timeout(wait)
                self.back.append(world.now)
                return
            yield world.timeout(OPEN_LIMIT)
            delay = _delay(random, failures)
            failures, on_rung = failures + 1, on_rung + 1
            if on_rung >= FAILURES_PER_RUNG and rung < RUNGS - 1:
                asked = next(self._balancer).take(world.now, costs.poll) - world.now
                if asked < min(delay, REACHABLE_LIMIT):
                    delay, failures, on_rung, rung = asked, 0, 0, rung + 1
            yield world.timeout(delay)


def _delay(random: Random, failures: int) -> float:
    return min(LAST_RETRY, FIRST_RETRY * 2.0**failures) * random.uniform(0.5, 1)


def returned(storm: Storm, seconds: Iterable[float]) -> list[float]:
    """The share that was back at each of `seconds`."""
    return [sum(each <= second for each in storm.back) / len(storm.back) for second in seconds]
