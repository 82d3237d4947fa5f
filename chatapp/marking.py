"""Messages for one answer: as many as it has room for, with their HTML, made in turns with everybody else."""

import time
from collections.abc import Iterable, Iterator, Sequence

from chatapp.mentions import pieces_of_html
from chatapp.message import Message
from chatapp.turnstile import Turnstile

TURN_SECONDS = 0.005
ANSWER_BYTES = 262_144  # of messages in one answer: fifty usual ones are 30 KB, fifty made for it were 5 MB


def mark(turnstile: Turnstile, messages: Iterable[Message]) -> None:
    """Have ready what `marked` gives of each. May switch: rights and rooms may have changed since."""
    for _ in _marked(turnstile, messages, for_page=False):
        pass


def fitting(
    turnstile: Turnstile,
    messages: Sequence[Message],
    *,
    html: bool,
    newest: bool = False,
    for_page: bool = False,
) -> list[Message]:
    """Those of `messages` that one answer has room for, at least one: the first, or (`newest`) the last.

    `html`: with what `marked` gives of each made ready, and (`for_page`) with whom it calls. May switch, as
    `mark` does.
    """
    found: list[Message] = []
    size = 0
    wanted = messages[::-1] if newest else messages
    for message in _marked(turnstile, wanted, for_page=for_page) if html else wanted:
        size += (message.marked if html else message).size_in_page
        if found and size > ANSWER_BYTES:
            break
        found.append(message)
    return found[::-1] if newest else found


def _marked(turnstile: Turnstile, messages: Iterable[Message], *, for_page: bool) -> Iterator[Message]:
    end = time.monotonic() + TURN_SECONDS
    for message in messages:
        if time.monotonic() > end:
            turnstile.pass_through()
            end = time.monotonic() + TURN_SECONDS
        html = message.marked.html
        if for_page and html and message.mentions and message.called:
            pieces_of_html(html, tuple(message.mentions), tuple(message.called))
        yield message
