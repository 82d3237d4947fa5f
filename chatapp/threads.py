"""Work that would stop the hub (databases, disks), done in native threads."""

from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent.threadpool import ThreadPool

T = TypeVar("T")


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

    # gevent prints the traceback of whatever leaves a job by itself, even when the caller expects it.
    def guarded() -> tuple[T, None] | tuple[None, Exception]:
        try:
            return job(), None
        except Exception as error:
            return None, error

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
    value, error = done.get()  # type: ignore[misc]  # never without a value: it catches what is raised
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # there is a value where there is no error
