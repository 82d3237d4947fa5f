"""What systemd makes of deploy/chatapp.service, as far as that goes without it: in a box, with the unit's limits."""

import functools
import json
import os
import shlex
import signal
import socket
import subprocess
import uuid
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from tests.addresses import OneWay
from tests.box import ENVIRON, Box, without_rights
from tests.clients import UNIT, eventually
from tests.servers import ROOT, START_SECONDS, Successor

UNIT_FILE = ROOT / "deploy" / "chatapp.service"
# In the process itself, the last thing before it becomes the program: memory that is both written to and run
# (prctl(2)), families of addresses and system calls (seccomp(2)).
CONFINE = """
import ctypes, json, os, resource, socket, sys

unit, command = json.loads(sys.argv[1]), sys.argv[2:]
os.umask(int(unit["umask"], 8))
os.chdir(unit["folder"])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
most = int(unit["files"]) if hard == resource.RLIM_INFINITY else min(int(unit["files"]), hard)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
PR_SET_MDWE, ALLOW, REFUSE, EQUAL = 65, 0x7FFF0000, 0x00050001, 4
assert ctypes.CDLL(None).prctl(PR_SET_MDWE, 1, 0, 0, 0) == 0


class Argument(ctypes.Structure):
    _fields_ = [("number", ctypes.c_uint), ("how", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
filters = ctypes.c_void_p(seccomp.seccomp_init(REFUSE))
for name in unit["calls"]:
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    if number < 0:
        continue  # of another processor
    if name != "socket":
        assert seccomp.seccomp_rule_add_array(filters, ALLOW, number, 0, None) == 0, name
        continue
    for family in unit["families"]:
        first = Argument(0, EQUAL, getattr(socket, family), 0)
        assert seccomp.seccomp_rule_add_array(filters, ALLOW, number, 1, ctypes.byref(first)) == 0
assert seccomp.seccomp_load(filters) == 0
os.execvp(command[0], command)
"""


class Service(OneWay):
    """`systemctl … chatapp` in a box. It listens at a port of its own, all else is as the unit has it."""

    def __init__(self, box: Box, log: Path) -> None:
        super().__init__()
        self._box, self._log, self._unit = box, log, _settings(UNIT_FILE)
        self._process: subprocess.Popen[bytes] | Successor | None = None
        self._group = 0  # of all its processes, from one start to the next
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.settimeout(START_SECONDS)
        self._told_at = f"chatapp-tests-{uuid.uuid4().hex}"
        self._told.bind(f"\0{self._told_at}")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def systemctl(self, line: str) -> None:
        """Carry out `systemctl …`, as docs/running.md has it."""
        verb = line.removeprefix("systemctl ").removesuffix(" chatapp")
        {"enable --now": self.start, "start": self.start, "stop": self.stop, "reload": self.reload}[verb]()

    def start(self) -> None:
        user, folder = self._one("User"), self._one("WorkingDirectory")
        assert folder == f"/var/lib/{self._one('StateDirectory')}"
        mode = self._one("StateDirectoryMode")
        self._box.run(f"install -d -m {mode} -o {user} -g {user} {folder}", ROOT)
        line = self._one("ExecStart")
        assert line.count("127.0.0.1:8000") == 1
        command = self._confined(line.replace("127.0.0.1:8000", self.host))
        with self._log.open("a") as log:
            self._process = subprocess.Popen(command, env=self._environ, stderr=log, process_group=0)
        self._group = self.pid
        self._hear("READY=1")

    def reload(self) -> None:
        assert self._process is not None
        before, seen = self._process, len(self._log.read_text())
        line = self._one("ExecReload").replace("$MAINPID", str(self.pid))
        subprocess.run(self._confined(line), env=self._environ, check=True)
        self._hear("READY=1")
        self._process = Successor(int(self._hear("MAINPID=").removeprefix("MAINPID=")))
        assert before.wait(START_SECONDS) == 0
        # Only then gunicorn hears another SIGUSR2.
        eventually(lambda: "Master has been promoted" in self._log.read_text()[seen:], "it is the only one")

    def stop(self) -> None:
        if self._process is not None:
            assert self._one("KillMode") == "mixed", "the master alone is told to go"
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(START_SECONDS) == 0
            self._process, self._group = None, 0

    def close(self) -> None:
        self._told.close()
        if self._group and self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._group, signal.SIGKILL)  # while it is reloaded there are two masters
            eventually(lambda: self._process and self._process.poll() is not None, "it is gone", UNIT)

    @property
    def _environ(self) -> dict[str, str]:
        own = dict(setting.split("=", 1) for setting in self._unit["Environment"])
        return {**ENVIRON, **own, "NOTIFY_SOCKET": f"@{self._told_at}"}

    def _hear(self, beginning: str) -> str:
        assert (self._one("Type"), self._one("NotifyAccess")) == ("notify", "all")
        said = self._told.recv(4096).decode().split()[0]
        assert said.startswith(beginning), said
        return said

    def _confined(self, line: str) -> list[str]:
        """The command line that carries out `line` as systemd would."""
        for name in ("ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "ProcSubset=pid"):
            assert name.split("=")[1] in self._unit[name.split("=")[0]]
        assert (self._one("CapabilityBoundingSet"), self._one("NoNewPrivileges")) == ("", "yes")
        assert self._one("SystemCallErrorNumber") == "EPERM"
        assert (self._one("MemoryDenyWriteExecute"), self._one("RemoveIPC")) == ("yes", "yes")
        user, folder = self._one("User"), self._one("WorkingDirectory")
        limits = {
            "umask": self._one("UMask"),
            "folder": folder,
            "files": self._one("LimitNOFILE"),
            "families": self._one("RestrictAddressFamilies").split(),
            "calls": sorted(_allowed(" ".join(self._unit["SystemCallFilter"]))),
        }
        confine = ["python3", "-c", CONFINE, json.dumps(limits), *shlex.split(line)]
        return self._box.read_only(without_rights(user, user, "--init-groups", confine), folder)

    def _one(self, name: str) -> str:
        (value,) = self._unit[name]
        return value


def _settings(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for line in unit.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


@functools.cache
def _group(name: str) -> frozenset[str]:
    """The system calls of a group of systemd's, and of the groups in it."""
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True
    )
    members = [line.strip() for line in said.stdout.splitlines()[1:]]
    calls = [member for member in members if member and member[0] not in "#@"]
    return frozenset(calls).union(*(_group(member) for member in members if member.startswith("@")))


def _allowed(filters: str) -> frozenset[str]:
    """Of `SystemCallFilter=`: groups, and behind ~ groups that are taken away again."""
    given, _, taken = filters.partition("~")
    here = frozenset[str]().union(_group("@default"), *map(_group, given.split()))
    return here.difference(*map(_group, taken.split())) | _group("@default")
