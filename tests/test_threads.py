"""Who is interrupted while a native thread works for it: not before that one has ended with what it works on."""

from collections.abc import Callable, Iterator
from threading import Event, get_ident

import gevent
import pytest
from gevent.threadpool import ThreadPool

from chatapp.threads import in_thread


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


def test_who_is_killed_while_its_job_runs_is_so_once_the_job_has_ended(job: Job) -> None:
    ended_with = []

    def closes_what_the_job_uses() -> None:
        try:
            in_thread(job)
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


def test_who_is_out_of_time_hears_so_once_the_job_has_ended(job: Job) -> None:
    def hurries() -> None:
        with gevent.Timeout(0.01):
            in_thread(job)

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
