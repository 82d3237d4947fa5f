"""What is tortured: servers, their database, what is between them, and the trouble that it can have."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from tests.faults import Faults
from tests.servers import Server
from tests.torture.databases import ChatFile, Database, PostgresDatabase
from tests.torture.history import History
from tests.torture.nemesis import Processes, Troublemaker
from tests.torture.stores import FileStore, PostgresStore, Store

SYNC = 20  # milliseconds that each sync takes longer: what is shown before it is seen long before it is kept
SETTINGS = {
    "heartbeat": "2",
    "busy_seconds": "1",
    "backlog": "20",  # far less than a reader misses: most who come back are served from the journal
    "room_idle_seconds": "2",
}
Trouble = Mapping[str, list[Troublemaker]]  # by the name of its group


class Site(ABC):
    """`servers`, each with its own of `disks`, on one `database`."""

    servers: list[Server]
    disks: list[Faults]
    database: Database

    @property
    @abstractmethod
    def address(self) -> tuple[str, int]:
        """Where clients reach it."""

    @abstractmethod
    def trouble(self, history: History, seed: int) -> Trouble:
        """What can happen to it."""

    def start(self) -> None:
        """All of it, for the first time."""
        self.database.start()
        for server in self.servers:
            server.configure(**self.database.settings)
            server.start()

    def restart(self, workers: int) -> None:
        """The servers, with so many workers each."""
        for server in self.servers:
            server.stop()
            server.workers = workers
            server.start()

    def stop(self) -> None:
        """The servers, in good order."""
        for server in self.servers:
            server.stop()

    def kill(self) -> None:
        """The servers, whatever they do."""
        for server in self.servers:
            server.kill()

    def close(self) -> None:
        """All of it, for good."""
        self.kill()
        self.database.close()

    def _add(self, instance: Path, code: Path, workers: int, settings: Mapping[str, str]) -> Server:
        disk = Faults(instance)
        disk.slow_down("chat.db", SYNC)
        server = Server(instance, workers, **{**SETTINGS, **settings})
        server.root = code
        server.settings.update(disk.environ)
        self.servers.append(server)
        self.disks.append(disk)
        return server


class OneMachine(Site):
    """One server, with all that it needs beside it."""

    def __init__(
        self, folder: Path, code: Path, workers: int, settings: Mapping[str, str], postgres: bool
    ) -> None:
        self.servers, self.disks = [], []
        self._server = self._add(folder / "instance", code, workers, settings)
        self.database = PostgresDatabase() if postgres else ChatFile(self._server.instance)

    @property
    def address(self) -> tuple[str, int]:
        return self._server.address, self._server.port

    def trouble(self, history: History, seed: int) -> Trouble:
        stores: list[Troublemaker]
        if isinstance(self.database, PostgresDatabase):
            stores = [
                Store(history, seed, self._server, self.disks[0]),
                PostgresStore(history, seed, self.database),
            ]
        else:
            stores = [FileStore(history, seed, self._server, self.disks[0])]
        return {"processes": [Processes(history, seed, self._server)], "store": stores}
