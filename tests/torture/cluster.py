"""Several machines: three servers behind nginx, PostgreSQL with its standby, each on a machine of its own."""

import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from chatapp.keys import NAMES as KEYS
from tests.addresses import free_port
from tests.far_machine import FarMachine, ip, machines
from tests.nginx import Program, in_front
from tests.postgres import Postgres
from tests.redis_server import RedisServer
from tests.servers import ROOT, Server
from tests.torture.databases import DATABASE, PostgresDatabase
from tests.torture.history import History
from tests.torture.nemesis import Processes, Troublemaker, tell
from tests.torture.sites import Site, Trouble
from tests.torture.stores import PostgresStore, Store

SERVERS = 3
PATIENCE = 30  # seconds that nginx waits for a server's next word; a poll ends after 25 at the latest


class Router:
    """What is between the machines: all that one sends to another goes through it, or gets lost in it."""

    def __init__(self) -> None:
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")

    def cut(self, way: str, how: str) -> None:
        """What goes that `way` ("from ADDRESS to ADDRESS") gets lost.

        `how`: "blackhole", without a word, or "unreachable", with one to its sender.
        """
        ip(f"rule add {way} {how}")

    def mend(self, way: str, how: str) -> None:
        """It arrives again."""
        ip(f"rule del {way} {how}")

    def move(self, machine: FarMachine) -> None:
        """The database's address is that machine's from now on."""
        ip(f"route replace {DATABASE}/32 via {machine.own}")


class Partitions(Troublemaker):
    """Two of the cluster cannot reach each other for a while, or one cannot reach the other. `links`: pairs of
    addresses, by what they are between."""

    deeds = (
        *["part_from_database"] * 3,
        *["part_from_bus"] * 2,
        *["part_from_front"] * 2,
        "part_standby",
    )
    pause = 3.0

    def __init__(
        self, history: History, seed: int, router: Router, links: Mapping[str, Sequence[tuple[str, str]]]
    ) -> None:
        super().__init__(history, seed)
        self._router, self._links = router, links

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
        ways = [f"from {one} to {other}", f"from {other} to {one}"]
        ways = self.chance.choice((ways, ways, ways[:1], ways[1:]))
        how = self.chance.choice(("blackhole", "blackhole", "unreachable"))
        for way in ways:
            self._router.cut(way, how)
        self.history.count(f"partitions from the {name}")
        try:
            self._for_a_while(0.3, 8)
        finally:
            for way in ways:
                self._router.mend(way, how)


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
        versions: Sequence[Path],
        become: Callable[[Server, Path], None],
    ) -> None:
        super().__init__(history, seed, server)
        self._versions, self._become = versions, become

    def change_version(self) -> None:
        """It ends in good order, and another version starts on what it leaves."""
        self.heal()
        self._server.stop()
        others = [version for version in self._versions if version != self._server.root]
        self._become(self._server, self.chance.choice(others or self._versions))
        self.history.count("upgrades and downgrades")
        self._start()


class Cluster(Site):
    """Each server starts as one of `versions`, which are checkouts. `bus`: "redis" or "postgresql". Raises NoMachines."""

    database: PostgresDatabase

    def __init__(
        self, folder: Path, versions: Sequence[Path], bus: str, workers: int, settings: Mapping[str, str]
    ) -> None:
        self.servers, self.disks = [], []
        self._port = free_port()
        self._folder, self._versions = folder, versions
        with ExitStack() as made:  # where one part cannot be had, those before it are given back
            *served, primary, standby, beside, self._front = made.enter_context(machines(SERVERS + 4))
            self._router = Router()
            for machine in (primary, standby):
                ip(f"-n {machine.name} addr add {DATABASE}/32 dev lo")
            self.database = PostgresDatabase((primary, standby), self._router.move)
            made.callback(self.database.close)
            self._bus = RedisServer(beside) if bus == "redis" else Postgres(machine=beside)
            made.callback(self._bus.close)
            self._stack = made.pop_all()
        self._links = {
            "bus": [(machine.own, beside.own) for machine in served],
            "database": [(machine.own, DATABASE) for machine in served],
            "front": [(machine.own, self._front.own) for machine in served],
            "standby": [(primary.own, standby.own)],
        }
        for number, machine in enumerate(served):
            code = versions[number % len(versions)]
            server = self._add(folder / f"instance{number}", code, workers, settings)
            server.address, server.network = machine.own, machine.network
            server.configure(trusted_proxies="1")

    @property
    def address(self) -> tuple[str, int]:
        return self._front.own, self._port

    def start(self) -> None:
        self.database.start()
        self._bus.start()
        self._bus_url = self._bus.url if isinstance(self._bus, RedisServer) else self._bus.database()
        first = self.servers[0]
        for server in self.servers:
            server.configure(**self.database.settings)
            self._become(server, server.root)
            if server is not first:
                self._share(first.instance, server.instance)
            server.start()
        folder = self._folder / "nginx"
        folder.mkdir()
        self._nginx = in_front(self._front, self._port, self.servers, folder, PATIENCE)
        self._stack.callback(self._nginx.kill)

    def close(self) -> None:
        with self._stack:
            self.kill()

    def trouble(self, history: History, seed: int) -> Trouble:
        processes, stores = list[Troublemaker](), list[Troublemaker]()
        for number, (server, disk) in enumerate(zip(self.servers, self.disks, strict=True)):
            processes.append(OneOfMany(history, seed + 100 * number, server, self._versions, self._become))
            store = Store(history, seed + 100 * number, server, disk)
            store.deeds, store.pause = ("set_clock",), store.pause * SERVERS
            stores.append(store)
        return {
            "processes": [*processes, Front(history, seed, self._nginx)],
            "network": [Partitions(history, seed, self._router, self._links)],
            "store": [*stores, PostgresStore(history, seed, self.database), Bus(history, seed, self._bus)],
        }

    def _become(self, server: Server, code: Path) -> None:
        """The `server` that starts next is that version. Before there were other buses, each machine had its own."""
        server.root = code
        if (code / "chatapp/bus/network.py").exists():
            server.configure(bus_url=self._bus_url)
        else:
            server.settings.pop("CHATAPP_BUS_URL", None)

    @staticmethod
    def _share(one: Path, other: Path) -> None:
        """What servers of several machines have to have in common."""
        other.mkdir(mode=0o700)
        for name in KEYS:
            if (one / name).exists():
                shutil.copy(one / name, other / name)
        (other / "uploads").symlink_to(one / "uploads")


def checkout(revision: str, folder: Path) -> Path:
    """That version of the program, below `folder`."""
    code = folder / revision
    code.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", code], input=archive, check=True)
    return code


def earlier_versions() -> list[str]:
    """The first and the newest tag; where there is none yet, the first commit that knows PostgreSQL. None at all
    where git says nothing, as of a checkout that is somebody else's.
    """
    if tags := _git("tag", "--list", "v*", "--sort=v:refname"):
        return list(dict.fromkeys((tags[0], tags[-1])))
    return _git("log", "--diff-filter=A", "--format=%h", "--", "chatapp/journal/postgres_connections.py")[-1:]


def _git(*arguments: str) -> list[str]:
    with suppress(FileNotFoundError):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.split()
    return []
