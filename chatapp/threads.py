"""Work that would stop the hub (databases, disks), done in native threads."""

from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent import monkey
from gevent.event import Event
from gevent.threadpool import ThreadPool

T = TypeVar("T")

start_native, native_lock = (
    monkey.get_original("_thread", name) for name in ("start_new_thread", "allocate_lock")
)

RESOLVING = 2  # threads that look up names of machines


def resolve_apart() -> None:
    """Have names looked up by threads of their own: a resolver that gives no answer takes none of those that
    the database needs. gevent's other resolvers need no threads.
    """
    hub = gevent.get_hub()
    resolver: Any = hub.resolver
    if getattr(resolver, "pool", None) is hub.threadpool:
        resolver.pool = ThreadPool(RESOLVING)


def in_thread(job: Callable[[], T], pool: ThreadPool | None = None) -> T:
    """Run `job` in a native thread; its value, or what it raises. Switches; the hub goes on meanwhile.

    Whoever is killed, or out of time, meanwhile is so only when the job has ended: what it works on, say a
    connection, may be closed or given to somebody else from then on.
    `pool`: of what may take its time, so that it never takes all the threads that the database needs.
    """

    values: list[T] = []
    errors: list[Exception] = []

    # gevent prints the traceback of whatever leaves a job by itself, even when the caller expects it.
    def guarded() -> None:
        try:
            values.append(job())
        except Exception as error:
            errors.append(error)

    if pool is None:  # an idle pool is false, by its length
        pool = gevent.get_hub().threadpool
    if gevent.get_hub() is not pool.hub:  # it is a job of such a thread that asks
        return job()
    done = pool.spawn(guarded)
    interrupted: BaseException | None = None
    while not done.ready():
        try:
            done.wait()
        except BaseException as thrown:
            interrupted = interrupted or thrown
    if interrupted is not None:
        raise interrupted
    done.get()  # raises what no job is to raise
    if errors:
        raise errors.pop()
    return values[0]


class OwnThread:
    """A native thread that stays, for one job after the other, of one greenlet at a time, all of one hub.

    Its jobs may be waited for in place: the whole hub waits. That costs less than to go on and be told, and
    than to take turns with Python's lock meanwhile.
    """

    def __init__(self) -> None:
        self._runs = False
        self._asked, self._ended = native_lock(), native_lock()  # released by who asks, and by the thread
        self._job: Callable[[], Any] | None = None
        self._value: Any = None
        self._error: BaseException | None = None
        self._has_ended = False  # the job; the lock only wakes who waits for that
        self._is_late = False  # then the hub is to be told of the end
        self._watcher: Any = None

    def run(self, job: Callable[[], T], patience: float) -> T:
        """The value of `job`, or what it raises. For `patience` seconds the hub waits as well, then it goes
        on; that switches, and who is interrupted meanwhile is so when the job has ended, as in `in_thread`.
        """
        if not self._runs:
            self._start()
        self._job, self._has_ended = job, False
        asked = False
        interrupted: BaseException | None = None
        while not self._has_ended:
            try:
                if not asked:
                    asked = True
                    self._asked.release()
                while not self._has_ended:
                    if not self._ended.acquire(True, patience):
                        self._wait_for_end()
            except BaseException as thrown:  # also by a signal's handler, between any two calls
                interrupted, patience = interrupted or thrown, 0
        value: T = self._value
        error, self._value, self._error = self._error, None, None
        if interrupted is not None:
            raise interrupted
        if error is not None:
            raise error
        return value

    def end(self) -> None:
        """End the thread, which has no job; a later one begins anew."""
        if self._runs:
            self._job, self._has_ended = None, False
            self._asked.release()
            while not self._has_ended:
                self._ended.acquire()
            self._watcher.close()
            self._runs = False

    def _start(self) -> None:
        self._asked, self._ended = native_lock(), native_lock()
        self._asked.acquire()
        self._ended.acquire()
        self._watcher = gevent.get_hub().loop.async_()
        start_native(self._work, (self._asked, self._ended))
        self._runs = True

    def _wait_for_end(self) -> None:
        # The thread notes that it has ended, then asks whether it is late; here it is the other way
        # around. So the end is seen here, or told, or both.
        told = Event()
        try:
            self._watcher.start(told.set)
            self._is_late = True
            while not self._has_ended:
                told.wait()
                told.clear()
        finally:
            self._is_late = False
            self._watcher.stop()

    def _work(self, asked: Any, ended: Any) -> None:
        while True:
            asked.acquire()
            job, self._job = self._job, None
            try:
                self._value = job and job()
            except BaseException as error:
                self._error = error
            self._has_ended = True
            ended.acquire(False)  # it is free where nobody has waited for the last one's end by it
            ended.release()
            if job is None:
                return
            job = None  # what it worked on is kept no longer
            if self._is_late:
                self._watcher.send()
