"""Taking in an export: all of it or nothing, by an empty database."""

from base64 import b64decode
from contextlib import closing
from itertools import islice

from sqlalchemy import Connection, Engine, LargeBinary, delete

from chatapp import instance, keys
from chatapp.archive import export_file
from chatapp.archive.errors import Progress, Refused
from chatapp.archive.export_file import Body, FileBegins, Key, TableBegins
from chatapp.archive.tables import TABLES, alone, check_empty, expect_much, give_after, named, put
from chatapp.config import Config
from chatapp.uploads import Uploads

ROWS = 2000  # at once
LARGEST = 1 << 62  # bytes of a file: who sent it was held to a limit then


def take_in(config: Config, engine: Engine, uploads: Uploads, path: str, progress: Progress) -> list[str]:
    """Fill the database, the folder of uploads and the keys from the export `path`. No server runs.

    Returns the digests of files that the server had lost from where they come.

    Raises Refused. Then, and whatever else is raised, database and keys are as they were, and nothing new is
    in the folder. Where the process is killed the database is as it was; what is in the folder by then is of
    no row, and is collected within two hours of the next start.
    """
    with instance.setting_up(config), alone(engine):  # a server that is started meanwhile waits
        export_file.check(path)
        before, new = keys.kept(config), list[str]()
        try:
            with engine.connect().execution_options(writes=True) as connection, connection.begin():
                expect_much(connection)
                check_empty(connection)
                for table in reversed(TABLES):
                    connection.execute(delete(table))
                keys.put(config, _fill(connection, uploads, path, new, progress))
                return sorted(uploads.missing(named(connection)))
        except BaseException:
            keys.put(config, before)
            uploads.remove(new, float("inf"))
            raise


def _fill(
    connection: Connection, uploads: Uploads, path: str, new: list[str], progress: Progress
) -> dict[str, list[str]]:
    """Returns the keys, and notes in `new` which contents were not in the folder."""
    found: dict[str, list[str]] = {}
    for head, body in export_file.sections(path):
        if isinstance(head, Key):
            found[head.name] = head.keys
        elif isinstance(head, FileBegins):
            _keep(uploads, head.sha256, body, new)
        else:
            _fill_table(connection, head, body, progress)
    return found


def _fill_table(connection: Connection, head: TableBegins, body: Body, progress: Progress) -> None:
    table = next((each for each in TABLES if each.name == head.name), None)
    if table is None or head.columns != [column.name for column in table.columns]:
        raise Refused(f"the export is of another program: the table {head.name} is not known so")
    binary = [at for at, column in enumerate(table.columns) if isinstance(column.type, LargeBinary)]
    with progress(table.name, head.rows) as done:
        while some := [list(row) for row in islice(body, ROWS)]:
            for row in some if binary else ():
                for at in binary:
                    row[at] = b64decode(row[at])
            put(connection, table, some)
            done(len(some))
    give_after(connection, table, head.given)


def _keep(uploads: Uploads, digest: str, body: Body, new: list[str]) -> None:
    with closing(uploads.arriving(LARGEST)) as arriving:
        for piece in body:
            arriving.write(b64decode(str(piece)))
        if arriving.digest != digest:
            return  # it was damaged already: who made the export was told
        arriving.finish()
        new += uploads.missing([digest])
        uploads.keep(arriving)
