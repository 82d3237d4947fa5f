"""Making the HTML of many messages at once, in turns with everybody else."""

import time
from collections.abc import Iterable

from chatapp.mentions import pieces_of_html
from chatapp.message import Message
from chatapp.turnstile import Turnstile

TURN_SECONDS = 0.005


def mark(turnstile: Turnstile, messages: Iterable[Message], *, for_page: bool = False) -> None:
    """Have ready what `marked` gives of each, and (`for_page`) with whom it calls. May switch: rights and
    rooms may have changed since.
    """
    end = time.monotonic() + TURN_SECONDS
    for message in messages:
        if time.monotonic() > end:
            turnstile.pass_through()
            end = time.monotonic() + TURN_SECONDS
        html = message.marked.html
        if for_page and html and message.mentions and message.called:
            pieces_of_html(html, tuple(message.mentions), tuple(message.called))
