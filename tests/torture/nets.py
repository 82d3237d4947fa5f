"""What is between the machines of a cluster, and loses what one sends to another: networks of their own with a router,
or, where nobody may make any, loopback addresses with a proxy on each way.

With proxies the kernel at the other end always lives. What is sent meanwhile waits, and comes in the end; a connection
is accepted by the proxy in any case. So there is nothing of what TCP does about packets that get lost: no connecting
that takes too long, no back-off, no line that is dead on one side only and is found by keep-alives or TCP_USER_TIMEOUT.
And nothing keeps the machines from a way around the proxies, or gives them ports of their own.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from tests.far_machine import FarMachine, Machine, NoMachines, ip, machines
from tests.torture.proxy import Proxy

DATABASE = "198.19.0.1"  # an address that moves to whichever database writes
ANY, NAMESPACES, LOOPBACK = KINDS = ("any", "namespaces", "loopback")

How = Literal["blackhole", "unreachable"]  # what gets lost without a word, and with one to its sender


class Net(ABC):
    """`machines`, and `database`: whichever of them it was moved to."""

    machines: list[Machine]
    database: Machine

    @abstractmethod
    def address(self, of: Machine, seen_by: Machine, port: int) -> str:
        """At which one reaches that port of the other."""

    @abstractmethod
    def cut(self, one: Machine, other: Machine, how: How) -> None:
        """What `one` sends to `other` gets lost."""

    @abstractmethod
    def mend(self, one: Machine, other: Machine, how: How) -> None:
        """It arrives again."""

    @abstractmethod
    def move(self, machine: Machine) -> None:
        """The database is that machine from now on."""


class Namespaces(Net):
    """A network namespace for each, and a router between all of them. Raises NoMachines."""

    def __init__(self, made: Sequence[FarMachine]) -> None:
        self.machines, self.database = list(made), Machine(DATABASE)
        try:
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        except OSError as error:
            raise NoMachines(f"no router between network namespaces here: {error}") from None

    def address(self, of: Machine, seen_by: Machine, port: int) -> str:
        return of.own

    def cut(self, one: Machine, other: Machine, how: How) -> None:
        ip(f"rule add from {one.own} to {other.own} {how}")

    def mend(self, one: Machine, other: Machine, how: How) -> None:
        ip(f"rule del from {one.own} to {other.own} {how}")

    def move(self, machine: Machine) -> None:
        assert isinstance(machine, FarMachine)
        ip(f"-n {machine.name} addr replace {DATABASE}/32 dev lo")
        ip(f"route replace {DATABASE}/32 via {machine.own}")


class Loopback(Net):
    """A loopback address for each, and for each way between two of them, at which a proxy listens."""

    def __init__(self, count: int) -> None:
        mine = os.getpid()  # another run beside this one has others
        self._addresses = (f"127.{mine // 200 % 200 + 1}.{mine % 200}.{number}" for number in range(1, 255))
        self.machines = [Machine(next(self._addresses)) for _ in range(count)]
        self.database = Machine("")
        self._primary = self.machines[0]
        self._proxies: dict[tuple[Machine, Machine], Proxy] = {}

    def address(self, of: Machine, seen_by: Machine, port: int) -> str:
        way = seen_by, of
        if way not in self._proxies:
            self._proxies[way] = Proxy(lambda: (self._where(of), port), (next(self._addresses), port))
        return self._proxies[way].address[0]

    def cut(self, one: Machine, other: Machine, how: How) -> None:
        if proxy := self._proxies.get((one, other)):
            proxy.way.there.clear()
            proxy.way.refused = how == "unreachable"
        if proxy := self._proxies.get((other, one)):
            proxy.way.back.clear()

    def mend(self, one: Machine, other: Machine, how: How) -> None:
        if proxy := self._proxies.get((one, other)):
            proxy.way.refused = False
            proxy.way.there.set()
        if proxy := self._proxies.get((other, one)):
            proxy.way.back.set()

    def move(self, machine: Machine) -> None:
        self._primary = machine

    def close(self) -> None:
        for proxy in self._proxies.values():
            proxy.stop()

    def _where(self, machine: Machine) -> str:
        return self._primary.own if machine is self.database else machine.own


@contextmanager
def net(count: int, kind: str) -> Iterator[Net]:
    """With so many machines; `kind`: one of KINDS. Raises NoMachines where there can be none of that kind."""
    with ExitStack() as made:
        yield _made(made, count, kind)


def _made(made: ExitStack, count: int, kind: str) -> Net:
    if kind != LOOPBACK:
        try:
            with ExitStack() as tried:
                namespaces = Namespaces(tried.enter_context(machines(count)))
                made.enter_context(tried.pop_all())
                return namespaces
        except NoMachines as none:
            if kind == NAMESPACES:
                raise
            print(f"{none}; loopback addresses and a proxy on each way between them instead", flush=True)
    loopback = Loopback(count)
    made.callback(loopback.close)
    return loopback
