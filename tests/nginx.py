"""nginx with deploy/nginx.conf, in front of a server."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from tests.addresses import free_port, make_certificate
from tests.clients import UNIT, eventually
from tests.servers import ROOT, Server

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
DOCUMENTED = Path(ROOT, "deploy", "nginx.conf").read_text()
TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]  # folders that it insists on


class Nginx:
    """Over TLS, as documented, and beside it over plain HTTP: there, people may take it for the server itself.

    `patience`: seconds that it waits for the server's next word.
    """

    def __init__(self, server: Server, folder: Path, patience: int) -> None:
        self.server, self.port, self.tls_port = server, free_port(), free_port()
        self._folder, self._log = folder, folder / "error.log"
        make_certificate(folder, "chat")
        configuration = folder / "nginx.conf"
        configuration.write_text(self._configuration(patience))
        self._process = subprocess.Popen([str(NGINX), "-e", str(self._log), "-c", str(configuration)])
        eventually(self._up, "nginx is up")

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

    def _configuration(self, patience: int) -> str:
        text = DOCUMENTED
        for there, here in {
            "listen 443 ssl;": f"listen {self.tls_host} ssl; listen {self.host};",
            "/etc/ssl/": f"{self._folder}/",
            "http://127.0.0.1:8000;": f"{self.server.url};",
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
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
