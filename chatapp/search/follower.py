"""What keeps the index where the log is: one process, whichever comes first, reads what has changed.

Of each room the index knows how far it has come (`Place`). What is new in the log is read from there on; what
an entry of the log changes (`of`) is read anew as well, whatever it did to it. A room whose log has another
name (cleared, restored, somebody was erased) is compared from its beginning.

What may switch: all of it. In memory there is nothing but the places.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import gevent
from gevent.lock import BoundedSemaphore

from chatapp.errors import ChatError
from chatapp.journal import Journal, search_reading
from chatapp.journal.search_reading import News, Place
from chatapp.search.base import Entry, Index, IndexFault, Stretch, entry
from chatapp.threads import in_thread
from chatapp.trouble import Trouble

LOOK_SECONDS = 0.5
HOLD_SECONDS = 2.0  # between two tries to become the one who follows
ROUND_SECONDS = 5.0  # before what is new meanwhile has its turn
AGAIN_SECONDS = 1.0  # after something went wrong
# Messages at a time: BATCH takes some 3 ms of a thread, of long texts in Chinese half a second, and the hub
# waits while a thread runs Python. Where little lacks, it is taken in BATCHES, each of LEAST_BATCH or more.
BATCH = 200
LEAST_BATCH = 25
BATCHES = 20
MANY = 1000  # messages that lack: then the index is behind

log = logging.getLogger(__name__)


class Follower:
    """Brings `index` to where `journal` is, and keeps it there."""

    def __init__(self, journal: Journal, index: Index) -> None:
        self._journal, self._index = journal, index
        self._places: dict[int, Place] | None = None
        self._version: int | None = None  # of the database, when the index was there last
        self._behind: bool | None = None  # as it is noted; None: not known
        self._replaced = False  # logs, since something was tidied up
        self._turn = BoundedSemaphore(1)
        self._stopped = False
        self._trouble = Trouble(log, "the search index cannot be kept up to date")

    def run(self) -> None:
        """Follow the log for ever, where no other process does."""
        while not self._stopped:
            pause = LOOK_SECONDS
            try:
                if not self._index.hold():
                    pause = HOLD_SECONDS
                elif self._go_on():
                    pause = 0
                self._trouble.over()
            except ChatError:  # the journal has said why
                pause = AGAIN_SECONDS
            except (IndexFault, OSError) as error:
                self._places = None
                if not self._stopped:  # in the middle of something
                    self._trouble.tell(str(error))
                pause = AGAIN_SECONDS
            except Exception:
                self._places = None
                log.exception("the search index could not be brought up to date")
                pause = AGAIN_SECONDS
            gevent.sleep(pause)

    def settle(self) -> None:
        """Where no other process follows the log, bring the index to where the database is now, and take what
        was forgotten out of its files: for a command beside a server that does not run. What fails is logged.
        """
        try:
            if self._index.there() and self._index.hold():
                while self._go_on() or self._tidy(at_once=True):
                    pass
                self._places = None
                self._index.let_go()
        except (ChatError, IndexFault, OSError) as error:
            log.warning("the search index may still have what was removed: %s", error)

    def stop(self) -> None:
        """Begin nothing new; another process may follow."""
        self._stopped = True

    def _go_on(self) -> bool:
        """Whether there is more to do at once."""
        with self._turn:
            version = self._journal.version()
            there = True
            if self._places is None or version is None or version != self._version:
                there = self._catch_up(time.monotonic() + ROUND_SECONDS)
                self._version = version if there else None
            return self._tidy(at_once=False) or not there

    def _catch_up(self, until: float) -> bool:
        """Bring all rooms to where the database is, those first that lack least, so that what is said now
        waits for no old log. Whether they are there: it ends `until` (monotonic).
        """
        if self._places is None:
            self._places, self._behind = self._index.places(), None
        places, there = self._places, self._journal.read(search_reading.places)
        lacks = {room: place.last - _reached(places.get(room), place) for room, place in there.items()}
        if sum(lacks.values()) > MANY:
            self._note_behind(True)
        for room in places.keys() - there.keys():
            self._replaced = True
            self._index.drop(room)
            del places[room]
        behind = [
            room for room in sorted(lacks, key=lambda room: lacks[room]) if places.get(room) != there[room]
        ]
        much = sum(max(1, lacks[room]) for room in behind)
        batch = min(BATCH, max(LEAST_BATCH, much // BATCHES))
        for number, some in enumerate(_batches(behind, lacks, batch)):
            if number and (self._stopped or time.monotonic() > until):
                return False
            if not self._bring(places, {room: there[room] for room in some}, batch, until):
                return False
        self._note_behind(False)
        if self._replaced:
            self._tidy(at_once=True)  # the next rounds go on with it
            self._replaced = False
        return True

    def _bring(self, places: dict[int, Place], there: Mapping[int, Place], batch: int, until: float) -> bool:
        """Bring some rooms to where the database was a moment ago, `there`, with `batch` messages at a time;
        whether they are.
        """
        lacking: dict[int, int] = {}  # from which number on
        for room, place in there.items():
            known = places.get(room)
            self._replaced |= known is not None and known.epoch != place.epoch
            lacking[room] = reached = _reached(known, place)
            if known is not None and (known.first != place.first or reached < known.last):
                self._index.cut(room, place.first, place.last)
        while True:
            asked = [(room, reached, there[room].last) for room, reached in lacking.items()]
            found = self._journal.read(search_reading.news, asked, batch)
            begun = time.monotonic()
            stretches = in_thread(partial(_stretches, found, there))
            self._index.put(stretches)
            for each in stretches:
                places[each.room] = each.place
                if each.last == there[each.room].last:
                    del lacking[each.room]
                else:
                    lacking[each.room] = each.last
            gevent.sleep(time.monotonic() - begun)  # others have as much of the machine
            if not lacking:
                return True
            if self._stopped or time.monotonic() > until:
                return False

    def _note_behind(self, behind: bool) -> None:
        if behind != self._behind:
            self._index.note_behind(behind)
            self._behind = behind

    def _tidy(self, at_once: bool) -> bool:
        begun = time.monotonic()
        more = self._index.tidy(at_once)
        gevent.sleep(time.monotonic() - begun)
        return more


def _batches(rooms: Iterable[int], lacks: Mapping[int, int], batch: int) -> Iterator[list[int]]:
    """`rooms` in turn, as many at a time as lack no more than `batch` messages together, or one."""
    some: list[int] = []
    size = 0
    for room in rooms:
        weight = max(1, lacks[room])
        if some and size + weight > batch:
            yield some
            some, size = [], 0
        some.append(room)
        size += weight
    if some:
        yield some


def _stretches(news: Iterable[News], there: Mapping[int, Place]) -> list[Stretch]:
    return [
        Stretch(each.room, _place(each, there[each.room]), each.first, each.last, _entries(each), each.seqs)
        for each in news
    ]


def _place(news: News, there: Place) -> Place:
    return there if news.last == there.last else Place(there.epoch, there.first, news.last)


def _entries(news: News) -> list[Entry]:
    return [entry(text) for text in news.texts]


def _reached(known: Place | None, place: Place) -> int:
    """Up to which number the index has what the database has at `place`."""
    if known is None or known.epoch != place.epoch or known.last > place.last:
        return place.first - 1
    return max(known.last, place.first - 1)
