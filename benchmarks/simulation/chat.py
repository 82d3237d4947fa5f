"""Servers with readers of one room: a message from its sender to the last of them.

An event each are: a message that comes, a group that is kept, a look at the bus, and a batch given to all
readers of a server. That last one stands for as many sends as there are readers, which cost the same each:
a message to 200,000 readers on 20 servers is some 60 events, not 200,000.

Left out: the network, the load client, what else a server does meanwhile (its share is added to its CPU),
pauses of Python's garbage collector, readers whose sockets do not take what there is for them.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import simpy

from benchmarks.simulation.costs import Costs

LOOK_SECONDS = 0.01  # of the bus
Happening = Generator[simpy.Event, Any, None]


@dataclass(eq=False)
class Message:
    said: float
    waits_for: int  # servers that have not shown it to all of their readers
    shown: float = 0.0  # when the last of them had


@dataclass(eq=False)
class Server:
    """`readers` of the room on it, `core` that it has, perhaps with others. `phase`: when it looks at the
    bus.
    """

    readers: int
    core: simpy.Resource
    phase: float
    notices: list[list[Message]] = field(default_factory=list)
    looks: bool = False  # whether it will, because there is something
    busy: float = 0.0
    delivered: int = 0


class Chat:
    """`readers`: of each server. `cores`: which of them has which, by number. The first server keeps what is
    said. `fsync`: seconds. `through(message)`: called when everybody has it.
    """

    def __init__(
        self,
        world: simpy.Environment,
        costs: Costs,
        readers: Sequence[int],
        cores: Sequence[int],
        random: Random,
        fsync: float,
        through: Callable[[Message], None],
    ) -> None:
        self.world, self._costs, self._fsync, self._through = world, costs, fsync, through
        resources = [simpy.Resource(world) for _ in range(max(cores) + 1)]
        self.servers = [
            Server(count, resources[core], random.uniform(0, LOOK_SECONDS))
            for count, core in zip(readers, cores, strict=True)
        ]
        self.queue: list[Message] = []  # not kept yet
        self._keeping = False

    def say(self) -> Message:
        message = Message(self.world.now, len(self.servers))
        self.queue.append(message)
        if not self._keeping:
            self._keeping = True
            self.world.process(self._keep())
        return message

    def cpu(self) -> float:
        """Of all servers so far, with what they spend on nobody."""
        return sum(server.busy + self._costs.alone * self.world.now for server in self.servers)

    def _keep(self) -> Happening:
        first, *others = self.servers
        while self.queue:
            group, self.queue = self.queue, []
            yield from self._work(first, self._costs.message(len(group)))
            yield self.world.timeout(self._fsync)
            for server in others:
                self._tell(server, group)
            yield from self._show(first, group)
        self._keeping = False

    def _tell(self, server: Server, group: list[Message]) -> None:
        server.notices.append(group)
        if not server.looks:
            server.looks = True
            self.world.process(self._listen(server))

    def _listen(self, server: Server) -> Happening:
        yield self.world.timeout(LOOK_SECONDS - (self.world.now - server.phase) % LOOK_SECONDS)
        while server.notices:
            notices, server.notices = server.notices, []
            yield from self._work(server, self._costs.looked + self._costs.heard * len(notices))
            for group in notices:
                yield from self._show(server, group)
        server.looks = False

    def _show(self, server: Server, group: list[Message]) -> Happening:
        yield from self._work(server, server.readers * self._costs.delivery(len(group)))
        server.delivered += server.readers * len(group)
        for message in group:
            message.waits_for -= 1
            if not message.waits_for:
                message.shown = self.world.now
                self._through(message)

    def _work(self, server: Server, seconds: float) -> Happening:
        with server.core.request() as turn:
            yield turn
            yield self.world.timeout(seconds)
        server.busy += seconds


def in_flight(
    costs: Costs, readers: Sequence[int], cores: Sequence[int], window: int, messages: int, seed: int = 1
) -> Chat:
    """As `bin/bench` measures: the next one is said when one is through. Returns when `messages` are."""
    world = simpy.Environment()
    ended = world.event()
    count = 0

    def through(message: Message) -> None:
        nonlocal count
        count += 1
        if count < messages:
            chat.say()
        elif not ended.triggered:
            ended.succeed()

    chat = Chat(world, costs, readers, cores, Random(seed), 0.0, through)
    for _ in range(window):
        chat.say()
    world.run(ended)
    return chat


def at_a_pace(
    costs: Costs, readers: Sequence[int], rate: float, seconds: float, fsync: float = 0.001, seed: int = 1
) -> tuple[Chat, list[Message]]:
    """`rate` messages a second, as chance has them, for `seconds`; each server has a core. What is not
    through by then has `shown` 0.
    """
    world = simpy.Environment()
    random = Random(seed)
    chat = Chat(world, costs, readers, range(len(readers)), random, fsync, lambda message: None)
    said: list[Message] = []

    def speak() -> Happening:
        while True:
            yield world.timeout(random.expovariate(rate))
            said.append(chat.say())

    world.process(speak())
    world.run(seconds)
    return chat, said
