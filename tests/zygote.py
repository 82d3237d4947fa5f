"""A process that has imported and prepared what servers have, and forks one for each that is to start: three seconds' work less.

Where it is this checkout that is served, the application's own code is imported as well, which is most of the work of a
worker's start: tests/test_libraries.py sees to it that nothing of it differs by that.

What it becomes is `gunicorn …` or `flask …`, or a program as `python -c` takes it, in the folder and the environment
that are given. That they start from nothing is for tests/test_start.py.
"""

import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, cast

from gevent import monkey
from gevent.fileobject import FileObject

ROOT = Path(__file__).parent.parent
SECONDS = 60  # for a command
ELSEWHERE = ("--app", "--chdir")  # by which a command names another checkout than the one in which it starts
# For each request: a process that waits for the server, and the server itself, which goes on below the loop.
PROGRAM = """
import ctypes, gc, importlib.metadata, json, os, runpy, signal, socket, sys

# gevent asks for them 25 times at each start, and each time the files of all packages would be read.
importlib.metadata.entry_points = importlib.metadata.entry_points().select
import gunicorn.app.wsgiapp, gunicorn.arbiter, gunicorn.config, gunicorn.workers.ggevent

CLONE_NEWNET = 0x40000000
conf = runpy.run_path("gunicorn.conf.py")
for name in [*conf["LIBRARIES"], *sys.argv[3:]]:
    importlib.import_module(name)
conf["on_reload"](gunicorn.arbiter.Arbiter)  # each master finds it done
gc.freeze()
control, preloaded = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
control.setblocking(True)  # who made it may have gevent, whose sockets are not
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    asked, passed, _, _ = socket.recv_fds(control, 1 << 20, 4)
    if not asked:
        sys.exit()
    *streams, status = passed
    if not os.fork():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        server = os.fork()
        if not server:
            break
        os.write(status, b"%d\\n" % server)
        os.write(status, b"%d\\n" % os.waitstatus_to_exitcode(os.waitpid(server, 0)[1]))
        os._exit(0)
    for one in passed:
        os.close(one)
control.close()
os.close(status)
for number, stream in enumerate(streams):
    os.dup2(stream, number)
    os.close(stream)
sys.argv, folder, environ, network = json.loads(asked)
os.chdir(folder)
gunicorn.config.Chdir.default = folder  # it was that of the process that imported it
if network and ctypes.CDLL(None).setns(os.open(network, os.O_RDONLY), CLONE_NEWNET):
    sys.exit(f"it cannot be in {network}")
os.environ.clear()
os.environ.update(environ)
if preloaded:
    ctypes.CDLL(preloaded).map_control()
if sys.argv[0] == "-c":
    exec(sys.argv.pop(), {"__name__": "__main__"})
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Born:
    """A process that was forked, with what `subprocess.Popen` knows of one."""

    def __init__(self, stdout: IO[str] | None, status: IO[bytes]) -> None:
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
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        ended = self.poll()
        assert ended is not None
        return ended

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


@functools.cache
def _control(preload: str, *modules: str) -> socket.socket:
    """A request goes in here. The process at its other end ends when ours does; `preload`: its library, if any;
    `modules`: what it imports beside libraries.
    """
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(its.fileno()), preload, *modules],
            cwd=ROOT,
            env={**os.environ, "LD_PRELOAD": preload} if preload else None,
            pass_fds=[its.fileno()],
        )
    return ours


def start(
    root: Path,
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    stdin: int = 0,
    stdout: int | None = None,
    stderr: int | None = None,
    preload: str = "",
    network: str = "",
) -> Born:
    """Start `command` in the folder `root`, a checkout, with files for what it reads and says.

    With `preload` it has that library of faults (tests/faults), as if it were preloaded into it alone. `network`: the
    file of a network namespace, where it is not to be in this one.
    Without `stdout` what it says can be read from the answer's, and without `stderr` what it says there as well.
    """
    ended, status = os.pipe()
    out, said = (None, stdout) if stdout is not None else os.pipe()
    asked = json.dumps([command, str(root), dict(environ), network]).encode()
    own = root == ROOT and not {*ELSEWHERE} & {*command}
    control = _control(preload, *(["chatapp"] if own else []))
    socket.send_fds(control, [asked], [stdin, said, said if stderr is None else stderr, status])
    os.close(status)
    if out is not None:
        os.close(said)
    return Born(None if out is None else _open(out), os.fdopen(ended, "rb", buffering=0))


def _open(descriptor: int) -> IO[str]:
    """To be read by a thread; where gevent has made greenlets of threads, by one that lets the others go on."""
    if monkey.is_module_patched("threading"):
        return cast(IO[str], FileObject(descriptor, "r"))
    return os.fdopen(descriptor)


def run(
    root: Path, command: Sequence[str], environ: Mapping[str, str], input: str = "", together: bool = False
) -> subprocess.CompletedProcess[str]:
    """Carry out `command`, as `subprocess.run` would; `together`: what goes to stderr goes to stdout.

    Raises TimeoutExpired.
    """
    with TemporaryFile("w+") as given, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        given.write(input)
        given.seek(0)
        errors = None if together else err.fileno()
        born = start(root, command, environ, stdin=given.fileno(), stdout=out.fileno(), stderr=errors)
        try:
            status = born.wait(SECONDS)
        except subprocess.TimeoutExpired:
            born.send_signal(signal.SIGKILL)
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess([*command], status, out.read(), err.read())
