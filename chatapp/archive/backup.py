"""A backup: a folder with the database, the keys and the files as they were at one moment.

backup.json         what it is and what has to be in it; written last
chat.db             SQLite's database, all in one file
uploads/ab/abcd…    what is in the files that it names
secret_key, factor_key
"""

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

import msgspec
from msgspec import Struct
from sqlalchemy import Engine

from chatapp import keys, schema
from chatapp.archive.copying import (
    copy,
    copy_contents,
    copy_database,
    digest_of,
    named_in,
    opened,
    sync,
    sync_folders,
)
from chatapp.archive.errors import Progress, Refused
from chatapp.archive.export_file import now
from chatapp.archive.tables import TABLES, file_of
from chatapp.config import Config
from chatapp.uploads import Uploads
from chatapp.version import VERSION

FORMAT = 1
MANIFEST, DATABASE, UPLOADS = "backup.json", "chat.db", "uploads"


class Manifest(Struct, frozen=True):
    """What a backup is. `files`: by their names, the SHA-256 of all but uploads. `rows`: of each table."""

    format: int
    schema: str
    program: str
    at: str
    files: dict[str, str]
    rows: dict[str, int]


def back_up(config: Config, engine: Engine, uploads: Uploads, folder: str, progress: Progress) -> list[str]:
    """Make a backup as `folder`, which is there when it is whole, for this user only.

    A server may run meanwhile. Returns the digests of files that were lost, or damaged, before.
    Raises Refused, also for another database than SQLite's.

    Contents are copied before the database, and then those that came meanwhile: see `exporting.export`.
    """
    database = file_of(engine)
    if os.path.lexists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
        raise Refused(f"{folder} is there already: name another folder")
    parent, name = os.path.split(os.path.abspath(folder))
    os.makedirs(parent, exist_ok=True)
    made = Path(mkdtemp(prefix=name + ".", dir=parent))
    try:
        copies = Uploads(str(made / UPLOADS))
        lost = copy_contents(uploads, copies, named_in(database), progress)
        copy_database(database, made / DATABASE, progress)
        named = named_in(made / DATABASE)
        lost = lost & named | copy_contents(uploads, copies, named, progress)
        for each in keys.kept(config):
            copy(config.path(each), made / each)
        (made / MANIFEST).touch(0o600)
        (made / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(_manifest(made))))
        sync(made / MANIFEST)
        sync_folders(made)
        os.rename(made, folder)
        sync(parent)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return sorted(lost)


def manifest(folder: Path) -> Manifest:
    """What the backup says of itself. Raises Refused where it is none, or one for a newer program."""
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise Refused(f"{folder} is no backup, or was never finished: it has no {MANIFEST}") from None
    except msgspec.MsgspecError:
        raise Refused(f"{folder / MANIFEST} is damaged, or of a newer program") from None
    if found.format > FORMAT or found.schema > schema.newest():
        raise Refused(
            f"{folder} was made by a newer program ({found.program}, schema {found.schema}, here "
            f"{schema.newest()}): install that version here"
        )
    return found


def _manifest(folder: Path) -> Manifest:
    files = {name: digest for name in (DATABASE, *keys.NAMES) if (digest := digest_of(folder / name))}
    with opened(folder / DATABASE) as database:
        rows = {
            str(table.name): database.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]  # nosec B608  # names of ours
            for table in TABLES
        }
    return Manifest(FORMAT, schema.newest(), VERSION, now(), files, rows)
