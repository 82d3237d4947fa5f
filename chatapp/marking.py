"""Making the HTML of many messages at once, in turns with everybody else."""

import time
from collections.abc import Iterable

from chatapp.hub import Hub
from chatapp.message import Message

TURN_SECONDS = 0.005


def mark(hub: Hub, messages: Iterable[Message]) -> None:
    """Have ready what `marked` gives of each. May switch: rights and rooms may have changed since."""
    end = time.monotonic() + TURN_SECONDS
    for message in messages:
        if time.monotonic() > end:
            hub.turnstile.pass_through()
            end = time.monotonic() + TURN_SECONDS
        _ = message.marked
