"""Caddy with deploy/Caddyfile, in front of a server."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from tests.addresses import free_port, make_certificate
from tests.clients import UNIT, eventually
from tests.servers import ROOT, Server

CADDY = shutil.which("caddy")
DOCUMENTED = Path(ROOT, "deploy", "Caddyfile").read_text()
# It would ask an authority for a certificate of its name, and listen at its own administrator's port.
ALONE = "{\n\tadmin off\n\tauto_https off\n}\n"


class Caddy:
    """Over TLS, as documented but for the certificate, and beside it over plain HTTP."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.port, self.tls_port = server, free_port(), free_port()
        make_certificate(folder, "chat")
        configuration = folder / "Caddyfile"
        configuration.write_text(self._configuration(folder))
        self._said = folder / "caddy.log"
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                [str(CADDY), "run", "--config", str(configuration), "--adapter", "caddyfile"],
                env={**os.environ, "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)},
                stderr=said,
            )
        eventually(self._up, "Caddy is up")

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def tls_host(self) -> str:
        return f"127.0.0.1:{self.tls_port}"

    @property
    def tls_url(self) -> str:
        return f"https://{self.tls_host}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(UNIT)

    def _configuration(self, folder: Path) -> str:
        text = DOCUMENTED
        for there, here in {
            "chat.example.org {": f"{self.tls_url} {{\n\ttls {folder}/chat.pem {folder}/chat.key",
            "127.0.0.1:8000": self.server.host,
        }.items():
            assert text.count(there) == 1
            text = text.replace(there, here)
        plain = text.replace(self.tls_url, self.url).replace(
            f"\ttls {folder}/chat.pem {folder}/chat.key\n", ""
        )
        return ALONE + text + plain

    def _up(self) -> bool:
        assert self._process.poll() is None, self._said.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
