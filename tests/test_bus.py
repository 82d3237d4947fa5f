"""The contract of every bus: what one process tells, all others hear, and no fault of it harms anybody."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from socket import create_server
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.event import Event
from msgspec import structs

from chatapp import missed, presence
from chatapp.bus import (
    Bus,
    Committed,
    GuestsLeft,
    Lease,
    Lost,
    Notice,
    PresenceChanged,
    ReadUpTo,
    RoomsChanged,
    TurningBack,
    Typing,
    base,
    network,
    open_bus,
)
from chatapp.bus import sqlite as bus_of_files
from chatapp.bus.file_watch import FileWatch
from chatapp.bus.listeners import Listeners
from chatapp.bus.notices import decode, encode
from chatapp.config import Config
from chatapp.counts import COUNTS, SECONDS, Spread
from chatapp.errors import ChatError, SetupError, SignIn
from chatapp.hub import Hub
from chatapp.message import Author, Message
from chatapp.permissions import Identity
from tests.brokers import BROKERS, SqliteBroker, broker_of
from tests.clients import UNIT, Person, eventually
from tests.servers import Server

ADA, GRACE = Author("g1", "ada", True), Author("u2", "grace")


over_the_network = pytest.mark.parametrize("broker", BROKERS[1:], indirect=True)
sqlite_only = pytest.mark.parametrize("broker", BROKERS[:1], indirect=True)


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with broker_of(request.param, tmp_path, request) as broker:
        yield broker


class Process:
    """One process at the bus, with everything that it has heard."""

    def __init__(self, url: str) -> None:
        self.bus: Bus = open_bus(url)
        self.bus.prepare()
        self.heard: list[Notice] = []
        self.knocks = self.gaps = 0
        self.cannot_handle: Notice | None = None
        self.ending = False
        self.held_up = Event()  # what it hears is handled as long as this is set
        self.held_up.set()
        self.listener = gevent.spawn(self.bus.listen, self._hear, self._gap)

    def publish(self, *notices: Notice) -> None:
        for notice in notices:
            self.bus.publish(notice)

    def _hear(self, notice: Notice) -> None:
        if self.ending:
            raise gevent.GreenletExit
        if notice == self.cannot_handle:
            raise RuntimeError("this notice cannot be handled")
        if isinstance(notice, PresenceChanged) and notice.room < 0:
            self.knocks += 1
        else:
            self.held_up.wait()
            self.heard.append(notice)

    def _gap(self) -> None:
        self.gaps += 1


Join = Callable[..., Any]


def gives(question: Callable[[], Any]) -> Any:
    """What it answers, or why not."""
    try:
        return question()
    except Exception as error:
        return error


@pytest.fixture
def join(broker: Any) -> Iterator[Join]:
    """Lets another process join the bus; it listens when this returns."""
    joined: list[Process] = []

    def join(kind: type[Process] = Process) -> Process:
        joined.append(kind(broker.url))
        knock(broker, joined[-1])
        return joined[-1]

    yield join
    for process in joined:
        process.ending = True
        knock(broker, process)
        process.bus.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who hears nothing, or has no answer, finds that out soon: for tests in which that is so."""
    for name, seconds in {"LOOK_SECONDS": 0.3, "ANSWER_SECONDS": 1, "AGAIN_SECONDS": 0.3}.items():
        monkeypatch.setattr(network, name, seconds)


@pytest.fixture
def made_up_for_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was lost or missed is told again at once, and not together with what is lost within a second."""
    monkeypatch.setattr(base, "LOSS_SECONDS", 0.01)
    monkeypatch.setattr(missed, "GATHER_SECONDS", 0.01)


def knock(broker: Any, process: Process) -> None:
    """Publish until `process` hears it."""
    with closing(open_bus(broker.url)) as outside:

        def heard() -> bool:
            outside.publish(PresenceChanged(-1))
            return process.listener.dead if process.ending else process.knocks > 0

        soon(heard, "it hears us")
        assert outside.flush(UNIT)


def soon(condition: Callable[[], Any], what: str = "") -> None:
    """Wait until `condition()` is true; the buses of this process run meanwhile."""
    with gevent.Timeout(UNIT, AssertionError(f"not within {UNIT} s: {what or condition}")):
        while not condition():
            gevent.sleep(0.01)


def committed(seq: int, body: str = "hello", room: int = 1) -> Committed:
    message = Message(room, seq, "text", ADA, "2026-11-23T09:00:00.123456Z", body)
    return Committed(room, seq, seq, [message], False)


# -- notices -------------------------------------------------------------------------------------------


def test_what_one_process_tells_all_others_hear_in_order_and_itself_not(join: Join) -> None:
    ada, grace, mallory = join(), join(), join()
    told: list[Notice] = [
        Typing(1, ADA),
        ReadUpTo(1, "u2", 7),
        TurningBack(1, "u2", 5),
        PresenceChanged(3),
        Committed(1, 9, 0, [], True),
    ]
    told += [committed(seq, body="größer 👍") for seq in range(1, 200)]
    ada.publish(*told)
    soon(lambda: len(grace.heard) >= len(told) and len(mallory.heard) >= len(told))
    assert grace.heard == mallory.heard == told
    assert ada.heard == []


def test_processes_that_tell_at_once_are_each_heard_in_their_order(join: Join) -> None:
    speakers, listener = [join() for _ in range(4)], join()
    for seq in range(1, 101):
        for room, speaker in enumerate(speakers):
            speaker.publish(committed(seq, room=room))
        if not seq % 10:
            gevent.sleep(0)
    soon(lambda: len(listener.heard) >= 400)
    for room in range(4):
        assert [notice.last for notice in listener.heard if notice.room == room] == list(range(1, 101))  # type: ignore[union-attr]


def test_nothing_is_heard_that_was_told_before(join: Join) -> None:
    ada, witness = join(), join()
    ada.publish(*(committed(seq) for seq in range(1, 6)))
    soon(lambda: len(witness.heard) == 5)
    late = join()
    ada.publish(committed(6))
    soon(lambda: late.heard)
    assert late.heard == [committed(6)]


def test_a_notice_over_the_limit_still_tells_the_number(join: Join) -> None:
    ada, grace = join(), join()
    large = Committed(1, 5, 60, [committed(seq, "x" * 4000).messages[0] for seq in range(1, 61)], False)
    ada.publish(large, committed(61))
    soon(lambda: len(grace.heard) == 2)
    assert grace.heard == [Committed(1, 5, 60, [], False), committed(61)]


def test_whatever_their_size_all_are_told_of_in_order_with_their_messages_or_without(join: Join) -> None:
    ada, grace = join(), join()
    sizes = [1, 5_600, 5_700, 5_800, 5_900, 6_000, 6_100, 7_990, 8_000, 8_010, 65_000, 66_000, 1]
    told = [committed(seq, "ö" * (size // 2) + "x" * (size % 2)) for seq, size in enumerate(sizes, 1)]
    ada.publish(*told)
    soon(lambda: len(grace.heard) == len(told))
    without = [Committed(each.room, each.revision, each.last, [], False) for each in told]
    for heard, whole, number in zip(grace.heard, told, without, strict=True):
        assert heard in (whole, number)
    assert grace.heard[0] == told[0]
    assert grace.heard[-1] == told[-1]


@pytest.mark.parametrize("notice", [RoomsChanged([], 1, 7), GuestsLeft([])])
def test_more_people_than_a_notice_takes_are_told_of_in_several(
    join: Join, notice: RoomsChanged | GuestsLeft
) -> None:
    ada, grace = join(), join()
    people = [f"u{number}" for number in range(20_000)]
    ada.publish(structs.replace(notice, people=people))
    soon(lambda: sum(len(notice.people) for notice in grace.heard) == len(people))  # type: ignore[union-attr]
    assert [person for notice in grace.heard for person in notice.people] == people  # type: ignore[union-attr]
    assert [structs.replace(heard, people=[]) for heard in grace.heard] == [notice] * len(grace.heard)


def test_more_notices_than_can_wait_are_taken_without_waiting_and_the_newest_are_heard(join: Join) -> None:
    ada, grace = join(), join()
    ada.publish(*(ReadUpTo(1, "u2", seq) for seq in range(15_000)))  # nothing switches meanwhile
    soon(lambda: grace.heard and grace.heard[-1] == ReadUpTo(1, "u2", 14_999))
    seqs = [notice.seq for notice in grace.heard if isinstance(notice, ReadUpTo)]
    assert seqs == sorted(set(seqs))


def test_notices_that_piled_up_are_heard_in_stretches_with_everything_else_in_between(join: Join) -> None:
    ada, grace = join(), join()
    turns: list[int] = []

    def notice_turns() -> None:
        while len(grace.heard) < 3_000:
            turns.append(len(grace.heard))
            gevent.sleep(0)

    others = gevent.spawn(notice_turns)
    ada.bus._send([each for seq in range(3_000) for each in encode(ReadUpTo(1, "u2", seq))])
    soon(lambda: len(grace.heard) == 3_000)
    others.join()
    assert grace.heard == [ReadUpTo(1, "u2", seq) for seq in range(3_000)]
    assert len(set(turns)) >= 6, "they had their turn after every 500 at least"


def test_flush_waits_until_what_was_told_is_out(join: Join) -> None:
    ada, grace = join(), join()
    for seq in range(1, 20):
        ada.publish(committed(seq))
        assert ada.bus.flush(UNIT)
    soon(lambda: len(grace.heard) == 19)
    assert ada.bus.flush(0), "there is nothing to wait for"


# -- faults --------------------------------------------------------------------------------------------


def test_what_is_told_right_after_something_else_goes_out_together_and_what_comes_alone_at_once(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus, _ = join().bus, join()
    sent: list[int] = []
    monkeypatch.setattr(bus, "_send", lambda payloads: sent.append(len(payloads)))
    monkeypatch.setattr(type(bus), "pace", UNIT)
    bus.publish(Typing(1, ADA))
    gevent.sleep(0)
    assert sent == [1], "no turn later"
    monkeypatch.setattr(type(bus), "pace", 0.1)
    for room in (2, 3, 4):
        bus.publish(Typing(room, ADA))
        gevent.sleep(0)
    assert bus.flush(UNIT)
    assert sent == [1, 3]


def test_who_may_have_missed_notices_is_told_so_and_hears_the_next(join: Join, broker: Any) -> None:
    ada, grace = join(), join()
    before = grace.gaps
    broker.lose_notices()
    soon(lambda: grace.gaps > before, "it is told of the gap")
    grace.knocks = 0
    knock(broker, grace)
    grace.heard.clear()
    ada.publish(committed(1))
    soon(lambda: grace.heard)
    assert grace.heard == [committed(1)]


def test_a_notice_of_another_version_is_passed_over(join: Join) -> None:
    ada, grace = join(), join()
    ada.bus._send([b"\x92\xa7unknown\x01", b"", b"\xff" * 40])
    ada.publish(committed(1))
    soon(lambda: grace.heard)
    assert grace.heard == [committed(1)]


def test_a_notice_that_cannot_be_handled_does_not_end_the_listening(join: Join) -> None:
    ada, grace = join(), join()
    grace.cannot_handle = committed(2)
    ada.publish(committed(1), committed(2), committed(3))
    soon(lambda: len(grace.heard) == 2)
    assert grace.heard == [committed(1), committed(3)]


@pytest.mark.usefixtures("impatient")
def test_a_bus_that_hangs_loses_notices_but_raises_nothing_and_comes_back(join: Join, broker: Any) -> None:
    ada, grace = join(), join()
    let_go = broker.hang()
    for seq in range(1, 4):
        ada.publish(committed(seq))
    assert ada.bus.flush(UNIT), "it gives up after a while"
    let_go()

    def heard() -> bool:
        ada.publish(committed(4))
        return committed(4) in grace.heard

    soon(heard)
    lasts = [notice.last for notice in grace.heard if isinstance(notice, Committed)]
    assert set(lasts) <= {1, 2, 3, 4}


class Page:
    """An open page of somebody's, with what was told on it."""

    transport = "websocket"
    subscribers: tuple[int, ...] = ()

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.told: list[Any] = []

    def dismiss(self, error: ChatError) -> None:
        self.told.append(type(error))

    def send_frame(self, kind: str, data: bytes, droppable: bool = False) -> None:
        self.told.append(kind)


class Serving(Process):
    """One that has pages open."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        journal: Any = SimpleNamespace()
        self.hub = Hub(Config(), journal, self.bus)

    def open(self, person: str) -> Page:
        page: Any = Page(Identity(person, "somebody", "guest"))
        self.hub.heartbeat.add(page)
        return page

    def _hear(self, notice: Notice) -> None:
        super()._hear(notice)
        self.hub._heard_elsewhere(notice)

    def _gap(self) -> None:
        super()._gap()
        self.hub._missed()


@pytest.mark.usefixtures("made_up_for_soon")
def test_a_guest_who_left_is_gone_from_all_processes_also_where_the_bus_has_lost_that(
    join: Join, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = join(Serving), join(Serving)
    leaving, staying = there.open("g1"), there.open("g2")
    with monkeypatch.context() as lossy:
        lossy.setattr(here.bus, "_send", lambda payloads: None)
        here.hub.guest_left("g1")
        here.hub.rooms_changed("g2")
        assert here.bus.flush(UNIT)
    assert leaving.told == staying.told == []
    broker.lose_notices()
    soon(lambda: SignIn in leaving.told, "it is told again")
    soon(lambda: "rooms" in staying.told, "whose list may have changed hears that")
    assert SignIn not in staying.told


def not_sent(payloads: list[bytes]) -> None:
    raise OSError("the bus is not there")


@pytest.mark.usefixtures("made_up_for_soon")
def test_what_is_not_told_since_sending_failed_is_made_up_for_though_nobody_has_missed_anything(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "RENEW_SECONDS", 1000)  # with which all would be looked at anyway
    here, there = join(Serving), join(Serving)
    leaving, staying = there.open("g1"), there.open("g2")
    assert there.hub.presence.frame(1)["count"] == 0
    before = there.gaps
    with monkeypatch.context() as failing:
        failing.setattr(here.bus, "_send", not_sent)
        here.bus.hold([lease(GRACE)], [])
        here.publish(PresenceChanged(1))
        here.hub.guest_left("g1")
        here.hub.rooms_changed("g2")
        assert here.bus.flush(UNIT)
    soon(lambda: SignIn in leaving.told, "it is told again")
    soon(lambda: "rooms" in staying.told, "whose list may have changed hears that")

    def shown() -> bool:
        there.hub.presence.gather()
        return bool(there.hub.presence.frame(1)["count"] == 1)

    soon(shown, "who came is seen")
    assert there.gaps == before


@pytest.mark.usefixtures("made_up_for_soon")
def test_that_something_was_lost_is_told_until_it_goes_out(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = join(Serving), join(Serving)
    leaving = there.open("g1")
    failed: list[bytes] = []

    def fail(payloads: list[bytes]) -> None:
        failed.extend(payloads)
        not_sent(payloads)

    with monkeypatch.context() as failing:
        failing.setattr(here.bus, "_send", fail)
        here.hub.guest_left("g1")
        soon(lambda: sum(isinstance(decode(each), Lost) for each in failed) >= 3)
        assert leaving.told == []
    soon(lambda: SignIn in leaving.told)


@pytest.mark.usefixtures("made_up_for_soon")
def test_what_did_not_find_room_among_all_that_waits_to_be_sent_is_made_up_for(join: Join) -> None:
    here, there = join(Serving), join(Serving)
    leaving = there.open("g1")
    here.hub.guest_left("g1")
    here.publish(*(Typing(1, ADA) for _ in range(base.QUEUE_LIMIT)))
    soon(lambda: Lost() in there.heard)
    soon(lambda: SignIn in leaving.told)


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch) -> Any:
    """One who tells again, on a clock that a test sets, with what it has `told`."""
    told, clock = list[Notice](), SimpleNamespace(now=0.0)
    monkeypatch.setattr(missed, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(missed, "GATHER_SECONDS", 0)
    there: Any = SimpleNamespace(publish=told.append, connections=[])
    return SimpleNamespace(tells=missed.Telling(there, there), told=told, clock=clock)


def test_however_many_may_have_missed_it_who_has_left_is_told_again_once(telling: Any) -> None:
    for person in ("g1", "g2"):
        telling.tells.guest_left(person)
    telling.told.clear()
    for _ in range(50):
        telling.tells.tell_who_left()
    gevent.idle()
    assert telling.told == [GuestsLeft(["g1", "g2"])]
    telling.tells.tell_who_left()
    gevent.idle()
    assert telling.told == [GuestsLeft(["g1", "g2"])] * 2


def test_who_has_left_long_ago_is_not_told_of_again(telling: Any) -> None:
    telling.tells.guest_left("g1")
    telling.clock.now += missed.LEFT_SECONDS
    telling.tells.guest_left("g2")
    telling.told.clear()
    for _ in range(2):
        telling.clock.now += missed.LEFT_SECONDS / 2
        telling.tells.tell_who_left()
        gevent.idle()
    assert telling.told == [GuestsLeft(["g2"])] * 2
    telling.clock.now += 1
    telling.tells.tell_who_left()
    gevent.idle()
    assert len(telling.told) == 2


@over_the_network
@pytest.mark.usefixtures("impatient")
def test_who_hears_nothing_any_more_finds_out_though_nobody_says_anything_and_nothing_is_closed(
    join: Join, broker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    grace = join()
    before = grace.gaps
    let_go = broker.hang()
    try:
        soon(lambda: "the bus cannot be read" in caplog.text, "it is in the log")
    finally:
        let_go()
    soon(lambda: grace.gaps > before, "and when it is over, it is told that it may have missed something")
    assert "nothing is heard" in caplog.text or "no answer in time" in caplog.text


@over_the_network
def test_while_the_server_is_away_telling_goes_on_and_nothing_comes_of_it_and_leases_are_refused(
    join: Join, broker: Any
) -> None:
    ada, grace, mallory = join(), join(), join()
    mallory.bus.hold([lease(ADA)], [])
    before = [each.gaps for each in (ada, grace)]
    broker.go()
    try:
        for seq in range(1, 200):
            ada.publish(committed(seq))
        assert ada.bus.flush(UNIT), "it waits for nobody"
        for question in (grace.bus.held, grace.bus.present, lambda: grace.bus.hold([lease(GRACE)], [])):
            with pytest.raises(Exception):  # noqa: B017, PT011  # whatever its driver has to say
                question()
    finally:
        broker.come_back()
    soon(lambda: [each.gaps > gaps for each, gaps in zip((ada, grace), before, strict=True)] == [True, True])
    soon(lambda: gives(grace.bus.held) == [], "it is there, and has lost all")

    def heard() -> bool:
        ada.publish(committed(200))
        return committed(200) in grace.heard

    soon(heard)
    assert {notice.last for notice in grace.heard if isinstance(notice, Committed)} == {200}
    ada.bus.hold([lease(ADA)], [])
    assert [each.who for each in grace.bus.held()] == [ADA]


@over_the_network
def test_a_server_that_is_away_keeps_nobody_from_starting(
    broker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    broker.go()
    try:
        with closing(open_bus(broker.url)) as bus:
            bus.prepare()
            assert "cannot be reached" in caplog.text
            bus.publish(committed(1))
            assert bus.flush(UNIT)
    finally:
        broker.come_back()
    assert caplog.text.count("\n") == len(caplog.records), "a line each"


@over_the_network
def test_how_long_a_notice_takes_is_told_by_who_sent_it_whose_clock_it_is(
    join: Join, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, grace = join(), join()
    monkeypatch.setattr(COUNTS, "bus_seconds", Spread(SECONDS))
    ada.publish(committed(1))
    soon(lambda: grace.heard and sum(COUNTS.bus_seconds.counts))
    assert 0 < COUNTS.bus_seconds.total < UNIT
    grace.publish(committed(2))
    soon(lambda: sum(COUNTS.bus_seconds.counts) >= 2)


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_who_is_so_slow_that_the_server_cuts_them_off_is_told_of_it_and_hears_what_comes_after_that(
    join: Join, broker: Any
) -> None:
    ada, grace = join(), join()
    before = grace.gaps
    grace.held_up.clear()
    broker.cut_off_slow(100_000)
    for seq in range(600):  # several times what is cut off, and what the kernel holds besides
        ada.publish(committed(seq, "x" * 10_000))  # of more than 16 KiB Valkey 9 counts only a part
        ada.bus.flush(UNIT)
    broker.cut_off_slow(0)
    grace.held_up.set()
    soon(lambda: grace.gaps > before)
    ada.publish(committed(1000))
    soon(lambda: committed(1000) in grace.heard)
    assert len(grace.heard) < 300


# -- leases --------------------------------------------------------------------------------------------


def lease(who: Author, room: int = 1, seconds: float = 60) -> Lease:
    return Lease(room, who, time.monotonic() + seconds)


def test_a_lease_is_seen_by_the_others_and_not_by_its_holder(join: Join) -> None:
    ada, grace, mallory = join(), join(), join()
    held = [lease(ADA), lease(GRACE), lease(ADA, room=2)]
    ada.bus.hold(held, [])
    for other in (grace, mallory):
        assert same(other.bus.held(), held)
        assert same(other.bus.held(1), held[:2])
        assert other.bus.held(3) == []
        assert other.bus.present() == {each.who.id for each in held}
    assert ada.bus.held() == []
    assert ada.bus.present() == set()


def test_a_lease_that_is_not_renewed_expires(join: Join) -> None:
    ada, grace = join(), join()
    ada.bus.hold([lease(ADA, seconds=0.2), lease(GRACE, seconds=0.2)], [])
    ada.bus.hold([lease(GRACE)], [])
    soon(
        lambda: [each.who for each in grace.bus.held()] == [GRACE],
        "the one expires, the renewed one does not",
    )


def test_a_lease_that_is_given_up_is_gone_and_others_hold_their_own(join: Join) -> None:
    ada, grace, mallory = join(), join(), join()
    ada.bus.hold([lease(ADA), lease(GRACE), lease(ADA, room=2)], [])
    grace.bus.hold([lease(ADA)], [])
    ada.bus.hold([], [(1, ADA.id)])
    assert sorted((each.room, each.who.name) for each in mallory.bus.held()) == [
        (1, "ada"),
        (1, "grace"),
        (2, "ada"),
    ]
    grace.bus.hold([], [(1, ADA.id), (9, "nobody")])
    assert sorted((each.room, each.who.name) for each in mallory.bus.held()) == [(1, "grace"), (2, "ada")]


def test_leases_end_with_the_process_that_closes_the_bus(join: Join, broker: Any) -> None:
    grace = join()
    with closing(open_bus(broker.url)) as leaving:
        leaving.hold([lease(ADA)], [])
        assert [each.who for each in grace.bus.held()] == [ADA]
    assert grace.bus.held() == []


def same(some: list[Lease], others: list[Lease]) -> bool:
    """When they end may differ as much as a question to another clock takes."""
    some, others = (sorted(leases, key=lambda each: (each.room, each.who.id)) for leases in (some, others))
    ends = [[each.expires for each in leases] for leases in (some, others)]
    whose = [[(each.room, each.who) for each in leases] for leases in (some, others)]
    return whose[0] == whose[1] and ends[0] == pytest.approx(ends[1], abs=1)


# -- the file of one machine ---------------------------------------------------------------------------


@sqlite_only
def test_after_the_file_was_deleted_those_who_come_and_those_who_were_there_hear_each_other(
    join: Join, broker: SqliteBroker
) -> None:
    ada, grace = join(), join()
    for path in broker.path.parent.glob("bus.db*"):
        path.unlink()
    ada.publish(committed(1))
    assert ada.bus.flush(UNIT)
    mallory = join()

    def all_hear() -> bool:
        ada.publish(committed(2))
        mallory.publish(committed(3))
        return committed(2) in mallory.heard and committed(3) in ada.heard and committed(3) in grace.heard

    soon(all_hear, "the file was made anew and everybody uses it")


@sqlite_only
def test_what_nobody_else_would_hear_is_not_written_and_who_comes_hears_what_is_told_from_then_on(
    join: Join, broker: SqliteBroker
) -> None:
    def written(by: Process) -> int:
        assert by.bus.flush(UNIT)
        query = "SELECT count(*) FROM notices WHERE process = ?"
        with closing(broker.connect()) as other:
            return int(other.execute(query, (by.bus.process,)).fetchone()[0])

    ada = join()
    ada.publish(committed(1))
    assert written(ada) == 0
    grace = join()
    ada.publish(committed(2))
    soon(lambda: grace.heard == [committed(2)])
    assert written(ada) == 1
    with closing(open_bus(broker.url)) as outside:  # which only tells
        outside.publish(committed(3))
        assert outside.flush(UNIT)
    soon(lambda: ada.heard == [committed(3)])
    grace.bus.close()
    ada.publish(committed(4))
    assert written(ada) == 1
    grace.bus._listeners.join()  # she has to hear that the test is over


@sqlite_only
def test_a_server_starts_while_somebody_holds_the_file(broker: SqliteBroker) -> None:
    with closing(open_bus(broker.url)) as first:
        first.prepare()
    let_go = broker.hang()
    with closing(open_bus(broker.url)) as bus:
        bus.prepare()
    let_go()


@sqlite_only
def test_what_was_written_before_the_machine_was_started_counts_for_nothing(
    join: Join, broker: SqliteBroker
) -> None:
    ada, grace = join(), join()
    later = time.monotonic() + 1e6  # the clock of leases and notices began anew since
    ada.bus.hold([Lease(1, ADA, later)], [])
    assert grace.bus.held() == []
    with closing(broker.connect()) as other:
        other.execute("UPDATE notices SET at = ?", (later,))
        with closing(open_bus(broker.url)) as first:
            first.publish(committed(1))
            assert first.flush(UNIT)
        assert other.execute("SELECT count(*) FROM notices WHERE at >= ?", (later,)).fetchone() == (0,)
        assert other.execute("SELECT count(*) FROM present").fetchone() == (0,)


@sqlite_only
def test_a_file_of_an_earlier_version_is_used_on_and_keeps_no_names_that_it_had(
    join: Join, broker: SqliteBroker
) -> None:
    with closing(broker.connect()) as before:
        before.execute("CREATE TABLE leases (person TEXT, name TEXT, guest INTEGER)")
        before.execute("INSERT INTO leases VALUES ('g1', 'ada', 1)")
        ada, grace = join(), join()
        bot = Author("u7", "Builds", bot=True)
        ada.bus.hold([lease(bot)], [])
        assert [each.who for each in grace.bus.held()] == [bot]
        tables = before.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        assert ("leases",) not in tables


@sqlite_only
def test_a_damaged_file_is_reported_and_telling_never_fails(
    join: Join, broker: SqliteBroker, caplog: pytest.LogCaptureFixture
) -> None:
    ada, grace = join(), join()
    for name in ("bus.db", "bus.db-wal"):  # the third one is memory that they share
        (broker.path.parent / name).write_bytes(b"not a database" * 1000)

    def reported() -> bool:
        ada.publish(committed(1))
        said = [record.getMessage() for record in caplog.records]
        return committed(1) in grace.heard or any("bus" in line or "not sent" in line for line in said)

    soon(reported, "it is in the log, or the file works again and is heard")
    for path in broker.path.parent.glob("bus.db*"):
        path.unlink()

    def heard() -> bool:
        ada.publish(committed(2))
        return committed(2) in grace.heard

    soon(heard, "removing it was enough")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis",
        "gopher://:secret@localhost/",
        "sqlite://",
        "sqlite:///",
        "postgresql://chat:secret@host/name?colour=green",
        "redis://:secret@host/name",
        "redis://:secret@host:port/1",
        "redis://:secret@host/?colour=green",
        "unix:///socket?db=secret",
        "postgresql+psycopg://chat:sec:ret@[host/name",
    ],
)
def test_a_url_that_names_no_bus_is_refused_in_one_line_without_its_password(url: str) -> None:
    with pytest.raises(SetupError, match="CHATAPP_BUS_URL") as caught:
        open_bus(url)
    assert "\n" not in str(caught.value)
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize("broker", ["postgresql"], indirect=True)
def test_where_the_first_of_two_addresses_says_nothing_the_bus_is_reached_at_the_second(broker: Any) -> None:
    address, _, socket_folder = broker.url.partition("?host=")
    with create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, and nobody says a word
        port = silent.getsockname()[1]
        url = f"{address}?host=127.0.0.1,{socket_folder}&port={port},5432"
        with closing(open_bus(url)) as bus, closing(open_bus(broker.url)) as other:
            heard: list[Notice] = []
            listening = gevent.spawn(bus.listen, heard.append, lambda: None)

            def told() -> bool:
                other.publish(Typing(1, ADA))
                bus.publish(Typing(2, GRACE))
                return Typing(1, ADA) in heard

            soon(told)
            assert bus.held() == []
            listening.kill()


# -- no reader suffers ---------------------------------------------------------------------------------


def tells_of(room: int, seq: int, payload: bytes) -> bool:
    notice = decode(payload)
    return isinstance(notice, Committed) and (notice.room, notice.last) == (room, seq)


@pytest.mark.parametrize("order", ["ASC", "DESC"], ids=["doubled", "doubled and in reverse"])
def test_readers_get_once_and_in_order_what_the_bus_tells_twice(
    order: str, server: Server, ada: Person, board: int
) -> None:
    sockets = [ada.socket() for _ in range(6)]
    for socket in sockets:
        socket.join(board, after=0)
    for number in range(1, 21):
        ada.say(board, str(number))
    again = "INSERT INTO notices (process, at, payload) SELECT 'other', at, payload FROM notices ORDER BY id "
    [last] = encode(Typing(board, GRACE))
    with closing(sqlite3.connect(server.instance / "bus.db", timeout=UNIT)) as bus:
        # A message is acknowledged before the others are told of it.
        eventually(
            lambda: any(tells_of(board, 20, row[0]) for row in bus.execute("SELECT payload FROM notices"))
        )
    with closing(sqlite3.connect(server.instance / "bus.db", timeout=UNIT)) as bus, bus:
        bus.execute(again + order)
        bus.execute(
            "INSERT INTO notices (process, at, payload) VALUES ('other', ?, ?)", (time.monotonic(), last)
        )
    for socket in sockets:
        socket.expect(lambda frame: frame["type"] == "typing")  # all that came before has been heard
        # The last may be on its way yet: a sweep that has found it just before reads it from the journal.
        eventually(lambda socket=socket: len(socket.of("message")) >= 20)
        assert [frame["seq"] for frame in socket.of("message")] == list(range(1, 21))
        assert socket.of("reset") == []
        socket.close()


def test_what_was_told_long_ago_is_not_in_the_file_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_of_files, "KEEP_SECONDS", 0)
    broker = SqliteBroker(tmp_path)
    bus = open_bus(broker.url)
    bus.prepare()

    def in_the_file(word: bytes) -> bool:
        with closing(broker.connect()) as other:
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        return word in broker.path.read_bytes()

    another = Listeners(f"{broker.path}.lock")
    another.join()
    bus.publish(Typing(1, Author("g1", "Zwentibold")))
    assert bus.flush(UNIT)
    assert in_the_file(b"Zwentibold")
    bus.hold([Lease(1, Author("g2", "Wunibald"), time.monotonic() + 50)], [])
    assert in_the_file(b"Wunibald")
    another.close()  # from here on it is alone, and tells nothing
    bus.hold([], [(1, "g2")])
    assert not in_the_file(b"Zwentibold")
    assert not in_the_file(b"Wunibald")
    bus.close()


def test_who_waits_for_a_file_to_be_written_to_is_told_so_and_of_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with closing(FileWatch(str(path))) as watch:
        assert not watch.wait(0.01)
        path.write_text("something")
        assert watch.wait(UNIT)
        assert not watch.wait(0.01), "what was told is told once"
        path.unlink()
        assert watch.wait(UNIT)
    with pytest.raises(FileNotFoundError):
        FileWatch(str(path))


def test_where_the_kernel_does_not_tell_of_writing_notices_are_found_by_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_path: str) -> None:
        raise OSError("too many watches")

    monkeypatch.setattr(bus_of_files, "FileWatch", refused)
    url = f"sqlite:///{tmp_path}/bus.db"
    with closing(open_bus(url)) as teller, closing(open_bus(url)) as hearer:
        hearer.prepare()
        heard: list[Notice] = []
        listening = gevent.spawn(hearer.listen, heard.append, lambda: None)

        def told() -> bool:
            teller.publish(Typing(1, ADA))
            return Typing(1, ADA) in heard

        soon(told)
        listening.kill()
