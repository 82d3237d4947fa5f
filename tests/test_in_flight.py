"""Rights that are withdrawn while something is under way: permitted under the old ones, decided under the new.

The journal decides in the order in which it keeps. Whatever a test asks at once is one group, one transaction;
what stands in front of a request in it has happened when its turn comes.
"""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from msgspec import structs

from chatapp import access
from chatapp.errors import BadRequest, ChatError, Forbidden, NoSuchRoom, TooFast
from chatapp.journal import Journal, reading
from chatapp.journal.requests import (
    ChangeRoom,
    Clear,
    DropRoom,
    Effect,
    Impose,
    Kept,
    Kind,
    Lift,
    MakeRoom,
    Post,
    Request,
    SetMember,
)
from chatapp.message import Author
from chatapp.permissions import Identity, Rights, RoomRole, Verb, may
from tests.clients import UNIT
from tests.conftest import STORES, stored_in
from tests.test_journal import Keeper

ADA = Identity("u1", "ada", "member")
GRACE = Identity("u2", "grace", "member")
GUEST = Identity("g3", "mallory", "guest", "192.0.2.7", "a browser")
OWNER = Identity("u9", "owner", "member")
CLOSED_TO_ADA: list[tuple[str, tuple[Effect, ...], type[ChatError]]] = [
    ("is removed", (SetMember("u1", "ada", None),), NoSuchRoom),
    ("is banned", (Impose("ban", "ada", person="u1"),), Forbidden),
    ("is banned and removed", (SetMember("u1", "ada", None), Impose("ban", "ada", person="u1")), NoSuchRoom),
    ("is timed out", (Impose("timeout", "ada", person="u1"),), Forbidden),
    ("finds that only moderators write", (ChangeRoom({"posting": "moderators"}),), Forbidden),
]
STILL_READ = ("is timed out", "finds that only moderators write")


class Room(Keeper):
    """A journal with a private room: ada and grace are in it, owner owns it, and one text of each is there."""

    def begin(self) -> None:
        """Another such room, untouched."""
        members: tuple[tuple[str, str, RoomRole], ...] = (
            ("u1", "ada", "member"),
            ("u2", "grace", "member"),
            ("u9", "owner", "owner"),
        )
        self.room = self.journal.ask(MakeRoom("den", kind="private", members=members))
        self.own = self.says(ADA, "ada's").message.seq
        self.others = self.says(GRACE, "grace's").message.seq
        self.commits.clear()

    @property
    def rights(self) -> Rights:
        return self.journal.read(reading.rights, self.room)

    def says(self, who: Identity, body: str) -> Kept:
        kept: Kept = self.journal.ask(self.sent(who, body=body))
        return kept

    def sent(self, who: Identity, verb: Verb = "post", **fields: Any) -> Post:
        """What `who` sends now, as the doors hand it over: permitted by the rights of this moment."""
        rights = self.rights
        assert may(who, verb, rights)
        return Post(
            self.room,
            Author.of(who),
            identity=who,
            verb=verb,
            rights=rights.number,
            any_author=may(who, "change_any", rights),
            **fields,
        )

    def deed(self, who: Identity, verb: Verb, *effects: Effect, **fields: Any) -> Post:
        return self.sent(who, verb, kind="notice", body="did it", effects=effects, forced=True, **fields)

    def done(self, *effects: Effect, **fields: Any) -> Post:
        """The same by the owner."""
        return self.deed(OWNER, "manage", *effects, **fields)

    def asked_at_once(self, *requests: Request) -> list[Any]:
        self.tries = 0
        answers = self.ask(*requests)
        assert self.tries == 1, "one group"
        return answers


@pytest.fixture(scope="module", params=STORES)
def journal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with stored_in(request.param, tmp_path_factory.mktemp("in flight"), request) as url:
        room = Room(url)
        yield room
        assert room.journal.finish(UNIT)


@pytest.fixture
def room(journal: Room) -> Room:
    journal.begin()
    return journal


def member(who: Identity, role: RoomRole | None) -> SetMember:
    return SetMember(who.id, who.name, role)


SENT: dict[str, dict[str, Any]] = {
    "a text": {"body": "late"},
    "a reply": {"body": "late", "of": 2},
    "an edit": {"kind": "edit", "of": 1, "body": "late"},
    "a deletion": {"kind": "delete", "of": 1},
    "bringing back": {"kind": "restore", "of": 3},
    "a reaction": {"kind": "reaction", "of": 2, "body": "👍"},
    "a reaction taken back": {"kind": "reaction", "of": 2, "body": "👍", "remove": True},
    "a text that is there already": {"body": "early", "client_id": "once"},
}


def said_before(room: Room, sent: str) -> Kept:
    """What ADA's `sent` may be about: #3, which she has deleted where that shall be brought back."""
    (first,) = room.ask(room.sent(ADA, body="early", client_id="once"))
    if sent == "bringing back":
        room.ask(room.sent(ADA, kind="delete", of=3, undo_seconds=60))
    return first  # type: ignore[no-any-return]


@pytest.mark.parametrize("sent", SENT)
@pytest.mark.parametrize(
    ("what", "effects", "refusal"), CLOSED_TO_ADA, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_was_under_way_when_its_sender_lost_the_right_is_refused(
    what: str, effects: tuple[Effect, ...], refusal: type[ChatError], sent: str, room: Room
) -> None:
    first = said_before(room, sent)
    late = room.sent(ADA, **SENT[sent])
    before = room.sent(ADA, body="just in time")
    answers = room.asked_at_once(
        before,
        room.done(*effects),
        late,
        room.sent(GRACE, body="next")
        if what != "finds that only moderators write"
        else room.sent(OWNER, body="next"),
    )
    if sent == "a text that is there already" and what in STILL_READ:
        assert answers[2] == Kept(first.message, new=False)
    else:
        assert type(answers[2]) is refusal
    assert [type(answer) for answer in (*answers[:2], answers[3])] == [Kept] * 3
    assert room.journal.ask(room.sent(OWNER, body="and on")).message.seq == answers[3].message.seq + 1
    seqs = [message.seq for commit in room.commits for message in commit.messages]
    assert seqs == list(range(seqs[0], seqs[-1] + 1)), "what was refused took no number"


@pytest.mark.parametrize("sent", SENT)
def test_what_was_under_way_when_a_right_came_back_is_kept(sent: str, room: Room) -> None:
    said_before(room, sent)
    late = room.sent(ADA, **SENT[sent])
    answers = room.asked_at_once(
        room.done(member(ADA, None)),
        late,
        room.done(member(ADA, "member")),
        structs.replace(late, client_id="again"),
    )
    assert [type(answer) for answer in answers] == [Kept, NoSuchRoom, Kept, Kept]


def test_a_sanction_that_is_lifted_in_the_same_moment_keeps_nobody_out(room: Room) -> None:
    room.ask(room.done(Impose("timeout", "ada", person="u1")))
    sanction = room.journal.read(reading.sanctions_of, room.room)[0].id
    room.ask(room.done(Lift(sanction)))
    late = room.sent(ADA, body="late")
    answers = room.asked_at_once(room.done(Impose("timeout", "ada", person="u1")), late)
    assert [type(answer) for answer in answers] == [Kept, Forbidden]
    sanction = room.journal.read(reading.sanctions_of, room.room)[0].id
    assert isinstance(room.asked_at_once(room.done(Lift(sanction)), late)[1], Kept)


@pytest.mark.parametrize(
    ("effect", "refusal"),
    [
        (ChangeRoom({"guests": False}), Forbidden),
        (ChangeRoom({"kind": "private"}), NoSuchRoom),
        (ChangeRoom({"posting": "members"}), Forbidden),
        (Impose("ban", "mallory", device="a browser"), Forbidden),
        (Impose("ban", "mallory", network="192.0.2.0/24"), Forbidden),
    ],
)
def test_what_a_guest_sent_is_refused_where_guests_are_no_longer_let_in(
    effect: Effect, refusal: type[ChatError], room: Room
) -> None:
    room.ask(room.done(ChangeRoom({"kind": "public"})))
    answers = room.asked_at_once(
        room.sent(GUEST, body="before"), room.done(effect), room.sent(GUEST, body="after")
    )
    assert [type(answer) for answer in answers] == [Kept, Kept, refusal]


def test_rights_that_another_process_has_changed_count(room: Room) -> None:
    theirs = Journal(room.journal._connections._engine, queue_limit=10)
    late = room.sent(ADA, body="late")
    assert isinstance(theirs.ask(room.done(member(ADA, None))), Kept)
    assert [type(answer) for answer in room.ask(late)] == [NoSuchRoom]
    assert isinstance(theirs.ask(room.done(member(ADA, "member"))), Kept)
    assert [type(answer) for answer in room.ask(late)] == [Kept]
    assert theirs.finish(UNIT)


def test_a_moderator_who_is_one_no_longer_deletes_only_what_is_their_own(room: Room) -> None:
    room.ask(room.done(member(ADA, "moderator")))
    others, own = (room.sent(ADA, kind="delete", of=of) for of in (room.others, room.own))
    assert others.any_author
    answers = room.asked_at_once(room.done(member(ADA, "member")), others, own)
    assert [type(answer) for answer in answers] == [Kept, Forbidden, Kept]
    assert room.journal.messages_after(room.room, room.others - 1, 1, 99)[0].body == "grace's"


def test_a_moderator_who_is_one_no_longer_brings_nothing_of_others_back_and_one_in_the_same_moment_does(
    room: Room,
) -> None:
    room.ask(room.done(member(ADA, "moderator")))
    room.ask(room.sent(ADA, kind="delete", of=room.others, undo_seconds=60))
    late = room.sent(ADA, kind="restore", of=room.others)
    answers = room.asked_at_once(
        room.done(member(ADA, "member")), late, room.done(member(ADA, "moderator")), late, late
    )
    assert [type(answer) for answer in answers] == [Kept, Forbidden, Kept, Kept, BadRequest]
    assert room.journal.messages_after(room.room, room.others - 1, 1, 99)[0].body == "grace's"


def test_a_member_who_becomes_a_moderator_may_at_once(room: Room) -> None:
    others = room.sent(ADA, kind="delete", of=room.others)
    answers = room.asked_at_once(others, room.done(member(ADA, "moderator")), others)
    assert [type(answer) for answer in answers] == [Forbidden, Kept, Kept]


def test_slow_mode_holds_for_who_is_a_moderator_no_longer(room: Room) -> None:
    room.ask(room.done(ChangeRoom({"slow_seconds": 3600}), member(ADA, "moderator")))
    first, second = room.sent(ADA, body="first"), room.sent(ADA, body="second")
    answers = room.asked_at_once(room.done(member(ADA, "member")), first, second)
    assert [type(answer) for answer in answers] == [Kept, TooFast, TooFast], (
        "ada wrote a text less than an hour ago"
    )


DEEDS: dict[str, tuple[Verb, Effect]] = {
    "a ban": ("moderate", Impose("ban", "grace", person="u2")),
    "a removal": ("moderate", member(GRACE, None)),
    "an invitation": ("invite", SetMember("u5", "katherine", "member")),
    "a part given": ("manage", member(GRACE, "owner")),
    "a setting": ("manage", ChangeRoom({"topic": "mine", "kind": "public"})),
}


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("role", ["member", None])
def test_a_deed_of_who_may_no_longer_changes_nothing_and_is_not_noted(
    role: RoomRole | None, deed: str, room: Room
) -> None:
    room.ask(room.done(member(ADA, "owner")))
    verb, effect = DEEDS[deed]
    answers = room.asked_at_once(room.done(member(ADA, role)), room.deed(ADA, verb, effect))
    after = room.rights
    assert [type(answer) for answer in answers] == [Kept, Forbidden if role else NoSuchRoom]
    assert after.members == {"u2": "member", "u9": "owner", **({"u1": role} if role else {})}
    assert after.kind == "private"
    assert not after.bans.meet(GRACE)
    assert room.journal.read(reading.state, room.room).topic == ""


@pytest.mark.parametrize("request_of", [Clear, DropRoom])
def test_a_room_is_neither_cleared_nor_deleted_by_who_owns_it_no_longer(
    request_of: type[Clear] | type[DropRoom], room: Room
) -> None:
    room.ask(room.done(member(ADA, "owner")))
    request = request_of(room.room, Author.of(ADA), None, ADA, room.rights.number)
    answers = room.asked_at_once(room.done(member(ADA, "moderator")), request)
    assert [type(answer) for answer in answers] == [Kept, Forbidden]
    assert len(room.journal.messages_after(room.room, 0, 9, 9)) == 4
    room.ask(room.done(member(ADA, "owner")))
    assert room.ask(request) == [5 if request_of is Clear else room.room]


@pytest.mark.parametrize("role", ["moderator", "owner"])
def test_who_rose_in_the_same_moment_is_not_sent_out_by_who_is_now_no_more_than_they(
    role: RoomRole, room: Room
) -> None:
    """A moderator bans somebody whom an owner is just making a moderator."""
    room.ask(room.done(member(ADA, "moderator")))
    effects = (member(GRACE, None), Impose("ban", "grace", person="u2"))
    ban = room.deed(ADA, "moderate", *effects, over="u2")
    answers = room.asked_at_once(room.done(member(GRACE, role)), ban)
    assert [type(answer) for answer in answers] == [Kept, Forbidden]
    assert room.rights.members["u2"] == role
    assert not room.rights.bans.meet(GRACE)


@pytest.mark.parametrize("verb", ["invite", "join"])
def test_who_is_taken_in_while_they_are_given_a_part_keeps_that_part(verb: Verb, room: Room) -> None:
    """A moderator takes in, or an administrator is about to join as, whom an owner is just making a moderator."""
    room.ask(room.done(member(ADA, "moderator"), ChangeRoom({"kind": "public"})))
    who = {"invite": ADA, "join": Identity("u5", "katherine", "administrator")}[verb]
    taken_in = room.deed(who, verb, SetMember("u5", "katherine", "member", new=True))
    answers = room.asked_at_once(room.done(SetMember("u5", "katherine", "moderator")), taken_in)
    assert [type(answer) for answer in answers] == [Kept, BadRequest]
    assert room.rights.members["u5"] == "moderator"


def test_a_hundred_under_way_around_a_removal_are_kept_before_it_and_refused_behind_it(room: Room) -> None:
    """Whichever place the removal has in the group; ada's first text is deleted by one of hers, once."""
    for place in (0, 1, 37, 99):
        requests: list[Request] = [room.sent(ADA, body=f"word {number}") for number in range(100)]
        requests.insert(place, room.done(member(ADA, None), detail={"removed": "u1"}))
        requests.append(room.done(member(ADA, "member")))
        answers = room.asked_at_once(*requests)
        assert [type(answer) for answer in answers] == [Kept] * (place + 1) + [NoSuchRoom] * (100 - place) + [
            Kept
        ]
        removal = answers[place].message.seq
        written = room.journal.messages_after(room.room, removal, 200, removal + 200)
        assert [message.author.id for message in written] == ["u9"]


def test_every_kind_of_message_is_decided_again() -> None:
    sent = {fields.get("kind", "text") for fields in SENT.values()}
    assert sent | {"notice"} == set(get_args(Kind))


@pytest.mark.parametrize("heard", ["meanwhile", "later"])
def test_what_is_read_after_a_removal_is_not_given_out_whenever_this_process_hears_of_it(
    heard: str, room: Room
) -> None:
    live = SimpleNamespace(id=room.room, rights=room.rights)

    def hear(_: object = None) -> None:
        live.rights = room.rights

    def read(*question: Any) -> Any:
        answer = room.journal.read(*question)
        if heard == "meanwhile":
            hear()
        return answer

    hub: Any = SimpleNamespace(journal=SimpleNamespace(read=read), sync=hear)
    assert access.read(hub, ADA, live, reading.before, 99, 10)  # type: ignore[arg-type]
    room.ask(room.done(member(ADA, None)))
    room.ask(room.sent(GRACE, body="ada is gone"))
    with pytest.raises(NoSuchRoom):
        access.read(hub, ADA, live, reading.before, 99, 10)  # type: ignore[arg-type]
