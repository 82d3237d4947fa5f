"""Those who are far behind share what is read for them, and get what each would have read alone."""

from collections.abc import Callable

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.errors import NotKept
from chatapp.message import Author, Message, format_time
from chatapp.stretches import KEPT, LENGTH, Stretches

UNIT = 5.0  # seconds: when a test gives up


class SlowLog:
    """A log of rooms with `last` messages each, whose readings take a while and are counted."""

    def __init__(self, last: int = 1000) -> None:
        self.last, self.readings, self.at_once, self.most_at_once = last, 0, 0, 0
        self.word = "said"
        self.during: Callable[[], None] = lambda: None

    def messages_after(self, room: int, cursor: int, limit: int, until: int) -> list[Message]:
        self.readings += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        numbers = range(cursor + 1, min(cursor + limit, until, self.last) + 1)
        found = [Message(room, n, "text", Author("g1", "ada"), format_time(n), self.word) for n in numbers]
        gevent.sleep(0.001)
        self.at_once -= 1
        action, self.during = self.during, lambda: None
        action()
        return found


def seqs(messages: list[Message]) -> list[int]:
    return [message.seq for message in messages]


@given(cursor=st.integers(0, 450), limit=st.integers(1, 260), until=st.integers(0, 400))
def test_they_answer_as_the_journal_does(cursor: int, limit: int, until: int) -> None:
    stretches = Stretches(SlowLog(last=400))
    expected = list(range(cursor + 1, min(cursor + limit, until) + 1))
    assert seqs(stretches.messages_after(1, cursor, limit, until)) == expected
    assert seqs(stretches.messages_after(1, cursor, limit, until)) == expected


def test_five_hundred_who_come_back_at_once_cost_one_reading_of_each_stretch_and_one_at_a_time() -> None:
    log = SlowLog()
    stretches = Stretches(log)

    def read_all(cursor: int) -> list[int]:
        got: list[int] = []
        while cursor < log.last:
            got += seqs(stretches.messages_after(1, cursor, LENGTH, log.last))
            cursor = got[-1]
        return got

    readers = [gevent.spawn(read_all, number % 50) for number in range(500)]
    gevent.joinall(readers, timeout=UNIT, raise_error=True)
    for number, reader in enumerate(readers):
        assert reader.value == list(range(number % 50 + 1, log.last + 1))
    assert log.readings == log.last // LENGTH
    assert log.most_at_once == 1


def test_what_was_changed_is_read_again() -> None:
    log = SlowLog()
    stretches = Stretches(log)
    stretches.messages_after(1, 0, 10, log.last)
    log.word = "edited"
    stretches.changed(2)
    assert stretches.messages_after(1, 0, 1, log.last)[0].body == "said"
    stretches.changed(1)
    assert stretches.messages_after(1, 0, 1, log.last)[0].body == "edited"


def test_what_was_changed_while_it_was_read_is_not_kept() -> None:
    log = SlowLog()
    stretches = Stretches(log)

    def change() -> None:
        log.word = "edited"
        stretches.changed(1)

    log.during = change
    assert stretches.messages_after(1, 0, 1, log.last)[0].body == "said"
    assert stretches.messages_after(1, 0, 1, log.last)[0].body == "edited"


def test_all_who_wait_for_a_reading_that_fails_are_told_and_the_next_one_reads_anew() -> None:
    log = SlowLog()
    stretches = Stretches(log)

    def fail() -> None:
        raise NotKept()

    log.during = fail
    readers = [gevent.spawn(stretches.messages_after, 1, 0, 1, log.last) for _ in range(3)]
    gevent.joinall(readers, timeout=UNIT)
    assert [type(reader.exception) for reader in readers] == [NotKept] * 3
    assert seqs(stretches.messages_after(1, 0, 1, log.last)) == [1]


@pytest.mark.parametrize("rooms", [1, 50])
def test_only_a_few_stretches_are_kept(rooms: int) -> None:
    log = SlowLog(last=100 * LENGTH)
    stretches = Stretches(log)
    for room in range(rooms):
        for cursor in range(0, log.last, LENGTH * 10):
            stretches.messages_after(room, cursor, LENGTH, log.last)
    assert len(stretches._kept) <= KEPT
    assert not stretches._reading


def test_fewer_are_kept_where_messages_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    log = SlowLog()
    log.word = "😀" * 4000
    monkeypatch.setattr("chatapp.stretches.KEPT_BYTES", 2 * LENGTH * 100_000)
    stretches = Stretches(log)
    for number in range(4):
        stretches.messages_after(1, number * LENGTH, LENGTH, log.last)
    read = log.readings
    stretches.messages_after(1, 3 * LENGTH, LENGTH, log.last)
    assert log.readings == read, "the newest is kept"
    stretches.messages_after(1, 0, LENGTH, log.last)
    assert log.readings == read + 1, "the oldest is not"
