"""Retention: what a room does not keep is removed once a minute, as is what deleted texts said, once nobody
may bring them back. Whichever process comes first does it.
"""

import logging
import time

from chatapp.chores import every
from chatapp.journal import Journal, reading, statements
from chatapp.journal.requests import ForgetDeleted

SECONDS = 60

log = logging.getLogger(__name__)


def run(journal: Journal) -> None:
    """Prune for ever. Switches."""
    every(SECONDS, lambda: prune(journal), log, "retention failed")


def prune(journal: Journal) -> int:
    """Remove what is over; how many rooms had something to remove."""
    now = time.time_ns() // 1000
    if journal.read(reading.deleted_before, now):
        journal.ask(ForgetDeleted(now))
    due = journal.read(reading.to_prune, now)
    for request in due:
        first: int = journal.ask(request)
        while (reached := journal.ask(request)) - first >= statements.PRUNED_AT_ONCE:  # there may be more
            first = reached
    return len(due)
