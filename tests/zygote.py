"""A process that has imported what servers import, and forks one for each that is to start: two seconds' work less.

What it becomes is gunicorn with its command line, in the folder and the environment that are given. That the
commands of the README start it from nothing is for tests/test_start.py.
"""

import functools
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent
# For each request: a process that waits for the server, and the server itself, which goes on below the loop.
PROGRAM = """
import importlib.metadata, json, os, runpy, signal, socket, sys

# gevent asks for them 25 times at each start, and each time the files of all packages would be read.
importlib.metadata.entry_points = importlib.metadata.entry_points().select
import gunicorn.app.wsgiapp, gunicorn.workers.ggevent

for name in runpy.run_path("gunicorn.conf.py")["LIBRARIES"]:
    importlib.import_module(name)
control = socket.socket(fileno=int(sys.argv[1]))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    asked, passed, _, _ = socket.recv_fds(control, 1 << 20, 2)
    if not asked:
        sys.exit()
    said, status = passed
    if not os.fork():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        server = os.fork()
        if not server:
            break
        os.write(status, b"%d\\n" % server)
        os.write(status, b"%d\\n" % os.waitstatus_to_exitcode(os.waitpid(server, 0)[1]))
        os._exit(0)
    os.close(said)
    os.close(status)
control.close()
os.close(status)
os.dup2(said, 1)
os.dup2(said, 2)
os.close(said)
sys.argv, folder, environ = json.loads(asked)
os.chdir(folder)
os.environ.clear()
os.environ.update(environ)
gunicorn.app.wsgiapp.run()
"""


class Born:
    """A server that was forked, with what `subprocess.Popen` knows of one."""

    def __init__(self, stdout: IO[str], status: IO[bytes]) -> None:
        self.stdout, self._status = stdout, status
        self.pid = int(status.readline())
        self._ended: int | None = None

    def poll(self) -> int | None:
        if self._ended is None and select.select([self._status], [], [], 0)[0]:
            self._ended = int(self._status.readline())
        return self._ended

    def wait(self, timeout: float) -> int:
        """Its exit status, minus the signal's number if one ended it. Raises TimeoutExpired."""
        if self._ended is None and not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("gunicorn", timeout)
        ended = self.poll()
        assert ended is not None
        return ended

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


@functools.cache
def _control() -> socket.socket:
    """A request goes in here. The process at its other end ends when ours does."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(its.fileno())], cwd=ROOT, pass_fds=[its.fileno()]
        )
    return ours


def start(root: Path, command: Sequence[str], environ: Mapping[str, str]) -> Born:
    """Start gunicorn with `command` in the folder `root`, a checkout."""
    (out, said), (ended, status) = os.pipe(), os.pipe()
    asked = json.dumps([command, str(root), dict(environ)]).encode()
    socket.send_fds(_control(), [asked], [said, status])
    os.close(said)
    os.close(status)
    return Born(os.fdopen(out), os.fdopen(ended, "rb", buffering=0))
