"""Who somebody is, in the journal and in a process's memory: what was permitted before it changed is decided again."""

from typing import Any, ClassVar

import gevent
import gevent.event
import pytest
from gevent import spawn
from sqlalchemy import create_engine, insert

from chatapp import account_rows, models
from chatapp.errors import BadRequest, Draining, Forbidden, SignIn
from chatapp.journal import Journal
from chatapp.journal.databases import engine_options, listen
from chatapp.journal.people_requests import (
    ChangeAccount,
    EndSessions,
    Erase,
    ImposeEverywhere,
    OpenSession,
    Person,
    SignUp,
)
from chatapp.journal.requests import Act, Commit, Impose, Kept, MakeRoom, PeopleMoved, Post
from chatapp.message import Author
from chatapp.people import People
from chatapp.permissions import SYSTEM, Identity
from tests.clients import UNIT
from tests.copies import copy_of, put

BOSS = Author.of(SYSTEM)


class Line:
    """A connection, as `People` knows it."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.ended: Exception | None = None

    def identified(self, identity: Identity) -> None:
        self.identity = identity

    def dismiss(self, error: Exception) -> None:
        self.ended = error


class House:
    """A journal with a room, and what one process knows of people.

    The first of a kind is built and furnished; the next ones begin with a copy of it, which costs little.
    """

    room = 1
    built: ClassVar[dict[tuple[type["House"], str], Any]] = {}  # by kind, and kind of database

    def __init__(self, url: str) -> None:
        kind = type(self), url.partition(":")[0]
        copied = kind in self.built
        if copied:
            put(url, self.built[kind])
        engine = create_engine(url, **engine_options(url, busy_seconds=1))
        listen(engine)
        self.journal = Journal(engine, queue_limit=1000)
        self.lines: list[Line] = []
        self.renamed: list[Person] = []
        self.said: list[Person] = []
        self.erasures = 0
        self.people = People(
            self.journal, lambda: self.lines, self.renamed.append, self.said.append, self.one_more_erased
        )
        self.journal.on_commit = self.committed
        if not copied:
            models.db.metadata.create_all(engine)
            with engine.connect().execution_options(writes=True) as connection, connection.begin():
                connection.execute(insert(account_rows.Server).values(id=1, people=0, begun=False))
            self.furnish()
            self.built[kind] = copy_of(url)

    def furnish(self) -> None:
        """What is there from the beginning."""
        self.room = self.journal.ask(MakeRoom("board"))

    def one_more_erased(self) -> None:
        self.erasures += 1

    def committed(self, commits: list[Commit | PeopleMoved]) -> None:
        for commit in commits:
            if isinstance(commit, PeopleMoved):
                self.people.moved(commit.number)

    def sign_up(self, name: str, key: str, guest: str | None = None) -> Person:
        person: Person = self.journal.ask(SignUp(name, uniquifier=name, person=guest))
        self.journal.ask(OpenSession(key, person.id, "Firefox", "127.0.0.1"))
        return person

    def who(self, key: str) -> Identity | None:
        return self.people.signed_in(key, "127.0.0.1")

    def say(self, identity: Identity) -> Post:
        return Post(self.room, Author.of(identity), "hello", identity=identity, rights=1)

    def ask_together(self, *requests: object) -> list[object]:
        """The answers to `requests`, which are one transaction, in this order."""
        answers: list[object] = []
        for request in requests:
            self.journal.submit(request, answers.append)  # type: ignore[arg-type]
        with gevent.Timeout(UNIT):
            while len(answers) < len(requests):
                gevent.sleep(0.01)
        return answers


@pytest.fixture
def house(store: str) -> House:
    return House(store)


def test_what_was_sent_before_a_sign_out_and_is_not_kept_yet_is_refused(house: House) -> None:
    grace = house.sign_up("grace", "key 1")
    identity = house.who("key 1")
    assert identity is not None
    before, _, after = house.ask_together(house.say(identity), EndSessions(grace.id), house.say(identity))
    assert isinstance(before, Kept)
    assert isinstance(after, SignIn)
    assert isinstance(house.ask_together(house.say(identity))[0], SignIn)


def test_what_a_guest_sent_before_a_ban_from_the_server_is_refused(house: House) -> None:
    guest = house.people.guest(Identity("g1", "mallory", "guest", "192.0.2.7", "browser 1"))
    assert guest is not None
    ban = ImposeEverywhere((Impose("ban", "mallory", device="browser 1"),), BOSS, Act("banned mallory"))
    _, after = house.ask_together(ban, house.say(guest))
    assert isinstance(after, Forbidden)
    now = house.people.guest(Identity("g2", "innocent", "guest", "192.0.2.7", "browser 1"))
    assert now is not None
    assert now.role == "banned"


def test_whoever_is_somebody_else_now_writes_as_that(house: House) -> None:
    grace = house.sign_up("grace", "key 1")
    identity = house.who("key 1")
    assert identity is not None
    line = Line(identity)
    house.lines.append(line)
    house.journal.ask(ChangeAccount(grace.id, {"name": "Grace H", "role": "administrator"}, by=BOSS))
    now = house.who("key 1")  # known at once, in the process that has kept it
    assert now is not None
    assert (now.name, now.role) == ("Grace H", "administrator")
    assert (line.identity.name, line.identity.role, line.ended) == ("Grace H", "administrator", None)
    assert [person.name for person in house.renamed] == ["Grace H"]
    assert house.people.name_now(grace.id, "grace") == "Grace H"


def test_what_somebody_says_of_themselves_is_known_and_told_when_it_changes(house: House) -> None:
    grace = house.sign_up("grace", "key 1")
    assert house.who("key 1"), "from now on it is known here who they are"
    house.journal.ask(ChangeAccount(grace.id, {"status": "at sea"}, by=BOSS))
    assert house.who("key 1")
    house.journal.ask(ChangeAccount(grace.id, {"name": "Grace H"}, by=BOSS))
    assert house.who("key 1")
    assert house.people.statuses == {grace.id: "at sea"}
    later = People(house.journal, list, house.renamed.append, house.said.append, house.one_more_erased)
    assert later.signed_in("key 1", "127.0.0.1")
    assert later.statuses == {grace.id: "at sea"}
    house.journal.ask(ChangeAccount(grace.id, {"status": ""}, by=BOSS))
    assert house.who("key 1")
    assert [person.status for person in house.said] == ["at sea", ""]


def test_of_who_was_erased_neither_name_nor_status_is_remembered(house: House) -> None:
    grace = house.sign_up("grace", "key 1")
    assert house.who("key 1")
    house.journal.ask(ChangeAccount(grace.id, {"status": "at sea", "name": "Grace H"}, by=BOSS))
    assert house.who("key 1")
    assert (house.people.renamed, house.people.statuses) == ({grace.id: "Grace H"}, {grace.id: "at sea"})
    house.sign_up("joan", "key 2")
    house.journal.ask(Erase(grace.id, "x1", True))
    assert house.who("key 2")
    assert (house.people.renamed, house.people.statuses) == ({}, {})
    assert house.people.erased(grace.id)
    assert house.erasures == 1
    assert not house.people.statuses.get(grace.id)


def test_connections_learn_who_they_are_when_it_changes(house: House) -> None:
    grace, joan = house.sign_up("grace", "key 1"), house.sign_up("joan", "key 2")
    identities = [house.who("key 1"), house.who("key 2")]
    identities.append(house.people.guest(Identity("g1", "mary", "guest", "192.0.2.7", "browser 1")))
    one, other, guest = house.lines[:] = [Line(identity) for identity in identities if identity]
    house.journal.ask(EndSessions(grace.id))
    house.who("key 2")
    assert isinstance(one.ended, SignIn)
    assert (other.ended, guest.ended) == (None, None)
    house.journal.ask(ChangeAccount(joan.id, {"disabled": True}))
    assert house.who("key 2") is None
    assert isinstance(other.ended, SignIn)
    assert guest.ended is None
    house.sign_up("mary", "key 3", guest="g1")
    assert house.people.guest(Identity("g1", "mary", "guest")) is None
    assert isinstance(guest.ended, Draining)  # it comes back as who it is now


def test_a_session_that_ends_while_it_is_looked_up_is_nobodys(house: House) -> None:
    grace = house.sign_up("grace", "key 1")
    house.who("another")
    read = house.journal.read

    def slow(question: object, *arguments: object) -> object:
        answer = read(question, *arguments)  # type: ignore[arg-type]
        if arguments == ("key 1",):
            house.journal.read = read  # type: ignore[method-assign]
            house.journal.ask(EndSessions(grace.id))
            house.who("another")  # by then all the news is known here
        return answer

    house.journal.read = slow  # type: ignore[method-assign, assignment]
    assert house.who("key 1") is None


def test_of_many_who_ask_at_once_after_a_change_none_is_answered_by_what_was_before(house: House) -> None:
    grace = house.sign_up("grace", "key 1")
    assert house.who("key 1") is not None
    asked: list[Identity | None] = []

    def ask_when_it_is_kept(answer: object) -> None:
        for _ in range(20):
            spawn(lambda: asked.append(house.who("key 1")))

    house.journal.submit(EndSessions(grace.id), ask_when_it_is_kept)
    with gevent.Timeout(UNIT):
        while len(asked) < 20:
            gevent.sleep(0.01)
    assert asked == [None] * 20


@pytest.mark.parametrize("other", ["Grace", "gracе", "9race"])
def test_names_are_compared_by_what_they_look_like(house: House, other: str) -> None:
    house.sign_up("grace", "key 1")
    request = SignUp(other, uniquifier="2")
    if other == "9race":
        assert house.journal.ask(request).name == other
    else:
        with pytest.raises(BadRequest):
            house.journal.ask(request)


class _Fails:
    """A journal that has a fault of its own whenever it is asked, until it was asked often enough."""

    def __init__(self) -> None:
        self.asked = 0
        self.often = gevent.event.Event()

    def version(self) -> None:
        return None

    def read(self, *_: Any) -> Any:
        self.asked += 1
        if self.asked > 2:
            self.often.set()
        raise RuntimeError("nobody has thought of this")


def test_who_people_are_is_looked_up_again_and_again_whatever_came_of_it_the_first_time() -> None:
    journal: Any = _Fails()
    people = People(journal, list, print, print, lambda: None)
    sweep = spawn(people.sweep)
    try:
        assert journal.often.wait(UNIT), "the sweep has ended"
    finally:
        sweep.kill()
