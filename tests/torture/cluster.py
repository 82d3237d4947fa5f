"""Several machines: three servers behind nginx, PostgreSQL with its standby, each on a machine of its own."""

import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from chatapp.keys import NAMES as KEYS
from tests.addresses import free_port
from tests.far_machine import Machine
from tests.nginx import Program, in_front
from tests.postgres import PORT as POSTGRES
from tests.postgres import Postgres
from tests.redis_server import PORT as REDIS
from tests.redis_server import RedisServer
from tests.servers import Server
from tests.torture.databases import PostgresDatabase
from tests.torture.history import History
from tests.torture.nemesis import Processes, Troublemaker, tell
from tests.torture.nets import How, Net, net
from tests.torture.sites import Site, Trouble
from tests.torture.stores import PostgresStore, Store
from tests.torture.versions import itinerary

SERVERS = 3
PATIENCE = 30  # seconds that nginx waits for a server's next word; a poll ends after 25 at the latest


class Partitions(Troublemaker):
    """Two of the cluster cannot reach each other for a while, or one cannot reach the other. `links`: pairs of them,
    by what they are between."""

    deeds = (
        *["part_from_database"] * 3,
        *["part_from_bus"] * 2,
        *["part_from_front"] * 2,
        "part_standby",
    )
    pause = 3.0

    def __init__(
        self, history: History, seed: int, net: Net, links: Mapping[str, Sequence[tuple[Machine, Machine]]]
    ) -> None:
        super().__init__(history, seed)
        self._net, self._links = net, links

    def part_from_database(self) -> None:
        """A server and the database."""
        self._part("database")

    def part_from_bus(self) -> None:
        """A server and the bus."""
        self._part("bus")

    def part_from_front(self) -> None:
        """A server and nginx."""
        self._part("front")

    def part_standby(self) -> None:
        """The database and its standby."""
        self._part("standby")

    def _part(self, name: str) -> None:
        one, other = self.chance.choice(self._links[name])
        ways = [(one, other), (other, one)]
        ways = self.chance.choice((ways, ways, ways[:1], ways[1:]))
        how: How = self.chance.choice(("blackhole", "blackhole", "unreachable"))
        for way in ways:
            self._net.cut(*way, how)
        self.history.count(f"partitions from the {name}")
        try:
            self._for_a_while(0.3, 8)
        finally:
            for way in ways:
                self._net.mend(*way, how)


class Front(Troublemaker):
    """nginx is killed and comes back."""

    deeds = ("kill_front",)
    pause = 15.0

    def __init__(self, history: History, seed: int, nginx: Program) -> None:
        super().__init__(history, seed)
        self._nginx = nginx

    def kill_front(self) -> None:
        self._nginx.kill()
        self._for_a_while(0, 2)
        self._nginx.start()
        self.history.count("proxies killed")


class Bus(Troublemaker):
    """The bus is killed, and has forgotten everything when it comes back; or it stands still."""

    deeds = ("kill_bus", "freeze_bus")
    pause = 8.0

    def __init__(self, history: History, seed: int, bus: RedisServer | Postgres) -> None:
        super().__init__(history, seed)
        self._bus = bus

    def kill_bus(self) -> None:
        self._bus.kill()
        self._for_a_while(0, 5)
        self._bus.start()
        self.history.count("buses killed")

    def freeze_bus(self) -> None:
        frozen = self._bus.pids
        for pid in frozen:
            tell(pid, signal.SIGSTOP)
        self._for_a_while(0.5, 8)
        for pid in frozen:
            tell(pid, signal.SIGCONT)
        self.history.count("buses frozen for a while")


class OneOfMany(Processes):
    """The same as with a server that is alone, more seldom; and it changes its version, up and down."""

    deeds = (*Processes.deeds, *["change_version"] * 3)
    pause = Processes.pause * SERVERS

    def __init__(
        self,
        history: History,
        seed: int,
        server: Server,
        versions: Iterator[Path],
        become: Callable[[Server, Path], str],
    ) -> None:
        super().__init__(history, seed, server)
        self._versions, self._become = versions, become

    def change_version(self) -> None:
        """It ends in good order, and the next of its versions starts on what it leaves."""
        self.heal()
        self._server.stop()
        self.history.count(self._become(self._server, next(self._versions)))
        self._start()


class Cluster(Site):
    """Each server starts as one of `versions`, which are checkouts, this one first. `bus`: "redis" or "postgresql".
    `kind`: of the net between the machines. Raises NoMachines.
    """

    database: PostgresDatabase

    def __init__(
        self,
        folder: Path,
        versions: Sequence[Path],
        bus: str,
        kind: str,
        workers: int,
        settings: Mapping[str, str],
    ) -> None:
        self.servers, self.disks = [], []
        self._port = free_port()
        self._folder, self._versions = folder, versions
        with ExitStack() as made:  # where one part cannot be had, those before it are given back
            self._net = made.enter_context(net(SERVERS + 4, kind))
            *self._served, primary, standby, self._beside, self._front = self._net.machines
            self.database = PostgresDatabase((primary, standby), self._net)
            made.callback(self.database.close)
            self._bus = RedisServer(self._beside) if bus == "redis" else Postgres(machine=self._beside)
            made.callback(self._bus.close)
            self._stack = made.pop_all()
        self._links = {
            "bus": [(machine, self._beside) for machine in self._served],
            "database": [(machine, self._net.database) for machine in self._served],
            "front": [(machine, self._front) for machine in self._served],
            "standby": [(primary, standby)],
        }
        self._next = [itinerary(versions[0], versions[1:], number) for number in range(SERVERS)]
        for number, machine in enumerate(self._served):
            server = self._add(folder / f"instance{number}", next(self._next[number]), workers, settings)
            server.address, server.network, server.port = machine.own, machine.network, free_port()
            server.configure(trusted_proxies="1")

    @property
    def address(self) -> tuple[str, int]:
        return self._front.own, self._port

    def start(self) -> None:
        self.database.start()
        self._bus.start()
        redis = isinstance(self._bus, RedisServer)
        there = self._bus.url if isinstance(self._bus, RedisServer) else self._bus.database()
        first, seen = self.servers[0], self._net.address
        self._bus_urls, hosts = dict[Server, str](), list[str]()
        for server, machine in zip(self.servers, self._served, strict=True):
            database = seen(self._net.database, machine, POSTGRES)
            server.configure(database_url=self.database.url(database))
            bus = seen(self._beside, machine, REDIS if redis else POSTGRES)
            self._bus_urls[server] = there.replace(self._beside.own, bus)
            hosts.append(f"{seen(machine, self._front, server.port)}:{server.port}")
            self._become(server, server.root)
            if server is not first:
                self._share(first.instance, server.instance)
            server.start()
        folder = self._folder / "nginx"
        folder.mkdir()
        self._nginx = in_front(self._front, self._port, hosts, folder, PATIENCE)
        self._stack.callback(self._nginx.kill)

    def close(self) -> None:
        with self._stack:
            self.kill()

    def trouble(self, history: History, seed: int) -> Trouble:
        this, *earlier = self._versions
        for version in earlier:  # what comes to nothing is to be seen, too
            for change in ((version, this), (this, version)):
                history.count(self._change(*change), 0)
        processes, stores = list[Troublemaker](), list[Troublemaker]()
        for number, (server, disk) in enumerate(zip(self.servers, self.disks, strict=True)):
            chance, versions = seed + 100 * number, self._next[number]
            processes.append(OneOfMany(history, chance, server, versions, self._become))
            store = Store(history, chance, server, disk)
            store.deeds, store.pause = ("set_clock",), store.pause * SERVERS
            stores.append(store)
        return {
            "processes": [*processes, Front(history, seed, self._nginx)],
            "network": [Partitions(history, seed, self._net, self._links)],
            "store": [*stores, PostgresStore(history, seed, self.database), Bus(history, seed, self._bus)],
        }

    def _become(self, server: Server, code: Path) -> str:
        """The `server` that starts next is that version; what is then counted. Before there were other buses, each
        machine had its own.
        """
        change = self._change(server.root, code)
        server.root = code
        if (code / "chatapp/bus/network.py").exists():
            server.configure(bus_url=self._bus_urls[server])
        else:
            server.settings.pop("CHATAPP_BUS_URL", None)
        return change

    def _change(self, before: Path, after: Path) -> str:
        if after == self._versions[0]:
            return f"upgrades from {before.name}"
        return f"downgrades to {after.name}"

    @staticmethod
    def _share(one: Path, other: Path) -> None:
        """What servers of several machines have to have in common."""
        other.mkdir(mode=0o700)
        for name in KEYS:
            if (one / name).exists():
                shutil.copy(one / name, other / name)
        (other / "uploads").symlink_to(one / "uploads")
