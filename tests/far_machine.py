"""A machine at the other end of a cable, which can be pulled: network namespaces of the test's own."""

import ctypes
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients import UNIT
from tests.raw_socket import RawSocket
from tests.servers import Server

CLONE_NEWNET = 0x40000000  # sched.h


class Machine:
    """Where a program of the tests runs: here, at an address of its `own`."""

    network = ""  # the file of its network namespace, if it has one of its own

    def __init__(self, own: str) -> None:
        self.own = own

    @property
    def listens(self) -> str:
        """At what who is to be reached there listens."""
        return self.own

    @property
    def under(self) -> list[str]:
        """In front of a command that is to run there."""
        return ["nsenter", f"--net={self.network}"] if self.network else []


class FarMachine(Machine):
    """`address` is the near machine's on the cable; a server has to listen there: `server.start("-b", far.bind)`.

    `own` is its own one; all that it sends to others goes to the near machine.
    """

    def __init__(self, number: int) -> None:
        self.name, cable = f"chat{os.getpid()}-{number}", f"cable{number}"
        network = f"198.18.{number}."  # for tests of networks, RFC 2544
        super().__init__(f"{network}2")
        self.address, self.cable = f"{network}1", cable
        self.network = f"/run/netns/{self.name}"

    def plug_in(self) -> None:
        """Make it, and its cable."""
        ip(f"netns add {self.name}")
        ip(f"link add {self.cable} type veth peer name cable netns {self.name}")
        ip(f"addr add {self.address}/30 dev {self.cable}")
        ip(f"link set {self.cable} up")
        ip(f"-n {self.name} addr add {self.own}/30 dev cable")
        for device in ("cable", "lo"):
            ip(f"-n {self.name} link set {device} up")
        ip(f"-n {self.name} route add default via {self.address}")

    @property
    def bind(self) -> str:
        return f"{self.address}:0"

    @property
    def listens(self) -> str:
        return "*"  # it may get other addresses, too

    def open(self, server: Server) -> RawSocket:
        """A connection from there to `server`."""
        return _FarSocket(self, server)

    def pull_the_cable(self) -> None:
        """From now on nobody at that address is even found."""
        ip(f"-n {self.name} link set cable down")

    def fall_silent(self) -> None:
        """From now on what is sent there gets lost, as behind a router that is fine."""
        ip(f"-n {self.name} route add blackhole {self.address}/32")

    def be_heard_again(self) -> None:
        ip(f"-n {self.name} route del blackhole {self.address}/32")

    def remove(self) -> None:
        if Path(self.network).exists():
            ip(f"netns del {self.name}")  # the cable goes with it

    def connect(self, port: int) -> socket.socket:
        connected: list[socket.socket] = []

        def within() -> None:  # a thread has a network namespace of its own, and a socket keeps it
            with open(self.network) as namespace:
                _libc("setns", namespace.fileno(), CLONE_NEWNET)
            connected.append(socket.create_connection((self.address, port), timeout=UNIT))

        thread = threading.Thread(target=within)
        thread.start()
        thread.join()
        return connected[0]


class _FarSocket(RawSocket):
    def __init__(self, machine: FarMachine, server: Server) -> None:
        bound = re.search(rf"http://{re.escape(machine.address)}:(\d+)", "".join(server.log))
        assert bound
        self.sock = machine.connect(int(bound[1]))
        self._host = f"{machine.address}:{bound[1]}"
        self._buffer = b""


@contextmanager
def far_machines(count: int) -> Iterator[list[FarMachine]]:
    """So many of them; the test is skipped where there can be none."""
    try:
        with machines(count) as made:
            yield made
    except NoMachines as none:
        pytest.skip(str(none))


class NoMachines(Exception):
    """There can be none here."""


@contextmanager
def machines(count: int) -> Iterator[list[FarMachine]]:
    """So many of them. Raises NoMachines.

    Meanwhile the caller itself is on the near machine, and so is every server that it starts. That one is a
    namespace too: where the network of the real machine changes, a browser beside us gives up what it is
    just loading (ERR_NETWORK_CHANGED).
    """
    with open("/proc/thread-self/ns/net") as home:
        try:
            _libc("unshare", CLONE_NEWNET)
        except OSError as error:
            raise NoMachines(f"no network namespaces here: {error}") from None
        made: list[FarMachine] = []
        try:
            try:
                ip("link set lo up")
                for number in range(count):
                    made.append(FarMachine(number))
                    made[-1].plug_in()
            except (FileNotFoundError, subprocess.CalledProcessError) as error:
                said = getattr(error, "stderr", None) or error
                raise NoMachines(f"no network namespaces here: {str(said).strip()}") from None
            yield made
        finally:
            for machine in made:
                machine.remove()
            _libc("setns", home.fileno(), CLONE_NEWNET)


def _libc(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def ip(arguments: str) -> None:
    """Of iproute2."""
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, text=True)
