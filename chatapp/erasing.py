"""Taking somebody out of the logs: in short transactions, one behind the other, for others write meanwhile.

What is left to do stands in the database, so what a crash has cut off is gone on with, by whichever process
comes first. Who only waits for their turn is not left alone: each step says so of them, to all processes.
"""

import logging
import time
from contextlib import suppress

import gevent
from gevent.lock import BoundedSemaphore
from msgspec import structs

from chatapp.chores import every
from chatapp.errors import ChatError
from chatapp.journal import Journal, personal_data

SECONDS = 60
LEFT_ALONE = 60_000_000  # microseconds after which nobody else is still at it

# One at a time in this process: each may read all logs, for seconds, on a connection that others need.
_turn = BoundedSemaphore(1)
_here: set[str] = set()  # whose turn it is, and who wait for theirs

log = logging.getLogger(__name__)


def finish(journal: Journal, person: str) -> int:
    """Take somebody who is being erased out of all logs, once those who came before are; out of how many.
    Switches. Raises NotKept, Draining.
    """
    rooms = set()
    _here.add(person)
    try:
        with _turn:
            while (request := journal.read(personal_data.next_named, person)) is not None:
                begun = time.monotonic()
                journal.ask(structs.replace(request, waiting=tuple(_here - {person})))
                rooms.add(request.room)
                if request.seqs:
                    gevent.sleep(time.monotonic() - begun)  # others have as much of the database's lock
    finally:
        _here.discard(person)
    return len(rooms - {0})


def go_on(journal: Journal, person: str) -> None:
    """The same in a greenlet of its own. What fails, or is cut off, `finish_all` does within minutes."""
    with suppress(ChatError):  # the journal has said why
        finish(journal, person)


def run(journal: Journal) -> None:
    """Finish what was cut off, for ever. Switches."""
    every(SECONDS, lambda: finish_all(journal), log, "who was left half-way could not be erased")


def finish_all(journal: Journal) -> None:
    """Go on with whoever was left half-way. Switches. Raises NotKept, Draining."""
    while left := _left_alone(journal):
        rooms = finish(journal, left[0])
        if rooms:
            log.info("an erasure that was cut off is finished: %d more rooms", rooms)


def _left_alone(journal: Journal) -> list[str]:
    """Asked anew each time: meanwhile another process may have begun with the next one."""
    found = journal.read(personal_data.being_erased, time.time_ns() // 1000 - LEFT_ALONE)
    return [person for person in found if person not in _here]
