"""One SQLite commit for each message, as tutorials' chats keep theirs, with the faster journal (WAL) and an
fsync for each commit, so that what is answered survives a power cut.
"""

import os
import sqlite3
from collections.abc import Callable


def opened() -> Callable[[str], None]:
    """What keeps a message: returns when it is on the disk. The database is the file named by KEPT."""
    database = sqlite3.connect(os.environ["KEPT"], isolation_level=None, check_same_thread=False, timeout=30)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")

    def keep(text: str) -> None:
        database.execute("INSERT INTO messages (body) VALUES (?)", (text,))

    return keep
