"""Judges a history: a pure function from what was seen to what must not have happened.

The rules are the promises of docs/promises.md. Each violation names its rule; tests/test_checker.py plants one
of each. Nothing in here knows servers, times (but for the two rules about waiting) or faults: what a fault may
excuse is excused by how a client records it (an unanswered send has no answers, a cut connection ends its
session).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.torture.history import Clear, Delivery, History, Log, Reset, Row, Send, Session

OVERSLEPT = 0.5  # share of its wait for which a poll may have slept beside a message, in a run without faults


@dataclass(frozen=True)
class Violation:
    """`rule`: which promise was broken; `what`: by whom, where, with which numbers."""

    rule: str
    what: str


def check(history: History) -> list[Violation]:
    """Everything that must not have happened, in no particular order; empty: nothing."""
    logs = {log.room: log for log in history.logs}
    return [
        *_logs(history),
        *_answers(history, logs),
        *_order_of_writers(history),
        *_one_message_a_number(history, logs),
        *_sessions(history, logs),
        *_ends(history),
    ]


# -- the log itself ------------------------------------------------------------------------------------------


def _logs(history: History) -> Iterator[Violation]:
    for log in history.logs:
        numbers = [row.seq for row in log.rows]
        if numbers != list(range(log.first, log.last + 1)):
            yield Violation("gap in the log", f"room {log.room} has {_brief(numbers)}, up to {log.last}")
        for one, two in pairwise(log.rows):
            if two.at <= one.at:
                yield Violation("times not increasing", f"room {log.room}: #{one.seq} and #{two.seq}")
        yield from _twice(log)


def _twice(log: Log) -> Iterator[Violation]:
    seen: dict[tuple[str, str], int] = {}
    for row in log.rows:
        key = (row.author, row.client_id or f"body {row.body}")
        if row.kind == "notice" or (row.client_id is None and row.body == ""):
            continue
        if key in seen:
            yield Violation("kept twice", f"room {log.room}: #{seen[key]} and #{row.seq} are both {key}")
        seen[key] = row.seq


# -- answers to writers --------------------------------------------------------------------------------------


def _answers(history: History, logs: dict[int, Log]) -> Iterator[Violation]:
    rows = {log.room: {row.seq: row for row in log.rows} for log in history.logs}
    for send in history.sends:
        if len(set(send.answers)) > 1:
            yield Violation("two numbers for one client_id", f"{_name(send)} was answered {send.answers}")
        for seq in send.answers:
            if seq < logs[send.room].first:
                continue  # cleared since
            row = rows[send.room].get(seq)
            if row is None or not _is(row, send):
                yield Violation("acknowledged but not there", f"{_name(send)} as #{seq}, which is {row}")
    if history.unsynced:
        yield Violation("acknowledged before it was synced", f"{history.unsynced} messages")


def _is(row: Row, send: Send) -> bool:
    same = (row.author, row.client_id, row.kind) == (send.author, send.client_id, send.kind)
    return same and (row.body == send.body or row.edited or row.deleted or send.kind == "edit")


def _order_of_writers(history: History) -> Iterator[Violation]:
    numbers = defaultdict(list)
    for send in history.sends:
        if send.ordered and send.answers:
            numbers[send.writer, send.room].append((send.number, send.answers[0]))
    for (writer, room), answered in numbers.items():
        for (one, first), (two, second) in pairwise(sorted(answered)):
            if second <= first:
                what = f"{writer}'s message {two} became #{second} of room {room}, {one} is #{first}"
                yield Violation("a writer's messages out of order", what)


# -- what readers saw ----------------------------------------------------------------------------------------


def _one_message_a_number(history: History, logs: dict[int, Log]) -> Iterator[Violation]:
    """Whoever saw a number saw the same message; and what was seen is kept, in that room, under that number."""
    seen = {(log.room, row.seq): _identity(row) for log in history.logs for row in log.rows}
    for session, delivery in _deliveries(history):
        if delivery.seq is None:
            continue
        if delivery.room != session.room:
            yield Violation("wrong room", f"{session.reader} of room {session.room} got {_short(delivery)}")
            continue
        key = (session.room, delivery.seq)
        this = _identity(delivery)
        if key not in seen and delivery.seq >= logs[session.room].first:
            yield Violation("seen but not kept", f"{session.reader} got {_short(delivery)}")
        if seen.setdefault(key, this) != this:
            yield Violation("two messages with one number", f"room {key[0]} #{key[1]}: {seen[key]}, {this}")
        if delivery.durable is not None and delivery.durable < delivery.seq:
            what = f"{session.reader} got {_short(delivery)} when the database was at #{delivery.durable}"
            yield Violation("seen before it was kept", what)


def _identity(message: Row | Delivery) -> tuple[str | None, str, str]:
    """What stays the same of a message, also when it is edited or deleted."""
    return message.author, message.client_id or message.body, message.kind


def _sessions(history: History, logs: dict[int, Log]) -> Iterator[Violation]:
    texts = {log.room: _Texts(log) for log in history.logs}
    sent = {(send.room, send.body) for send in history.sends}
    for session in history.sessions:
        if session.fault:
            yield Violation("no frame", f"{session.reader} over {session.transport} got {session.fault}")
        if session.texts_only:
            yield from _plain_session(session, texts[session.room], sent)
        else:
            yield from _numbered_session(session, history)


def _numbered_session(session: Session, history: History) -> Iterator[Violation]:
    expected = None if session.after is None else session.after + 1
    clears = [clear for clear in history.clears if clear.room == session.room]
    resets, seen, gone = 0, set[int](), None
    for event in session.events:
        if isinstance(event, Reset):
            resets += 1
            expected = None
            seen.clear()
            continue
        seq = event.seq
        assert seq is not None
        if expected is not None and seq != expected:
            rule = "lost" if seq > expected else "doubled" if seq in seen else "out of order"
            what = f"{session.reader} over {session.transport} got #{seq} of room {session.room}"
            yield Violation(rule, f"{what} in place of #{expected}")
        if gone is not None:
            what = f"{session.person} was removed from room {session.room} by #{gone} and got #{seq}"
            yield Violation("read after the removal", what)
        if event.removed == session.person and _was_open(session, history, seq):
            gone = seq
        seen.add(seq)
        expected = seq + 1
    yield from _resets(session, resets, clears, seen)


def _was_open(session: Session, history: History, seq: int) -> bool:
    """Whether the session had begun before the removal was acknowledged: whoever comes back later may read on."""
    return any(
        removal.done > session.opened
        for removal in history.removals
        if (removal.room, removal.seq) == (session.room, seq)
    )


def _resets(session: Session, resets: int, clears: list[Clear], seen: set[int]) -> Iterator[Violation]:
    where = f"{session.reader} over {session.transport} in room {session.room}"
    if resets > len(clears):
        yield Violation("reset without cause", f"{where}: {resets}, cleared {len(clears)} times")
    for clear in clears:
        after_it = session.after is not None and session.after >= clear.last
        if not after_it and clear.last in seen and any(seq > clear.last for seq in seen):
            what = f"{where}: got #{clear.last} and what follows, though the room was cleared between"
            yield Violation("no reset", what)


class _Texts:
    """The readable texts of a log, by what a plain door shows of them."""

    def __init__(self, log: Log) -> None:
        texts = [row for row in log.rows if row.kind == "text" and not row.deleted]
        self.place = {row.body: index for index, row in enumerate(texts)}


def _plain_session(session: Session, texts: _Texts, sent: set[tuple[int, str]]) -> Iterator[Violation]:
    expected = None if session.after is None else session.after
    seen: set[int] = set()
    where = f"{session.reader} over {session.transport} in room {session.room}"
    for event in session.events:
        assert isinstance(event, Delivery)
        place = texts.place.get(event.body)
        if place is None:
            rule = "seen but not kept" if (session.room, event.body) in sent else "wrong room"
            yield Violation(rule, f"{where} got {_short(event)}")
            continue
        if expected is not None and place != expected:
            rule = "lost" if place > expected else "doubled" if place in seen else "out of order"
            yield Violation(rule, f"{where} got text {place} in place of {expected}: {_short(event)}")
        seen.add(place)
        expected = place + 1


def _ends(history: History) -> Iterator[Violation]:
    for reader in history.unfinished:
        yield Violation("never delivered", reader)
    if not history.faults:
        for poll in history.polls:
            if poll.waited >= poll.wait and poll.age > OVERSLEPT * poll.wait:
                what = (
                    f"{poll.reader}'s poll waited {poll.waited:.1f} s beside a message {poll.age:.1f} s old"
                )
                yield Violation("a wake-up was lost", what)


def _deliveries(history: History) -> Iterator[tuple[Session, Delivery]]:
    for session in history.sessions:
        for event in session.events:
            if isinstance(event, Delivery):
                yield session, event


def _name(send: Send) -> str:
    return f"{send.writer}'s message {send.number} to room {send.room} ({send.client_id})"


def _short(delivery: Delivery) -> str:
    return f"#{delivery.seq} of room {delivery.room} {delivery.kind} {delivery.client_id}: {delivery.body[:40]!r}"


def _brief(numbers: list[int]) -> str:
    """`numbers` as runs: 1-7, 9-12."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}-{last}" for first, last in runs[:8]) + (" …" if len(runs) > 8 else "")
