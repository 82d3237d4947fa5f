"""The bus between processes."""

import os
from contextlib import closing

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from chatapp import keys
from chatapp.bus import Lease, open_bus
from chatapp.bus.network import NetworkBus
from chatapp.config import Config
from chatapp.doctor import sqlite
from chatapp.doctor.answering import remedy
from chatapp.doctor.finding import Findings, error
from chatapp.errors import SetupError
from chatapp.presence import SERVERS


def examine(config: Config) -> Findings:
    yield from (_file(config) if config.bus_url.startswith("sqlite:///") else _server(config))


def _server(config: Config) -> Findings:
    try:
        bus = open_bus(config.bus_url)
        servers: list[Lease] = []
        if isinstance(bus, NetworkBus):
            bus.reach()
            servers = bus.look(SERVERS)
    except SetupError as refusal:
        what, do = str(refusal).partition(": write")[0], "correct CHATAPP_BUS_URL"
    except Exception as fault:
        what = f"the bus of CHATAPP_BUS_URL does not answer: {' '.join(str(fault).split())}"
        do = remedy(str(fault), "CHATAPP_BUS_URL")
    else:
        yield from _keys(config, servers)
        return
    yield error(
        "bus-unusable",
        what,
        "workers learn of each other's messages a quarter of a second late, and not of who is here",
        do,
    )


def _keys(config: Config, servers: list[Lease]) -> Findings:
    ours = keys.fingerprints(config)
    others = {each.who.id for each in servers if each.who.name.split() != ours}
    if others:
        yield error(
            "keys-differ",
            f"servers of the same chat have other keys than {config.instance_path} here: "
            f"{', '.join(sorted(others))}",
            "who comes to another machine is signed out there, and second factors are refused",
            f"copy {' and '.join(keys.NAMES)} of one of them into the instance folders of all others (mode "
            "600, owned by the server's user), and restart these (docs/running.md, Several machines)",
        )


def _file(config: Config) -> Findings:
    path = config.bus_url.removeprefix("sqlite:///")
    if not os.path.exists(path):
        return  # the first start makes it
    try:
        with closing(sqlite.open_file(path, config.busy_seconds).connect()) as connection:
            connection.execute(text("SELECT count(*) FROM sqlite_master"))
    except DBAPIError as fault:
        yield error(
            "bus-unusable",
            f"the bus {path} cannot be used: {fault.orig}",
            "workers learn of each other's messages up to a second late, and not of who is here",
            f"rm {path}* (it holds no messages), then restart the server",
        )
