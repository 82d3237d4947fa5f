"""The journal: the durable record. It numbers, commits in groups and reads back.

Everything that changes a log goes through `submit`, in the order of the calls. One committer greenlet takes
all that has queued up, carries it out in one transaction with one fsync, and tells `on_commit` and then each
asker. Nothing is told before it is on the disk.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Concatenate, ParamSpec, TypeVar

import gevent
from gevent.event import AsyncResult, Event
from sqlalchemy import Connection, Engine

from chatapp.counts import COUNTS
from chatapp.errors import ChatError, Draining, NotKept, TooFast
from chatapp.journal import faults, reading, writing
from chatapp.journal.databases import BULK, connections_of
from chatapp.journal.requests import Commit, Look, PeopleMoved, Request
from chatapp.journal.writing import Answer
from chatapp.message import Message
from chatapp.trouble import Trouble

P = ParamSpec("P")
T = TypeVar("T")

# One transaction holds the write lock of all processes for about 20 ms at this size.
GROUP_LIMIT = 1000
# Between two looks at `version`. What nobody told of takes effect within a second: the rest is for reading it
# on a machine that is busy.
SWEEP_SECONDS = 0.25
# So many at once are mostly the beginning of more that has come and was not read yet: it goes with them.
BURST = 16
# To show a group to a thousand readers takes longer than to keep it. Those who answer to what they were just
# shown are waited for, briefly: one showing then serves them all.
LONG_SHOWING = 0.001  # seconds
GATHER_SHARE = 0.25  # of it,
GATHER_SECONDS = 0.02  # but no longer
SPARED = 64  # groups at most, of which none waits after one that waited in vain
AT_ONCE = 1e-6  # seconds: a turn of the loop that looks at sockets, which that of 0 does not

log = logging.getLogger(__name__)


class Journal:
    """`queue_limit`: requests that may wait. `on_commit`: called with what was kept; it must not switch, but
    `before_telling`, called before it, may. `answering`: entered while the answers of a group are given.
    `versions`: whether `version` tells when the database was not written to. `quick_commits`: whether the hub
    waits for commits that take but a moment.
    """

    def __init__(
        self, engine: Engine, queue_limit: int, versions: bool = True, quick_commits: bool = True
    ) -> None:
        self._connections = connections_of(engine, quick_commits)
        self._bulk = BULK[engine.dialect.name]
        self._queue_limit, self._versions = queue_limit, versions
        self._queue: deque[tuple[Request, Callable[[Answer], None]]] = deque()
        self._committer: gevent.Greenlet[[], None] | None = None
        self._idle, self._arrived = Event(), Event()
        self._idle.set()
        self._stopped = False
        self._showing = 0.0  # seconds that the last group took to be shown here
        self._in_vain = self._spared = (
            0  # waits since one that somebody ended, doubled; groups that are yet spared
        )
        self._not_kept = Trouble(log, "messages are not kept")
        self._unreadable = Trouble(log, "messages cannot be read")
        self._lost = Trouble(log, "the database cannot be used")
        self.kept = 0  # messages, since this process started
        self.before_telling: Callable[[list[Commit | PeopleMoved]], None] = lambda commits: None
        self.on_commit: Callable[[list[Commit | PeopleMoved]], None] = lambda commits: None
        self.answering: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def queued(self) -> int:
        """How many requests wait."""
        return len(self._queue)

    def submit(self, request: Request, done: Callable[[Answer], None]) -> None:
        """Queue `request`; `done(answer)` is called once it is kept or refused, and must not switch.

        Raises TooFast when too much is waiting and Draining when the journal is finished.
        """
        if self._stopped:
            raise Draining()
        if len(self._queue) >= self._queue_limit:
            raise TooFast("The server has more to keep than it can: try again", retry_after=1)
        self._queue.append((request, done))
        self._arrived.set()
        if self._committer is None:
            self._idle.clear()
            self._committer = gevent.spawn(self._work)

    def ask(self, request: Request) -> Any:
        """`submit` and wait for the answer, which is returned or, if it is a ChatError, raised. Switches."""
        result: AsyncResult[Answer] = AsyncResult()
        self.submit(request, result.set)
        answer = result.get()
        if isinstance(answer, ChatError):
            raise answer
        return answer

    def read(self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer to a question of `reading`. Switches. Raises NotKept where nothing can be read."""
        try:
            answer = self._connections.read(question, *args, **kwargs)
        except Exception as error:
            if not faults.is_of_database(error):
                raise
            self._tell(self._unreadable, error)
            raise NotKept("The messages cannot be read just now: try again") from error
        self._unreadable.over()
        return answer

    def messages_after(self, room: int, cursor: int, limit: int, until: int) -> list[Message]:
        """Up to `limit` messages with cursor < seq ≤ until, oldest first."""
        return self.read(reading.after, room, cursor, limit, until)

    def look(self, room: int, cursor: int, limit: int, known_rights: int) -> Look | None:
        """The room (None: there is none) and what follows `cursor` in it, of one moment.

        With its rights, where they are not those numbered `known_rights`.
        """
        return self.read(reading.look, room, cursor, limit, known_rights)

    def newest(self, room: int, limit: int, known_rights: int) -> Look | None:
        """The same with the room's newest messages."""
        return self.read(reading.newest, room, limit, known_rights)

    def revisions(self, rooms: Sequence[int]) -> dict[int, int]:
        """The revisions of those of `rooms` that there are."""
        return self.read(self._bulk.revisions, rooms)

    def version(self) -> int | None:
        """Changes when any process has written to the database; None where only reading can tell."""
        return self._connections.version() if self._versions else None

    def prepare(self) -> None:
        """Do once, a moment after the start, what makes all that is kept later quicker. Switches."""
        try:
            if not self._stopped:
                self._connections.prepare()
        except Exception as error:
            if not (faults.is_of_database(error) or isinstance(error, OSError)):
                raise
            log.warning("the write-ahead log could not be lengthened: %s", faults.explain(error))

    def finish(self, seconds: float) -> bool:
        """Take no more requests and wait until all that were taken are answered; False if it took longer."""
        self._stopped = True
        self._arrived.set()  # nothing more will
        finished = self._idle.wait(seconds)
        if finished:
            self._connections.close()
        return bool(finished)

    def _work(self) -> None:
        # Between the last look at the queue and `_committer = None` nothing switches: no request is stranded.
        while self._queue:
            if len(self._queue) >= BURST:
                gevent.sleep(0)
            group = [self._queue.popleft() for _ in range(min(len(self._queue), GROUP_LIMIT))]
            self._keep(group)
            if self._showing > LONG_SHOWING:
                self._gather()
        self._committer = None
        self._idle.set()

    def _gather(self) -> None:
        # What has come by now is mostly no answer yet: it is read, and what comes next goes with it. Where
        # nothing comes it was one after all, as of who is alone and answers to themselves.
        gevent.sleep(AT_ONCE)
        gevent.sleep(0)
        if self._stopped or not 0 < len(self._queue) < BURST:
            return
        if self._spared:
            self._spared -= 1
            return
        self._arrived.clear()
        if self._arrived.wait(min(self._showing * GATHER_SHARE, GATHER_SECONDS)):
            self._in_vain = 0
        else:
            self._in_vain = self._spared = min(2 * self._in_vain + 1, SPARED)

    def _keep(self, group: Sequence[tuple[Request, Callable[[Answer], None]]]) -> None:
        started = time.monotonic()
        try:
            answers, commits = self._connections.write(writing.perform, [request for request, _ in group])
        except Exception as error:
            if len(group) > 1 and not faults.is_of_all(error):
                # One request must not fail the others: halve until it is alone. Nothing of the group was
                # committed, and the halves keep its order.
                self._keep(group[: len(group) // 2])
                self._keep(group[len(group) // 2 :])
                return
            self._tell(self._not_kept, error, len(group))
            answers, commits = [NotKept() for _ in group], []
        else:
            self._not_kept.over()
            COUNTS.group_sizes.add(len(group))
            COUNTS.commit_seconds.add(time.monotonic() - started)
        self.kept += sum(len(commit.messages) for commit in commits if isinstance(commit, Commit))
        _call(self.before_telling, commits)
        started = time.monotonic()
        _call(self.on_commit, commits)
        self._showing = time.monotonic() - started
        with self.answering():
            for (_, done), answer in zip(group, answers, strict=True):
                _call(done, answer)

    def _tell(self, trouble: Trouble, error: Exception, requests: int = 1) -> None:
        if not faults.is_of_database(error):
            log.exception("a request could not be kept: %s", type(error).__name__)
        else:
            (self._lost if faults.lasts(error) else trouble).tell(faults.explain(error), requests)


def _call(function: Callable[[Any], None], value: Any) -> None:
    # What was committed is kept: no fault in telling it may turn the answer into an error.
    try:
        function(value)
    except Exception:
        log.exception("telling what was kept failed")
