"""Taking somebody out of the logs: in short transactions, one behind the other, for others write meanwhile.

What is left to do stands in the database, so what a crash has cut off is gone on with.
"""

import logging
import time
from contextlib import suppress

import gevent
from gevent.lock import BoundedSemaphore

from chatapp.errors import ChatError
from chatapp.journal import Journal, personal_data

LEFT_ALONE = 60_000_000  # microseconds after which nobody else is still at it

# One at a time in this process: each may read all logs, for seconds, on a connection that others need.
_turn = BoundedSemaphore(1)

log = logging.getLogger(__name__)


def finish(journal: Journal, person: str) -> int:
    """Take somebody who is being erased out of all logs, once those who came before are; out of how many.
    Switches. Raises NotKept, Draining.
    """
    rooms = set()
    with _turn:
        while (request := journal.read(personal_data.next_named, person)) is not None:
            begun = time.monotonic()
            journal.ask(request)
            rooms.add(request.room)
            if request.seqs:
                gevent.sleep(time.monotonic() - begun)  # others have as much of the database's lock
    return len(rooms - {0})


def go_on(journal: Journal, person: str) -> None:
    """The same in a greenlet of its own. What fails, or is cut off, `finish_all` does within minutes."""
    with suppress(ChatError):  # the journal has said why
        finish(journal, person)


def finish_all(journal: Journal) -> None:
    """Go on with whoever was left half-way. Switches. Raises NotKept, Draining."""
    for person in journal.read(personal_data.being_erased, time.time_ns() // 1000 - LEFT_ALONE):
        rooms = finish(journal, person)
        log.info("an erasure that was cut off is finished: %d more rooms", rooms)
