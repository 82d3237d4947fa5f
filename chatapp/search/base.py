"""What every index does: it holds an entry for each text, and finds the newest that have certain words."""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct

from chatapp import names
from chatapp.journal.search_reading import Place, Text
from chatapp.search.query import Phrase, Query
from chatapp.search.words import words

# Marks are words that no text has, since they begin with a character for private use: who wrote it, and what
# is in it. Names are kept as hashes, which are words of one form.
AUTHOR, NAME, KIND = "\ue001", "\ue002", "\ue003"
LINK = re.compile(r"\b(?:https?://|www\.)\w", re.IGNORECASE)


class Entry(Struct, frozen=True):
    """What is kept of a text. `at`: microseconds since 1970. `words`: its words and marks, with spaces
    between them.
    """

    room: int
    seq: int
    at: int
    words: str


class Stretch(Struct, frozen=True):
    """What the index is to have of a part of `room`'s log: between the numbers `first` and `last`, and of
    single ones before them, `seqs`, these `entries` and no other. With that it has come to `place`.
    """

    room: int
    place: Place
    first: int
    last: int
    entries: Collection[Entry]
    seqs: Collection[int] = ()


class Wanted(Struct, frozen=True):
    """What entries have to be: with all of `phrases`, all of `marks` and one of each of `choices`, in one of
    `rooms`, from `after` on and before `before` (microseconds).
    """

    phrases: tuple[Phrase, ...]
    marks: tuple[str, ...]
    choices: tuple[tuple[str, ...], ...]
    rooms: Collection[int]
    after: int | None = None
    before: int | None = None


class Hit(Struct, frozen=True):
    """An entry that was found. `cursor`: what is older than it is before this."""

    entry: Entry
    cursor: int


class Found(Struct, frozen=True):
    """`hits`: the newest first. `more`: there are others that are older. `behind`: a good deal is still
    missing in the index, which is being made.
    """

    hits: list[Hit]
    more: bool = False
    behind: bool = False


def entry(text: Text) -> Entry:
    """What is kept of `text`."""
    told = [*words(text.body), author_mark(text.author), name_mark(text.name)]
    told += [KIND + kind for kind in _kinds(text)]
    return Entry(text.room, text.seq, text.at, " ".join(told))


def wanted(query: Query, authors: Iterable[tuple[str, ...]], rooms: Collection[int]) -> Wanted:
    """`authors`: the marks of each whom the query names."""
    choices = (tuple(mark for marks in authors for mark in marks),) if query.authors else ()
    marks = tuple(KIND + kind for kind in query.kinds)
    return Wanted(query.phrases, marks, choices, rooms, query.after, query.before)


@lru_cache(4096)
def author_mark(person: str) -> str:
    """What marks the messages of the person with that id."""
    return AUTHOR + _hash(person)


@lru_cache(4096)
def name_mark(name: str) -> str:
    """What marks the messages of those who were called so when they wrote, or almost so."""
    return NAME + _hash(names.key(name))


def _kinds(text: Text) -> list[str]:
    body = text.body
    # Most have none of either, which is found ten times as quickly.
    found = ["link"] if ("://" in body or "www" in body.lower()) and LINK.search(body) else []
    return [*found, "file"] if text.files else found


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


class Index(ABC):
    """All of it switches, and runs off the hub. Raises IndexFault where it cannot be used just now.

    One process at a time, the one that holds the index, changes it; every process may look something up.
    """

    @abstractmethod
    def hold(self) -> bool:
        """Become the one process that changes it, until this process ends; False where another one is."""

    @abstractmethod
    def let_go(self) -> None:
        """Another process may hold it."""

    @abstractmethod
    def there(self) -> bool:
        """Whether there is an index."""

    @abstractmethod
    def places(self) -> dict[int, Place]:
        """How far it has come, room by room. Makes what is missing or damaged anew: then it is nowhere."""

    @abstractmethod
    def put(self, stretches: Sequence[Stretch]) -> None:
        """Have all of `stretches`, or nothing."""

    @abstractmethod
    def cut(self, room: int, first: int, last: int) -> None:
        """Forget what is outside of the numbers `first` to `last` of `room`."""

    @abstractmethod
    def drop(self, room: int) -> None:
        """Forget `room`."""

    @abstractmethod
    def note_behind(self, behind: bool) -> None:
        """Note whether a good deal is still missing."""

    @abstractmethod
    def tidy(self, at_once: bool) -> bool:
        """Go on to take what was forgotten out of the files as well, if that is due; whether there is more
        of it to do now. `at_once`: it is due if anything was forgotten.
        """

    @abstractmethod
    def find(self, wanted: Wanted, limit: int) -> Found:
        """The newest `limit` entries that are as `wanted`. Raises TooSlow where that takes too long."""

    @abstractmethod
    def close(self) -> None:
        """Close what is not in use."""


class IndexFault(Exception):
    """The index cannot be used just now; in one line why."""


class TooSlow(Exception):
    """What is looked for cannot be found in the time that there is."""
