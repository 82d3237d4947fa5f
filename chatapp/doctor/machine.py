"""What the kernel allows: files that may be open, connections that may wait."""

import runpy
from contextlib import suppress
from pathlib import Path
from typing import Any

from chatapp.config import HOME
from chatapp.doctor.finding import Findings, warning
from chatapp.doctor.servers import Running

GUNICORN = HOME / "gunicorn.conf.py"


def examine(servers: list[Running], proc: Path) -> Findings:
    ours = runpy.run_path(str(GUNICORN))
    yield from _files(ours, servers, proc)
    yield from _waiting(ours, proc)


def _files(ours: dict[str, Any], servers: list[Running], proc: Path) -> Findings:
    """Against the limit of the servers that run or, where there is none, of this process; a worker raises the
    soft one to the hard one.
    """
    wanted = ours.get("worker_connections", 0)
    processes = [str(server.master) for server in servers] or ["self"]
    limits = [_limit(proc, process) for process in processes]
    least = min((limit for limit in limits if limit is not None), default=None)
    if least is not None and least < wanted:
        yield warning(
            "open-files",
            f"a worker may have {least} files open, and is to have up to {wanted} connections",
            "each connection is one: beyond that, new ones wait until others end",
            "LimitNOFILE=65536 in the systemd unit, or ulimit -n 65536 before bin/serve (as root, or by "
            "/etc/security/limits.conf)",
        )


def _limit(proc: Path, process: str) -> int | None:
    with suppress(OSError, ValueError):  # or there is none
        for line in (proc / process / "limits").read_text().splitlines():
            if line.startswith("Max open files"):
                return int(line.split()[4])
    return None


def _waiting(ours: dict[str, Any], proc: Path) -> Findings:
    wanted, most = ours.get("backlog", 0), _most_waiting(proc)
    if most < wanted:
        yield warning(
            "short-queue",
            f"the kernel holds {most} connections for the server until it accepts them, of {wanted} that it "
            "asks for",
            "after a restart everybody comes back at once: who finds no place tries again, after seconds",
            f"sysctl -w net.core.somaxconn={wanted}, and the same in /etc/sysctl.d/chat.conf; then restart "
            "the server",
        )


def _most_waiting(proc: Path) -> float:
    with suppress(OSError):
        return int((proc / "sys" / "net" / "core" / "somaxconn").read_text())
    return float("inf")  # another kernel than Linux
