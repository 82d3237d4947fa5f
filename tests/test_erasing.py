"""Somebody is taken out of the logs step by step: others write meanwhile, and what was cut off is gone on with."""

import logging
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal, cast

import gevent
import pytest
from gevent.event import Event

from chatapp import accounts, erasing
from chatapp.errors import BadRequest, ChatError, Draining, NotKept, SignIn
from chatapp.hub import Hub
from chatapp.journal import personal_data, reading
from chatapp.journal.people_requests import ChangeAccount, Erase, ImposeEverywhere
from chatapp.journal.requests import (
    Act,
    EraseOnward,
    Impose,
    MakeRoom,
    NoteGuest,
    Post,
    Report,
    Request,
    SetMember,
)
from chatapp.message import Author, Message
from chatapp.permissions import SYSTEM, Identity
from tests.clients import UNIT
from tests.test_asked_again import Office
from tests.test_people import BOSS

SECRET = "swordfish"
ALIAS = "x1"
UNDO = 3600
JOAN = Author("u99", "joan")


STEPS = [1, pytest.param(3, marks=pytest.mark.long), 500]  # each alone, some together, all at once
# What is settled before the first step does not depend on how many there are.
at_once = pytest.mark.parametrize("office", STEPS[-1:], indirect=True)


@pytest.fixture(params=STEPS)
def office(store: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Office:
    """With steps of few messages, so that there are many."""
    monkeypatch.setattr(personal_data, "STRETCH", request.param)
    return Office(store)


@pytest.fixture
def rooms(office: Office) -> list[int]:
    """Three in which grace has said something, and was called."""
    made = [office.room, *(office.journal.ask(MakeRoom(name)) for name in ("den", "attic"))]
    said = []
    for number in range(2):
        said += [(f"{SECRET} {number}", who(office)), (f"@grace, what is it about number {number}?", JOAN)]
    for room in made:
        office.ask_together(*(post(room, *words) for words in said))
        say(office, room, f"{SECRET}, I said", who(office), kind="edit", of=log(office, room)[-2].seq)
    return made


def who(office: Office) -> Author:
    return Author(office.grace.id, "grace")


def post(room: int, body: str = "", author: Author = JOAN, **what: object) -> Post:
    return Post(room, author, body, identity=SYSTEM, any_author=True, undo_seconds=UNDO, **what)  # type: ignore[arg-type]


def say(office: Office, room: int, *words: Any, **what: object) -> Message:
    kept: Message = office.journal.ask(post(room, *words, **what)).message
    return kept


def log(office: Office, room: int) -> list[Message]:
    return office.journal.read(reading.after, room, 0, 1000, 2**31)


def left(office: Office, *words: str) -> list[str]:
    """Lines of all that the database has with one of `words`, but for what was said in so many words."""
    lines = [line.replace("@grace", "") for line in office.rows]
    return [line for line in lines if any(word in line for word in words)]


def names(office: Office) -> list[str]:
    return [f"'{office.grace.id}'", f'"{office.grace.id}"', "grace"]


def epochs(office: Office, rooms: list[int]) -> list[str]:
    return [office.journal.read(reading.state, room).epoch for room in rooms]  # type: ignore[union-attr]


@pytest.mark.parametrize("keep", [True, False], ids=["keep", "remove"])
def test_in_the_end_nobody_is_named_and_each_log_in_which_they_were_begins_anew(
    keep: bool, office: Office, rooms: list[int]
) -> None:
    before, other = epochs(office, rooms), office.journal.ask(MakeRoom("not theirs"))
    untouched = epochs(office, [other])
    office.journal.ask(Erase(office.grace.id, ALIAS, keep))
    assert erasing.finish(office.journal, office.grace.id) == len(rooms)
    assert left(office, *names(office)) == []
    assert bool(left(office, SECRET)) is keep
    assert not set(before) & set(epochs(office, rooms))
    assert epochs(office, [other]) == untouched
    assert erasing.finish(office.journal, office.grace.id) == 0


def test_each_step_is_short_and_others_write_between_two(office: Office, rooms: list[int]) -> None:
    office.journal.ask(Erase(office.grace.id, ALIAS, True))
    while (step := office.journal.read(personal_data.next_named, office.grace.id)) is not None:
        assert len(step.seqs) <= personal_data.STRETCH
        office.journal.ask(step)
        say(office, rooms[0], "and on we go")
    assert left(office, *names(office)) == []


def test_from_the_first_step_on_nothing_of_theirs_comes_in(office: Office, rooms: list[int]) -> None:
    identity = Identity(office.grace.id, "grace", "member", session="grace's session")
    office.journal.ask(Erase(office.grace.id, ALIAS, True))
    assert office.who("grace's session") is None
    with pytest.raises(SignIn):
        office.journal.ask(Post(rooms[0], who(office), "still here", identity=identity, rights=-1))
    assert "called" not in log(office, rooms[0])[-1].json.decode()
    assert not say(office, rooms[0], "@grace, are you there?").people_called


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_an_erasure_that_was_cut_off_is_gone_on_with(
    steps: int, office: Office, rooms: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = epochs(office, rooms)
    office.journal.ask(Erase(office.grace.id, ALIAS, False))
    for _ in range(steps):
        if step := office.journal.read(personal_data.next_named, office.grace.id):
            office.journal.ask(step)
    erasing.finish_all(office.journal)
    if steps < 2:
        assert left(office, *names(office)), "whoever began it may still be at it"
    monkeypatch.setattr(erasing, "LEFT_ALONE", -1_000_000)
    monkeypatch.setattr(erasing, "SECONDS", 0.01)
    finish_all, finished = erasing.finish_all, Event()

    def once(journal: Any) -> None:
        finish_all(journal)
        finished.set()
        gevent.sleep(3600)

    monkeypatch.setattr(erasing, "finish_all", once)
    minutely = gevent.spawn(erasing.run, office.journal)
    with gevent.Timeout(UNIT):
        finished.wait()
    minutely.kill()  # while it sleeps: whoever is killed as they read leaves a transaction open
    assert left(office, *names(office), SECRET) == []
    assert not set(before) & set(epochs(office, rooms))


def test_a_step_that_two_processes_take_is_taken_once(office: Office, rooms: list[int]) -> None:
    office.journal.ask(Erase(office.grace.id, ALIAS, True))
    taken: list[EraseOnward] = []
    while (step := office.journal.read(personal_data.next_named, office.grace.id)) is not None:
        office.journal.ask(step)
        taken.append(step)
        between = epochs(office, rooms)
        for each in taken:
            office.journal.ask(each)
        assert epochs(office, rooms) == between
    assert left(office, *names(office)) == []


@pytest.mark.parametrize("keep", [True, False], ids=["keep", "remove"])
@pytest.mark.parametrize("after", [0, 1, 3, 6])
def test_what_is_deleted_and_brought_back_between_two_steps_brings_nobody_back(
    after: int, keep: bool, office: Office, rooms: list[int]
) -> None:
    texts = [message for message in log(office, rooms[1]) if message.kind == "text"][:4]
    office.journal.ask(Erase(office.grace.id, ALIAS, keep))
    for _ in range(after):
        if step := office.journal.read(personal_data.next_named, office.grace.id):
            office.journal.ask(step)
    for text in texts:
        try:
            office.journal.ask(Report(rooms[1], text.seq, Author("u98", "mod"), "look", SYSTEM, 0))
            say(office, rooms[1], author=Author("u98", "mod"), kind="delete", of=text.seq)
        except BadRequest:  # it is gone by now
            continue
    some = [text for text in texts if text.author.id != office.grace.id][:1]
    for text in some:
        say(office, rooms[1], author=Author("u98", "mod"), kind="restore", of=text.seq)
    erasing.finish(office.journal, office.grace.id)
    assert left(office, *names(office)) == []
    if not keep:
        assert left(office, SECRET) == []


class Asked:
    """A journal that counts who asks it at the same time."""

    def __init__(self, office: Office) -> None:
        self.journal, self.now, self.most = office.journal, 0, 0

    def read(self, *asked: Any) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return self.journal.read(*asked)
        finally:
            self.now -= 1

    def ask(self, request: Any) -> Any:
        return self.journal.ask(request)


def test_a_process_looks_through_all_logs_for_one_person_at_a_time(office: Office, rooms: list[int]) -> None:
    leaving = [office.grace, *(office.sign_up(name, name) for name in ("joan", "mary", "jean"))]
    for number, person in enumerate(leaving):
        office.journal.ask(Erase(person.id, f"x{number}", True))
    asked = Asked(office)
    erasures = [gevent.spawn(erasing.go_on, asked, person.id) for person in leaving]
    with gevent.Timeout(UNIT):
        gevent.joinall(erasures, raise_error=True)
    assert asked.most == 1
    assert [office.journal.read(personal_data.next_named, person.id) for person in leaving] == [None] * 4


def test_whose_turn_has_not_come_yet_is_not_taken_for_cut_off(
    office: Office, rooms: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither by this process nor by others, however long it takes: the clock is the erasures' own."""
    caplog.set_level(logging.INFO)
    leaving = [office.grace, *(office.sign_up(name, name) for name in ("joan", "mary"))]
    for number, person in enumerate(leaving):
        office.journal.ask(Erase(person.id, f"x{number}", True))
    left_alone: list[list[str]] = []
    asked = SimpleNamespace(read=lambda *what: read(*what), ask=lambda request: step(request))
    begun = time.time_ns() // 1000

    def read(*what: Any) -> Any:
        gevent.sleep(0)  # so that all have begun: a driver may have its answer at once
        return office.journal.read(*what)

    def step(request: EraseOnward) -> Any:
        answer = office.journal.ask(request)
        erasing.finish_all(office.journal)
        left_alone.append(office.journal.read(personal_data.being_erased, begun))
        return answer

    with gevent.Timeout(UNIT):
        monkeypatch.setattr(erasing, "LEFT_ALONE", -1_000_000)
        gevent.joinall(
            [gevent.spawn(erasing.go_on, asked, person.id) for person in leaving], raise_error=True
        )
    assert len(left_alone) >= len(leaving)
    assert not any(left_alone), "another process would have come to them"
    assert "cut off" not in caplog.text
    assert [office.journal.read(personal_data.next_named, person.id) for person in leaving] == [None] * 3


def test_a_page_waits_for_no_log_and_leaves_the_search_index_to_who_follows(
    office: Office, rooms: list[int]
) -> None:
    hub = office.hub
    del hub.follower
    accounts.begin_to_erase(hub, office.identity, office.grace.id, "keep", "1")
    assert office.journal.read(personal_data.next_named, office.grace.id)
    with gevent.Timeout(UNIT):
        while office.journal.read(personal_data.next_named, office.grace.id):
            gevent.sleep(0.01)
    assert left(office, *names(office)) == []


@pytest.mark.parametrize("refusal", [Draining(), NotKept()])
def test_what_cannot_be_gone_on_with_is_left_to_the_next_minute_without_a_traceback(
    refusal: ChatError, office: Office, rooms: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(request: object) -> None:
        raise refusal

    office.journal.ask(Erase(office.grace.id, ALIAS, True))
    journal = SimpleNamespace(read=office.journal.read, ask=refuse)
    gevent.spawn(erasing.go_on, journal, office.grace.id).get(timeout=UNIT)
    assert "Traceback" not in capfd.readouterr().err
    assert office.journal.read(personal_data.being_erased, time.time_ns()) == [office.grace.id]


@at_once
def test_who_is_erased_on_a_page_is_named_by_their_id(office: Office, rooms: list[int]) -> None:
    with pytest.raises(BadRequest):
        accounts.begin_to_erase(office.hub, office.identity, "grace", "keep", "1")
    assert office.called("grace") == office.grace


@at_once
@pytest.mark.parametrize(
    ("others", "heir"),
    [
        ([("joan", "member"), ("mary", "moderator"), ("jean", "moderator")], "mary"),
        ([("joan", "member"), ("jean", "member")], "grace"),
        ([("joan", "moderator"), ("mary", "owner")], None),
    ],
)
@pytest.mark.parametrize("own", [True, False], ids=["their own account", "by an administrator"])
def test_a_room_whose_only_owner_is_erased_has_another_one(
    own: bool, others: list[tuple[str, Any]], heir: str | None, office: Office
) -> None:
    """Who stays has been there in this order, grace first of all, who is a member."""
    for name, role in others:
        person = office.sign_up(name, name)
        effect = SetMember(person.id, name, role)
        office.journal.ask(Post(office.room, BOSS, "done", "notice", effects=(effect,)))
    by = Author(office.ada.id, "ada") if own else Author(office.boss.id, "boss")
    office.journal.ask(Erase(office.ada.id, ALIAS, True, by))
    erasing.finish(office.journal, office.ada.id)
    owners = {one.name for one in office.journal.read(reading.members, office.room) if one.role == "owner"}
    assert owners == ({heir} if heir else {"mary"})
    doer, notice = "removed person" if own else "boss", log(office, office.room)[-1]
    if heir:
        assert (notice.author.name, notice.body) == (doer, f"made {heir} an owner")
        line = office.journal.read(reading.audit, office.boss.id, 1)[0]
        assert (line.who, line.what, line.room) == (doer, f"made {heir} an owner", office.room)
    else:
        assert "an owner" not in notice.body


@at_once
def test_the_list_of_who_inherits_rooms_is_told(office: Office) -> None:
    second = office.journal.ask(MakeRoom("den"))
    parts = (SetMember(office.ada.id, "ada", "owner"), SetMember(office.grace.id, "grace", "member"))
    office.journal.ask(Post(second, BOSS, "done", "notice", effects=parts))
    told: list[tuple[str, ...]] = []
    hub = cast(
        Hub, SimpleNamespace(**vars(office.hub) | {"rooms_changed": lambda *people: told.append(people)})
    )
    accounts.erase(hub, SYSTEM, office.ada.id, keep_messages=True)
    assert told == [(office.grace.id,)]
    accounts.erase(hub, SYSTEM, office.grace.id, keep_messages=True)  # after whom nobody is there
    assert len(told) == 1


@at_once
def test_nobody_inherits_a_room_who_cannot_run_it(office: Office) -> None:
    office.journal.ask(NoteGuest("g7", "mallory", "a browser", "192.0.2.7"))
    effect = SetMember("g7", "mallory", "member")
    office.journal.ask(Post(office.room, BOSS, "done", "notice", effects=(effect,)))
    office.journal.ask(ChangeAccount(office.grace.id, {"disabled": True}, False))
    office.journal.ask(Erase(office.ada.id, ALIAS, True))
    assert {one.role for one in office.journal.read(reading.members, office.room)} == {"member"}


def on_grace(office: Office, kind: Literal["ban", "timeout"], until: int = 0) -> Impose:
    return Impose(kind, "grace", person=office.grace.id, until=until)


def imposed(office: Office, kind: Literal["ban", "timeout"], until: int = 0) -> Post:
    return Post(office.room, BOSS, "done", "notice", effects=(on_grace(office, kind, until),))


SANCTIONS: dict[str, Callable[[Office], Request]] = {
    "timed out": lambda it: imposed(it, "timeout"),
    "banned from the room": lambda it: imposed(it, "ban"),
    "banned from the server": lambda it: ImposeEverywhere((on_grace(it, "ban"),), BOSS, Act("banned grace")),
}


@at_once
@pytest.mark.parametrize("sanction", SANCTIONS)
def test_who_is_under_a_sanction_inherits_a_room_only_where_there_is_nobody_else(
    sanction: str, office: Office
) -> None:
    """Joan has been there for a shorter time than grace, and moderates nothing."""
    joan = office.sign_up("joan", "joan")
    parts = (SetMember(office.grace.id, "grace", "moderator"), SetMember(joan.id, "joan", "member"))
    office.journal.ask(Post(office.room, BOSS, "done", "notice", effects=parts))
    office.journal.ask(SANCTIONS[sanction](office))
    for erased, owner in ((office.ada.id, "joan"), (joan.id, "grace")):
        office.journal.ask(Erase(erased, f"x{erased}", True))
        first = office.journal.read(reading.members, office.room)[0]
        assert (first.role, first.name) == ("owner", owner)


@at_once
def test_a_sanction_that_is_over_keeps_nobody_from_inheriting(office: Office) -> None:
    joan = office.sign_up("joan", "joan")
    parts = (SetMember(joan.id, "joan", "member"),)
    office.journal.ask(Post(office.room, BOSS, "done", "notice", effects=parts))
    office.journal.ask(imposed(office, "timeout", until=1))
    office.journal.ask(Erase(office.ada.id, ALIAS, True))
    assert office.journal.read(reading.members, office.room)[0].name == "grace"


@at_once
def test_a_bot_inherits_a_room_only_where_there_is_nobody_else(office: Office) -> None:
    bot = office.sign_up("bot", "bot")
    part = SetMember(bot.id, "bot", "moderator")
    office.journal.ask(Post(office.room, BOSS, "done", "notice", effects=(part,)))
    office.journal.ask(ChangeAccount(office.grace.id, {"password": "a hash"}, False))
    for erased, owner in ((office.ada.id, "grace"), (office.grace.id, "bot")):
        office.journal.ask(Erase(erased, f"x{erased}", True))
        first = office.journal.read(reading.members, office.room)[0]
        assert (first.role, first.name) == ("owner", owner)
