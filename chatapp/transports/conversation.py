"""Hearing what the peer of a WebSocket says, until it is gone or told to go."""

import time
from collections.abc import Callable

from chatapp.connection import Connection
from chatapp.errors import TooFast
from chatapp.limiter import FRAME_SECONDS, FrameBudget
from chatapp.transports.handshake import WebSocket


def converse(
    peer: WebSocket, connection: Connection, budget: FrameBudget, hear: Callable[[str], None]
) -> None:
    """Call `hear(text)` for each text message, within `budget`: `hear` spends it. Switches.

    What comes after we have said goodbye is not heard.
    """
    for text in peer.messages(connection.outlet):
        connection.heard = time.monotonic()
        if connection.outlet.ending:
            continue
        if text is None:
            budget.count()
        else:
            hear(text)
        if budget.exhausted:
            connection.dismiss(TooFast(retry_after=FRAME_SECONDS))
