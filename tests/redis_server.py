"""Redis, reached by a socket in a temporary folder, with nothing on a disk: nobody else's."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import redis

from tests.addresses import free_port, make_certificate
from tests.clients import eventually
from tests.far_machine import Machine

PORT = 6379  # on a machine of its own


class RedisServer:
    """It can be stopped and started again, and has forgotten everything by then. `machine`: where it runs, if not here;
    then it can be reached over the network.
    """

    def __init__(self, machine: Machine | None = None) -> None:
        self._machine = machine
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            raise RuntimeError("the tests need Redis: apt-get install redis-server")
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self._socket = self._folder / "socket"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{self._machine.own}:{PORT}/3" if self._machine else self._local

    @property
    def _local(self) -> str:
        return f"unix://{self._socket}?db=3"

    @property
    def pids(self) -> list[int]:
        """Of all its processes."""
        return [self.pid]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> "RedisServer":
        how = [
            *self._network(),
            "--unixsocket",
            self._socket,
            "--dir",
            self._folder,
            "--save",
            "",
            "--daemonize",
            "no",
        ]
        with (self._folder / "log").open("ab") as log:
            there = self._machine.under if self._machine else []
            command = [*there, "setpriv", "--pdeathsig", "KILL", self._program, *how]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        eventually(self._answers, "Redis has started", 60)
        return self

    def _network(self) -> list[str]:
        if self._machine:
            return ["--bind", self._machine.listens, "--port", str(PORT), "--protected-mode", "no"]
        return ["--port", "0"]

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(60)

    def close(self) -> None:
        """For good."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._folder)

    def do(self, *command: Any) -> Any:
        """What it answers to `command`."""
        with redis.Redis.from_url(self._local, decode_responses=True) as client:
            return client.execute_command(*command)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError("Redis did not start:\n" + (self._folder / "log").read_text())
        try:
            return bool(self.do("PING"))
        except redis.ConnectionError:
            return False


class EncryptedRedis(RedisServer):
    """One that is reached over TLS, at 127.0.0.1. `certificate`: by which it is known."""

    def __init__(self) -> None:
        super().__init__()
        self._port = str(free_port())
        make_certificate(self._folder, "server")
        self.certificate = self._folder / "server.pem"

    @property
    def url(self) -> str:
        return f"rediss://127.0.0.1:{self._port}/3?ssl_ca_certs={self.certificate}"

    def _network(self) -> list[str]:
        ours = ["--tls-cert-file", str(self.certificate), "--tls-key-file", str(self._folder / "server.key")]
        return ["--port", "0", "--tls-port", self._port, *ours, "--tls-auth-clients", "no"]
