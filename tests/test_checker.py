"""The judge of the torture: a run without a fault has no violation, and each planted fault is found by its rule."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.torture.checker import check
from tests.torture.history import (
    Absence,
    Clear,
    Delivery,
    History,
    Joined,
    Line,
    Log,
    Poll,
    Removal,
    Reset,
    Row,
    Send,
    Session,
    Wait,
)
from tests.torture.spell import waits
from tests.torture.wire import now

LOBBY, BOARD, YARD, HALL, DEN = 1, 2, 3, 4, 5


class Run:
    """A valid history in the making: what is said is kept and numbered, and readers get what is kept."""

    def __init__(self) -> None:
        self.history = History(logs=[Log(room, 1, 0, []) for room in (LOBBY, BOARD, YARD, HALL, DEN)])

    def log(self, room: int) -> Log:
        return self.history.logs[room - 1]

    def say(
        self, room: int, author: str = "ada", client_id: bool = True, answer: bool = True, **fields: str
    ) -> Send:
        """Something sent, kept and (mostly) answered."""
        log, number = self.log(room), len(self.history.sends) + 1
        body = fields.pop("body", f"{author} {room} {number}")
        ident = f"id{number}" if client_id else None
        send = Send(f"{author} by a door", author, number, room, body, ident, ordered=client_id, **fields)
        self.history.sends.append(send)
        self.keep(room, Row(0, send.kind, author, ident, body, 0))
        if answer and client_id:
            send.answers, send.answered = [log.last], float(number)
        return send

    def keep(self, room: int, row: Row) -> None:
        log = self.log(room)
        log.last += 1
        row.seq, row.at = log.last, 1_000 * log.last
        log.rows.append(row)

    def answered(self, room: int, seq: int) -> float:
        """When #`seq` was acknowledged."""
        send = next(send for send in self.history.sends if send.room == room and seq in send.answers)
        assert send.answered is not None
        return send.answered

    def change(self, of: int, kind: str, body: str = "") -> None:
        """An edit or a delete of the board's message `of`, which is shown in its newest form from then on."""
        self.say(BOARD, kind=kind, body=body)
        original = self.log(BOARD).rows[of - 1]
        original.body, original.edited, original.deleted = body, kind == "edit", kind == "delete"

    def clear(self) -> None:
        log = self.log(YARD)
        epoch = f"yard{len(self.history.clears) + 1}"
        self.history.clears.append(Clear(YARD, log.last, epoch))
        log.rows, log.first = [], log.last + 1

    def remove(self, person: str, begun: float) -> None:
        self.keep(HALL, Row(0, "notice", "system", None, f"removed {person}", 0))
        self.history.removals.append(Removal(HALL, person, self.log(HALL).last, begun))

    def notice(self, person: str, out: bool) -> int:
        """That `person` is no member of the den any more, by their own will, or is one again."""
        self.keep(DEN, Row(0, "notice", person if out else "owner", None, f"{person} is {out=}", 0))
        return self.log(DEN).last

    def session(
        self, reader: str, room: int, transport: str, after: int | None, epoch: str = "", **how: bool
    ) -> Session:
        self.history.sessions.append(Session(reader, reader, room, transport, after, epoch, **how))
        return self.history.sessions[-1]

    def show(self, session: Session, first: int, last: int, at: float = 0) -> None:
        """Deliver the messages `first` to `last`, `at` seconds of the run."""
        rows = {row.seq: row for row in self.log(session.room).rows}
        for seq in range(first, last + 1):
            row = rows[seq]
            removed = row.body.removeprefix("removed ") if row.author == "system" else None
            said = (row.body, session.room, row.author, row.client_id, row.kind, removed)
            session.events.append(Delivery(seq, *said, durable=seq, at=at))

    def show_texts(self, session: Session, first: int, last: int, at: float = 0) -> None:
        """The same over a plain door: bodies of texts only."""
        texts = [row.body for row in self.log(session.room).rows if row.kind == "text"]
        session.events += [Delivery(None, body, at=at) for body in texts[first : last + 1]]


@pytest.fixture
def run() -> Run:
    """Writers, readers over each transport, changes, a clear, a removal, unanswered sends, plain doors; a private
    room that somebody leaves and comes back to."""
    run = Run()
    for _ in range(3):
        run.say(LOBBY)
        run.say(LOBBY, "grace", client_id=False)
    run.say(LOBBY, answer=False)
    run.say(LOBBY, kind="reaction", body="👍")
    lines = run.session("kate", LOBBY, "plain socket", None, texts_only=True)
    run.show_texts(lines, 2, 6)
    texts = run.session("jack", LOBBY, "lastupdate", 1, texts_only=True)
    run.show_texts(texts, 1, 6)
    for _ in range(6):
        run.say(BOARD)
        run.say(BOARD, "grace")
    early = run.session("anna", BOARD, "websocket", 0)
    early.events.append(Joined("board", 1, 0))
    run.show(early, 1, 7)
    run.change(2, "edit", "better")
    run.change(3, "edit", "worse")
    run.change(3, "delete")
    run.log(BOARD).rows[13].body = ""  # the edit of what was deleted
    late = run.session("bert", BOARD, "poll", 0)
    late.events.append(Joined("board", 2))
    run.show(late, 1, 10)
    late = run.session("bert", BOARD, "stream", 10, "board")
    late.events.append(Joined("board", 2))
    run.show(late, 11, 15)
    run.history.polls.append(Poll("bert", BOARD, 10, wait=5, waited=5.5, back=run.answered(BOARD, 10) + 1))

    for _ in range(60):
        run.say(YARD)
    stays = run.session("fred", YARD, "websocket", 0)
    stays.events.append(Joined("yard0", 1, 60))
    run.show(stays, 1, 60)
    away = run.session("gina", YARD, "stream", 0)
    away.events.append(Joined("yard0", 1))
    run.show(away, 1, 58)
    run.clear()
    stays.events.append(Reset("yard1", 60))
    for _ in range(3):
        run.say(YARD)
    run.show(stays, 61, 63)
    back = run.session("gina", YARD, "poll", 58, "yard0")
    back.events.append(Reset("yard1", 63))
    run.show(back, 61, 63)
    cut = run.session("ivan", YARD, "websocket", 0, "yard0")
    cut.events.append(
        Reset("yard1", 63)
    )  # and then the line was cut: from the first, in the log that he knows of
    run.show(run.session("ivan", YARD, "poll", 0, "yard1"), 61, 63)
    new = run.session("hugo", YARD, "websocket", 0)
    new.events.append(Joined("yard1", 9, 63))
    run.show(new, 61, 63)

    run.say(HALL)
    mallory = run.session("mallory", HALL, "websocket", 0)
    mallory.events.append(Joined("hall", 1, 0))
    run.show(mallory, 1, 1)
    run.remove("mallory", begun=2)
    run.say(HALL)
    run.show(mallory, 2, 2)
    again = run.session("mallory", HALL, "stream", 2, "hall")
    again.reader = "mallory, back again"
    again.events.append(Joined("hall", 3))
    run.show(again, 3, 3)
    whole = run.session("mallory", HALL, "stream", 0)  # whoever comes back reads of it like of anything else
    whole.reader = "mallory, starting over"
    whole.events.append(Joined("hall", 4))
    run.show(whole, 1, 3)

    run.say(DEN, "nora")
    run.say(DEN)
    nora = run.session("nora", DEN, "poll", 0)
    nora.events.append(Joined("den", 1))
    run.show(nora, 1, 2, at=10)
    refused = Send("nora by a door", "nora", 100, DEN, "on her way", "id100", refusals=["no_such_room"])
    run.history.sends.append(refused)
    left = run.notice("nora", out=True)
    run.say(DEN)
    run.show(nora, 3, 3, at=11)
    nora.refused = "404"
    run.history.absences.append(Absence(DEN, "nora", left, run.notice("nora", out=False), asked=20))
    run.say(DEN, "nora")
    nora = run.session("nora", DEN, "websocket", 3, "den")
    nora.events.append(Joined("den", 22, 6))
    run.show(nora, 4, 6, at=22)
    line = run.session("nora", DEN, "plain socket", None, texts_only=True)
    line.reader = "nora, by lines"
    run.show_texts(line, 0, 3, at=22)
    run.history.lines.append(Line("ada", LOBBY, sent=["a", "b", "c", "b", "d"], acked=["a", "c", "b"]))
    return run


def rules(run: Run) -> set[str]:
    return {violation.rule for violation in check(run.history)}


def of(run: Run, reader: str) -> Session:
    """The first session of `reader`."""
    return next(session for session in run.history.sessions if session.reader == reader)


def test_a_run_without_a_fault_has_no_violation(run: Run) -> None:
    assert check(run.history) == []


# -- one fault each, and the rules by which it is found --------------------------------------------------------

PLANTED: list[tuple[str, Callable[[Run], object], set[str]]] = []


def found_by(*names: str) -> Callable[[Callable[[Run], object]], Callable[[Run], object]]:
    """The decorated function plants what is found by the rules `names`, and by no other."""

    def register(plant: Callable[[Run], object]) -> Callable[[Run], object]:
        PLANTED.append((plant.__name__.replace("_", " "), plant, set(names)))
        return plant

    return register


# the log


@found_by("gap in the log", "acknowledged but not there", "seen but not kept")
def a_message_gone_from_the_log(run: Run) -> None:
    del run.log(BOARD).rows[5]


@found_by("gap in the log")
def a_message_gone_from_the_log_that_nobody_saw(run: Run) -> None:
    run.say(HALL, answer=False)
    run.say(HALL)
    del run.log(HALL).rows[3]


@found_by("gap in the log")
def a_log_that_ends_before_its_last_number(run: Run) -> None:
    run.log(HALL).last += 1


@found_by("times not increasing")
def two_messages_of_one_time(run: Run) -> None:
    rows = run.log(LOBBY).rows
    rows[3].at = rows[2].at


@found_by("kept twice", "two numbers for one client_id")
def kept_and_answered_twice(run: Run) -> None:
    send = run.say(HALL)
    run.keep(HALL, replace(run.log(HALL).rows[-1]))
    send.answers.append(run.log(HALL).last)


@found_by("kept twice")
def kept_twice_and_answered_once(run: Run) -> None:
    run.say(HALL)
    run.keep(HALL, replace(run.log(HALL).rows[-1]))


@found_by("kept twice")
def a_line_without_client_id_kept_twice(run: Run) -> None:
    run.say(LOBBY, client_id=False)
    run.keep(LOBBY, replace(run.log(LOBBY).rows[-1]))


@found_by("nobody sent it")
def a_message_kept_that_nobody_sent(run: Run) -> None:
    run.keep(HALL, Row(0, "text", "ada", None, "out of nowhere", 0))


@found_by("nobody sent it")
def a_message_kept_in_the_wrong_room(run: Run) -> None:
    send = run.say(HALL, answer=False)
    send.room = BOARD


# answers


@found_by("acknowledged but not there")
def an_answer_for_what_is_not_there(run: Run) -> None:
    run.history.sends.append(Send("ada by a door", "ada", 999, HALL, "never kept", "id999", answers=[99]))


@found_by("acknowledged but not there")
def an_answer_with_the_number_of_another_message(run: Run) -> None:
    send = run.say(BOARD, answer=False)
    send.ordered, send.answers = False, [2]


@found_by("acknowledged but not there")
def another_body_kept_than_was_sent(run: Run) -> None:
    run.say(HALL)
    run.log(HALL).rows[-1].body = "something else"


@found_by("two messages with one number")
def two_answers_with_one_number_in_a_log_that_was_cleared(run: Run) -> None:
    one, two = [send for send in run.history.sends if send.room == YARD][4:6]
    two.ordered, two.answers = False, list(one.answers)


@found_by("two numbers for one client_id")
def a_second_answer_with_another_number(run: Run) -> None:
    send = run.say(HALL)
    send.answers.insert(0, run.log(HALL).last - 1)
    send.ordered, send.answers[0] = False, 0  # 0: where a log that was cleared had it


@found_by("a writer's messages out of order")
def a_writers_messages_kept_in_another_order(run: Run) -> None:
    one, two = run.say(HALL), run.say(HALL)
    rows = run.log(HALL).rows
    rows[-2].client_id, rows[-1].client_id = two.client_id, one.client_id
    rows[-2].body, rows[-1].body = two.body, one.body
    one.answers, two.answers = two.answers, one.answers


@found_by("acks out of order")
def an_ack_that_overtook_another(run: Run) -> None:
    run.history.lines[0].acked = ["b", "a"]


@found_by("acks out of order")
def an_ack_for_each_time_but_sent_once(run: Run) -> None:
    run.history.lines[0].acked = ["a", "a"]


@found_by("acknowledged before it was synced")
def answers_without_a_sync(run: Run) -> None:
    run.history.unsynced = 3


# readers with numbers


@found_by("lost")
def a_message_lost(run: Run) -> None:
    del of(run, "anna").events[3]


@found_by("lost")
def the_first_message_lost(run: Run) -> None:
    del of(run, "anna").events[1]


@found_by("lost")
def a_message_lost_between_two_sessions(run: Run) -> None:
    del run.history.sessions[4].events[1]
    assert run.history.sessions[4].after == 10


@found_by("lost")
def the_first_message_after_a_reset_lost(run: Run) -> None:
    events = of(run, "fred").events
    del events[-3]


@found_by("doubled")
def a_message_twice(run: Run) -> None:
    events = of(run, "anna").events
    events.append(events[-1])


@found_by("doubled")
def a_message_again_in_the_next_session(run: Run) -> None:
    run.show(run.session("anna", BOARD, "poll", 7), 7, 9)


@found_by("lost", "out of order")
def two_messages_in_the_wrong_order(run: Run) -> None:
    events = of(run, "anna").events
    events[4], events[5] = events[5], events[4]


@found_by("two messages with one number")
def a_message_shown_with_the_number_of_another(run: Run) -> None:
    delivery = of(run, "anna").events[3]
    assert isinstance(delivery, Delivery)
    delivery.client_id = "another"


@found_by("two messages with one number")
def two_readers_that_saw_two_messages_with_one_number_in_a_log_that_was_cleared(run: Run) -> None:
    one, two = of(run, "fred").events[9:11]
    assert isinstance(one, Delivery)
    assert isinstance(two, Delivery)
    one.author, one.client_id = two.author, two.client_id


@found_by("seen but not kept")
def a_message_seen_and_never_kept(run: Run) -> None:
    send = Send("ada by a door", "ada", 99, HALL, "lost", "id99")
    run.history.sends.append(send)
    after = run.log(HALL).last
    session = run.session("hans", HALL, "websocket", after)
    session.events.append(Delivery(after + 1, send.body, HALL, "ada", send.client_id))


@found_by("nobody sent it", "seen but not kept")
def a_message_seen_that_nobody_sent(run: Run) -> None:
    session = run.session("hans", HALL, "websocket", 3)
    session.events.append(Delivery(4, "out of nowhere", HALL, "ada", "idx"))


@found_by("seen before it was kept")
def a_message_seen_before_the_database_had_it(run: Run) -> None:
    delivery = of(run, "anna").events[3]
    assert isinstance(delivery, Delivery)
    delivery.durable = 2


@found_by("not what was kept")
def another_body_shown_than_was_kept(run: Run) -> None:
    delivery = of(run, "anna").events[-1]
    assert isinstance(delivery, Delivery)
    delivery.body = "something else"


@found_by("wrong room")
def a_message_of_another_room(run: Run) -> None:
    delivery = of(run, "anna").events[-1]
    assert isinstance(delivery, Delivery)
    delivery.room = HALL


@found_by("no frame")
def a_frame_that_was_cut(run: Run) -> None:
    of(run, "anna").fault = "a frame that is no JSON: '{'"


@found_by("never delivered")
def a_reader_without_the_end(run: Run) -> None:
    run.history.unfinished.append("anna in room 2 is at #7 of #15")


@found_by("wrong cursor")
def a_cursor_said_to_be_further_than_what_came(run: Run) -> None:
    del run.history.sessions[3].events[-1]  # what the next session asks for is what the server said


@found_by("wrong cursor")
def a_cursor_further_than_what_came_and_nothing_behind_it(run: Run) -> None:
    run.session("anna", BOARD, "poll", 12)


@found_by("wrong cursor")
def a_cursor_further_back_than_what_came(run: Run) -> None:
    run.show(run.session("anna", BOARD, "poll", 5), 6, 9)


@found_by("wrong cursor")
def a_cursor_behind_what_a_reset_leaves_out(run: Run) -> None:
    run.session("fred", YARD, "poll", 63).events.append(Reset("yard2", 100))
    run.clear()
    run.session("fred", YARD, "poll", 70, "yard2")


# clears and removals


@found_by("reset without cause")
def a_reset_in_a_room_that_was_never_cleared(run: Run) -> None:
    of(run, "anna").events.append(Reset("board", 7))


@found_by("reset without cause")
def a_second_reset_for_one_clearing(run: Run) -> None:
    events = of(run, "fred").events
    events.append(Reset("yard1", 63))
    run.show(of(run, "fred"), 61, 63)


@found_by("reset without cause")
def a_reset_for_a_reader_who_came_after_the_clearing(run: Run) -> None:
    session = run.session("ilse", YARD, "poll", 62, "yard1")
    session.events.append(Reset("yard1", 63))
    run.show(session, 61, 63)


@found_by("no reset")
def a_reader_who_stayed_and_was_not_reset(run: Run) -> None:
    del of(run, "fred").events[61]


@found_by("no reset")
def a_reader_who_had_everything_came_back_and_was_not_reset(run: Run) -> None:
    session = run.session("ilse", YARD, "poll", 60, "yard0")
    session.events.append(Joined("yard1", 9))
    run.show(session, 61, 63)


@found_by("read from a log that was replaced")
def a_message_of_the_old_log_after_the_reset(run: Run) -> None:
    events = of(run, "fred").events
    events.insert(62, events[60])


@found_by("read after the removal")
def a_person_who_was_removed_and_stayed(run: Run) -> None:
    run.show(of(run, "mallory"), 3, 3)


@found_by("read after the removal")
def a_person_who_was_removed_and_stayed_on_a_stream_that_says_no_cursor(run: Run) -> None:
    session = of(run, "mallory")
    session.events[0] = Joined("hall", 1)
    run.show(session, 3, 3)


@found_by()
def a_chain_of_polls_that_goes_on_when_its_reader_is_back(run: Run) -> None:
    session = of(run, "mallory")
    session.transport = "poll"
    run.show(session, 3, 3)


@found_by("read while out of the room")
def a_poll_that_brought_what_was_said_when_its_reader_had_left(run: Run) -> None:
    run.show(of(run, "nora"), 4, 4, at=12)
    run.history.sessions[-2].after = 4
    del run.history.sessions[-2].events[1]


@found_by("read while out of the room")
def a_line_that_was_said_when_its_reader_had_left(run: Run) -> None:
    for event in of(run, "nora, by lines").events[:3]:
        assert isinstance(event, Delivery)
        event.at = 19.9


@found_by("kept after the removal")
def a_message_kept_whose_writer_had_left(run: Run) -> None:
    row = run.log(DEN).rows[3]
    send = next(send for send in run.history.sends if send.client_id == row.client_id)
    send.author = row.author = "nora"
    for session in run.history.sessions:
        for event in session.events:
            if isinstance(event, Delivery) and event.client_id == row.client_id:
                event.author = "nora"


@found_by("turned away without cause")
def a_message_refused_of_a_writer_who_was_never_sent_out(run: Run) -> None:
    send = Send("ada by a door", "ada", 101, DEN, "why", "id101", refusals=["busy", "no_such_room"])
    run.history.sends.append(send)


@found_by("turned away without cause")
def a_reader_turned_away_who_was_never_sent_out(run: Run) -> None:
    of(run, "anna").refused = "4403"


@found_by()
def a_reader_sent_out_by_a_command_whose_end_nobody_saw(run: Run) -> None:
    of(run, "mallory").refused = "4403"
    run.history.removals.clear()


@found_by()
def a_reader_told_to_come_again_later(run: Run) -> None:
    of(run, "anna").refused = "503"


# waiting


@found_by("not delivered in time")
def a_connected_reader_that_got_nothing_when_all_trouble_was_over(run: Run) -> None:
    run.history.waits.append(Wait("anna", BOARD, "websocket", 7, None, 20))


@found_by()
def a_connected_reader_that_got_it_late(run: Run) -> None:
    run.history.waits.append(Wait("anna", BOARD, "websocket", 7, 19.5, 20))


@found_by("a wake-up was lost")
def a_poll_that_slept_beside_a_message(run: Run) -> None:
    run.history.polls[0].back = run.answered(BOARD, 10) + 3


@found_by()
def a_poll_that_slept_while_there_was_trouble(run: Run) -> None:
    run.history.polls[0].back = run.answered(BOARD, 10) + 3
    run.history.count("workers stopped for a while")


@found_by()
def a_poll_that_was_slow_but_did_not_sleep(run: Run) -> None:
    run.history.polls[0].back = run.answered(BOARD, 10) + 3
    run.history.polls[0].waited = 4.9


# plain doors


@found_by("lost")
def a_line_lost(run: Run) -> None:
    del of(run, "kate").events[1]


@found_by("lost")
def the_first_text_after_lastupdate_lost(run: Run) -> None:
    del of(run, "jack").events[0]


@found_by("doubled")
def a_line_twice(run: Run) -> None:
    events = of(run, "kate").events
    events.insert(2, events[1])
    del events[3:]


@found_by("doubled")
def a_text_again_in_the_next_chain_of_polls(run: Run) -> None:
    run.show_texts(run.session("jack", LOBBY, "lastupdate", 4, texts_only=True), 3, 6)


@found_by("out of order", "lost")
def two_lines_in_the_wrong_order(run: Run) -> None:
    events = of(run, "kate").events
    events[1], events[2] = events[2], events[1]


@found_by("seen but not kept")
def a_line_seen_and_never_kept(run: Run) -> None:
    run.history.sends.append(Send("grace by a door", "grace", 99, LOBBY, "lost", ordered=False))
    of(run, "kate").events.append(Delivery(None, "lost"))


@found_by("wrong room")
def a_line_of_another_room(run: Run) -> None:
    of(run, "kate").events.append(Delivery(None, run.log(BOARD).rows[0].body))


@found_by("nobody sent it")
def a_line_that_nobody_sent(run: Run) -> None:
    of(run, "kate").events.append(Delivery(None, "out of nowhere"))


@pytest.mark.parametrize(("plant", "names"), [pytest.param(*rest, id=name) for name, *rest in PLANTED])
def test_a_planted_fault_is_found_by_its_rule_and_no_other(
    plant: Callable[[Run], object], names: set[str], run: Run
) -> None:
    plant(run)
    assert rules(run) == names


# the quiet spell


class Listener:
    """A reader, as the spell knows it."""

    room, transport = BOARD, "websocket"

    def __init__(self, name: str, does: Callable[["Listener"], None]) -> None:
        self.name, self.heard, self.got = name, 0.0, False
        self.does = does

    def has(self, _last: int) -> bool:
        self.does(self)
        return self.got


def test_who_is_forgotten_is_found_and_who_has_a_dead_line_may_find_that_out() -> None:
    """The one hears heartbeats and no more. The other hears nothing until long after that was found."""
    looks: list[str] = []

    def forgotten(reader: Listener) -> None:
        looks.append(reader.name)
        reader.heard = now()

    def cut_off(reader: Listener) -> None:
        looks.append(reader.name)
        if looks[-2:] == [reader.name] * 2:  # it is alone by now, and connects anew
            reader.heard, reader.got = now(), True

    readers: list[Any] = [Listener("anna", forgotten), Listener("bert", cut_off)]
    found = {wait.reader: wait.took is not None for wait in waits(readers, {BOARD: 7}, given=0.1)}
    assert found == {"anna": False, "bert": True}
