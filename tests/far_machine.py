"""A machine at the other end of a cable, which can be pulled: a network namespace of the test's own."""

import ctypes
import itertools
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.clients import UNIT
from tests.raw_socket import RawSocket
from tests.servers import Server

CLONE_NEWNET = 0x40000000  # sched.h
_numbers = itertools.count()


class FarMachine:
    """`address` is this machine's on the cable; a server has to listen there: `server.start("-b", far.bind)`."""

    def __init__(self) -> None:
        number = (os.getpid() * 8 + next(_numbers)) % 2**15  # of the /30 networks in 198.18.0.0/15 (RFC 2544)
        self.name, self._cable = f"chat{number}", f"near{number}"
        network = f"198.{18 + number // 2**14}.{number // 64 % 256}."
        self.address, self._own = f"{network}{number % 64 * 4 + 1}", f"{network}{number % 64 * 4 + 2}"
        _ip(f"netns add {self.name}")
        _ip(f"link add {self._cable} type veth peer name cable netns {self.name}")
        _ip(f"addr add {self.address}/30 dev {self._cable}")
        _ip(f"link set {self._cable} up")
        _ip(f"-n {self.name} addr add {self._own}/30 dev cable")
        _ip(f"-n {self.name} link set cable up")

    @property
    def bind(self) -> str:
        return f"{self.address}:0"

    def open(self, server: Server) -> RawSocket:
        """A connection from there to `server`."""
        return _FarSocket(self, server)

    def pull_the_cable(self) -> None:
        """From now on nobody at that address is even found."""
        _ip(f"-n {self.name} link set cable down")

    def fall_silent(self) -> None:
        """From now on what is sent there gets lost, as behind a router that is fine."""
        _ip(f"-n {self.name} route add blackhole {self.address}/32")

    def remove(self) -> None:
        _ip(f"netns del {self.name}")  # the cable goes with it

    def connect(self, port: int) -> socket.socket:
        connected: list[socket.socket] = []

        def within() -> None:  # a thread has a network namespace of its own, and a socket keeps it
            with open(f"/run/netns/{self.name}") as namespace:
                if ctypes.CDLL(None).setns(namespace.fileno(), CLONE_NEWNET) == 0:
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
    machines: list[FarMachine] = []
    try:
        while len(machines) < count:
            machines.append(FarMachine())
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', '') or error}")
    try:
        yield machines
    finally:
        for machine in machines:
            machine.remove()


def _ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, text=True)
