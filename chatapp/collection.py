"""Collection: files that no message has (any more) go after a while, by whichever process comes first."""

import logging
import time

from chatapp.chores import every
from chatapp.journal import Journal, file_statements
from chatapp.journal.requests import CollectFiles, ForgetContents
from chatapp.uploads import Uploads

SECONDS = 600
# How long a file is kept that no message has, or only a deleted one: who writes takes their time, and who has
# deleted may take it back.
KEPT_SECONDS = 3600
AT_ONCE = 500  # who writes meanwhile waits for the transaction

log = logging.getLogger(__name__)


def run(journal: Journal, uploads: Uploads, undo_seconds: int) -> None:
    """Collect for ever. `undo_seconds`: how long a deletion may be taken back. Switches."""
    kept = max(KEPT_SECONDS, undo_seconds)
    every(SECONDS, lambda: collect(journal, uploads, time.time() - kept), log, "files could not be collected")


def collect(journal: Journal, uploads: Uploads, before: float) -> int:
    """Forget the files that no message has had since that time (seconds since 1970), and remove the contents
    that lie there since then and that no file has; how many contents that were. What has gone from there
    counts no more. Switches.
    """
    moment = round(before * 1_000_000)
    while due := journal.read(file_statements.due, moment, AT_ONCE):
        journal.ask(CollectFiles(tuple(due), moment))
    old = uploads.older(before)
    removed = uploads.remove(journal.read(file_statements.unknown, old), before)
    if gone := uploads.missing(journal.read(file_statements.contents_of_none)):
        journal.ask(ForgetContents(tuple(gone)))
    return removed
