"""nginx with the configuration of docs/running.md, in front of a server."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.addresses import free_port, make_certificate
from tests.clients import UNIT, eventually
from tests.far_machine import FarMachine
from tests.servers import ROOT, Server

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
BLOCKS = re.findall(r"```nginx\n(.*?)```", Path(ROOT, "docs", "running.md").read_text(), re.S)
DOCUMENTED, UPSTREAM = BLOCKS[0], next(block for block in BLOCKS if block.startswith("upstream"))
TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]  # folders that it insists on


class Nginx:
    """Over TLS, as documented, and beside it over plain HTTP: there, people may take it for the server itself.

    `patience`: seconds that it waits for the server's next word. `others`: more servers behind it. `machine`: where
    it runs.
    """

    def __init__(
        self,
        server: Server,
        folder: Path,
        patience: int,
        others: Sequence[Server] = (),
        machine: FarMachine | None = None,
    ) -> None:
        self.server, self.port, self.tls_port = server, free_port(), free_port()
        self._others = others
        self._address = machine.own if machine else "127.0.0.1"
        self._there = ["nsenter", f"--net={machine.network}"] if machine else []
        self._folder, self._log = folder, folder / "error.log"
        make_certificate(folder, "chat")
        (folder / "nginx.conf").write_text(self._configuration(patience))
        self.start()

    def start(self) -> None:
        """Also again."""
        command = [*self._there, str(NGINX), "-e", str(self._log), "-c", str(self._folder / "nginx.conf")]
        self._process = subprocess.Popen(command)
        eventually(self._up, "nginx is up")

    @property
    def host(self) -> str:
        return f"{self._address}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def tls_host(self) -> str:
        return f"{self._address}:{self.tls_port}"

    @property
    def tls_url(self) -> str:
        return f"https://{self.tls_host}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(UNIT)

    @property
    def pids(self) -> list[int]:
        """Of all its processes."""
        pid = self._process.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def kill(self) -> None:
        """All of it, without a word."""
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        self._process.wait(UNIT)

    def _configuration(self, patience: int) -> str:
        text = DOCUMENTED
        if self._others:
            servers = [server.host for server in (self.server, *self._others)]
            upstream = re.sub(r"10\.0\.0\.1\d:8000", lambda _: servers.pop(0), UPSTREAM)
            assert not servers
            text = text.replace("http://127.0.0.1:8000;", "http://chat;") + upstream
        else:
            assert "http://127.0.0.1:8000;" in text
            text = text.replace("http://127.0.0.1:8000;", f"{self.server.url};")
        for there, here in {
            "listen 443 ssl;": f"listen {self.tls_host} ssl; listen {self.host};",
            "/etc/ssl/": f"{self._folder}/",
            "proxy_read_timeout 90s;": f"proxy_read_timeout {patience}s;",
        }.items():
            assert there in text
            text = text.replace(there, here)
        folders = "".join(f"{name}_temp_path {self._folder}/{name};\n" for name in TEMPORARY)
        return (
            f"daemon off; pid {self._folder}/pid; error_log {self._log};\n"
            + ("user root;\n" if os.geteuid() == 0 else "")
            + f"events {{ worker_connections 1000; }}\nhttp {{ access_log off;\n{folders}{text}}}\n"
        )

    def _up(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex((self._address, self.port)) == 0
