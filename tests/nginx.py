"""nginx with deploy/nginx.conf, in front of a server, or with what is wrong in it on purpose."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.addresses import BothWays, make_certificate
from tests.clients import UNIT, eventually
from tests.far_machine import Machine
from tests.servers import ROOT, Server

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
DOCUMENTED = Path(ROOT, "deploy", "nginx.conf").read_text()
SERVERS = Path(ROOT, "deploy", "nginx-servers.conf").read_text()
INSTEAD = re.findall(r"^# {5}(\w+ [^;]*;)", SERVERS, re.M)  # of the one proxy_pass
MAP, BLOCK = re.fullmatch(r"(.*?)(server \{.*)", DOCUMENTED, re.S).groups()  # type: ignore[union-attr]
TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]  # folders that it insists on


class Program:
    """nginx itself. `http`: what stands in the block of that name; `port`: one at which it listens. `machine`: where
    it runs, if not here.
    """

    def __init__(self, folder: Path, http: str, port: int, machine: Machine | None = None) -> None:
        self._log, self._port = folder / "error.log", port
        self._address = machine.own if machine else "127.0.0.1"
        there = machine.under if machine else []
        folders = "".join(f"{name}_temp_path {folder}/{name};\n" for name in TEMPORARY)
        configuration = folder / "nginx.conf"
        configuration.write_text(
            f"daemon off; pid {folder}/pid; error_log {self._log};\n"
            + ("user root;\n" if os.geteuid() == 0 else "")
            + f"events {{ worker_connections 1000; }}\nhttp {{ access_log off;\n{folders}{http}}}\n"
        )
        self._command = [*there, str(NGINX), "-e", str(self._log), "-c", str(configuration)]
        self.start()

    def start(self) -> None:
        """Also again."""
        self._process = subprocess.Popen(self._command)
        eventually(self._up, "nginx is up")

    def kill(self) -> None:
        """All of it, without a word."""
        if self._process.poll() is not None:
            return
        pid = self._process.pid
        for one in [pid, *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]:
            os.kill(int(one), signal.SIGKILL)
        self._process.wait(UNIT)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(UNIT)

    def _up(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex((self._address, self._port)) == 0


class Nginx(BothWays):
    """Over TLS, as documented, and beside it over plain HTTP: there, people may take it for the server itself.

    `patience`: seconds that it waits for the server's next word.
    """

    def __init__(self, server: Server, folder: Path, patience: int) -> None:
        super().__init__()
        self.server = server
        make_certificate(folder, "chat")
        listen = f"listen {self.tls_host} ssl; listen {self.host};"
        shorter = {"proxy_read_timeout 90s;": f"proxy_read_timeout {patience}s;"}
        self._program = Program(folder, MAP + block(server.url, listen, folder, shorter), self.port)

    def stop(self) -> None:
        self._program.stop()


def in_front(machine: Machine, port: int, hosts: Sequence[str], folder: Path, patience: int) -> Program:
    """nginx on a machine of its own, over plain HTTP, in front of several servers, which are `hosts`."""
    make_certificate(folder, "chat")
    left = list(hosts)
    upstream = re.sub(r"10\.0\.0\.1\d:8000", lambda _: left.pop(0), SERVERS)
    assert not left
    assert "proxy_pass http://chat;" in INSTEAD
    changes = {
        "proxy_read_timeout 90s;": f"proxy_read_timeout {patience}s;",
        "proxy_pass http://chat;": " ".join(INSTEAD),
    }
    plain = block("http://chat", f"listen {machine.own}:{port};", folder, changes)
    return Program(folder, MAP + plain + upstream, port, machine)


def block(url: str, listen: str, folder: Path, changes: Mapping[str, str]) -> str:
    """The documented `server` in front of `url`, with a certificate in `folder`, but for some `changes`."""
    text = BLOCK
    here = {"listen 443 ssl;": listen, "/etc/ssl/": f"{folder}/", "http://127.0.0.1:8000;": f"{url};"}
    for there, instead in {**here, **changes}.items():
        assert there in text, there
        text = text.replace(there, instead)
    return text
