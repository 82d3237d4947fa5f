"""Caddy with deploy/Caddyfile, in front of a server, or with what is wrong in it on purpose."""

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.addresses import BothWays, make_certificate
from tests.clients import UNIT, eventually
from tests.servers import ROOT, Server

CADDY = shutil.which("caddy")
DOCUMENTED = Path(ROOT, "deploy", "Caddyfile").read_text()
NAME, BEHIND = "{$CHAT_NAME:chat.example.org} {", "{$CHAT_SERVER:127.0.0.1:8000}"
# It would ask an authority for a certificate of its name, and listen at its own administrator's port.
ALONE = "{\n\tadmin off\n\tauto_https off\n}\n"


class Program:
    """Caddy itself. `sites`: behind the global options; `port`: one at which it listens."""

    def __init__(self, folder: Path, sites: str, port: int) -> None:
        self._said, self._port = folder / "caddy.log", port
        configuration = folder / "Caddyfile"
        configuration.write_text(ALONE + sites)
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                [str(CADDY), "run", "--config", str(configuration), "--adapter", "caddyfile"],
                env={**os.environ, "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)},
                stderr=said,
            )
        eventually(self._up, "Caddy is up")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(UNIT)

    def _up(self) -> bool:
        assert self._process.poll() is None, self._said.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


class Caddy(BothWays):
    """Over TLS, as documented but for the certificate, and beside it over plain HTTP."""

    def __init__(self, server: Server, folder: Path) -> None:
        super().__init__()
        self.server = server
        make_certificate(folder, "chat")
        sites = site(server.host, self.tls_url, folder) + site(server.host, self.url, folder)
        self._program = Program(folder, sites, self.port)

    def stop(self) -> None:
        self._program.stop()


def site(host: str, url: str, folder: Path, changes: Mapping[str, str] = MappingProxyType({})) -> str:
    """The documented one in front of the server at `host`, with a certificate in `folder`, but for `changes`."""
    tls = f"\n\ttls {folder}/chat.pem {folder}/chat.key" if url.startswith("https:") else ""
    text = DOCUMENTED
    for there, here in {**changes, NAME: f"{url} {{{tls}", BEHIND: host}.items():
        assert text.count(there) == 1, there
        text = text.replace(there, here)
    return text
