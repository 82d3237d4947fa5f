"""What servers beside ours need: a port that nobody has, and a certificate for this machine."""

import functools
import itertools
import random
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

BLOCK = 200  # ports that a process takes one after the other: more than it has servers at once
LOWEST = 10_000


def free_port() -> int:
    """A port on 127.0.0.1 for a server that also comes back to it: no other process of tests is told of it.

    It is none of those that the kernel gives to connections that go out: while a server is down, one of them,
    say of a client that tries to reach it, may well get its port.
    """
    for port in _own_ports():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("never: there is always a next one")


@functools.cache
def _own_ports() -> Iterator[int]:
    """The ports of a block that is this process's as long as it lives, around and around."""
    outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    blocks = list(range(LOWEST, outgoing - BLOCK, BLOCK))
    random.shuffle(blocks)
    for first in blocks:
        if _taken(f"chatapp tests, ports from {first}"):
            return itertools.cycle(range(first, first + BLOCK))
    raise RuntimeError(f"no block of {BLOCK} ports is free between {LOWEST} and {outgoing}")


def _taken(name: str) -> bool:
    """Whether `name` is this process's now: in Linux's abstract namespace, from which it goes with the process."""
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0{name}")
    except OSError:
        mark.close()
        return False
    _marks.append(mark)
    return True


_marks: list[socket.socket] = []  # kept open


class OneWay:
    """Where something listens, at a port of its own: over plain HTTP."""

    def __init__(self) -> None:
        self.port = free_port()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"


class BothWays(OneWay):
    """The same, and over TLS."""

    def __init__(self) -> None:
        super().__init__()
        self.tls_port = free_port()

    @property
    def tls_host(self) -> str:
        return f"127.0.0.1:{self.tls_port}"

    @property
    def tls_url(self) -> str:
        return f"https://{self.tls_host}"


def make_certificate(folder: Path, name: str) -> None:
    """`name`.pem and `name`.key of this machine, which signs for itself."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-out", str(folder / f"{name}.pem"), "-keyout", str(folder / f"{name}.key")]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
