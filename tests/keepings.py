"""What a server keeps, without one: a database with three rows in every table, their files, and the keys."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Boolean, Column, Engine, Integer, LargeBinary, delete, insert, select

from chatapp import config, keys
from chatapp.archive.tables import ROOMS, TABLES, alone
from chatapp.config import Config
from chatapp.journal.databases import engine_options, listen
from chatapp.uploads import Uploads

ROWS = 3


class Keepings:
    """The instance folder `folder`, with a database in it or at `url`. What is in it fills every column, some
    with nothing where that may be.
    """

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        self.config: Config = config.load(str(folder), {"CHATAPP_DATABASE_URL": url} if url else {})
        folder.mkdir(mode=0o700)
        self.database = folder / "chat.db"
        options = engine_options(self.config.database_url, busy_seconds=5)
        self.engine: Engine = sqlalchemy.create_engine(self.config.database_url, **options)
        listen(self.engine)
        with alone(self.engine):
            TABLES[0].metadata.create_all(self.engine)
        self.uploads = Uploads(self.config.path("uploads"))
        keys.Keys(self.config)
        keys.factor_key(self.config)

    @property
    def here(self) -> tuple[Config, Engine, Uploads]:
        return self.config, self.engine, self.uploads

    def fill(self) -> "Keepings":
        with self.engine.begin() as connection:
            for table in TABLES:
                rows = [{c.name: value(c, n) for c in table.columns} for n in range(1, ROWS + 1)]
                connection.execute(insert(table), rows)
            # A room that is no more: its number is never given again.
            connection.execute(insert(ROOMS), {c.name: value(c, 9) for c in ROOMS.columns})
            connection.execute(delete(ROOMS).where(ROOMS.c.id == 9))
        for n in range(1, ROWS + 1):
            self.put_content(n)
        return self

    def put_content(self, n: int) -> None:
        """Lay what is in file `n` into the folder of uploads."""
        path = Path(self.uploads.content(digest(n)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(n))

    @property
    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        with self.engine.connect() as connection:
            return {
                table.name: [
                    tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))
                ]
                for table in TABLES
            }

    @property
    def files(self) -> dict[str, bytes]:
        """All that lies in the folder but the database, by its path in there."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and not path.name.startswith("chat.db") and "lock" not in path.name
        }

    def next_room(self) -> int:
        """Which number the next room has."""
        fields = {"name": "a new one", "epoch": "e", "created_at": 1}
        with self.engine.begin() as connection:
            return connection.execute(insert(ROOMS).values(fields).returning(ROOMS.c.id)).scalar_one()


def content(n: int) -> bytes:
    return b"\0what is in file %d\xff" % n * n * 100_000


def digest(n: int) -> str:
    return sha256(content(n)).hexdigest()


def value(column: "Column[Any]", n: int) -> Any:
    """Something for the `n`th row: so that row `n` of one table belongs to row `n` of another."""
    if column.nullable and n == 2:
        return None
    if column.name == "sha256":
        return digest(n)
    if isinstance(column.type, Boolean):
        return n % 2 == 0
    if isinstance(column.type, Integer):
        # Numbers up to the largest that the column takes, but for those that rows belong together by.
        return n if column.primary_key or column.foreign_keys or "seq" in column.name else (1 << 31) - n
    if isinstance(column.type, LargeBinary):
        return bytes([0, n, 255])
    if isinstance(column.type, sqlalchemy.JSON):
        return {"words": f"Grüße {n} 🙂", "list": [n, None]}
    return f"{column.table.name}.{column.name} {n}: “é”\n\u2028\x07🙂"


@contextmanager
def silent(_name: str, _parts: int) -> Iterator[Callable[[int], None]]:
    """Progress that nobody looks at."""
    yield lambda _: None
