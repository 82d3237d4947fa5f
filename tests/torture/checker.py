"""Judges a history: a pure function from what was seen to what must not have happened.

The rules are the promises of docs/promises.md. Each violation names its rule; tests/test_checker.py plants one
of each. Nothing in here knows servers, times (but for the rule about waiting) or faults: what a fault may
excuse is excused by how a client records it (an unanswered send has no answers, a cut connection ends its
session).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.torture.history import (
    Absence,
    Clear,
    Delivery,
    History,
    Joined,
    Log,
    Poll,
    Reset,
    Row,
    Send,
    Session,
)

OVERSLEPT = 0.5  # share of its wait for which a poll may have slept beside a message, in a run without faults
TURNED_AWAY = {"forbidden", "no_such_room", "403", "404", "4403", "4404"}  # by error, status or close code
PUSHED = ("websocket", "stream")
AFTER_RESET = 50  # the newest messages, with which a reader starts over


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
        *_order_of_acks(history),
        *_nobodys(history),
        *_one_message_a_number(history, logs),
        *_sessions(history, logs),
        *_cursors(history),
        *_absences(history, logs),
        *_turned_away(history),
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
        if row.kind == "notice" or (row.client_id is None and row.deleted):
            continue
        key = (row.author, row.client_id or f"body {row.body}")
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


def _order_of_acks(history: History) -> Iterator[Violation]:
    """They come in the order of the sends (docs/protocol.md, "WebSocket"); what was refused has none."""
    for line in history.lines:
        sent = iter(line.sent)
        for client_id in line.acked:
            if client_id not in sent:  # takes from `sent` all that comes before it
                yield Violation("acks out of order", f"{line.writer} in room {line.room}, at {client_id}")
                break


# -- what readers saw ----------------------------------------------------------------------------------------


def _nobodys(history: History) -> Iterator[Violation]:
    """What is kept in a room, or was shown of it, was sent to it."""
    sent = {(send.room, send.author, send.client_id or send.body) for send in history.sends}
    for log in history.logs:
        for row in log.rows:
            if row.kind != "notice" and (log.room, row.author, row.client_id or row.body) not in sent:
                yield Violation("nobody sent it", f"room {log.room} has {row}")
    kept = {(log.room, row.seq) for log in history.logs for row in log.rows}
    for session, delivery in _deliveries(history):
        if delivery.seq is None or delivery.kind == "notice" or delivery.room != session.room:
            continue
        if (delivery.room, delivery.seq) in kept:
            continue  # judged there: only what was cleared since is not
        if (delivery.room, delivery.author, delivery.client_id or delivery.body) not in sent:
            yield Violation("nobody sent it", f"{session.reader} got {_short(delivery)}")


def _one_message_a_number(history: History, logs: dict[int, Log]) -> Iterator[Violation]:
    """Whoever saw a number saw the same message; and what was seen is kept, in that room, under that number."""
    rows = {(log.room, row.seq): row for log in history.logs for row in log.rows}
    seen = {key: _identity(row) for key, row in rows.items()}
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
        elif seen.setdefault(key, this) != this:
            yield Violation("two messages with one number", f"room {key[0]} #{key[1]}: {seen[key]}, {this}")
        elif key in rows and not _may_show(rows[key], delivery):
            yield Violation("not what was kept", f"{session.reader} got {_short(delivery)}, not {rows[key]}")
        if delivery.durable is not None and delivery.durable < delivery.seq:
            what = f"{session.reader} got {_short(delivery)} when the database was at #{delivery.durable}"
            yield Violation("seen before it was kept", what)
    # What was cleared since has no rows: answers are judged by what readers saw, and by each other.
    for send in history.sends:
        for seq in send.answers:
            said = (send.author, send.client_id or send.body, send.kind)
            if seq < logs[send.room].first and seen.setdefault((send.room, seq), said) != said:
                what = f"{_name(send)} as #{seq} of room {send.room}, which is {seen[send.room, seq]}"
                yield Violation("two messages with one number", what)


def _identity(message: Row | Delivery) -> tuple[str | None, str, str]:
    """What stays the same of a message, also when it is edited or deleted."""
    return message.author, message.client_id or message.body, message.kind


def _may_show(row: Row, delivery: Delivery) -> bool:
    """Whether `delivery` may be what was shown of `row` at some time: texts are changed, edits are blanked."""
    return delivery.body == row.body or row.edited or row.deleted or (row.kind == "edit" and row.body == "")


def _sessions(history: History, logs: dict[int, Log]) -> Iterator[Violation]:
    texts = {log.room: _Texts(log) for log in history.logs}
    epochs = {log.room: _Epochs(log.room, history.clears) for log in history.logs}
    rooms = defaultdict(set)
    for send in history.sends:
        rooms[send.body].add(send.room)
    for session in history.sessions:
        if session.fault:
            yield Violation("no frame", f"{session.reader} over {session.transport} got {session.fault}")
        if session.texts_only:
            yield from _plain_session(session, texts[session.room], rooms)
        else:
            yield from _numbered_session(session, epochs[session.room], history)


class _Epochs:
    """The logs that a room had, one after the other: what a clear ends and begins."""

    def __init__(self, room: int, clears: list[Clear]) -> None:
        self._clears = sorted((clear for clear in clears if clear.room == room), key=lambda clear: clear.last)

    def number(self, epoch: str) -> int:
        """Which of the logs `epoch` is: 0, 1, 2 …"""
        numbers = [index for index, clear in enumerate(self._clears, 1) if clear.epoch == epoch]
        return numbers[0] if numbers else 0

    def of(self, seq: int) -> int:
        """Which of the logs has the message `seq`."""
        return sum(clear.last < seq for clear in self._clears)

    def first(self, number: int) -> int:
        """The first message that the log `number` may have."""
        return self._clears[number - 1].last + 1 if number else 1


def _numbered_session(session: Session, epochs: _Epochs, history: History) -> Iterator[Violation]:
    where = f"{session.reader} over {session.transport} in room {session.room}"
    expected = None if session.after is None else session.after + 1
    log = epochs.number(session.epoch) if session.epoch else None
    if (
        log is not None and session.after == 0
    ):  # from the first that is there: the reset was all that had come
        expected = epochs.first(log)
    before, seen, gone, joined = session.after or 0, set[int](), None, None
    for event in session.events:
        if isinstance(event, Joined):
            joined = joined or event
            has_something = bool(seen or session.after)
            if log is not None and has_something and epochs.number(event.epoch) != log:
                yield Violation("no reset", f"{where}: went on in another log, {event.epoch}")
            log = epochs.number(event.epoch)
            if session.after == 0 and not seen:  # from the first that is there
                expected = epochs.first(log)
            continue
        if isinstance(event, Reset):
            if epochs.number(event.epoch) <= (log or 0):
                yield Violation("reset without cause", f"{where}: it was not cleared ({event.epoch})")
            log = epochs.number(event.epoch)
            expected = max(epochs.first(log), event.cursor - AFTER_RESET + 1)
            before = 0
            seen.clear()
            continue
        seq = event.seq
        assert seq is not None
        if log is not None and epochs.of(seq) < log:
            yield Violation("read from a log that was replaced", f"{where}: got #{seq} after the reset")
            continue
        if log is not None and epochs.of(seq) > log:
            yield Violation("no reset", f"{where}: got #{seq}, and the room was cleared between")
            log = epochs.of(seq)
        elif expected is not None and seq != expected:
            known = seq in seen or seq <= before
            rule = "lost" if seq > expected else "doubled" if known else "out of order"
            yield Violation(rule, f"{where}: got #{seq} in place of #{expected}")
        if gone is not None:
            yield Violation("read after the removal", f"{where}: was removed by #{gone} and got #{seq}")
        pushed = session.transport in PUSHED  # a poll is let in anew each time: see _absences
        if event.removed == session.person and pushed and joined and _was_in(session, joined, seq, history):
            gone = seq
        seen.add(seq)
        expected = seq + 1


def _was_in(session: Session, joined: Joined, seq: int, history: History) -> bool:
    """Whether the session was in the room before its person was removed by #`seq`.

    Whoever comes back later may read on, and reads the notice as part of the log.
    """
    if joined.cursor is not None and joined.cursor < seq:
        return True
    return any(
        joined.at < removal.begun
        for removal in history.removals
        if (removal.room, removal.seq) == (session.room, seq)
    )


def _absences(history: History, logs: dict[int, Log]) -> Iterator[Violation]:
    """Who is out of a private room says nothing in it, and reads nothing that was kept since, until they are taken
    in again: from then on they may read all of it."""
    absences = defaultdict(list)
    for absence in sorted(history.absences, key=lambda absence: absence.left):
        absences[absence.room, absence.person].append(absence)
    for (room, person), times in absences.items():
        for row in logs[room].rows:
            during = _since(times, row.seq)
            if during and row.seq < during.back and row.author == person and row.kind != "notice":
                what = f"room {room} has {row}, and its author was out from #{during.left} to #{during.back}"
                yield Violation("kept after the removal", what)
    numbers = {(log.room, row.body): row.seq for log in history.logs for row in log.rows}
    for session, delivery in _deliveries(history):
        times = absences.get((session.room, session.person), [])
        seq = delivery.seq or numbers.get((session.room, delivery.body), 0)  # a plain door shows texts only
        during = _since(times, seq)
        if during and delivery.at < during.asked:
            where = f"{session.reader} over {session.transport} in room {session.room}"
            what = f"{where}: was out since #{during.left} and got #{seq}, {during.asked - delivery.at:.2f} s early"
            yield Violation("read while out of the room", what)


def _since(absences: list[Absence], seq: int) -> Absence | None:
    """The last of `absences`, in their order, that began before the message `seq`."""
    place = bisect_left(absences, seq, key=lambda absence: absence.left)
    return absences[place - 1] if place else None


def _turned_away(history: History) -> Iterator[Violation]:
    """Who was never sent out of a room is never kept out of it, nor refused what they say there."""
    sent_out = {(absence.room, absence.person) for absence in history.absences}
    sent_out |= {(removal.room, removal.person) for removal in history.removals}
    # Also by a command that was cut off behind its commit, as the log tells.
    sent_out |= {(session.room, seen.removed) for session, seen in _deliveries(history) if seen.removed}
    for send in history.sends:
        if (codes := TURNED_AWAY.intersection(send.refusals)) and (send.room, send.author) not in sent_out:
            yield Violation("turned away without cause", f"{_name(send)}: {', '.join(sorted(codes))}")
    for session in history.sessions:
        if session.refused in TURNED_AWAY and (session.room, session.person) not in sent_out:
            where = f"{session.reader} over {session.transport} in room {session.room}"
            yield Violation("turned away without cause", f"{where}: {session.refused}")


def _cursors(history: History) -> Iterator[Violation]:
    """A session begins where the reader's last one ended: with what came, not with what a server said of it."""
    epochs = {log.room: _Epochs(log.room, history.clears) for log in history.logs}
    ends: dict[str, range] = {}
    for session in history.sessions:
        if session.texts_only or session.after is None:
            continue
        end = ends.get(session.reader, range(session.after, session.after + 1))
        of_room = epochs[session.room]
        beginning = of_room.first(of_room.number(session.epoch)) - 1
        if session.after not in end and not (end.start == 0 and session.after == beginning):
            where = f"{session.reader} over {session.transport} in room {session.room}"
            yield Violation("wrong cursor", f"{where}: goes on after #{session.after}, has #{end.stop - 1}")
        ends[session.reader] = _end(session, of_room)


def _end(session: Session, epochs: _Epochs) -> range:
    """The cursors that a reader may have behind `session`: one, but for a reset before which nothing came."""
    assert session.after is not None
    end = range(session.after, session.after + 1)
    for event in session.events:
        if isinstance(event, Delivery):
            assert event.seq is not None
            end = range(event.seq, event.seq + 1)
        elif isinstance(event, Reset):
            first = epochs.first(epochs.number(event.epoch))
            end = range(max(first - 1, event.cursor - AFTER_RESET) + 1)
    return end


class _Texts:
    """The readable texts of a log, by what a plain door shows of them."""

    def __init__(self, log: Log) -> None:
        texts = [row for row in log.rows if row.kind == "text" and not row.deleted]
        self.place = {row.body: index for index, row in enumerate(texts)}


def _plain_session(session: Session, texts: _Texts, rooms: dict[str, set[int]]) -> Iterator[Violation]:
    expected = session.after
    seen: set[int] = set()
    where = f"{session.reader} over {session.transport} in room {session.room}"
    for event in session.events:
        assert isinstance(event, Delivery)
        place = texts.place.get(event.body)
        if place is None:
            sent_to = rooms.get(event.body, ())
            rule = (
                "seen but not kept"
                if session.room in sent_to
                else "wrong room"
                if sent_to
                else "nobody sent it"
            )
            yield Violation(rule, f"{where} got {_short(event)}")
            continue
        if expected is not None and place != expected:
            known = place in seen or place < (session.after or 0)
            rule = "lost" if place > expected else "doubled" if known else "out of order"
            yield Violation(rule, f"{where} got text {place} in place of {expected}: {_short(event)}")
        seen.add(place)
        expected = place + 1


# -- the end, and waiting ------------------------------------------------------------------------------------


def _ends(history: History) -> Iterator[Violation]:
    for reader in history.unfinished:
        yield Violation("never delivered", reader)
    for wait in history.waits:
        if wait.took is None:
            what = f"{wait.reader} over {wait.transport} had not #{wait.seq} of room {wait.room}"
            yield Violation("not delivered in time", f"{what} {wait.given:g} s after all trouble")
    if history.faults:
        return  # whoever is stopped or cut off sleeps longer
    answered = {
        (send.room, send.answers[0]): send.answered
        for send in history.sends
        if send.answers and send.answered is not None
    }
    for poll in history.polls:
        known = answered.get((poll.room, poll.seq))
        if known is not None and poll.waited >= poll.wait and poll.back - known > OVERSLEPT * poll.wait:
            yield Violation("a wake-up was lost", _slept(poll, known))


def _slept(poll: Poll, known: float) -> str:
    beside = (
        f"beside #{poll.seq} of room {poll.room}, which was acknowledged {poll.back - known:.1f} s before"
    )
    return f"{poll.reader}'s polls waited {poll.waited:.1f} s {beside}"


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
