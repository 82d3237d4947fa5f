"""Redis as it comes, in a temporary folder, reached by a socket in it, with nothing on a disk."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.bench.client import Refused
from benchmarks.bench.servers import START_SECONDS


class Redis(NamedTuple):
    """`url`: as CHATAPP_BUS_URL has it."""

    url: str
    pid: int


@contextmanager
def serve() -> Iterator[Redis]:
    """One for the block. Raises Refused where its program is missing."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise Refused("Redis is needed (on Debian: apt-get install redis-server)")
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder:
        place = Path(folder, "socket")
        command = [program, "--port", "0", "--unixsocket", str(place), "--dir", folder, "--save", ""]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not place.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Refused("Redis did not start")
                time.sleep(0.02)
            yield Redis(f"unix://{place}?db=0", process.pid)
        finally:
            process.terminate()
            process.wait()
