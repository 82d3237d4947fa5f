"""The search: an index of all texts beside the database, which follows the log and may be lost without harm.

It is a finger-post, the database is the truth: what the index finds is read from the database and looked at
again before anybody sees it (searching.py).
"""

from chatapp.search.base import (
    Found,
    Hit,
    Index,
    IndexFault,
    TooSlow,
    Wanted,
    author_mark,
    entry,
    name_mark,
    wanted,
)
from chatapp.search.follower import Follower
from chatapp.search.query import parse
from chatapp.search.sqlite import SqliteIndex

__all__ = [
    "Follower",
    "Found",
    "Hit",
    "Index",
    "IndexFault",
    "SqliteIndex",
    "TooSlow",
    "Wanted",
    "author_mark",
    "entry",
    "name_mark",
    "parse",
    "wanted",
]
