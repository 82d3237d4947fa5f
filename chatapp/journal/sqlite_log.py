"""SQLite's write-ahead log: how long it is, and how it is begun anew."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import gevent

from chatapp.journal.faults import Unusable
from chatapp.threads import in_thread

# So many pages, 40 MB, before SQLite moves them into the file. Each message writes the ends of tables and
# indexes anew: they are moved once for many messages, and few wait for that.
PAGES = 10_000
BYTES = PAGES * (4096 + 24)
ROOMY = 10  # times as much has to be free where it is to be made
STEP = 1 << 19  # bytes for which those who write wait


class Lengthening:
    """Makes the log of the database at `path` as long as it will be, step by step.

    A commit to the end of a file that grows waits twice as long for the disk as one within it: the file
    system has to note as well how long it is. Zeros are no frame of SQLite's: it reads the log up to there
    (https://sqlite.org/fileformat2.html, section 4.1), and writes over them.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.stopped = False  # it ends with the step that it is in

    def run(self) -> None:
        """Switches. Raises sqlite3.Error and OSError, and leaves the log as long as it was then."""
        there = f"{Path(self._path).absolute().as_uri()}?mode=rw"  # one that was removed is not made anew
        with closing(in_thread(lambda: sqlite3.connect(there, uri=True, check_same_thread=False))) as writer:
            writer.isolation_level = None
            while not self.stopped and in_thread(lambda: self._step(writer)):
                gevent.sleep(0)

    def _step(self, writer: sqlite3.Connection) -> bool:
        """Whether there is more to do."""
        writer.execute("BEGIN IMMEDIATE")  # nobody else writes to the log
        try:
            log, disk = f"{self._path}-wal", os.statvfs(os.path.dirname(self._path))
            roomy = disk.f_bavail * disk.f_frsize >= ROOMY * BYTES
            if not os.path.exists(log) or os.path.getsize(log) >= BYTES or not roomy:
                return False
            _append_zeros(log)
            return True
        finally:
            writer.execute("ROLLBACK")


def empty(writer: sqlite3.Connection) -> None:
    """Move what was committed into the database and start the log anew. Raises Unusable.

    After an I/O error the log ends with what was refused. Where an fsync failed, the kernel holds that as
    written though it is not on the disk, and a later fsync passes over it: should all processes be killed
    now, the next one would take it for committed, and write behind a hole (docs/design.md).
    """
    busy, _, _ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise Unusable("after an I/O error the log must be emptied first, and another program reads it")


def _append_zeros(path: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        length = os.fstat(file).st_size
        try:
            wanted = min(STEP, BYTES - length)
            while wanted > 0:
                wanted -= os.write(file, bytes(wanted))
            os.fsync(file)  # else the next commit would
        except OSError:
            os.ftruncate(file, length)
            raise
    finally:
        os.close(file)
