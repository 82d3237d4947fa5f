"""Work that would stop the hub (databases, disks), done in gevent's threadpool."""

from collections.abc import Callable
from typing import TypeVar

import gevent

T = TypeVar("T")


def in_thread(job: Callable[[], T]) -> T:
    """Run `job` in a native thread; its value, or what it raises. Switches; the hub goes on meanwhile."""

    # gevent prints the traceback of whatever leaves a job by itself, even when the caller expects it.
    def guarded() -> tuple[T, None] | tuple[None, Exception]:
        try:
            return job(), None
        except Exception as error:
            return None, error

    value, error = gevent.get_hub().threadpool.apply(guarded)
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # there is a value where there is no error
