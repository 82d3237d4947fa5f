"""The servers that run on this instance folder, as the kernel knows them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from chatapp.config import Config, file_in
from chatapp.doctor.finding import Findings, error, warning

LISTENING = "0A"  # the state of a socket of TCP's; include/net/tcp_states.h
ACCEPTS = 0x10000  # the flag of a Unix socket on which somebody listens


class Running(Struct, frozen=True):
    """A server: its master's process id, and how many workers it has."""

    master: int
    workers: int


def running(config: Config, proc: Path) -> list[Running]:
    """Who listens at an address and has files of this instance open. Of other users' processes only root
    learns anything.
    """
    folder = os.path.join(os.path.realpath(config.instance_path), "")
    found: dict[int, set[str]] = {}
    for process in _processes(proc):
        files = _files(proc, process)
        here = any(file.startswith(folder) for file in files)
        addresses = files & _listening(proc, process) if here else set()
        if addresses:
            found[process] = addresses
    masters: dict[int, set[str]] = {}
    for process, addresses in found.items():
        parent = _parent(proc, process)
        master = parent if addresses & _files(proc, parent) else process
        masters[master] = addresses
    return [Running(master, _workers(proc, master, masters)) for master in sorted(masters)]


def _workers(proc: Path, master: int, masters: dict[int, set[str]]) -> int:
    """How many serve its addresses. Not each has files of the instance open: those of one chat on several
    machines may have none but what one of them keeps for all, the search index.
    """
    children = {process for process in _processes(proc) if _parent(proc, process) == master} - masters.keys()
    serving = [child for child in children if masters[master] & _files(proc, child)]
    return len(serving) or 1  # it serves by itself


def examine(servers: list[Running], config: Config, proc: Path) -> Findings:
    yield from _several(servers, proc)
    if servers:
        yield from _elsewhere(servers, config, proc)


def _elsewhere(servers: list[Running], config: Config, proc: Path) -> Findings:
    """Whether they go by other settings than this process, as far as the files tell that they have open."""
    masters = {server.master for server in servers}
    theirs = {process for process in _processes(proc) if {process, _parent(proc, process)} & masters}
    files = {file.removesuffix(" (deleted)") for process in theirs for file in _files(proc, process)}
    if os.path.realpath(config.path("search.db")) not in files:
        return  # they have just begun: that one is opened last, whatever their settings are

    def same(url: str, default: str) -> bool:
        path = file_in(url)
        if path:
            return os.path.realpath(path) in files
        return os.path.realpath(config.path(default)) not in files

    urls = {
        "CHATAPP_DATABASE_URL": (config.database_url, "chat.db"),
        "CHATAPP_BUS_URL": (config.bus_url, "bus.db"),
    }
    others = [name for name, (url, default) in urls.items() if not same(url, default)]
    if others:
        yield error(
            "other-settings",
            f"the server ({', '.join(map(str, sorted(masters)))}) has not {' and '.join(others)} as it is "
            "here",
            "what these commands show, change and back up is not what people see, or is told to them late",
            f"in {config.path('config.py')} a setting holds for the server and these commands; what only the "
            "server's environment has, give these commands as well",
        )


def _several(servers: list[Running], proc: Path) -> Findings:
    """Several at one address are one that is just being replaced."""
    addresses: list[set[str]] = []
    for server in servers:
        own = _files(proc, server.master) & _listening(proc, server.master)
        if not any(own & others for others in addresses):
            addresses.append(own)
    if len(addresses) > 1:
        masters = ", ".join(str(server.master) for server in servers)
        yield warning(
            "several-servers",
            f"several servers run on this instance folder: processes {masters}",
            "each counts its own rates and connections; after an upgrade one of them may be the older "
            "version",
            f"kill -TERM {servers[0].master}, or whichever is not to be there; more workers: bin/serve -w 4",
        )


def _processes(proc: Path) -> Iterator[int]:
    with suppress(OSError):
        yield from (int(name) for name in os.listdir(proc) if name.isdigit() and int(name) != os.getpid())


def _files(proc: Path, process: int) -> set[str]:
    """What it has open: paths, and sockets as `socket:[number]`."""
    found = set()
    with suppress(OSError):
        for entry in os.scandir(proc / str(process) / "fd"):
            with suppress(OSError):  # it was closed meanwhile
                found.add(os.readlink(entry.path))
    return found


def _listening(proc: Path, process: int) -> set[str]:
    numbers = set()
    for kind in ("tcp", "tcp6"):
        for fields in _table(proc / str(process) / "net" / kind):
            if fields[3] == LISTENING:
                numbers.add(fields[9])
    for fields in _table(proc / str(process) / "net" / "unix"):
        if int(fields[3], 16) & ACCEPTS:
            numbers.add(fields[6])
    return {f"socket:[{number}]" for number in numbers}


def _table(path: Path) -> Iterator[list[str]]:
    with suppress(OSError):
        yield from (line.split() for line in path.read_text().splitlines()[1:])


def _parent(proc: Path, process: int) -> int:
    with suppress(OSError):
        status = (proc / str(process) / "stat").read_text()
        return int(status.rpartition(")")[2].split()[1])  # behind the name, which may have blanks in it
    return 0
