"""Redis, reached by a socket in a temporary folder, with nothing on a disk: nobody else's."""

import ctypes
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import redis

from tests.clients import eventually
from tests.postgres import PR_SET_PDEATHSIG


class RedisServer:
    """It can be stopped and started again, and has forgotten everything by then."""

    def __init__(self) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            raise RuntimeError("the tests need Redis: apt-get install redis-server")
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self._socket = self._folder / "socket"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}?db=3"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> "RedisServer":
        how = [
            "--port",
            "0",
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
            self._process = subprocess.Popen(
                [self._program, *how], stdout=log, stderr=log, preexec_fn=_end_with_parent
            )
        eventually(self._answers, "Redis has started", 60)
        return self

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(60)

    def close(self) -> None:
        """For good."""
        self.kill()
        shutil.rmtree(self._folder)

    def do(self, *command: Any) -> Any:
        """What it answers to `command`."""
        with redis.Redis.from_url(self.url, decode_responses=True) as client:
            return client.execute_command(*command)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError("Redis did not start:\n" + (self._folder / "log").read_text())
        try:
            return bool(self.do("PING"))
        except redis.ConnectionError:
            return False


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
