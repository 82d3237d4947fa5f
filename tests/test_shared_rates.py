"""What may be tried is counted by all machines together, where their bus is Redis; without it by each process."""

from collections.abc import Iterator

import pytest

from chatapp import shared_windows
from chatapp.config import Config
from chatapp.errors import TooFast
from chatapp.limiter import SIGN_INS_FACTOR, Limiter
from chatapp.permissions import Identity
from tests.brokers import RedisBroker, yielding

RATES = {"rate_sign_ins": "3 per hour", "rate_guests": "2 per hour", "rate_messages": "2 per hour"}
ADDRESS = "203.0.113.7"


@pytest.fixture
def machines(redis_broker: RedisBroker) -> Iterator[list[Limiter]]:
    redis_broker.forget()
    with yielding():
        yield [Limiter(Config(bus_url=redis_broker.url, **RATES)) for _ in range(2)]


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


def test_messages_are_counted_without_asking_anybody(
    machines: list[Limiter], redis_broker: RedisBroker
) -> None:
    ada = Identity("u1", "ada", "member", ADDRESS)
    for machine in machines:
        for _ in range(2):
            machine.message(ada)
        with pytest.raises(TooFast):
            machine.message(ada)
    assert redis_broker.has_nothing


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
    monkeypatch.setattr(shared_windows, "AGAIN_SECONDS", 0)
    for machine in machines:
        machine._all_counts._again_at = 0.0  # type: ignore[attr-defined]  # some seconds later
    for number in range(3):
        machines[number % 2].sign_in("mallory", ADDRESS)
    with pytest.raises(TooFast):
        second.sign_in("mallory", ADDRESS)
    assert [record.levelname for record in caplog.records[2:]] == ["WARNING", "WARNING"], "it is over"
