"""Putting a backup into the place of what a server has, and trying out whether that would go well."""

import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from chatapp import instance, keys
from chatapp.archive.backup import DATABASE, UPLOADS, Manifest, manifest
from chatapp.archive.copying import copy, copy_contents, digest_of, named_in, opened, sync, sync_folders
from chatapp.archive.errors import Progress, Refused
from chatapp.archive.tables import alone, file_of
from chatapp.config import Config
from chatapp.journal.statements import new_epoch
from chatapp.uploads import Uploads

STAGED = ".restoring"
# What SQLite has beside a database belongs to that one alone.
BESIDE = ("-wal", "-shm", "-journal")


def verify(folder: Path, progress: Progress) -> tuple[Manifest, list[str]]:
    """What the backup is, and what is wrong with it. Raises Refused.

    Its database is restored into a temporary folder, and all else is read where it is.
    """
    found, contents = manifest(folder), Uploads(str(folder / UPLOADS))
    with TemporaryDirectory(prefix="chatapp-") as temporary:
        wrong, digests = _restore_database(folder, found, Path(temporary, DATABASE))
    wrong += [
        _otherwise(name)
        for name, digest in found.files.items()
        if name != DATABASE and digest_of(folder / name) != digest
    ]
    with progress("files", len(digests)) as done:
        for digest in sorted(digests):
            if digest_of(contents.content(digest)) != digest:
                wrong.append(_lost(digest))
            done(1)
    return found, wrong


def check(config: Config, engine: Engine, folder: Path) -> None:
    """Raises Refused where `restore` would, before it has read all of the backup."""
    file_of(engine)
    with instance.setting_up(config), alone(engine):
        manifest(folder)


def restore(config: Config, engine: Engine, folder: Path, anyway: bool, progress: Progress) -> list[str]:
    """Put the backup in the place of what is there. No server runs. Raises Refused; then nothing was changed.

    What was there stays beside it: returns its paths. Each log has a new epoch: readers who have seen more
    than the backup has start over. `anyway`: also what is not whole.
    """
    database, uploads = file_of(engine), config.path(UPLOADS)
    with instance.setting_up(config), alone(engine):  # a server that is started meanwhile waits
        found = manifest(folder)
        places = [uploads, *(config.path(name) for name in keys.NAMES if name in found.files), database]
        try:
            for place in places:
                _remove(place + STAGED)  # of a try that was killed
            wrong, digests = _restore_database(folder, found, Path(database + STAGED))
            os.mkdir(uploads + STAGED, 0o700)
            wrong += [
                _otherwise(name)
                for name in keys.NAMES
                if name in found.files and not _restore_key(folder, found, config.path(name))
            ]
            contents, copies = Uploads(str(folder / UPLOADS)), Uploads(uploads + STAGED)
            wrong += map(_lost, copy_contents(contents, copies, digests, progress))
            if wrong and not anyway:
                raise Refused(
                    f"{folder} is not whole ({wrong[0]}): see `flask data verify`, or give --anyway"
                )
            sync_folders(uploads + STAGED)
            return _exchange(places)
        finally:
            for place in places:
                _remove(place + STAGED)


def _restore_key(folder: Path, found: Manifest, place: str) -> bool:
    name = os.path.basename(place)
    try:
        return copy(folder / name, Path(place + STAGED)) == found.files[name]
    except FileNotFoundError:
        return False


def _restore_database(folder: Path, found: Manifest, target: Path) -> tuple[list[str], set[str]]:
    """Copy the database to `target`, with new epochs; what is wrong with it, and which files it names."""
    try:
        wrong = [] if copy(folder / DATABASE, target) == found.files.get(DATABASE) else [_otherwise(DATABASE)]
        with opened(target) as database:
            wrong += _faults(database, found)
            database.create_function("new_epoch", 0, new_epoch)
            database.execute("UPDATE rooms SET epoch = new_epoch()")
        return wrong, named_in(target)
    except (sqlite3.DatabaseError, FileNotFoundError) as error:
        raise Refused(f"the database of {folder} cannot be read: {error}") from None


def _faults(database: sqlite3.Connection, found: Manifest) -> Iterator[str]:
    said = [text for (text,) in database.execute("PRAGMA integrity_check(3)")]
    if said != ["ok"]:
        yield f"the database is damaged: {'; '.join(said)}"
    for table, _, parent, _ in database.execute("PRAGMA foreign_key_check").fetchmany(3):
        yield f"a row of {table} belongs to one of {parent} that is not there"
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        rows = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # nosec B608  # names of tables
        if rows != found.rows.get(table, rows):
            yield f"{table} has {rows} rows, not {found.rows[table]}"
    for room, holes in database.execute(_HOLES).fetchall():
        yield f"room {room} lacks {holes} of its messages"


# A room has each number from its first to its last, once.
_HOLES = """
SELECT rooms.id, last_seq - first_seq + 1 - count(seq) FROM rooms
LEFT JOIN messages ON room_id = rooms.id AND seq BETWEEN first_seq AND last_seq
GROUP BY rooms.id HAVING last_seq - first_seq + 1 <> count(seq)
"""


def _exchange(places: list[str]) -> list[str]:
    """Move what is staged into its place, and what was there beside it. Where that fails, all goes back."""
    stamp = time.strftime(".before-restore-%Y%m%d-%H%M%S", time.gmtime())
    moved: list[tuple[str, str]] = []

    def move(source: str, target: str) -> None:
        if os.path.lexists(source):
            if os.path.lexists(target):  # of a restore within the same second
                raise FileExistsError(errno.EEXIST, "is there already", target)
            os.rename(source, target)
            moved.append((source, target))

    try:
        for place in places:
            if not os.path.lexists(place + STAGED):
                continue  # a key that the backup has lost: the one that is here stays
            for each in (place, *(place + end for end in BESIDE)):
                move(each, each + stamp)
            move(place + STAGED, place)
    except BaseException:
        for source, target in reversed(moved):
            os.rename(target, source)
        raise
    for folder in {os.path.dirname(os.path.abspath(place)) for place in places}:
        sync(folder)
    return [target for _, target in moved if target.endswith(stamp)]


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _otherwise(name: str) -> str:
    return f"{name} is not as it was copied"


def _lost(digest: str) -> str:
    return f"a file is not there as it was: {digest}"
