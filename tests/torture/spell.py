"""The quiet spell behind all trouble, in which each reader gets what there is.

A reader that its server has forgotten would otherwise help itself by connecting anew, and nobody noticed. Each has
SPELL from when its line gives a sign of life. A line may be dead without a word: whoever was killed while they could
not be reached is not there to say so when they can be, and their proxy goes on waiting. Who has a poll on such a line
gives it up after DEAF.
"""

from collections.abc import Iterable, Mapping

import gevent

from tests.torture.history import Wait
from tests.torture.readers import DEAF, Reader
from tests.torture.wire import now

SPELL = 20.0  # seconds


def waits(readers: Iterable[Reader], lasts: Mapping[int, int], given: float = SPELL) -> list[Wait]:
    """How long each of them takes for the last number of its room, from now on."""
    begun, found = now(), list[Wait]()
    begins = dict.fromkeys(readers, begun + DEAF)
    while begins:
        for reader in list(begins):
            last = lasts[reader.room]
            took = now() - begun if reader.has(last) else None
            if reader.heard > begun:
                begins[reader] = min(begins[reader], reader.heard)
            if took is not None or now() > begins[reader] + given:
                found.append(Wait(reader.name, reader.room, reader.transport, last, took, given))
                del begins[reader]
        gevent.sleep(0.02)
    return found
