"""What a server says of all its workers at `/metrics`."""

import re

import httpx

from tests.raw_socket import nobody_gets
from tests.servers import METRICS, Server

BEARER = {"Authorization": f"Bearer {METRICS}"}
TOLD = re.compile(r'^chatapp_(\w+?)(?:\{\w+="(.*)"\})? (\S+)$', re.MULTILINE)


def scrape(server: Server) -> httpx.Response:
    """The answer, as Prometheus gets it."""
    return nobody_gets(f"{server.url}/metrics", headers=BEARER)


def figures(server: Server) -> dict[str, float]:
    """All of its figures, by name; where there is a label, by `name/label` as well."""
    found: dict[str, float] = {}
    for name, label, value in TOLD.findall(scrape(server).text):
        found[name] = found.get(name, 0) + float(value)
        if label:
            found[f"{name}/{label}"] = float(value)
    return found


def waiting(server: Server) -> float:
    """Requests that wait for news."""
    return figures(server)["waiting_polls"]


def quick(server: Server) -> float:
    """Polls that took the short way."""
    return figures(server)["quick_polls_total"]
