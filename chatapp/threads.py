"""Work that would stop the hub (databases, disks), done in native threads."""

from collections.abc import Callable
from typing import TypeVar

import gevent
from gevent.threadpool import ThreadPool

T = TypeVar("T")


def in_thread(job: Callable[[], T], pool: ThreadPool | None = None) -> T:
    """Run `job` in a native thread; its value, or what it raises. Switches; the hub goes on meanwhile.

    `pool`: of what may take its time, so that it never takes all the threads that the database needs.
    """

    # gevent prints the traceback of whatever leaves a job by itself, even when the caller expects it.
    def guarded() -> tuple[T, None] | tuple[None, Exception]:
        try:
            return job(), None
        except Exception as error:
            return None, error

    if pool is None:  # an idle pool is false, by its length
        pool = gevent.get_hub().threadpool
    value, error = pool.apply(guarded)
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # there is a value where there is no error
