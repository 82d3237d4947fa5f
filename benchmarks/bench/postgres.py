"""PostgreSQL, the distribution's programs as they come, in a temporary folder, reached by a socket in it."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.bench.client import Refused
from benchmarks.bench.servers import START_SECONDS


class Postgres(NamedTuple):
    """`url`: of an empty database. `pid`: of the process whose children serve the connections."""

    url: str
    pid: int


@contextmanager
def serve() -> Iterator[Postgres]:
    """One for the block. Raises Refused where its programs are missing."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))
    elsewhere = shutil.which("postgres")
    if not found and not elsewhere:
        raise Refused("PostgreSQL is needed (on Debian: apt-get install postgresql)")
    programs = found[-1] if found else Path(str(elsewhere)).parent
    with tempfile.TemporaryDirectory(prefix="bench-postgres-") as folder:
        whose = _somebody(folder)
        data = f"{folder}/data"
        how = ["-D", data, "-U", "chat", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run([programs / "initdb", *how], check=True, capture_output=True, **whose)
        where = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
        with Path(folder, "log").open("wb") as log:
            command = [str(programs / "postgres"), "-D", data, *where]
            process = subprocess.Popen(command, stdout=log, stderr=log, **whose)
        try:
            _make_database(programs, folder, process)
            yield Postgres(f"postgresql+psycopg://chat@/chat?host={folder}", process.pid)
        finally:
            process.send_signal(signal.SIGINT)  # whoever is still connected is cut off
            process.wait()


def _make_database(programs: Path, folder: str, process: "subprocess.Popen[bytes]") -> None:
    """When it answers."""
    deadline = time.monotonic() + START_SECONDS
    make = [str(programs / "createdb"), "-h", folder, "-U", "chat", "chat"]
    while subprocess.run(make, capture_output=True).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            raise Refused(f"PostgreSQL did not start:\n{Path(folder, 'log').read_text()}")
        time.sleep(0.1)


def _somebody(folder: str) -> dict[str, Any]:
    """Whom it runs as: it refuses to be root."""
    if os.getuid():
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": folder}
