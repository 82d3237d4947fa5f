"""SQLite's write-ahead log: how long it is, and how it is begun anew."""

import os
import sqlite3

from chatapp.journal.faults import Unusable

# So many pages, 40 MB, before SQLite moves them into the file. Each message writes the ends of tables and
# indexes anew: they are moved once for many messages, and few wait for that.
PAGES = 10_000
BYTES = PAGES * 4096
ROOMY = 10  # times as much has to be free where it is to be made


class Undone(Exception):
    """Ends a transaction of which nothing is to stay."""


def lengthen(writer: sqlite3.Connection) -> None:
    """Make the log as long as it will be, in a transaction of `writer`. Raises Undone.

    A commit to the end of a file that grows waits twice as long for the disk as one within it: the file
    system has to note as well how long it is. SQLite's own way to make its log longer is to begin what does
    not fit into memory.
    """
    path = writer.execute("PRAGMA database_list").fetchone()[2] + "-wal"
    disk = os.statvfs(os.path.dirname(path))
    roomy = disk.f_bavail * disk.f_frsize >= ROOMY * BYTES
    if not os.path.exists(path) or os.path.getsize(path) >= BYTES or not roomy:
        raise Undone
    (usual,) = writer.execute("PRAGMA cache_size").fetchone()
    writer.execute("PRAGMA cache_size=10")
    try:
        writer.execute("CREATE TABLE length (zeros)")
        writer.execute("INSERT INTO length VALUES (zeroblob(?))", (BYTES,))
    finally:
        writer.execute(f"PRAGMA cache_size={usual}")
    log = os.open(path, os.O_RDONLY)
    try:
        os.fsync(log)  # else the next commit would
    finally:
        os.close(log)
    raise Undone


def empty(writer: sqlite3.Connection) -> None:
    """Move what was committed into the database and start the log anew. Raises Unusable.

    After an I/O error the log ends with what was refused. Where an fsync failed, the kernel holds that as
    written though it is not on the disk, and a later fsync passes over it: should all processes be killed
    now, the next one would take it for committed, and write behind a hole (docs/design.md).
    """
    busy, _, _ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise Unusable("after an I/O error the log must be emptied first, and another program reads it")
