"""A crowd that is woken at once goes on one by one, and whoever else has something to do is not behind it."""

import gevent
from gevent.event import Event

from chatapp.turnstile import Turnstile

UNIT = 5.0  # seconds: when a test gives up


def test_somebody_else_has_a_turn_between_any_two_of_a_crowd() -> None:
    turnstile, arrival, passed = Turnstile(), Event(), []

    def wait(number: int) -> None:
        arrival.wait()
        turnstile.pass_through()
        passed.append(number)

    def somebody_else() -> None:
        for _ in range(5):  # as a message has a few switches on its way
            before = len(passed)
            gevent.sleep(0)
            assert len(passed) - before <= 2

    crowd = [gevent.spawn(wait, number) for number in range(1000)]
    gevent.sleep(0)
    arrival.set()
    while len(turnstile) < 900:
        gevent.sleep(0)
    other = gevent.spawn(somebody_else)
    gevent.joinall([other, *crowd], timeout=UNIT, raise_error=True)
    assert other.successful()
    assert passed == list(range(1000))
    assert len(turnstile) == 0


def test_who_comes_when_the_turnstile_is_empty_goes_on_as_well() -> None:
    turnstile = Turnstile()
    for _ in range(3):
        with gevent.Timeout(UNIT):
            turnstile.pass_through()
        gevent.sleep(0.001)
