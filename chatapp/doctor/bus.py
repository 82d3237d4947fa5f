"""The bus between processes."""

import os

from chatapp.bus import open_bus
from chatapp.config import Config
from chatapp.doctor.finding import Finding, Findings, error
from chatapp.errors import SetupError


def examine(config: Config) -> Findings:
    path = config.bus_url.removeprefix("sqlite:///")
    if path == config.bus_url:
        yield from _of_machines(config)
    elif os.path.exists(path):  # else the first start makes it
        yield from _of_file(config, path)


def _of_file(config: Config, path: str) -> Findings:
    try:
        open_bus(config.bus_url).prepare()
    except SetupError as refusal:
        yield _unusable(
            str(refusal).partition(":")[0], f"rm {path}* (it has no messages), then restart the server"
        )


def _of_machines(config: Config) -> Findings:
    """A server starts without it, so what it is asked for is what it is asked for each day."""
    do = "start that server, and look at its address and password in CHATAPP_BUS_URL"
    try:
        bus = open_bus(config.bus_url)
        bus.present()
        bus.close()
    except SetupError as refusal:
        yield _unusable(str(refusal).partition(":")[0], "correct CHATAPP_BUS_URL; docs/settings.md")
    except Exception as fault:  # of any driver
        yield _unusable(f"the bus cannot be reached: {fault or type(fault).__name__}", do)


def _unusable(what: str, do: str) -> Finding:
    return error(
        "bus-unusable",
        what,
        "workers learn of each other's messages up to a second late, and not of who is here",
        do,
    )
