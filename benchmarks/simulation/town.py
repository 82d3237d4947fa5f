"""Everybody who is there: rooms of Zipf's sizes, what is said in them, and what that asks of the servers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import accumulate
from math import ceil
from random import Random
from typing import NamedTuple

import simpy

from benchmarks.simulation.chat import LOOK_SECONDS, Happening
from benchmarks.simulation.costs import Costs

DAY = 86_400
PER_ROOM = 10  # readers, in the mean
FASTEST = 5.0  # messages a second in one room: nobody reads more
FRAME_BYTES = 230 + 2 + 66  # a message as JSON (benchmarks/README.md), its frame, and TCP, IP and Ethernet
STAY_SECONDS = 3600.0  # from a page and its connection to the next one of the same person
# As chatapp has them: journal, presence.
LOOKS_PER_SECOND = 4.0
RENEW_SECONDS = 20.0
TELLINGS_PER_SECOND = 2.0
MOST_TOGETHER = 1000.0
TOGETHER = 10_000  # readers of a room on one server, at most


class Room(NamedTuple):
    readers: int
    rate: float  # messages a second


class Spread(Enum):
    """To whom a notice goes: to every server; to those with readers of the room; the same, where the load
    balancer brings the readers of a room together, TOGETHER on a server.
    """

    EVERYWHERE = "to every server"
    BY_ROOM = "to who follows the room"
    TOGETHER = "the same, a room’s readers together"


class Share(NamedTuple):
    """Cores, of all servers together and of the database."""

    what: str
    servers: float
    database: float = 0.0


@dataclass(frozen=True)
class Town:
    """`readers`, each with one connection and one room; the n-th room has 1/n of the readers of the first.
    `daily`: messages. A person says as much in any room, up to FASTEST of all in it together.
    """

    readers: int
    daily: float

    @cached_property
    def sizes(self) -> list[int]:
        rooms = max(1, self.readers // PER_ROOM)
        whole = sum(1 / rank for rank in range(1, rooms + 1))
        return [max(1, round(self.readers / whole / rank)) for rank in range(1, rooms + 1)]

    @cached_property
    def rooms(self) -> list[Room]:
        wanted = self.daily / DAY
        least, most = 0.0, FASTEST
        for _ in range(60):  # in halves: what one person says a second, so that the day has as many
            each = (least + most) / 2
            if sum(min(FASTEST, each * size) for size in self.sizes) < wanted:
                least = each
            else:
                most = each
        return [Room(size, min(FASTEST, each * size)) for size in self.sizes]

    @property
    def messages(self) -> float:
        """A second."""
        return sum(room.rate for room in self.rooms)

    @property
    def deliveries(self) -> float:
        return sum(room.rate * room.readers for room in self.rooms)

    @property
    def gigabits(self) -> float:
        return self.deliveries * FRAME_BYTES * 8 / 1e9

    def live(self, servers: int) -> float:
        """Rooms that a server has readers of, in the mean."""
        return sum(1 - (1 - 1 / servers) ** room.readers for room in self.rooms)

    def notices(self, servers: int, spread: Spread) -> float:
        """A second, that a server hears of what others keep, where each message is one."""
        if spread is Spread.EVERYWHERE:
            heard = self.messages
        elif spread is Spread.BY_ROOM:
            heard = sum(room.rate * (1 - (1 - 1 / servers) ** room.readers) for room in self.rooms)
        else:
            heard = sum(room.rate * min(1, ceil(room.readers / TOGETHER) / servers) for room in self.rooms)
        return heard * (servers - 1) / servers

    def gigabytes(self, costs: Costs, servers: int) -> float:
        return (self.readers * costs.memory + servers * costs.server) / 1e9

    def asks(
        self, costs: Costs, servers: int, postgres: bool, spread: Spread = Spread.EVERYWHERE
    ) -> Iterator[Share]:
        """What that costs where everybody is on any server, but for telling who is there."""
        cost = costs.postgres_message if postgres else costs.message
        group = group_size(cost, self.messages / servers)
        groups = self.messages / group
        yield Share("deliveries", self.deliveries * costs.delivery(1))
        kept = groups * costs.database_message(group) if postgres else 0.0
        yield Share("messages kept", groups * cost(group), kept)
        yield Share("notices heard", servers * hearing(costs, self.notices(servers, spread)))
        looked = servers * self.live(servers) * LOOKS_PER_SECOND
        look, database = (costs.postgres_look, costs.database_look) if postgres else (costs.look, 0.0)
        yield Share("looks at revisions", looked * look, looked * database)
        yield Share("heartbeats", self.readers * costs.waiting + servers * costs.alone)
        yield Share("pages and connections", self.readers / STAY_SECONDS * (costs.page + costs.connect))
        yield Share("leases renewed", self.readers / RENEW_SECONDS * costs.lease)

    def tells(self, costs: Costs, servers: int) -> Iterator[Share]:
        """What it costs to tell who is there."""
        elsewhere = self.readers * (servers - 1) / servers
        asked = min(TELLINGS_PER_SECOND, self.readers / servers / STAY_SECONDS)
        lists = asked * elsewhere * costs.telling
        yield Share("who is there: lists of rooms", servers * lists)
        told = sum(min(TELLINGS_PER_SECOND, 2 * size / STAY_SECONDS) * size for size in self.sizes)
        yield Share("who is there: rooms", servers * told * costs.telling)


def hearing(costs: Costs, notices: float) -> float:
    """CPU of a server each second, for so many notices."""
    return notices * costs.heard + min(1 / LOOK_SECONDS, notices) * costs.looked


def group_size(cost: Callable[[float], float], rate: float) -> float:
    """How many messages are kept together: those that come while the last ones are kept."""
    size = 1.0
    for _ in range(100):
        size = min(MOST_TOGETHER, max(1.0, rate * cost(size)))
    return size


@dataclass(frozen=True)
class Seen:
    """`share` of its core that the server was busy; seconds from a message's commit to its last reader
    there.
    """

    share: float
    delays: list[float]
    deliveries: int

    def delay(self, share: float) -> float:
        return self.delays[max(0, int(share * len(self.delays)) - 1)] if self.delays else 0.0


def one_of(
    town: Town,
    costs: Costs,
    servers: int,
    seconds: float,
    spread: Spread = Spread.EVERYWHERE,
    seed: int = 1,
) -> Seen:
    """One server of `servers`, for `seconds`. Of who is there nothing is told: see docs/scaling.md.

    An event each are a look at the bus and a message of a room that has readers here. The other servers are
    not run: they differ by chance only. Messages of rooms that nobody here follows are drawn as a number.
    """
    random = Random(seed)
    here = [(room.rate, count) for room in town.rooms if (count := _some(random, room.readers, servers))]
    weights = list(accumulate(rate for rate, _ in here))
    foreign = town.messages - weights[-1] if spread is Spread.EVERYWHERE else 0.0
    world = simpy.Environment()
    kept = town.messages / servers
    group = group_size(costs.postgres_message, kept)
    idle = costs.alone + town.readers / servers * costs.waiting
    idle += kept / group * costs.postgres_message(group)
    idle += town.live(servers) * LOOKS_PER_SECOND * costs.postgres_look
    busy, delays, delivered = 0.0, [], 0

    def listen() -> Happening:
        nonlocal busy, delivered
        since = 0.0
        while True:
            yield world.timeout(LOOK_SECONDS)
            span, since = world.now - since, world.now
            others, ours = _poisson(random, foreign * span), _poisson(random, weights[-1] * span)
            work = (costs.looked if others + ours else 0.0) + idle * span + others * costs.heard
            busy += work
            yield world.timeout(work)
            for _, count in random.choices(here, cum_weights=weights, k=ours):
                work = costs.heard + count * costs.delivery(1)
                busy += work
                yield world.timeout(work)
                delivered += count
                delays.append(world.now - since + random.uniform(0, span))

    world.process(listen())
    world.run(seconds)
    return Seen(busy / seconds, sorted(delays), delivered)


def _some(random: Random, count: int, servers: int) -> int:
    """How many of `count` come to one of `servers`."""
    mean = count / servers
    return _poisson(random, mean) if count < 1000 * servers else round(random.gauss(mean, mean**0.5))


def _poisson(random: Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(random.gauss(mean, mean**0.5)))
    count, left = 0, random.expovariate(1.0)
    while left < mean:
        count, left = count + 1, left + random.expovariate(1.0)
    return count
