"""Races on purpose: every order in which a room and its readers can be interleaved, driven step by step.

gevent switches only where somebody waits, so the interleavings are those of the steps below; a journal that
"switches" is one that lets other steps happen while it is read.
"""

import re
from collections import deque
from collections.abc import Callable
from typing import Any
from unittest import mock

import gevent
import pytest
from gevent import socket
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)
from msgspec import UNSET, structs

from chatapp import access
from chatapp.config import Config
from chatapp.encodings import EVENT_STREAM, MARKED_WEBSOCKET, WEBSOCKET, Encoding
from chatapp.errors import ChatError, Forbidden, NotKept, SignIn
from chatapp.hub import Hub
from chatapp.journal.requests import Commit, Look, RoomState
from chatapp.message import AMENDING, Author, Message, format_time
from chatapp.outlet import Outlet, gathered
from chatapp.permissions import Identity, Rights, may
from chatapp.room import NEWEST, Room
from chatapp.subscriber import Subscriber
from chatapp.transports.polling import poll
from chatapp.transports.waiting import Poller

ADA = Identity("g1", "ada", "guest")
PEOPLE = {
    who.id: who for who in (ADA, Identity("u2", "grace", "member"), Identity("u3", "mallory", "member"))
}
UNIT = 5.0  # seconds: when a test gives up
FOREVER = (
    50.0  # seconds: a wait that has to be woken; longer than UNIT, so that its end does not look like it
)


class MemoryJournal:
    """What a hub needs of the journal, in memory. `during_read` is run in the middle of each read."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.epoch, self.first, self.last, self.revision = "e1", 1, 0, 1
        self.rights = Rights(1)
        self.removals: dict[str, int] = {}
        self.withdrawn: dict[str, int] = {}  # who lost the right to read, by which number last
        self.cleared_away: set[int] = set()  # what it was asked for, and had no more
        self.during_read: Callable[[], None] = lambda: None
        self.on_commit: Callable[[list[Commit]], None] = lambda commits: None

    def commit(self, count: int) -> Commit:
        self.revision += 1
        return Commit(1, self.revision, [self._say() for _ in range(count)])

    def change_rights(self, before: int, after: int, removed: str | None = None, **what: Any) -> Commit:
        """One group: texts, the notice with which the rights change or somebody is removed, texts."""
        texts = [self._say() for _ in range(before)]
        texts.append(self._say("notice", {} if removed is None else {"removed": removed}))
        old, self.rights = self.rights, structs.replace(self.rights, number=self.rights.number + 1, **what)
        for person in PEOPLE.values():
            if may(person, "read", old) and not may(person, "read", self.rights):
                self.withdrawn[person.id] = self.last
        if removed is not None:
            self.removals[removed] = self.last
        self.revision += 1
        return Commit(1, self.revision, [*texts, *(self._say() for _ in range(after))], changed=True)

    def _say(self, kind: str = "text", detail: Any = UNSET) -> Message:
        self.last += 1
        body = "x" * (self.last % 7) + str(self.last)
        author, at = Author("g1", "ada"), format_time(self.last)
        self.messages.append(Message(1, self.last, kind, author, at, body, detail=detail))
        return self.messages[-1]

    def clear(self) -> Commit:
        self.messages.clear()
        self.epoch, self.first = f"e{self.last + 2}.{self.revision}", self.last + 1
        self.revision += 1
        return Commit(1, self.revision, [], changed=True)

    @property
    def state(self) -> RoomState:
        log = (self.epoch, self.first, self.last, self.revision)
        return RoomState(1, "board", "", *log, False, dict(self.removals), rights=self.rights.number)

    def version(self) -> int:
        return self.revision

    def newest(self, room: int, limit: int, known_rights: int) -> Look:
        found = Look(self.state, self.messages[-limit:], self._news(known_rights))
        self._switch()
        return found

    def look(self, room: int, cursor: int, limit: int, known_rights: int) -> Look:
        messages = [m for m in self.messages if m.seq > cursor][:limit]
        found = Look(self.state, messages, self._news(known_rights))
        self._switch()
        return found

    def _news(self, known_rights: int) -> Rights | None:
        return None if self.rights.number == known_rights else self.rights

    def messages_after(self, room: int, cursor: int, limit: int, until: int) -> list[Message]:
        found = [m for m in self.messages if cursor < m.seq <= until][:limit]
        self.cleared_away.update(range(cursor + 1, min(until + 1, self.first)))
        self._switch()
        return found

    def _switch(self) -> None:
        action, self.during_read = self.during_read, lambda: None
        action()


class SilentBus:
    """No other process."""

    def publish(self, notice: object) -> None:
        pass


def hub_and_room(backlog: int) -> tuple[Hub, Room, MemoryJournal]:
    journal = MemoryJournal()
    hub = Hub(Config(backlog=backlog), journal, SilentBus())  # type: ignore[arg-type]
    hub.people.number = 0  # nobody has ever changed
    return hub, hub.room(1), journal


# -- look, then wait ---------------------------------------------------------------------------------------


@pytest.fixture
def wire() -> Any:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.mark.parametrize("moment", ["before the look", "after the look", "while waiting"])
def test_a_poll_gets_a_message_that_arrives_at_any_moment_of_looking_and_waiting(
    moment: str, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, room, journal = hub_and_room(500)
    look = room.after

    def arrive() -> None:
        hub._committed([journal.commit(1)])

    def looking(cursor: int, limit: int) -> list[Message]:
        monkeypatch.setattr(room, "after", look)
        if moment == "before the look":
            arrive()
        found = look(cursor, limit)
        if moment == "after the look":
            arrive()
        return found

    monkeypatch.setattr(room, "after", looking)
    if moment == "while waiting":
        gevent.spawn_later(0.01, arrive)
    with gevent.Timeout(UNIT):
        batch = poll(hub, room, Poller(hub, ADA, wire[0]), after=0, epoch=None, wait=FOREVER, limit=None)
    assert [message.seq for message in batch.messages] == [1]
    assert batch.cursor == 1


def test_a_poll_whose_room_is_cleared_while_it_waits_starts_over(wire: Any) -> None:
    hub, room, journal = hub_and_room(500)
    hub._committed([journal.commit(3)])
    gevent.spawn_later(0.01, lambda: hub._committed([journal.clear()]))
    with gevent.Timeout(UNIT):
        batch = poll(hub, room, Poller(hub, ADA, wire[0]), after=3, epoch="e1", wait=FOREVER, limit=None)
    assert (batch.reset, batch.messages, batch.cursor, batch.epoch) == (True, [], 3, journal.epoch)


def test_what_follows_a_clearing_by_another_process_is_not_shown_before_the_reset(wire: Any) -> None:
    hub, room, journal = hub_and_room(500)
    hub._committed([journal.commit(3)])
    waiting = gevent.spawn(
        poll, hub, room, Poller(hub, ADA, wire[0]), after=3, epoch="e1", wait=FOREVER, limit=None
    )
    gevent.sleep(0)
    journal.clear()  # its notice is still under way when this process keeps the next message
    hub._committed([journal.commit(1)])
    batch = waiting.get(timeout=UNIT)
    assert (batch.reset, [message.seq for message in batch.messages]) == (True, [4])
    assert batch.epoch == journal.epoch


def test_a_poll_whose_client_leaves_ends_at_once_and_is_forgotten(wire: Any) -> None:
    hub, room, _ = hub_and_room(500)
    waiting = gevent.spawn(
        poll, hub, room, Poller(hub, ADA, wire[0]), after=0, epoch=None, wait=FOREVER, limit=None
    )
    gevent.sleep(0)
    assert room.waiting == 1
    wire[1].close()
    waiting.join(UNIT)
    assert waiting.ready()
    assert room.waiting == 0


@pytest.mark.parametrize("lost", [SignIn, Forbidden])
def test_who_may_read_no_more_before_their_poll_waits_is_told_so_at_once(
    lost: type[ChatError], wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, room, journal = hub_and_room(500)
    hub._committed([journal.commit(1)])

    def lose() -> None:
        if lost is SignIn:
            monkeypatch.setattr(hub.people, "still", mock.Mock(side_effect=SignIn()))
        else:
            room.restrict(Rights(2, kind="private"), {})

    journal.during_read = lose  # while the database is asked where the room is
    with gevent.Timeout(UNIT), pytest.raises(lost):
        poll(hub, room, Poller(hub, ADA, wire[0]), after=-1, epoch=None, wait=FOREVER, limit=None)
    assert (room.waiting, hub.waiting) == (0, set())


def test_a_poll_that_waits_is_not_disturbed_by_a_pipelined_request(wire: Any) -> None:
    hub, room, journal = hub_and_room(500)
    waiting = gevent.spawn(
        poll, hub, room, Poller(hub, ADA, wire[0]), after=0, epoch=None, wait=FOREVER, limit=None
    )
    wire[1].sendall(b"GET / HTTP/1.1\r\n\r\n")
    gevent.sleep(0.01)
    hub._committed([journal.commit(1)])
    assert [message.seq for message in waiting.get(timeout=UNIT).messages] == [1]
    assert wire[0].recv(100) == b"GET / HTTP/1.1\r\n\r\n"


def test_a_cursor_counts_as_ahead_only_after_the_database_was_asked(wire: Any) -> None:
    hub, room, journal = hub_and_room(500)
    journal.commit(5)  # kept by another process, whose notice is under way
    batch = poll(hub, room, Poller(hub, ADA, wire[0]), after=5, epoch="e1", wait=0, limit=None)
    assert not batch.reset
    assert room.last == 5


def test_a_room_that_is_up_to_date_asks_the_database_only_once_something_was_written() -> None:
    hub, room, journal = hub_and_room(500)
    looks = list[int]()
    look = journal.look
    journal.look = lambda *asked: looks.append(asked[1]) or look(*asked)  # type: ignore[method-assign, func-returns-value]
    hub.sync(room)
    hub.sync(room)
    assert looks == [0]
    journal.commit(2)  # by another process, unheard
    journal.during_read = lambda: journal.commit(1) and None
    hub.sync(room)
    assert room.last == 2
    hub.sync(room)  # what was written while it looked last, it has not seen
    assert room.last == 3
    hub.sync(room)
    assert looks == [0, 0, 2]
    journal.version = lambda: None  # type: ignore[method-assign, assignment, return-value]
    hub.sync(room)
    hub.sync(room)
    assert looks == [0, 0, 2, 3, 3], "where that is not told, it asks each time"


def test_a_batch_is_encoded_and_joined_once_for_all_who_are_live() -> None:
    _, room, journal = hub_and_room(500)
    readers = [mock.Mock(encoding=WEBSOCKET) for _ in range(3)]
    for reader in readers:
        room.live.add(reader)
    commit = journal.commit(2)
    room.deliver(commit.messages)
    (data,) = readers[0].outlet.send_now.call_args[0]
    assert data == b"".join(message.frame for message in commit.messages)
    assert all(reader.outlet.send_now.call_args_list == [mock.call(data)] for reader in readers)
    assert all(reader.outlet.send_now.call_args[0][0] is data for reader in readers)


# -- answers that come late, or not at all -------------------------------------------------------------------


def test_old_log_that_was_read_is_read_again_after_each_kind_of_change() -> None:
    _, room, journal = hub_and_room(backlog=1)
    room.deliver(journal.commit(10).messages)
    for kind in sorted(AMENDING):
        room.after(0, 5)
        change = structs.replace(journal.commit(1).messages[0], kind=kind, of=1)
        journal.messages[0] = structs.replace(journal.messages[0], body=f"after {kind}")
        room.deliver([change])
        assert room.after(0, 5)[0].body == f"after {kind}"


def test_html_is_ready_before_a_text_is_told_where_somebody_reads_it() -> None:
    hub, room, _ = hub_and_room(backlog=3)
    texts = [Message(1, seq, "text", Author("g1", "ada"), format_time(seq), "**hi**") for seq in (1, 2)]
    hub._make_html([Commit(1, 2, texts[:1])])
    assert "_marked" not in texts[0].__dict__, "nobody reads it"
    room.live.add(mock.Mock(encoding=MARKED_WEBSOCKET))
    hub._make_html([Commit(1, 3, texts[1:])])
    assert "_marked" in texts[1].__dict__


def test_an_answer_that_was_overtaken_brings_back_neither_an_old_name_nor_an_old_log() -> None:
    hub, room, journal = hub_and_room(500)
    overtaken = journal.state
    hub._committed([journal.clear()])
    hub.sync(room)
    room.refresh(overtaken)
    room.reset(Look(overtaken, []))
    assert (room.epoch, room.revision) == (journal.epoch, journal.revision)


def test_a_catch_up_that_failed_leaves_the_room_to_be_read_again() -> None:
    hub, room, journal = hub_and_room(500)
    journal.commit(3)  # another process: its notice tells the number only
    room.wanted = 3

    def fail() -> None:
        raise NotKept()

    journal.during_read = fail
    hub.rooms.fill(room)
    assert room.last == 0
    assert room.behind
    hub.rooms.fill_if_needed(room)  # as the sweep does every second
    eventually(lambda: room.last == 3)


def test_all_who_wait_for_a_room_that_cannot_be_read_are_told_so_and_the_next_one_tries_again() -> None:
    journal = MemoryJournal()
    hub = Hub(Config(), journal, SilentBus())  # type: ignore[arg-type]

    def fail() -> None:
        gevent.sleep(0.01)
        raise NotKept()

    journal.during_read = fail
    askers = [gevent.spawn(hub.room, 1) for _ in range(3)]
    gevent.joinall(askers, timeout=UNIT)
    assert [type(asker.exception) for asker in askers] == [NotKept] * 3
    assert hub.room(1).loaded.is_set()


def eventually(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(UNIT):
        while not condition():
            gevent.sleep(0.001)


# -- live and late readers -----------------------------------------------------------------------------------


class NarrowOutlet(Outlet):
    """An outlet whose socket takes `room_for` more bytes, and whose pump runs when it is told to."""

    def __init__(self) -> None:
        self._unsent = bytearray()
        self._gathered = b""
        self._late: deque[Any] = deque()
        self._limit = 65_536
        self._closing = self.closed = False
        self.broken = False
        self.request = ""
        self.room_for = 0
        self.written = bytearray()
        self.send_now = self._take  # type: ignore[assignment]

    def _take(self, data: bytes) -> int:
        if self.broken:
            raise RuntimeError("a fault of our own")
        taken = min(self.room_for, len(data))
        if not taken:
            raise BlockingIOError
        self.written += data[:taken]
        self.room_for -= taken
        return taken

    def _start_pump(self) -> None:
        pass

    def abort(self) -> None:
        self.closed = True

    def pump(self) -> None:
        """One round of what the pump greenlet does."""
        if self._unsent:
            try:
                del self._unsent[: self._take(bytes(self._unsent))]
            except BlockingIOError:
                return
        elif self._late:
            reader = self._late.popleft()
            if not reader.advance():
                self.serve(reader)

    @property
    def busy(self) -> bool:
        return bool(self._unsent or self._late)


class Follower:
    """A subscriber, and what it must have got: everything after `start`, or after its last reset.

    `since`: where the room was when it came. `dismissed`: why it was ended, if it was.
    """

    def __init__(self, room: Room, encoding: Encoding, after: int, identity: Identity = ADA) -> None:
        self.identity, self.since = identity, room.last
        self.dismissed = ""
        self.outlet = NarrowOutlet()
        self.encoding = encoding
        self.start = after
        self.resets = 0
        self.subscriber = Subscriber(
            room,
            identity,
            self.outlet,
            encoding,
            on_reset=self._reset,
            on_live=lambda reader: None,
            on_dismissed=self._dismiss,
        )
        self.subscriber.start(after)

    def _dismiss(self, subscriber: Subscriber, error: ChatError, sent_out: bool) -> None:
        self.dismissed = str(error)

    def _reset(self, subscriber: Subscriber) -> None:
        self.resets += 1
        self.start = subscriber.room.newest
        self.outlet.send(self._mark)

    @property
    def _mark(self) -> bytes:
        return self.encoding.event("reset", b'"reset %d"' % self.resets)

    def check(self, journal: MemoryJournal) -> None:
        """Compare what was written with what the rules say, byte for byte."""
        expected = [message for message in journal.messages if message.seq > self.start]
        assert self._got == b"".join(self.encoding.message(message, journal.epoch) for message in expected)

    def check_rights(self, journal: MemoryJournal) -> None:
        """Nothing that was kept after a right was withdrawn; of a removal that holds also when it is undone."""
        if not may(self.identity, "read", journal.rights):
            assert self.newest <= journal.withdrawn[self.identity.id]
        removal = journal.removals.get(self.identity.id, 0)
        if self.since < removal:
            assert self.newest <= removal

    def check_dismissal(self, journal: MemoryJournal) -> None:
        """Once all is known: who lost the right is gone, nobody else is, and what they got has no hole, but for
        what had been cleared away when it was read for them: of that they had still to hear.
        """
        removed = journal.removals.get(self.identity.id, 0) > self.since
        if removed or not may(self.identity, "read", journal.rights):
            assert self.dismissed
        if self.dismissed:
            assert removed or journal.withdrawn.get(self.identity.id, 0) > self.since
            seqs = _seqs(self._got)
            due = range(self.start + 1, max(seqs, default=0) + 1)
            assert seqs == [seq for seq in due if seq in seqs or seq not in journal.cleared_away]

    @property
    def newest(self) -> int:
        """The highest number of a message that was written, or begun."""
        return max(_seqs(bytes(self.outlet.written)), default=0)

    @property
    def _got(self) -> bytes:
        written = bytes(self.outlet.written)
        return written[written.index(self._mark) + len(self._mark) :] if self.resets else written

    @property
    def bound(self) -> int:
        """The most that may wait for the socket: the rest of a message's frame, and a mark."""
        return 550


def _seqs(written: bytes) -> list[int]:
    return [int(seq) for seq in re.findall(rb'"seq":(\d+),', written)]


class RoomMachine(RuleBasedStateMachine):
    """Commits, notices lost, late and doubled, readers that come, go and take k of n bytes, a log that is
    cleared, and a room that has members: who is removed, taken in, or shut out with everybody who is none.
    """

    followers = Bundle("followers")

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Follower] = []
        self.notices: list[Commit] = []
        self._reads_little = mock.patch("chatapp.live_rooms.FILL_LIMIT", 5)  # to catch up takes several reads
        self._reads_little.start()
        self.hub, self.room, self.journal = hub_and_room(backlog=3)
        self.journal.change_rights(0, 0, kind="private", members={"g1": "member", "u2": "member"})
        self._catch_up()
        self._commit_and_hear(8)  # more than the backlog holds
        self.hub.rooms.fill_if_needed = lambda room: None  # type: ignore[method-assign]  # `fill` is a step of its own

    @initialize(public=st.booleans())
    def begin(self, public: bool) -> None:
        if public:
            self.journal.change_rights(0, 0, kind="public")
            self._catch_up()

    @rule(count=st.integers(1, 4))
    def commit(self, count: int) -> None:
        self._commit_and_hear(count)

    @rule(count=st.integers(1, 4), lost=st.booleans())
    def another_process_commits(self, count: int, lost: bool) -> None:
        commit = self.journal.commit(count)
        if not lost:
            self.notices.append(commit)

    @rule(data=st.data(), again=st.booleans())
    def a_notice_comes_in_any_order(self, data: st.DataObject, again: bool) -> None:
        if self.notices:
            notice = self.notices[data.draw(st.integers(0, len(self.notices) - 1))]
            self.hub._committed([notice])
            if not again:
                self.notices.remove(notice)

    @rule(
        who=st.sampled_from(list(PEOPLE)),
        before=st.integers(0, 3),
        after=st.integers(0, 3),
        notice=st.sampled_from(["heard", "late", "lost"]),
    )
    def somebody_is_removed_or_taken_in(self, who: str, before: int, after: int, notice: str) -> None:
        self._tell(self._move(who, before, after), notice)

    @rule(
        before=st.integers(0, 3),
        after=st.integers(0, 3),
        notice=st.sampled_from(["heard", "late", "lost"]),
        then_read=st.booleans(),
    )
    def the_room_becomes_public_or_private(
        self, before: int, after: int, notice: str, then_read: bool
    ) -> None:
        kind = "public" if self.journal.rights.kind == "private" else "private"
        self._tell(self.journal.change_rights(before, after, kind=kind), notice)
        if then_read:
            self._catch_up()

    @rule(
        who=st.sampled_from(list(PEOPLE)),
        between=st.integers(0, 3),
        notices=st.sampled_from(["heard", "late", "lost"]),
    )
    def somebody_is_removed_and_at_once_taken_in_again(self, who: str, between: int, notices: str) -> None:
        for commit in (self._move(who, 0, between), self._move(who, 0, 1)):
            self._tell(commit, notices)
        self._catch_up()

    @rule(
        before=st.booleans(),
        who=st.sampled_from(list(PEOPLE)),
        then=st.integers(0, 2),
        overtaken=st.booleans(),
    )
    def fill_while_somebody_is_removed_or_taken_in(
        self, before: bool, who: str, then: int, overtaken: bool
    ) -> None:
        def meanwhile() -> None:
            self._tell(self._move(who, 0, 1), "heard")
            if then:
                self._commit_and_hear(then)
            if overtaken:
                self._catch_up()

        if before:
            self._move(who, 0, 1)  # unheard: what is being read has other rights already
        self.journal.during_read = meanwhile
        self._catch_up()

    @rule()
    def clear(self) -> None:
        self.notices.append(self.journal.clear())

    @rule(commits=st.integers(0, 2))
    def fill_while_more_is_kept(self, commits: int) -> None:
        if commits:
            self.journal.during_read = lambda: self._commit_and_hear(commits)
        self._catch_up()

    @rule(meanwhile=st.integers(0, 2))
    def a_plain_read_sees_all_that_was_kept_before_it(self, meanwhile: int) -> None:
        last, epoch, rights = self.journal.last, self.journal.epoch, self.journal.rights.number
        if meanwhile:
            self.journal.during_read = lambda: self._commit_and_hear(meanwhile)
        self.hub.sync(self.room)
        self.journal.during_read = lambda: None
        assert self.room.last >= last
        assert self.room.epoch == epoch
        assert self.room.rights.number == rights

    @rule(
        target=followers,
        who=st.sampled_from(list(PEOPLE)),
        back=st.integers(0, 12),
        encoding=st.sampled_from([WEBSOCKET, EVENT_STREAM]),
        wide=st.booleans(),
    )
    def subscribe(
        self, who: str, back: int, encoding: Encoding, wide: bool
    ) -> "Follower | MultipleResults[Follower]":
        if not may(PEOPLE[who], "read", self.room.rights):
            return multiple()  # as the doors have it
        after = max(self.room.first - 1, self.room.last - back)
        follower = Follower(self.room, encoding, after, PEOPLE[who])
        if wide:
            follower.outlet.room_for = 10**9
            while follower.outlet.busy:
                follower.outlet.pump()
        self.all.append(follower)
        return follower

    @rule(follower=consumes(followers))
    def leave(self, follower: Follower) -> None:
        follower.subscriber.end()
        self.all.remove(follower)

    @rule(follower=consumes(followers))
    def one_that_cannot_be_served_is_cut_off_and_nobody_else_notices(self, follower: Follower) -> None:
        follower.outlet.broken = True
        is_live = follower.subscriber in self.room.live
        self._commit_and_hear(1)
        if is_live and self.room.last == self.journal.last and not self.room.behind:
            assert follower.outlet.closed
        follower.subscriber.end()
        self.all.remove(follower)

    @rule(
        follower=followers,
        count=st.sampled_from([0, 1, 100, 150, 400, 2000]),
        during=st.sampled_from(["nothing", "commit", "clear", "removal"]),
    )
    def the_socket_takes_some_bytes(self, follower: Follower, count: int, during: str) -> None:
        follower.outlet.room_for += count
        if during == "commit":
            self.journal.during_read = lambda: self._commit_and_hear(1)
        if during == "clear":
            self.journal.during_read = self._clear_and_catch_up
        if during == "removal":
            self.journal.during_read = lambda: self._move_and_catch_up(follower.identity.id)
        follower.outlet.pump()
        self.journal.during_read = lambda: None

    @invariant()
    def no_cursor_passes_its_room(self) -> None:
        for follower in self.all:
            assert follower.subscriber.cursor <= self.room.last

    @invariant()
    def what_waits_for_a_socket_is_bounded(self) -> None:
        for follower in self.all:
            assert follower.outlet.unsent < follower.bound

    @invariant()
    def nobody_gets_what_was_kept_after_a_right_was_withdrawn(self) -> None:
        for follower in self.all:
            follower.check_rights(self.journal)

    @invariant()
    def who_may_not_read_by_what_is_known_here_is_followed_by_nothing(self) -> None:
        for follower in self.all:
            assert follower.dismissed or may(follower.identity, "read", self.room.rights)

    def teardown(self) -> None:
        self._catch_up()
        while self.room.last < self.journal.last or self.room.epoch != self.journal.epoch:
            self._catch_up()
        for follower in self.all:
            follower.outlet.room_for = 10**9
            while follower.outlet.busy:
                follower.outlet.pump()
            follower.check_rights(self.journal)
            follower.check_dismissal(self.journal)
            if not follower.dismissed:
                follower.check(self.journal)
        self._reads_little.stop()

    def _move(self, who: str, before: int, after: int) -> Commit:
        """Remove a member, or take in who is none."""
        members = dict(self.journal.rights.members)
        if members.pop(who, None):
            return self.journal.change_rights(before, after, removed=who, members=members)
        return self.journal.change_rights(before, after, members={**members, who: "member"})

    def _tell(self, commit: Commit, notice: str) -> None:
        if notice == "heard":
            self.hub._committed([commit])
        elif notice == "late":
            self.notices.append(commit)

    def _move_and_catch_up(self, who: str) -> None:
        self._move(who, 0, 1)
        self._catch_up()

    def _commit_and_hear(self, count: int) -> None:
        self.hub._committed([self.journal.commit(count)])

    def _clear_and_catch_up(self) -> None:
        self.journal.clear()
        self._catch_up()

    def _catch_up(self) -> None:
        self.hub.rooms.catch_up(self.room)


TestRoomMachine = RoomMachine.TestCase
TestRoomMachine.settings = settings(
    max_examples=300, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_what_could_not_be_written_for_some_readers_is_read_for_them_from_the_log() -> None:
    hub, room, journal = hub_and_room(backlog=500)
    encoding = mock.Mock(wraps=WEBSOCKET, marked=False)
    some, other = Follower(room, encoding, 0), Follower(room, WEBSOCKET, 0)
    for follower in (some, other):
        follower.outlet.room_for = 10**9
    hub._committed([journal.commit(1)])
    encoding.message.side_effect = [RuntimeError("a fault of our own")]
    hub._committed([journal.commit(2)])
    encoding.message.side_effect = None
    hub._committed([journal.commit(1)])
    while some.outlet.busy:
        some.outlet.pump()
    for follower in (some, other):
        follower.check(journal)
        assert follower.subscriber in room.live


def test_a_message_does_not_go_past_what_waits_for_the_socket_of_one_of_many() -> None:
    hub, room, journal = hub_and_room(backlog=500)
    followers = [Follower(room, WEBSOCKET, 0) for _ in range(3)]
    for follower in followers:
        follower.outlet.room_for = 10**9
    slow = followers[1].outlet
    slow.room_for = 1
    slow.send(b"ping")
    slow.room_for = 10**9
    (message,) = (commit := journal.commit(1)).messages
    hub._committed([commit])
    assert slow.written == b"p"
    while slow.busy:
        slow.pump()
    assert slow.written == b"ping" + message.frame
    assert followers[0].outlet.written == followers[2].outlet.written == message.frame


def test_who_has_been_said_goodbye_to_is_not_cut_off_by_what_is_said_next() -> None:
    """They have a moment to hang up: cut off, they would not hear why."""
    hub, room, journal = hub_and_room(backlog=500)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        outlet = Outlet(ours, 65_536)
        reader = Subscriber(room, ADA, outlet, WEBSOCKET, *[lambda *_: None] * 3)
        reader.start(0)
        outlet.close(b"goodbye")
        hub._committed([journal.commit(1)])
        theirs.sendall(b"goodbye to you")
        assert ours.recv(100) == b"goodbye to you"
        assert theirs.recv(100) == b"goodbye"
        assert theirs.recv(100) == b""
        assert reader not in room.live


def test_a_message_does_not_go_past_what_is_gathered() -> None:
    hub, room, journal = hub_and_room(backlog=500)
    follower = Follower(room, WEBSOCKET, 0)
    follower.outlet.room_for = 10**9
    (message,) = (commit := journal.commit(1)).messages
    with gathered():
        follower.outlet.send(b"ack")
        hub._committed([commit])
    assert follower.outlet.written == b"ack" + message.frame


def test_a_room_that_is_about_to_be_read_is_not_let_go_however_long_that_takes() -> None:
    journal = MemoryJournal()
    hub = Hub(Config(room_idle_seconds=1), journal, SilentBus())  # type: ignore[arg-type]
    hub.people.number = 0  # nobody has ever changed
    with access.entered(hub, ADA, 1) as room:
        hub.rooms._idle_since[1] = -1e9  # long ago
        hub.rooms._let_idle_rooms_go()
        follower = Follower(room, WEBSOCKET, 0)
    follower.outlet.room_for = 10**9
    hub._committed([journal.commit(1)])
    follower.check(journal)
    follower.subscriber.end()
    hub.rooms._idle_since[1] = -1e9
    hub.rooms._let_idle_rooms_go()
    assert hub.rooms.get(1) is None


def test_nor_while_it_is_looked_up_whether_somebody_was_let_in_elsewhere() -> None:
    journal = MemoryJournal()
    hub = Hub(Config(room_idle_seconds=1), journal, SilentBus())  # type: ignore[arg-type]
    hub.people.number = 0  # nobody has ever changed
    journal.change_rights(0, 0, kind="private")
    hub.room(1)
    journal.change_rights(0, 0, kind="public")  # by another process, which has not told yet

    def tidy() -> None:
        hub.rooms._idle_since[1] = -1e9  # long ago
        hub.rooms._let_idle_rooms_go()

    journal.during_read = tidy
    with access.entered(hub, ADA, 1) as room:
        assert hub.rooms.get(1) is room


def test_what_was_taken_from_the_database_is_skipped_and_said(caplog: pytest.LogCaptureFixture) -> None:
    hub, room, journal = hub_and_room(500)
    follower = Follower(room, WEBSOCKET, 0)
    follower.outlet.room_for = 10**9
    hub._committed([journal.commit(2)])
    journal.commit(3)
    del journal.messages[2]  # 3, by another program
    with gevent.Timeout(UNIT):
        room.wanted = 5
        hub.rooms.fill(room)
    assert (room.last, room.behind, follower.resets) == (5, False, 1)
    assert "behind #2" in caplog.text
    assert [message.seq for message in room.after(3, 10)] == [4, 5]


def test_a_room_far_behind_that_two_catch_up_at_once_is_not_taken_for_one_with_a_hole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatapp.live_rooms.FILL_LIMIT", 10)
    hub, room, journal = hub_and_room(500)
    follower = Follower(room, WEBSOCKET, 0)
    follower.outlet.room_for = 10**9
    journal.commit(15)  # more than one read brings
    journal.during_read = lambda: hub.sync(room)
    hub.sync(room)
    assert (room.last, follower.resets) == (15, 0)
    journal.commit(15)
    journal.during_read = lambda: hub.rooms.catch_up(room)
    hub.sync(room)
    assert (room.last, follower.resets) == (30, 0)
    follower.check(journal)


def test_all_rooms_together_remember_only_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    hub, room, journal = hub_and_room(500)
    hub._committed([journal.commit(100)])
    full = room.weight
    monkeypatch.setattr("chatapp.live_rooms.BACKLOG_BYTES", full // 3)
    for _ in range(3):
        hub.rooms._bound_memory()
    assert 0 < room.weight <= full // 3
    assert [message.seq for message in room.after(0, 200)] == list(range(1, 101))
    assert room.remembers(90)
    assert not room.remembers(10)


def test_a_reader_that_stops_reading_is_served_from_the_log_and_its_memory_is_bounded() -> None:
    hub, room, journal = hub_and_room(backlog=3)
    follower = Follower(room, WEBSOCKET, 0)
    follower.outlet.room_for = 150  # not even one frame
    for _ in range(200):
        hub._committed([journal.commit(1)])
    assert follower.outlet.unsent < 1000
    follower.outlet.room_for = 10**9
    while follower.outlet.busy:
        follower.outlet.pump()
    follower.check(journal)
    assert follower.subscriber in room.live


def test_a_stretch_that_takes_long_to_make_ends_early_and_its_reader_gets_the_rest_in_its_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatapp.subscriber.STRETCH_SECONDS", -1)  # after the first message of each
    hub, room, journal = hub_and_room(backlog=50)
    hub._committed([journal.commit(100)])
    follower = Follower(room, MARKED_WEBSOCKET, 0)
    follower.outlet.room_for = 10**9
    turns = 0
    while follower.outlet.busy:
        follower.outlet.pump()
        turns += 1
    follower.check(journal)
    assert turns >= 100
    assert follower.subscriber in room.live


def test_a_new_reader_starts_at_the_last_fifty() -> None:
    hub, room, journal = hub_and_room(backlog=500)
    hub._committed([journal.commit(NEWEST + 10)])
    assert room.newest == 10


# -- the outlet itself, on a real socket ---------------------------------------------------------------------


def test_an_outlet_keeps_the_order_and_never_cuts_a_frame_on_a_socket_that_is_slow(
    wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatapp.outlet.CLOSE_SECONDS", 60)  # this peer is slow, not gone
    ours, theirs = wire
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    outlet = Outlet(ours, limit=1_000_000)
    frames = [b"%06d" % number * 50 for number in range(1000)]
    for frame in frames:
        outlet.send(frame)
    assert outlet.unsent > 0
    outlet.close(b"goodbye")
    received = bytearray()
    while data := theirs.recv(1000):
        received += data
        gevent.sleep(0)
    assert bytes(received) == b"".join(frames) + b"goodbye"
    assert outlet.closed


def test_an_outlet_drops_what_can_be_dropped_when_its_peer_does_not_read(wire: Any) -> None:
    outlet = Outlet(wire[0], limit=1000)
    wire[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    for _ in range(10_000):
        outlet.send(b"x" * 100, droppable=True)
    assert outlet.unsent <= 1100
    assert outlet.full
    outlet.abort()
