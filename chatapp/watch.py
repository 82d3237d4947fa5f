"""The watch over gevent's hub: what keeps it from going round is found, counted, and named in the log.

A greenlet that computes, or waits in C, stops every connection of its worker. A native thread looks 40 times
a second how many rounds the hub's loop has made. Where it was in the same one for 50 ms, and in Python all
the while, whatever runs is what blocks it, and its stack is taken; so it is where the thread itself was kept
from looking for so long, as by what computes in C. What took less than 75 ms may escape.

Why not gevent's own monitor, which costs as little (neither can be told from none): its report goes through
all objects of the process, 2.5 s with 20,000 greenlets, during which nothing else runs; and it does not see
what the hub itself calls, nor many greenlets that take too long together.
"""

import logging
import os
import sys
import time
import traceback
from types import FrameType, TracebackType

import gevent
from gevent.hub import Hub
from gevent.monkey import get_original

from chatapp.counts import COUNTS

BLOCKED_SECONDS = 0.05
LOOK_SECONDS = 0.025
LONG_SECONDS = 5.0  # then it is said, though it is not over: gunicorn ends a worker after 30
DEPTH = 20  # calls of a stack that are named
SAY_SECONDS = 60.0  # between two blocks that are said, unless the later one is longer

log = logging.getLogger(__name__)


class Watch:
    """Over the hub of the thread that makes it. `start`: look from now on."""

    def __init__(self) -> None:
        hub = gevent.get_hub()
        self._loop, self._thread = hub.loop, hub.thread_ident
        self._round, self._since, self._looked = -1, 0.0, time.monotonic()
        self._stack = ""  # of what blocks it now,
        self._told = False  # and whether that is said, though it is not over
        self._said_at, self._said_seconds = -SAY_SECONDS, 0.0
        self._unsaid = 0

    def start(self) -> None:
        """Also has faults of greenlets logged, which gevent would print."""
        gevent.get_hub().print_exception = _failed  # type: ignore[method-assign, assignment]
        get_original("_thread", "start_new_thread")(self._run, ())

    def _run(self) -> None:
        sleep = get_original("time", "sleep")
        while True:
            sleep(LOOK_SECONDS)
            self._look(time.monotonic(), sys._current_frames().get(self._thread))

    def _look(self, now: float, frame: FrameType | None) -> None:
        turn = self._loop.iteration
        # Where it waits for the kernel the innermost frame is the hub's own.
        runs = frame is not None and frame.f_code is not Hub.run.__code__
        looked, self._looked = self._looked, now
        if runs and not self._stack and now - looked >= LOOK_SECONDS + BLOCKED_SECONDS:
            self._round, self._since = turn, looked
        seconds = now - self._since
        if not runs or turn != self._round:
            if self._stack:
                COUNTS.blocked += 1
                COUNTS.blocked_seconds += seconds
                self._say(f"the hub was blocked for {seconds:.2f} s", now, seconds)
            self._round, self._since = turn, now
            self._stack, self._told = "", False
        elif not self._stack and seconds >= BLOCKED_SECONDS:
            self._stack = _stack(frame)
        elif self._stack and seconds >= LONG_SECONDS and not self._told:
            self._told = True
            self._say(f"the hub has been blocked for {seconds:.0f} s, and still is", now, seconds)

    def _say(self, what: str, now: float, seconds: float) -> None:
        if now - self._said_at < SAY_SECONDS and seconds <= self._said_seconds:
            self._unsaid += 1
            return
        more = f"; meanwhile {self._unsaid} shorter ones" if self._unsaid else ""
        self._said_at, self._said_seconds, self._unsaid = now, seconds, 0
        _write(f"{what}{more}: {self._stack}")


def _stack(frame: FrameType | None) -> str:
    """In one line, the innermost first."""
    calls = traceback.StackSummary.extract(traceback.walk_stack(frame), limit=DEPTH, lookup_lines=False)
    return " < ".join(f"{call.name} ({_place(call.filename)}:{call.lineno})" for call in calls)


def _place(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def _write(message: str) -> None:
    # Past the locks of `logging`: they are gevent's, and what blocks the hub may hold one.
    record = log.makeRecord(log.name, logging.WARNING, __file__, 0, message, (), None)
    for handler in logging.getLogger("chatapp").handlers:
        if isinstance(handler, logging.StreamHandler):
            os.write(handler.stream.fileno(), f"{handler.format(record)}\n".encode())


def _failed(
    _context: object, _kind: object, error: BaseException | str | None, _trace: TracebackType | None
) -> None:
    # Not the greenlet itself: it shows what it was called with, which may be people's words.
    log.error("a greenlet failed", exc_info=error if isinstance(error, BaseException) else None)
