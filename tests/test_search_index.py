"""What every index of the search does: the same contract for each kind (there is one)."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.journal import reading, search_reading
from chatapp.journal.requests import Attachment, KeepFile, Post, Request
from chatapp.journal.search_reading import News, Place, Text, text_of
from chatapp.message import Author, File
from chatapp.permissions import SYSTEM
from chatapp.search import Follower, Found, IndexFault, TooSlow, Wanted, follower, parse, sqlite, sqlite_file
from chatapp.search.base import Entry, Index, Stretch, entry
from chatapp.search.words import placed, words
from tests.clients import UNIT
from tests.test_journal import Keeper

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
    index.put([Stretch(room, Place("e", 1, last, 1), first, last, entries)])


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
    entries = [Entry(1, 5, NOON + 5, "five"), Entry(1, 1, NOON + 1, "eins")]
    index.put([Stretch(1, place, 5, 5, entries, [1, 4])])
    assert [numbers(index, word) for word in ("five", "eins", "one", "four")] == [[(1, 5)], [(1, 1)], [], []]
    assert index.places() == {1: place, 2: Place("e", 1, 1, 1)}
    index.cut(1, 3, 5)
    assert (numbers(index, "eins"), numbers(index, "drei")) == ([], [(1, 3)])
    index.drop(1)
    assert (numbers(index, "five"), numbers(index, "two")) == ([], [(2, 1)])
    assert index.places() == {2: Place("e", 1, 1, 1)}


def test_what_rooms_have_of_one_microsecond_is_found_in_each_also_when_it_comes_in_again(
    index: Index,
) -> None:
    stretches = [
        Stretch(room, Place("e", 1, 2, 1), 1, 2, [Entry(room, seq, NOON + seq, "alpha") for seq in (1, 2)])
        for room in (1, 2, 3)
    ]
    put(index, 4, "alpha", "alpha", step=1)
    for _ in range(2):
        index.put(stretches)
        assert sorted(numbers(index, "alpha")) == [(room, seq) for room in (1, 2, 3, 4) for seq in (1, 2)]
    assert set(index.places()) == {1, 2, 3, 4}


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
    monkeypatch.setattr(sqlite_file, "LOOK_STEPS", 1)
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


class Logs:
    """What a follower asks the journal: rooms with texts in them."""

    def __init__(self) -> None:
        self.texts: dict[int, list[str]] = {}

    def version(self) -> int:
        return sum(map(len, self.texts.values()))

    def read(self, question: Callable[..., Any], *args: Any) -> Any:
        if question is search_reading.places:
            return {room: Place("e", 1, len(texts), len(texts) + 1) for room, texts in self.texts.items()}
        assert question is search_reading.news
        asked, limit = args
        return [self._news(room, after, until, limit) for room, after, until in asked]

    def _news(self, room: int, after: int, until: int, limit: int) -> News:
        texts = [
            Text(room, seq, NOON + seq * 1000 + room, "u1", "ada", text, files=False)
            for seq, text in enumerate(self.texts[room], 1)
            if after < seq <= until
        ][:limit]
        return News(room, after + 1, texts[-1].seq if texts else until, (), texts)


def test_the_words_of_a_text_are_made_off_the_hub(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two hundred long texts in Chinese it takes half a second."""
    threads = set()

    def made(text: Text) -> Entry:
        threads.add(get_ident())
        return entry(text)

    monkeypatch.setattr(follower, "entry", made)
    logs = Logs()
    logs.texts = {1: ["one", "two"]}
    Follower(logs, index)._go_on()  # type: ignore[arg-type]
    assert threads
    assert get_ident() not in threads


def test_what_is_said_now_waits_for_no_long_log_that_is_still_gone_through(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("ROUND_SECONDS", -1), ("BATCH", 2), ("MANY", 5)):
        monkeypatch.setattr(follower, name, value)
    logs = Logs()
    logs.texts = {1: [f"old {number}" for number in range(20)]}
    following = Follower(logs, index)  # type: ignore[arg-type]

    def found(word: str) -> Found:
        return index.find(Wanted(parse(word).phrases, (), (), ROOMS), 100)

    assert following._go_on()
    logs.texts[2] = ["news"]
    assert following._go_on()
    assert len(found("news").hits) == 1
    assert (len(found("old").hits), found("old").behind) == (2, True)
    while following._go_on():
        pass
    assert (len(found("old").hits), found("old").behind) == (20, False)
    assert index.places() == {1: Place("e", 1, 20, 21), 2: Place("e", 1, 1, 2)}


def test_rooms_that_lack_little_are_brought_up_together(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "BATCH", 6)
    logs = Logs()
    logs.texts = {room: ["old"] for room in range(1, 10)}
    logs.texts[10] = ["old"] * 20
    put, puts = index.put, list[list[int]]()

    def noted(stretches: Sequence[Stretch]) -> None:
        puts.append([each.room for each in stretches])
        put(stretches)

    monkeypatch.setattr(index, "put", noted)
    Follower(logs, index)._go_on()  # type: ignore[arg-type]
    assert puts == [[1, 2, 3, 4, 5, 6], [7, 8, 9], [10], [10], [10], [10]]
    assert len(index.find(Wanted(parse("old").phrases, (), (), ROOMS), 100).hits) == 29
    assert index.places() == {room: Place("e", 1, 1, 2) for room in range(1, 10)} | {
        10: Place("e", 1, 20, 21)
    }


@given(st.text(st.characters(max_codepoint=127)))
def test_the_words_of_a_text_in_ascii_are_found_in_one_go_and_are_those_of_any_other(text: str) -> None:
    assert words(text) == [word.text for word in placed(text)]


@pytest.mark.parametrize("limit", [1, 3, 200])
def test_whoever_follows_the_log_has_of_each_text_what_it_says_now_however_little_is_read_at_once(
    store: str, limit: int
) -> None:
    ada = Author.of(SYSTEM)  # its files are its own
    keeper, grace = Keeper(store), Author("u2", "Grace Hopper", guest=True)
    room, known, reached = keeper.room, dict[int, Text](), 0

    def follow() -> None:
        nonlocal reached
        newest = keeper.journal.read(search_reading.places)[room].last
        while reached < newest:
            (news,) = keeper.journal.read(search_reading.news, [(room, reached, newest)], limit)
            assert news.first == reached + 1
            for seq in [*news.seqs, *range(news.first, news.last + 1)]:
                known.pop(seq, None)
            known.update({text.seq: text for text in news.texts})
            reached = news.last

    def undoable(seq: int) -> Post:
        return Post(room, ada, kind="delete", of=seq, undo_seconds=60)

    steps: list[list[Request]] = [
        [KeepFile(room, File("f" * 24, "notes.txt", "text/plain", 5), "0" * 64, SYSTEM, 0)],
        [
            Post(room, ada, "one"),
            Post(room, grace, "two"),
            Post(room, ada, "", files=(Attachment("f" * 24),)),
        ],
        [Post(room, ada, "an answer", of=1), Post(room, grace, "👍", kind="reaction", of=2)],
        [Post(room, ada, "one, mended", kind="edit", of=1), Post(room, grace, kind="delete", of=2)],
        [Post(room, ada, "closed the door", kind="notice"), undoable(3)],
        [Post(room, ada, "five"), Post(room, ada, "five, mended", kind="edit", of=10)],
        [undoable(1), Post(room, ada, kind="restore", of=3)],
        [Post(room, ada, kind="restore", of=1)],
    ]
    for step in steps:
        assert not [answer for answer in keeper.ask(*step) if isinstance(answer, Exception)]
        follow()
        log = keeper.journal.read(reading.after, room, 0, 100)
        assert known == {text.seq: text for message in log if (text := text_of(message)) is not None}
    assert sorted((seq, text.body, text.files) for seq, text in known.items()) == [
        (1, "one, mended", False),
        (3, "notes.txt", True),
        (4, "an answer", False),
        (10, "five, mended", False),
    ]
    assert keeper.journal.finish(UNIT)
