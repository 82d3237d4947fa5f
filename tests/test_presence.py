"""Presence at the end of a process: what it has with the bus is finished before that is closed."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.event import Event
from gevent.pool import Group

from chatapp.bus import LEASE_SECONDS, Lease, PresenceChanged
from chatapp.config import Config
from chatapp.hub import Hub
from chatapp.journal import people_reading
from chatapp.message import Author
from chatapp.presence import AGAIN_LIMIT, GATHER_SECONDS, Presence
from tests.clients import UNIT


class SlowBus:
    """Takes leases until it is told to have them, and notes what happens to it."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.takes, self.may_have, self.flushed = Event(), Event(), Event()

    def listen(self, on_notice: object, on_gap: object) -> None:
        pass

    def publish(self, notice: object) -> None:
        pass

    def hold(self, leases: list[Lease], released: object) -> None:
        self.takes.set()
        self.may_have.wait()
        self.noted.append(f"has {len(leases)}")

    def held(self, room: int | None = None) -> list[Lease]:
        return []

    def flush(self, seconds: float) -> bool:
        self.flushed.set()
        return True

    def close(self) -> None:
        self.noted.append("closed")


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a hub starts ends with the test. Its chores would go on for ever, in whatever test is next, and each
    minute log that there is no journal.
    """
    begun = Group()
    monkeypatch.setattr(gevent, "spawn", begun.spawn)
    yield
    begun.kill()


@pytest.mark.usefixtures("ended")
def test_the_bus_is_closed_behind_the_leases_that_it_is_just_taking_and_takes_none_afterwards(
    tmp_path: Path,
) -> None:
    bus: Any = SlowBus()
    journal: Any = SimpleNamespace(finish=lambda seconds: True, prepare=lambda: None, version=lambda: 1)
    hub = Hub(Config(instance_path=str(tmp_path)), journal, bus)
    hub.start()
    hub.presence.enter(1, Author("g1", "ada", True))
    with gevent.Timeout(UNIT):
        bus.takes.wait()
        draining = gevent.spawn(hub.drain, UNIT)
        bus.flushed.wait()
        gevent.sleep(0)
        bus.may_have.set()
        draining.join()
    assert bus.noted == ["has 1", "closed"]
    assert hub._presence is not None
    assert hub._presence.dead


def test_who_was_erased_is_not_here_any_more_for_having_asked_for_news() -> None:
    bus: Any = SlowBus()
    bus.may_have.set()
    journal: Any = SimpleNamespace(finish=lambda seconds: True, prepare=lambda: None, version=lambda: 1)
    hub = Hub(Config(), journal, bus)
    for person in ("u1", "u2"):
        hub.presence.polled(1, Author(person, person))
    hub.presence.gather()
    assert [who.id for who in hub.presence.people(1)] == ["u1", "u2"]
    hub.people._erased = {people_reading.erasure("u1")}
    hub.people._on_erased()
    assert [who.id for who in hub.presence.people(1)] == ["u2"]
    hub.presence.gather()
    assert hub.presence.frame(1)["here"] == [{"id": "u2", "name": "u2"}]


def test_who_came_and_went_while_the_bus_could_not_be_asked_is_told_once_it_can() -> None:
    bus: Any = SlowBus()
    bus.may_have.set()
    elsewhere, told = {"u1", "u2"}, list[tuple[set[str], set[str]]]()
    bus.present = lambda: set(elsewhere)
    presence = Presence(
        bus,
        lambda room, data, but: None,
        lambda person: "",
        lambda: True,
        lambda here, moved, newcomers: told.append((here, moved)),
    )
    presence.gather()
    assert told.pop() == ({"u1", "u2"}, set())
    elsewhere.symmetric_difference_update({"u2", "u3"})  # one has gone, another has come
    well, bus.present = bus.present, broken
    presence.rang(1)
    presence.gather()
    presence.gather()
    assert told == []
    bus.present = well
    presence.gather()
    assert told.pop() == ({"u1", "u3"}, {"u2", "u3"})
    presence.gather()
    assert told == []  # once


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """That of presence, which goes on as a test says."""
    clock = SimpleNamespace(now=time.monotonic())
    monkeypatch.setattr("chatapp.presence.time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_who_came_and_went_while_the_bus_took_no_leases_is_here_and_gone_elsewhere_once_it_does(
    clock: SimpleNamespace,
) -> None:
    bus: Any = SlowBus()
    held = set[str]()

    def hold(leases: list[Lease], released: list[tuple[int, str]]) -> None:
        held.update(lease.who.id for lease in leases)
        held.difference_update(person for _, person in released)

    bus.hold, rung = hold, list[PresenceChanged]()
    bus.publish = rung.append
    presence = Presence(
        bus,
        lambda room, data, but: None,
        lambda person: "",
        lambda: False,
        lambda here, moved, newcomers: None,
    )
    presence.enter(1, Author("u1", "ada"))
    presence.enter(1, Author("u2", "grace"))
    presence.gather()
    assert held == {"u1", "u2"}
    bus.hold = broken
    presence.leave(1, Author("u1", "ada"))
    presence.leave(1, Author("u2", "grace"))
    presence.enter(1, Author("u3", "mallory"))
    presence.gather()
    presence.enter(1, Author("u2", "grace"))  # who is back meanwhile stays
    presence.gather()
    assert held == {"u1", "u2"}
    bus.hold = hold
    rung.clear()
    clock.now += AGAIN_LIMIT
    presence.gather()
    assert held == {"u2", "u3"}
    assert rung == [PresenceChanged(1)]
    presence.gather()
    assert rung == [PresenceChanged(1)]  # once


def broken(*_: object) -> set[str]:
    raise OSError("the bus is not there")


def test_leases_that_the_bus_does_not_take_are_tried_again_with_a_growing_pause(
    clock: SimpleNamespace,
) -> None:
    bus: Any = SlowBus()
    tried: list[float] = []
    held = set[str]()

    def refuse(leases: list[Lease], released: object) -> None:
        if leases or released:
            tried.append(clock.now)
            broken()

    def hold(leases: list[Lease], released: object) -> None:
        held.update(lease.who.id for lease in leases)

    bus.hold = refuse
    presence = Presence(bus, lambda *_: None, lambda person: "", lambda: False, lambda *_: None)
    presence.enter(1, Author("u1", "ada"))
    for _ in range(38):  # 19 seconds: before all are renewed
        presence.gather()
        clock.now += GATHER_SECONDS
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert pauses == sorted(pauses)
    assert pauses[:4] == [GATHER_SECONDS, 2 * GATHER_SECONDS, 4 * GATHER_SECONDS, 8 * GATHER_SECONDS]
    assert len(tried) < 8
    presence.enter(1, Author("u2", "grace"))  # who comes meanwhile is tried at once,
    presence.gather()
    assert tried[-1] == clock.now
    bus.hold = hold
    presence.enter(1, Author("u3", "mallory"))
    presence.gather()
    assert held == {"u3"}
    presence.gather()  # and once it takes one, all of them
    assert held == {"u1", "u2", "u3"}


def test_however_long_the_bus_is_down_only_those_are_let_go_whose_lease_may_still_hold(
    clock: SimpleNamespace,
) -> None:
    bus: Any = SlowBus()
    letting_go = list[list[tuple[int, str]]]()

    def hold(leases: list[Lease], released: list[tuple[int, str]]) -> None:
        letting_go.append(released)
        raise OSError("the bus is down")

    bus.hold = hold
    presence = Presence(
        bus,
        lambda room, data, but: None,
        lambda person: "",
        lambda: False,
        lambda here, moved, newcomers: None,
    )

    def come_and_go(person: str) -> None:
        presence.enter(1, Author(person, person))
        presence.gather()
        presence.leave(1, Author(person, person))
        presence.gather()
        clock.now += LEASE_SECONDS / 2  # far longer than a pause before all is tried again
        presence.gather()

    come_and_go("u1")
    assert letting_go[-1] == [(1, "u1")]
    come_and_go("u2")
    assert letting_go[-1] == [(1, "u2")]
    tries = len(letting_go)
    clock.now += LEASE_SECONDS
    presence.gather()  # nobody is left to be let go
    assert len(letting_go) == tries
    assert not presence._failed
    assert not presence._unreleased


def test_a_list_has_whom_the_others_were_told_of_before_it_was_asked_for() -> None:
    bus: Any = SlowBus()
    bus.may_have.set()
    elsewhere: list[Lease] = []
    bus.held = lambda room=None: list(elsewhere)
    bus.present = lambda: {lease.who.id for lease in elsewhere}
    heard: list[set[str]] = []

    def here(*_: object) -> None:
        heard.append({who.id for people in presence.everywhere().values() for who in people})

    presence = Presence(bus, lambda *_: None, lambda person: "", lambda: True, here)
    presence.gather()
    assert heard.pop() == set()
    elsewhere.append(Lease(1, Author("u2", "grace"), time.monotonic() + 60))
    presence.rang(1)
    assert 1 in presence.everywhere()
    elsewhere.append(Lease(2, Author("u3", "mallory"), time.monotonic() + 60))
    presence.rang(1)
    presence.everywhere()
    elsewhere.append(Lease(3, Author("u4", "joan"), time.monotonic() + 60))  # of whom nobody has rung yet
    presence.gather()
    assert heard.pop() == {"u2", "u3", "u4"}


def test_all_who_find_the_list_old_share_one_question_and_who_hears_news_meanwhile_asks_another() -> None:
    bus: Any = SlowBus()
    asked, may_answer = list[int | None](), Event()

    def held(room: int | None = None) -> list[Lease]:
        asked.append(room)
        may_answer.wait()
        return [Lease(1, Author(f"u{len(asked)}", "grace"), time.monotonic() + 60)]

    bus.held = held
    presence = Presence(bus, lambda *_: None, lambda person: "", lambda: False, lambda *_: None)
    first = [gevent.spawn(presence.everywhere) for _ in range(20)]
    gevent.idle()
    presence.rang(1)
    later = [gevent.spawn(presence.everywhere) for _ in range(20)]
    gevent.idle()
    may_answer.set()
    with gevent.Timeout(UNIT):
        gevent.joinall([*first, *later], raise_error=True)
    assert len(asked) == 2
    assert {who.id for each in later for who in each.value[1]} == {"u2"}


def test_who_is_elsewhere_is_asked_for_once_in_half_a_second_however_many_pages_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus: Any = SlowBus()
    asked = list[int | None]()
    grace = Lease(1, Author("u2", "grace"), time.monotonic() + 60)
    bus.held = lambda room=None: asked.append(room) or [grace]
    presence = Presence(bus, lambda *_: None, lambda person: "", lambda: False, lambda *_: None)
    for here in (["u2"], ["u2", "u1"]):
        assert [who.id for who in presence.everywhere()[1]] == here
        presence.enter(1, Author("u1", "ada"))  # of this process: seen at once
    assert asked == [None]
    now = time.monotonic() + GATHER_SECONDS
    monkeypatch.setattr("chatapp.presence.time.monotonic", lambda: now)
    presence.everywhere()
    assert asked == [None, None]


def test_of_a_room_in_which_nobody_here_was_told_anything_the_bus_is_not_asked() -> None:
    bus: Any = SlowBus()
    bus.may_have.set()
    asked = list[int | None]()
    bus.held = lambda room=None: asked.append(room) or []
    presence = Presence(bus, lambda *_: None, lambda person: "", lambda: False, lambda *_: None)
    presence.frame(1)
    asked.clear()
    for room in (1, 2):
        presence.rang(room)
    presence.gather()
    assert asked == [1]
