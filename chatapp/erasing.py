"""Taking somebody out of the logs: in short transactions, one behind the other, for others write meanwhile.

What is left to do stands in the database, so what a crash has cut off is gone on with.
"""

import logging
import time

import gevent

from chatapp.journal import Journal, personal_data

LEFT_ALONE = 60_000_000  # microseconds after which nobody else is still at it

log = logging.getLogger(__name__)


def finish(journal: Journal, person: str) -> int:
    """Take somebody who is being erased out of all logs; out of how many. Switches. Raises NotKept."""
    rooms = set()
    while (request := journal.read(personal_data.next_named, person)) is not None:
        begun = time.monotonic()
        journal.ask(request)
        rooms.add(request.room)
        if request.seqs:
            gevent.sleep(time.monotonic() - begun)  # others have as much of the database's lock
    return len(rooms - {0})


def finish_all(journal: Journal) -> None:
    """Go on with whoever was left half-way. Switches. Raises NotKept."""
    for person in journal.read(personal_data.being_erased, time.time_ns() // 1000 - LEFT_ALONE):
        rooms = finish(journal, person)
        log.info("an erasure that was cut off is finished: %d more rooms", rooms)
