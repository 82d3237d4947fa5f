"""Native threads: who is interrupted while one works for it is so when that has ended with what it works on."""

import random
from collections.abc import Callable, Iterator
from threading import Event, get_ident

import gevent
import pytest
from gevent import monkey
from gevent.lock import BoundedSemaphore
from gevent.threadpool import ThreadPool

from chatapp.threads import OwnThread, in_thread

Run = Callable[[Callable[[], object]], object]


class Job:
    """Says that it has begun, and goes on until it may end."""

    def __init__(self) -> None:
        self.begun, self.may_end = gevent.get_hub().loop.async_(), Event()
        self.ended = False

    def __call__(self) -> str:
        self.begun.send()
        self.ended = self.may_end.wait(20)
        return "done"


@pytest.fixture
def job() -> Iterator[Job]:
    job = Job()
    yield job
    job.may_end.set()


def _in_the_middle(job: Job, function: Callable[[], object]) -> "gevent.Greenlet[..., object]":
    greenlet = gevent.spawn(function)
    gevent.get_hub().wait(job.begun)
    return greenlet


@pytest.fixture
def own() -> Iterator[OwnThread]:
    own = OwnThread()
    yield own
    own.end()


@pytest.fixture(params=["of the pool", "its own"])
def run(request: pytest.FixtureRequest, own: OwnThread) -> Run:
    """Has a native thread do something, and waits for that while the hub goes on."""
    return in_thread if request.param == "of the pool" else lambda job: own.run(job, 0)


def test_who_is_killed_while_its_job_runs_is_so_once_the_job_has_ended(job: Job, run: Run) -> None:
    ended_with = []

    def closes_what_the_job_uses() -> None:
        try:
            run(job)
        finally:
            ended_with.append(job.ended)

    greenlet = _in_the_middle(job, closes_what_the_job_uses)
    for _ in range(3):
        greenlet.kill(block=False)
        gevent.sleep(0)
    assert not greenlet.dead
    job.may_end.set()
    greenlet.join(20)
    assert ended_with == [True]
    assert isinstance(greenlet.value, gevent.GreenletExit)


def test_who_is_out_of_time_hears_so_once_the_job_has_ended(job: Job, run: Run) -> None:
    def hurries() -> None:
        with gevent.Timeout(0.01):
            run(job)

    greenlet = _in_the_middle(job, hurries)
    gevent.sleep(0.02)
    assert not greenlet.dead
    job.may_end.set()
    with pytest.raises(gevent.Timeout):
        greenlet.get(timeout=20)
    assert job.ended


def test_a_job_that_asks_for_a_thread_of_the_same_pool_has_one_already() -> None:
    pool = ThreadPool(1)
    outer, inner = in_thread(lambda: (get_ident(), in_thread(get_ident, pool)), pool)
    assert outer == inner != get_ident()
    pool.kill()


@pytest.mark.parametrize("patience", [0, 20], ids=["while the hub goes on", "in place"])
def test_jobs_of_one_thread_of_its_own_come_one_after_the_other_with_what_they_return_or_raise(
    own: OwnThread, patience: float
) -> None:
    def fails() -> None:
        raise ValueError("on purpose")

    threads = {own.run(get_ident, patience) for _ in range(200)}
    assert len(threads) == 1
    assert get_ident() not in threads
    with pytest.raises(ValueError, match="on purpose"):
        own.run(fails, patience)
    assert own.run(lambda: "fine", patience) == "fine"
    own.end()
    assert own.run(lambda: "begun anew", patience) == "begun anew"


def test_a_job_that_ends_as_patience_does_is_waited_for_in_one_way_or_the_other(own: OwnThread) -> None:
    sleep = monkey.get_original("time", "sleep")
    for number in range(300):
        pause = number % 10 * 0.0001
        assert own.run(lambda pause=pause, number=number: (sleep(pause), number)[1], 0.0005) == number


def test_whoever_is_interrupted_at_whatever_moment_the_next_one_s_job_begins_behind_its_own(
    own: OwnThread,
) -> None:
    sleep, chance = monkey.get_original("time", "sleep"), random.Random(1)
    turn, running, done = BoundedSemaphore(1), set[int](), list[int]()

    def job(number: int, pause: float) -> int:
        assert not running
        running.add(number)
        sleep(pause)
        running.remove(number)
        return number

    def ask(number: int, pause: float, patience: float) -> None:
        with turn:
            try:
                assert own.run(lambda: job(number, pause), patience) == number
            finally:
                done.append(number)
                assert not running

    for first in range(0, 400, 20):
        greenlets = [
            gevent.spawn(ask, first + number, chance.random() * 0.0005, chance.choice([0, 0.0002]))
            for number in range(20)
        ]
        for greenlet in chance.choices(greenlets, k=20):
            gevent.sleep(chance.choice([0, 0.0001]))
            greenlet.kill(block=False)
        gevent.joinall(greenlets, timeout=20, raise_error=True)
    assert len(done) > 200


def test_a_signal_that_raises_when_the_end_was_already_seen_is_heard(own: OwnThread) -> None:
    own.run(get_ident, 0)

    class Interrupting:
        """A lock with a signal's handler that runs as soon as it was had."""

        lock = own._ended
        raised = False

        def acquire(self, *arguments: float) -> bool:
            had: bool = self.lock.acquire(*arguments)
            if had and not self.raised:
                self.raised = True
                raise KeyboardInterrupt
            return had

    own._ended = Interrupting()
    with gevent.Timeout(20), pytest.raises(KeyboardInterrupt):
        own.run(lambda: "done", 20)
    assert own.run(lambda: "after it", 20) == "after it"
