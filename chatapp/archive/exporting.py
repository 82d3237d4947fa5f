"""Writing an export: the keys, all tables as they are at one moment, and what is in the files."""

import hashlib
import os
from collections.abc import Collection
from contextlib import suppress
from tempfile import NamedTemporaryFile

from sqlalchemy import Connection, Engine, Table, func, select

from chatapp import keys
from chatapp.archive.errors import Progress, Refused
from chatapp.archive.export_file import PIECE, FileBegins, Key, TableBegins, Writer
from chatapp.archive.tables import TABLES, given, named, one_moment
from chatapp.config import Config
from chatapp.uploads import Uploads

ROWS = 2000  # at once


def export(config: Config, engine: Engine, uploads: Uploads, path: str, progress: Progress) -> list[str]:
    """Write all that there is into the file `path`, which is there when it is whole, for this user only.

    A server may run meanwhile. Returns the digests of files that were lost, or damaged, before.
    Raises Refused where there is something at `path`.

    Contents are written before the tables are looked at, and then those that came meanwhile. The other way
    round, what is collected in between would lack in an export that still has its row. So, what a row names
    was there at first, or has come since; and what has come is not collected within the hour.
    """
    if os.path.lexists(path):
        raise Refused(f"{path} is there already: name another file")
    folder, name = os.path.split(os.path.abspath(path))
    with NamedTemporaryFile(dir=folder, prefix=name + ".", delete=False) as file:  # for this user only
        try:
            writer = Writer(file)
            writer.write([Key(name, list(lines)) for name, lines in keys.kept(config).items()])
            with engine.connect() as connection:
                first = named(connection)
            lost = _write_contents(writer, uploads, first, progress)
            with one_moment(engine) as connection:
                for table in TABLES:
                    _write_table(writer, connection, table, progress)
                later = named(connection)
            lost = (lost & later) | _write_contents(writer, uploads, later - first, progress)
            writer.end()
            os.rename(file.name, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(file.name)
            raise
    return sorted(lost)


def _write_table(writer: Writer, connection: Connection, table: Table, progress: Progress) -> None:
    count = connection.scalar(select(func.count()).select_from(table)) or 0
    columns = [str(column.name) for column in table.columns]
    writer.write([TableBegins(str(table.name), columns, count, given(connection, table))])
    rows = connection.execution_options(yield_per=ROWS).execute(select(table).order_by(*table.primary_key))
    with progress(table.name, count) as done:
        for some in rows.partitions():
            writer.write([tuple(row) for row in some])
            done(len(some))


def _write_contents(
    writer: Writer, uploads: Uploads, digests: Collection[str], progress: Progress
) -> set[str]:
    """Returns the digests of those that are not there, or not what they were."""
    lost = set()
    with progress("files", len(digests)) as done:
        for digest in sorted(digests):
            try:
                with open(uploads.content(digest), "rb") as content:
                    writer.write([FileBegins(digest)])
                    found = hashlib.sha256()
                    while piece := content.read(PIECE):
                        found.update(piece)
                        writer.write([piece])
                    if found.hexdigest() != digest:
                        lost.add(digest)
            except FileNotFoundError:
                lost.add(digest)
            done(1)
    return lost
