"""What every index of the search does: the same contract for each kind (there is one)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.journal.search_reading import Place
from chatapp.search import IndexFault, TooSlow, Wanted, parse, sqlite
from chatapp.search.base import Entry, Index

NOON = 1_790_000_000_000_000  # microseconds since 1970
ROOMS = range(1, 41)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = sqlite.SqliteIndex(str(tmp_path / "search.db"))
    assert index.hold()
    assert index.places() == {}
    yield index
    index.close()


def put(index: Index, room: int, *texts: str, first: int = 1, step: int = 1000) -> None:
    """Texts numbered from `first`, one each `step` microseconds, at the same moments in every room."""
    last = first + len(texts) - 1
    entries = [Entry(room, first + n, NOON + (first + n) * step, text) for n, text in enumerate(texts)]
    index.put(room, Place("e", 1, last, 1), first, last, entries)


def numbers(index: Index, line: str, rooms: range = ROOMS, limit: int = 100) -> list[tuple[int, int]]:
    query = parse(line)
    wanted = Wanted(query.phrases, (), (), rooms, query.after, query.before)
    return [(hit.entry.room, hit.entry.seq) for hit in index.find(wanted, limit).hits]


def test_the_newest_come_first_from_few_rooms_as_from_many_also_where_they_are_of_one_moment(
    index: Index,
) -> None:
    for room in ROOMS:
        put(index, room, "alpha beta", "beta alpha", "gamma")
    for rooms in (range(3, 8), range(3, 40)):
        those = numbers(index, "alpha", rooms)
        assert [seq for _, seq in those] == [2] * len(rooms) + [1] * len(rooms)
        assert {room for room, _ in those} == set(rooms)
        assert len(numbers(index, '"beta alpha"', rooms)) == len(rooms)
        wanted, pages = Wanted(parse("alpha").phrases, (), (), rooms), []
        found = index.find(wanted, 3)
        while True:
            pages += [(hit.entry.room, hit.entry.seq) for hit in found.hits]
            if not found.more:
                break
            cursor = found.hits[-1].cursor
            found = index.find(Wanted(wanted.phrases, (), (), rooms, before=cursor), 3)
        assert pages == those
    assert numbers(index, "alpha", range(0)) == []
    everything = index.find(Wanted((), (), (), ROOMS), 1000)
    assert len(everything.hits) == 3 * len(ROOMS)
    assert numbers(index, "delta") == []


def test_what_is_put_anew_takes_the_place_of_what_was_there_and_the_rest_stays(index: Index) -> None:
    put(index, 1, "one", "two", "three", "four")
    put(index, 2, "two")
    put(index, 1, "two", "drei", first=2)
    assert numbers(index, "two") == [(1, 2), (2, 1)]
    assert (numbers(index, "three"), numbers(index, "drei"), numbers(index, "one")) == (
        [],
        [(1, 3)],
        [(1, 1)],
    )
    place = Place("e", 1, 5, 2)
    index.put(1, place, 5, 5, [Entry(1, 5, NOON + 5, "five"), Entry(1, 1, NOON + 1, "eins")], [1, 4])
    assert [numbers(index, word) for word in ("five", "eins", "one", "four")] == [[(1, 5)], [(1, 1)], [], []]
    assert index.places() == {1: place, 2: Place("e", 1, 1, 1)}
    index.cut(1, 3, 5)
    assert (numbers(index, "eins"), numbers(index, "drei")) == ([], [(1, 3)])
    index.drop(1)
    assert (numbers(index, "five"), numbers(index, "two")) == ([], [(2, 1)])
    assert index.places() == {2: Place("e", 1, 1, 1)}


def test_what_was_forgotten_is_taken_out_of_the_files_when_that_is_due(index: Index, tmp_path: Path) -> None:
    def in_the_files(word: str) -> bool:
        return any(word.encode() in path.read_bytes() for path in tmp_path.glob("search.db*"))

    put(index, 1, *(f"xylophone{number} stays" for number in range(500)))
    put(index, 1, "clavichord", first=501)
    put(index, 2, "harmonium")
    assert not index.tidy(at_once=True), "nothing was forgotten"
    index.cut(1, 501, 501)
    index.drop(2)
    assert not index.tidy(at_once=False), "not yet"
    assert in_the_files("armonium")
    while index.tidy(at_once=True):
        pass
    assert not in_the_files("armonium")
    assert not in_the_files("ylophone")
    assert in_the_files("clavichord")
    assert numbers(index, "clavichord") == [(1, 501)]


def test_what_takes_too_long_is_given_up(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "FIND_SECONDS", -1)
    monkeypatch.setattr(sqlite, "LOOK_STEPS", 1)
    put(index, 1, *["alpha"] * 50)
    with pytest.raises(TooSlow):
        numbers(index, "alpha")
    monkeypatch.setattr(sqlite, "FIND_SECONDS", 60)
    assert len(numbers(index, "alpha")) == 50, "and the next one is answered"


def test_one_process_changes_it_and_all_may_look(index: Index, tmp_path: Path) -> None:
    put(index, 1, "alpha")
    other = sqlite.SqliteIndex(str(tmp_path / "search.db"))
    assert not other.hold()
    assert numbers(other, "alpha") == [(1, 1)]
    with pytest.raises(IndexFault):
        put(other, 1, "beta")
    index.close()
    assert other.hold()
    assert other.places() == {1: Place("e", 1, 1, 1)}
    put(other, 1, "beta")
    assert numbers(index, "beta") == [(1, 1)]
    other.close()
