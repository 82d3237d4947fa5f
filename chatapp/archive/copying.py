"""Copies on the disk: of a database that is in use, of the folder of uploads, of single files.

All of them are for this user only, and on the disk when these return.
"""

import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from chatapp.archive.errors import Progress
from chatapp.uploads import Uploads

PAGES = 5000  # of a database at once


@contextmanager
def opened(path: str | Path) -> Iterator[sqlite3.Connection]:
    """The SQLite database `path`, each statement by itself; closed in the end."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        yield database
    finally:
        database.close()


def copy_database(source: str | Path, target: Path, progress: Progress) -> None:
    """Copy a SQLite database as it is now, in one file."""
    with opened(source) as here, opened(target) as there:
        # Within a transaction it stays one state; else the copy would begin anew with each commit.
        here.execute("BEGIN")
        pages = left = here.execute("PRAGMA page_count").fetchone()[0]
        with progress("database", pages) as done:

            def copied(_status: int, remaining: int, _pages: int) -> None:
                nonlocal left
                done(left - remaining)
                left = remaining

            here.backup(there, pages=PAGES, progress=copied)
        there.execute("PRAGMA journal_mode=DELETE")  # can be read where nothing can be written
    os.chmod(target, 0o600)
    sync(target)


def copy_contents(source: Uploads, target: Uploads, digests: Collection[str], progress: Progress) -> set[str]:
    """Copy the contents that `target` lacks. The digests of those that are lost, or not what they were."""
    lost = set()
    with progress("files", len(digests)) as done:
        for digest in sorted(digests):
            path = Path(target.content(digest))
            try:
                if not path.exists() and copy(source.content(digest), path) != digest:
                    lost.add(digest)
            except FileNotFoundError:
                lost.add(digest)
            done(1)
    return lost


def copy(source: str | Path, target: Path) -> str:
    """Copy a file to where none is; its SHA-256."""
    with open(source, "rb") as here:
        for folder in (target.parent.parent, target.parent):  # a folder's parents would be open to all
            folder.mkdir(mode=0o700, exist_ok=True)
        with open(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as there:
            shutil.copyfileobj(here, there)
            there.flush()
            os.fsync(there.fileno())
            there.seek(0)
            return file_digest(there, "sha256").hexdigest()


def digest_of(path: str | Path) -> str | None:
    """A file's SHA-256; None where it is not there."""
    try:
        with open(path, "rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def named_in(path: str | Path) -> set[str]:
    """The digests of all files in a SQLite database."""
    with opened(path) as database:
        return {digest for (digest,) in database.execute("SELECT DISTINCT sha256 FROM files")}


def sync_folders(path: str | Path) -> None:
    """Bring to the disk which files there are in a folder and in those below it."""
    for folder, _, _ in os.walk(path):
        sync(folder)


def sync(path: str | Path) -> None:
    """Bring a file to the disk, or which ones there are in a folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
