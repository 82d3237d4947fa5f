"""Where their bus is Redis all machines count together: what may be tried at once, what is done all the time a moment
later; with another bus each process counts by itself.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from chatapp import counting_server, told_windows
from chatapp.config import Config
from chatapp.errors import TooFast
from chatapp.limiter import ADDRESS_FACTOR, SIGN_INS_FACTOR, Limiter
from chatapp.permissions import Identity
from chatapp.told_windows import SHARE, ToldStorage
from tests.brokers import RedisBroker, yielding
from tests.clients import UNIT, Person, eventually
from tests.servers import Server
from tests.test_machines import KEYS, at

MOST = 20  # messages in an hour
RATES = {"rate_sign_ins": "3 per hour", "rate_guests": "2 per hour", "rate_messages": f"{MOST} per hour"}
HOUR = 3600
ADDRESS = "203.0.113.7"
ADA, GRACE = Identity("u1", "ada", "member", ADDRESS), Identity("u2", "grace", "member", ADDRESS)


@pytest.fixture
def machines(redis_broker: RedisBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Limiter]]:
    redis_broker.forget()
    monkeypatch.setattr(told_windows, "TELL_SECONDS", 0.01)  # they have much to tell here
    with yielding():
        yield [Limiter(Config(bus_url=redis_broker.url, **RATES)) for _ in range(2)]


def some_seconds_later(machines: list[Limiter], monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis may be asked again."""
    monkeypatch.setattr(counting_server, "AGAIN_SECONDS", 0)
    for machine in machines:
        told_by(machine)._server._again_at = 0.0


def told_by(machine: Limiter) -> ToldStorage:
    assert isinstance(machine._told, ToldStorage)
    return machine._told


def told(*machines: Limiter) -> None:
    """Wait until they have told each other what there is to be told."""
    with gevent.Timeout(UNIT, AssertionError("not everything was told")):
        while any(told_by(machine)._teller for machine in machines):
            gevent.sleep(0.01)


def about(limit: int) -> range:
    """How many get through at two machines: what one has told, the other hears when it tells next."""
    return range(limit, limit + 2)


def says(machine: Limiter, who: Identity = ADA) -> bool:
    """Whether one more message of theirs is let through."""
    try:
        machine.message(who)
    except TooFast:
        return False
    return True


def wait_at(machine: Limiter, who: Identity = ADA) -> int:
    """For how many seconds somebody is to wait who is refused there."""
    with pytest.raises(TooFast) as refused:
        machine.message(who)
    return refused.value.retry_after or 0


# -- what may be tried ---------------------------------------------------------------------------------


def test_who_tries_passwords_at_one_machine_after_the_other_is_counted_once(machines: list[Limiter]) -> None:
    first, second = machines
    for machine in (first, second, first):
        machine.sign_in("ada", ADDRESS)
    for machine in (second, first):
        with pytest.raises(TooFast) as refused:
            machine.sign_in("ada", ADDRESS)
        assert 3500 < refused.value.retry_after <= 3601
    second.sign_in("grace", ADDRESS)
    for number in range(2):
        machines[number].guest(ADDRESS)
    with pytest.raises(TooFast):
        second.guest(ADDRESS)


def test_an_address_is_counted_over_all_accounts_and_machines(machines: list[Limiter]) -> None:
    for number in range(3 * SIGN_INS_FACTOR):
        machines[number % 2].sign_in(f"account {number}", ADDRESS)
    with pytest.raises(TooFast):
        machines[0].sign_in("another one", ADDRESS)


@pytest.mark.parametrize("how", ["gone", "hanging"])
def test_while_redis_does_not_answer_each_counts_by_itself_and_nobody_is_locked_out(
    how: str,
    machines: list[Limiter],
    redis_broker: RedisBroker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = machines
    for machine in (first, second, first):
        machine.sign_in("ada", ADDRESS)
    let_go = redis_broker.hang() if how == "hanging" else redis_broker.come_back
    if how == "gone":
        redis_broker.go()
    try:
        for machine in machines:
            machine.sign_in("grace", ADDRESS)
        first.sign_in("ada", ADDRESS)
        with pytest.raises(TooFast):
            first.sign_in("ada", ADDRESS)
        second.sign_in("ada", ADDRESS)
    finally:
        let_go()
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"], "one line for each process"
    some_seconds_later(machines, monkeypatch)
    for number in range(3):
        machines[number % 2].sign_in("mallory", ADDRESS)
    with pytest.raises(TooFast):
        second.sign_in("mallory", ADDRESS)
    assert [record.levelname for record in caplog.records[2:]] == ["WARNING", "WARNING"], "it is over"


# -- what is done all the time -------------------------------------------------------------------------


def test_who_writes_at_both_machines_in_turns_may_write_as_much_as_at_one(machines: list[Limiter]) -> None:
    passed = 0
    for number in range(2 * MOST):
        passed += says(machines[number % 2])
        told(*machines)
    assert passed in about(MOST)
    for machine in machines:
        assert HOUR - 100 < wait_at(machine) <= passed * HOUR / MOST + 1
    assert says(machines[0], GRACE)


def test_guests_of_one_address_are_counted_together_over_all_machines(machines: list[Limiter]) -> None:
    guests = [
        Identity(f"g{number}", "guest", "guest", ADDRESS) for number in range(2 * ADDRESS_FACTOR * MOST)
    ]
    passed = 0
    for number, guest in enumerate(guests):
        passed += says(machines[number % 2], guest)
        told(*machines)
    assert passed in about(ADDRESS_FACTOR * MOST)


def test_what_comes_before_machines_have_told_each_other_is_let_through_and_made_up_for(
    machines: list[Limiter],
) -> None:
    for machine in machines:  # nothing switches meanwhile, so nobody hears of anybody
        assert [says(machine) for _ in range(MOST + 1)] == [True] * MOST + [False]
    told(*machines)
    told_first, told_then = sorted(machines, key=wait_at)
    assert wait_at(told_then) > 2 * HOUR - 100, "as much time as so many may take"
    # The other one does not know that yet. It is told as the next window begins.
    told_first._told._windows.clear()
    assert all(says(told_first) for _ in range(MOST // SHARE))
    told(told_first)
    assert wait_at(told_first) > 2 * HOUR - 100


def test_who_writes_little_is_told_of_to_nobody(machines: list[Limiter], redis_broker: RedisBroker) -> None:
    for _ in range(MOST // SHARE - 1):
        assert says(machines[0])
    told(*machines)
    assert redis_broker.has_nothing


def test_what_was_given_back_before_anybody_was_told_of_it_is_told_to_nobody(
    machines: list[Limiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = told_by(machines[0])
    assert counts.within("guest", HOUR, 3)
    told(machines[0])
    asked = list[object]()
    monkeypatch.setattr(counts._server, "ask", lambda question, otherwise: asked.append(question) or [])
    assert counts.within("guest", HOUR, 3)
    counts.give_back("guest")
    told(machines[0])
    assert asked == []
    assert counts.within("guest", HOUR, 3)
    assert counts.within("guest", HOUR, 3)
    counts.give_back("guest")
    told(machines[0])
    assert len(asked) == 1


def test_what_was_told_of_is_gone_from_redis_with_its_window(
    machines: list[Limiter], redis_broker: RedisBroker
) -> None:
    for machine in machines:
        for _ in range(MOST):
            says(machine)
        told(machine)
    (life,) = redis_broker.lives
    assert HOUR < life <= 2 * HOUR


def test_a_redis_that_forgets_gives_nobody_more_than_one_that_is_not_there(
    machines: list[Limiter], redis_broker: RedisBroker
) -> None:
    first, second = machines
    for _ in range(MOST - 1):
        assert says(first)
    told(first)
    redis_broker.forget()
    assert says(first)
    told(first)
    assert HOUR - 100 < wait_at(first) <= HOUR + 1
    assert says(second)


def test_more_people_than_go_into_one_journey_are_all_told_of(
    machines: list[Limiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told_windows, "MOST", 3)
    people = [Identity(f"u{number}", "somebody", "member", ADDRESS) for number in range(10)]
    for who in people:
        assert all(says(machines[0], who) for _ in range(MOST))
    told(machines[0])
    for who in people:
        assert all(says(machines[1], who) for _ in range(MOST // SHARE))
    told(machines[1])
    assert not any(says(machines[1], who) for who in people)


@pytest.mark.parametrize("how", ["gone", "hanging"])
def test_while_redis_is_away_each_machine_counts_messages_by_itself_and_together_again_when_it_is_back(
    how: str,
    machines: list[Limiter],
    redis_broker: RedisBroker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    let_go = redis_broker.hang() if how == "hanging" else redis_broker.come_back
    if how == "gone":
        redis_broker.go()
    try:
        for machine in machines:
            assert [says(machine) for _ in range(MOST + 1)] == [True] * MOST + [False]
        told(*machines)
    finally:
        let_go()
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"], "one line for each process"
    some_seconds_later(machines, monkeypatch)
    for machine in machines:
        assert HOUR - 100 < wait_at(machine) <= HOUR + 1, "nobody is kept out for longer by it"
    passed = 0
    for number in range(2 * MOST):
        passed += says(machines[number % 2], GRACE)
        told(*machines)
    assert passed in about(MOST)
    assert [record.levelname for record in caplog.records[2:]] == ["WARNING", "WARNING"], "it is over"


@pytest.mark.parametrize("bus", ["sqlite:////nowhere/bus.db", "postgresql+psycopg://nobody@nowhere/chat"])
def test_with_another_bus_each_machine_counts_by_itself(bus: str) -> None:
    for machine in [Limiter(Config(bus_url=bus, **RATES)) for _ in range(2)]:
        assert [says(machine) for _ in range(MOST + 1)] == [True] * MOST + [False]


# -- real servers --------------------------------------------------------------------------------------


@pytest.fixture
def servers(redis_broker: RedisBroker, tmp_path: Path) -> Iterator[list[Server]]:
    """Two that share a database and a bus, where each may write fifty messages an hour."""
    redis_broker.forget()
    shared = {"bus_url": redis_broker.url, "rate_messages": "50 per hour"}
    shared["database_url"] = f"sqlite:///{tmp_path / 'chat.db'}"
    folders = [tmp_path / name / "instance" for name in ("first", "second")]
    first, second = (Server(folder, **shared) for folder in folders)
    folders[0].parent.mkdir()
    first.start()
    folders[1].mkdir(parents=True)
    for key in KEYS:
        shutil.copy(folders[0] / key, folders[1])
    second.start()
    yield [first, second]
    first.kill()
    second.kill()


def test_who_has_written_at_one_server_what_they_may_is_refused_at_the_other(servers: list[Server]) -> None:
    first, second = servers
    ada = Person(first, "ada")
    there = at(second, ada)
    room = ada.make_room("hall")
    said = {200: 0, 429: 0}

    def refused(person: Person) -> bool:
        answer = person.http.post(f"/api/rooms/{room}/messages", json={"body": "hello"})
        said[answer.status_code // 100 * 100 if answer.is_success else answer.status_code] += 1
        return answer.status_code == 429

    while not refused(ada):
        pass
    before = said[200]
    assert 40 < before <= 50
    eventually(lambda: refused(there))
    assert said[200] - before < 40, "long before it would have refused by what it counted itself"
    ada.close()
    there.close()
