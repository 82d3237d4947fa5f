"""What a server with one worker says of itself at `/metrics`."""

import re

from tests.raw_socket import nobody_gets
from tests.servers import Server


def figures(server: Server) -> dict[str, int]:
    """All of its figures, by name."""
    found = re.findall(r"^chatapp_(\w+)\{.*\} (\d+)", nobody_gets(f"{server.url}/metrics").text, re.MULTILINE)
    return {name: int(value) for name, value in found}


def waiting(server: Server) -> int:
    """Requests that wait for news."""
    return figures(server)["waiting_polls"]


def quick(server: Server) -> int:
    """Polls that took the short way."""
    return figures(server)["quick_polls_total"]
