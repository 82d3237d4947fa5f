"""Whether the servers of several machines have the same keys: each says on the bus which ones it has, by
their fingerprints, as one who is present in a room that there is not. `flask doctor` compares them.
"""

import logging
import os

from chatapp import keys
from chatapp.chores import every
from chatapp.config import Config
from chatapp.message import Author
from chatapp.presence import SERVERS, Presence

LOOK_SECONDS = 20

log = logging.getLogger(__name__)


def run(config: Config, presence: Presence) -> None:
    """Say which keys this server has, for ever: they may be changed while it runs."""
    server = f"{os.uname().nodename}:{config.instance_path}"

    def said() -> str:
        return " ".join(keys.fingerprints(config))

    presence.enter(SERVERS, Author(server, said()))
    every(
        LOOK_SECONDS,
        lambda: presence.renamed(server, said()),
        log,
        "it could not be said which keys this server has",
    )
