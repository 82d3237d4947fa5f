"""The hub of this process: journal → bus → live rooms, and back again from the bus; start and drain.

What may switch: `room`, `sync`, `drain` and `_make_html` (before what was kept is told to anybody). What must
not: `_committed` (called by the committer between commit and answer), `_heard` (called by the bus's greenlet)
and all that tells readers something.
"""

import logging
import time
from collections.abc import Container, Iterator, Sequence

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from chatapp import collection, erasing, frames, marking, retention, same_keys
from chatapp.bus import (
    Bus,
    Committed,
    GuestLeft,
    GuestsLeft,
    Lost,
    Missed,
    Notice,
    PeopleChanged,
    PresenceChanged,
    ReadUpTo,
    RoomsChanged,
    TurningBack,
    Typing,
)
from chatapp.bus.network import NetworkBus
from chatapp.config import Config
from chatapp.errors import Draining, SignIn
from chatapp.heartbeat import Heartbeat
from chatapp.journal import Journal
from chatapp.journal.people_requests import Person
from chatapp.journal.requests import Commit, PeopleMoved
from chatapp.limiter import Limiter
from chatapp.live_rooms import LiveRooms
from chatapp.mail import Outbox
from chatapp.message import Author
from chatapp.missed import Telling
from chatapp.outlet import Outlet, gathered
from chatapp.people import Follower as Listener
from chatapp.people import People
from chatapp.presence import Presence
from chatapp.room import Room
from chatapp.scoreboard import Scoreboard
from chatapp.search import Follower, SqliteIndex
from chatapp.threads import resolve_apart
from chatapp.turnstile import Turnstile
from chatapp.uploads import Uploads

SETTLED_SECONDS = 2  # after which those who came back with the start are there

log = logging.getLogger(__name__)


class Hub:
    """Made once a process; `start` it in a process that serves."""

    def __init__(self, config: Config, journal: Journal, bus: Bus) -> None:
        self.config, self.journal, self.bus = config, journal, bus
        self.limiter = Limiter(config)
        self.mail = Outbox(config)
        self.presence = Presence(
            bus,
            self._tell_presence,
            lambda who: self.people.statuses.get(who, ""),
            lambda: any(self._conversations()),
            self._tell_who_came,
        )
        self.heartbeat = Heartbeat(config.heartbeat)
        self._telling = Telling(bus, self.heartbeat)
        bus.on_loss = self._telling.lost
        self.waiting: set[Listener] = set()  # requests that wait for news
        self.people = People(
            journal,
            lambda: [*self.heartbeat.connections, *self.waiting],
            self._tell_renamed,
            self._tell_status,
            lambda: self.presence.end(self.people.erased),
        )
        self.rooms = LiveRooms(journal, config.backlog, config.room_idle_seconds, self.presence.forget)
        self.index = SqliteIndex(config.path("search.db"))
        self.follower = Follower(journal, self.index)
        self.turnstile = Turnstile()  # for requests that waited
        self._marking = Turnstile()  # for what is about to be told: it waits for no queue of those
        self.uploads = Uploads(config.path("uploads"))
        self.decoding = BoundedSemaphore(1)  # of pictures: each may take a processor, and 300 MB
        self.draining = Event()
        # Where its figures are told: gunicorn.conf.py has one for all workers, with a place for each of them.
        self.scoreboard, self.place, self.worker = Scoreboard(places=2), 1, 1
        self._started = False
        self._presence: gevent.Greenlet[[], None] | None = None
        journal.before_telling = self._make_html
        journal.on_commit = self._committed
        if config.quick_sends:
            journal.answering = gathered

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to listen, sweep and beat. Doing it twice is doing it once."""
        if self._started:
            return
        self._started = True
        resolve_apart()
        gevent.spawn(self.bus.listen, self._heard_elsewhere, self._missed)
        gevent.spawn(self.rooms.sweep)
        gevent.spawn(self.people.sweep)
        self._presence = gevent.spawn(self.presence.run)
        gevent.spawn(self.heartbeat.run)
        gevent.spawn(retention.run, self.journal)
        gevent.spawn(erasing.run, self.journal)
        gevent.spawn(collection.run, self.journal, self.uploads, self.config.undo_seconds)
        gevent.spawn(self.follower.run)
        if self.config.quick_log:
            gevent.spawn_later(SETTLED_SECONDS, self.journal.prepare)
        if isinstance(self.bus, NetworkBus):
            gevent.spawn(same_keys.run, self.config, self.presence)

    def drain(self, seconds: float) -> None:
        """Let everybody go: polls are answered, sockets closed with 1012, the journal finished. Switches."""
        if self.draining.is_set():
            return
        self.draining.set()  # from here on nothing new is accepted
        self.follower.stop()
        for room in self.rooms:
            room.ring()
        mails = gevent.spawn(self.mail.flush, seconds / 2)
        # Senders get their answers before their sockets are closed, unless the disk takes too long.
        if not self.journal.finish(seconds / 2):
            log.error("the journal did not finish within %s s: some senders get no answer", seconds / 2)
        for connection in self.heartbeat.connections:
            connection.dismiss(Draining())
        end = time.monotonic() + seconds / 2
        self.bus.flush(seconds / 2)
        mails.join()
        self.presence.stop()  # it would renew the leases that are given up now
        if self._presence is not None:
            self._presence.join(max(0, end - time.monotonic()))
        self.bus.close()
        self.index.close()

    def check_open(self) -> None:
        """Raises Draining when this process is going."""
        if self.draining.is_set():
            raise Draining()

    # -- rooms -------------------------------------------------------------------------------------

    def room(self, room_id: int) -> Room:
        """The live room, loaded on first use. Switches then. Raises NoSuchRoom, NotKept."""
        return self.rooms.load(room_id)

    def sync(self, room: Room) -> None:
        """Bring `room` to where the database is now, not earlier than this call. Switches, unless nothing was
        written since before the last time.
        """
        self.rooms.sync(room)

    def _make_html(self, commits: Sequence[Commit | PeopleMoved | Committed]) -> None:
        """Have the HTML of what was kept ready where it is read: made while it is shown, that of a whole
        group would keep everybody waiting. May switch.
        """
        for commit in commits:
            if isinstance(commit, PeopleMoved):
                continue
            room = self.rooms.get(commit.room)
            wanted = room is not None and room.shows_html
            if wanted and any(each.may_be_marked for each in commit.messages):
                marking.mark(self._marking, commit.messages)

    def _heard_elsewhere(self, notice: Notice) -> None:
        """Another process has something to tell. May switch before it is told."""
        if isinstance(notice, Committed):
            self._make_html([notice])
        self._heard(notice)

    def _committed(self, commits: list[Commit | PeopleMoved]) -> None:
        """This process has kept something: tell the others, then show it here."""
        notices = [_notice(commit) for commit in commits]
        for notice in notices:
            self.bus.publish(notice)
        for notice in notices:
            self._heard(notice)
        for commit in commits:
            if isinstance(commit, Commit):
                self._tell_called(commit)

    def _tell_called(self, commit: Commit) -> None:
        """Those who are called in what was kept, or whose conversation it is, wherever they are: each of the
        newest such message.
        """
        room = self.rooms.get(commit.room)
        conversation = list(room.rights.members) if room is not None and room.rights.kind == "direct" else []
        newest = {
            person: message.seq
            for message in commit.messages
            for person in [*message.people_called, *(conversation if message.kind == "text" else ())]
            if person != message.author.id
        }
        for seq in sorted(set(newest.values())):
            people = sorted(person for person, last in newest.items() if last == seq)
            self._rooms_changed(RoomsChanged(people, commit.room, seq))

    def _missed(self) -> None:
        """What other processes have told may be lost, with all that the bus knew. Never switches.
        (Who people are is asked with each sweep anyway.)
        """
        self.rooms.recheck()
        self.presence.recheck()
        self._telling.missed()

    def _heard(self, notice: Notice) -> None:
        match notice:
            case Committed():
                self.rooms.deliver(notice)
            case Typing():
                self._show_typing(notice.room, notice.who)
            case ReadUpTo():
                self._show_read(notice)
            case TurningBack():
                self._turn_back(notice)
            case PresenceChanged():
                self.presence.rang(notice.room)
            case RoomsChanged():
                self._show_rooms_changed(notice)
            case GuestLeft():
                self._dismiss_guests({notice.person})
            case GuestsLeft():
                self._dismiss_guests(set(notice.people))
            case Missed():
                self._telling.tell_who_left()
            case Lost():  # the sweep has found what the rooms lack
                self.presence.look_anew()
                self._telling.tell_of_lists()
            case PeopleChanged():
                self.people.moved(notice.number)

    # -- what is never stored ----------------------------------------------------------------------

    def typing(self, room: Room, who: Author) -> None:
        """Tell everybody that `who` is writing."""
        self.bus.publish(Typing(room.id, who))
        self._show_typing(room.id, who)

    def read(
        self, room: Room, person: str, seq: int, but: Outlet | None = None, *, back: bool = False
    ) -> None:
        """Tell the person's other readers how far they have read; `but` is the one that said so. `back`: what
        follows is unread again.
        """
        notice = ReadUpTo(room.id, person, seq, back)
        self.bus.publish(notice)
        self._show_read(notice, but)

    def guest_left(self, person: str) -> None:
        """End what is open of a guest who has left."""
        self._telling.guest_left(person)
        self._dismiss_guests({person})

    def _dismiss_guests(self, people: set[str]) -> None:
        connected = [connection for person in people for connection in self.heartbeat.of(person)]
        waiting = [request for request in self.waiting if request.identity.id in people]
        for follower in (*connected, *waiting):
            if follower.identity.role == "guest":
                follower.dismiss(SignIn("You have left"))

    def turning_back(self, room: Room, person: str, seq: int) -> None:
        """Have no connection of the person, in whatever process, keep any more what it told before of what
        follows `seq`. Never switches: who asks the journal behind this comes behind what was handed to it.
        """
        notice = TurningBack(room.id, person, seq)
        self.bus.publish(notice)
        self._turn_back(notice)

    def rooms_changed(self, *people: str) -> None:
        """Tell `people`, author ids, that their list of rooms has changed."""
        self._rooms_changed(RoomsChanged(list(people)))

    def _rooms_changed(self, notice: RoomsChanged) -> None:
        self.bus.publish(notice)
        self._show_rooms_changed(notice)

    def _show_rooms_changed(self, notice: RoomsChanged) -> None:
        data = frames.rooms(notice.room, notice.seq)
        for person in notice.people:
            for connection in self.heartbeat.of(person):
                if notice.room not in connection.subscribers:
                    connection.send_frame("rooms", data, droppable=True)

    def _show_typing(self, room_id: int, who: Author) -> None:
        room = self.rooms.get(room_id)
        if room is not None:
            room.tell("typing", frames.typing(room_id, who), lambda reader: reader.identity.id != who.id)

    def _show_read(self, notice: ReadUpTo, but: Outlet | None = None) -> None:
        if notice.back:  # once more: what was told while the journal was asked
            self._turn_back(TurningBack(notice.room, notice.person, notice.seq))
        room = self.rooms.get(notice.room)
        if room is not None:
            data = frames.read(notice.room, notice.seq, notice.back)
            room.tell(
                "read",
                data,
                lambda reader: reader.identity.id == notice.person and reader.outlet is not but,
            )

    def _turn_back(self, notice: TurningBack) -> None:
        for connection in self.heartbeat.of(notice.person):
            connection.turned_back(notice.room, notice.seq)

    def _tell_renamed(self, person: Person) -> None:
        self.presence.renamed(person.id, person.name)
        data = frames.person(person.id, person.name)
        for connection in self.heartbeat.connections:
            connection.send_frame("person", data, droppable=True)

    def _tell_status(self, person: Person) -> None:
        data = frames.person(person.id, person.name, person.status)
        for room_id in self.presence.shown_in(person.id):
            room = self.rooms.get(room_id)
            if room is not None:
                room.tell("person", data)

    def _tell_presence(self, room_id: int, data: bytes, but: Container[object]) -> None:
        room = self.rooms.get(room_id)
        if room is not None:
            room.tell("presence", data, lambda reader: reader not in but)

    def _conversations(self) -> Iterator[Room]:
        """The direct rooms that somebody follows here."""
        return (room for room in self.rooms if room.rights.kind == "direct" and room.readers)

    def _tell_who_came(self, here: set[str], moved: set[str], newcomers: Container[object]) -> None:
        """Those who have a conversation with them see that people came to this server, or left it."""
        for room in self._conversations():
            new = {reader for reader in room.readers if reader in newcomers}
            for person in room.rights.members:
                if person in moved or new:
                    to_whom = None if person in moved else new.__contains__
                    room.tell("here", frames.here(person, person in here), to_whom)


def _notice(commit: Commit | PeopleMoved) -> Committed | PeopleChanged:
    if isinstance(commit, PeopleMoved):
        return PeopleChanged(commit.number)
    last = commit.messages[-1].seq if commit.messages else 0
    return Committed(commit.room, commit.revision, last, commit.messages, commit.changed)
