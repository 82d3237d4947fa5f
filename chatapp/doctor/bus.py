"""The bus between processes."""

import os

from chatapp.bus import open_bus
from chatapp.config import Config
from chatapp.doctor.finding import Findings, error
from chatapp.errors import SetupError


def examine(config: Config) -> Findings:
    path = config.bus_url.removeprefix("sqlite:///")
    if path != config.bus_url and not os.path.exists(path):
        return  # the first start makes it
    try:
        open_bus(config.bus_url).prepare()
    except SetupError as refusal:
        yield error(
            "bus-unusable",
            str(refusal).partition(":")[0] if path == config.bus_url else f"{refusal}",
            "workers learn of each other's messages up to a second late, and not of who is here",
            f"rm {path}* (it holds no messages), then restart the server"
            if path != config.bus_url
            else "correct CHATAPP_BUS_URL",
        )
