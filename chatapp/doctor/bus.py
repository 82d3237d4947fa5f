"""The bus between processes."""

import os
from contextlib import closing

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from chatapp.bus import open_bus
from chatapp.bus.network import NetworkBus
from chatapp.config import Config
from chatapp.doctor import sqlite
from chatapp.doctor.answering import remedy
from chatapp.doctor.finding import Findings, error
from chatapp.errors import SetupError


def examine(config: Config) -> Findings:
    yield from (_file(config) if config.bus_url.startswith("sqlite:///") else _server(config))


def _server(config: Config) -> Findings:
    try:
        bus = open_bus(config.bus_url)
        if isinstance(bus, NetworkBus):
            bus.reach()
    except SetupError as refusal:
        what, do = str(refusal).partition(": write")[0], "correct CHATAPP_BUS_URL"
    except Exception as fault:
        what = f"the bus of CHATAPP_BUS_URL does not answer: {' '.join(str(fault).split())}"
        do = remedy(str(fault), "CHATAPP_BUS_URL")
    else:
        return
    yield error(
        "bus-unusable",
        what,
        "workers learn of each other's messages a quarter of a second late, and not of who is here",
        do,
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
