"""What is asked about people and in no room: whoever lost the right while it was on its way is refused.

As in test_in_flight.py: whatever a test asks at once is one transaction, in this order.
"""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
from msgspec import structs
from sqlalchemy import insert, select

from chatapp import accounts, administration, erasing, listing, membership, models, searching, tokens
from chatapp.errors import BadRequest, ChatError, Forbidden, NotKept, SignIn
from chatapp.hub import Hub
from chatapp.journal import people_reading, personal_data, reading, token_reading
from chatapp.journal.people_requests import (
    ChangeAccount,
    DropPasskey,
    EndSessions,
    Erase,
    ImposeEverywhere,
    Invite,
    KeepPasskey,
    LiftEverywhere,
    OfferReset,
    OpenSession,
    Person,
    ResetFactor,
    SignUp,
    TakeInvitationBack,
)
from chatapp.journal.requests import (
    Act,
    ChangeRoom,
    DropRoom,
    Effect,
    EraseOnward,
    Impose,
    MakeHook,
    MakeRoom,
    MarkRead,
    Mute,
    NoteGuest,
    Post,
    Request,
    RevokeHook,
    SetMember,
)
from chatapp.journal.token_requests import MakeToken, RevokeToken
from chatapp.message import Author
from chatapp.names import key
from chatapp.permissions import SYSTEM, Identity, Rights, Scope
from chatapp.reads import Reads
from tests.clients import UNIT
from tests.test_people import BOSS, House

GUEST = Identity("g7", "mallory", "guest", "192.0.2.7", "a browser")
FAR = 4_102_444_800_000_000  # the year 2100


class Office(House):
    """A house with two administrators, ada and the boss, and grace, who is a member of its room with ada."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.boss, self.ada, self.grace = (self.called(name) for name in ("boss", "ada", "grace"))
        self.asked: list[Any] = []

    def furnish(self) -> None:
        super().furnish()
        for name in ("boss", "ada"):
            self.journal.ask(SignUp(name, uniquifier=name, role="administrator"))
        boss, ada = self.called("boss"), self.called("ada")
        grace = self.sign_up("grace", "grace's session")
        self.journal.ask(OpenSession("ada's session", ada.id, "Firefox", "127.0.0.1"))
        parts = (SetMember(ada.id, "ada", "owner"), SetMember(grace.id, "grace", "member"))
        gone = SetMember(boss.id, "boss", None)  # who owned it, as the first administrator
        self.journal.ask(Post(self.room, BOSS, "done", "notice", effects=(*parts, gone)))

    def called(self, name: str) -> Person:
        found = self.journal.read(people_reading.person_called, name)
        assert found is not None
        return found

    def read_by(self, person: str) -> list[int]:
        """How far they have read, room by room."""
        columns = reading.READS.c
        query = select(columns.seq).where(columns.person_id == person)
        return self.journal.read(lambda connection: list(connection.scalars(query)))

    @property
    def identity(self) -> Identity:
        """Ada, as the doors know her now."""
        found = self.who("ada's session")
        assert found is not None
        assert found.role == "administrator"
        return found

    @property
    def rows(self) -> list[str]:
        """All that the database has, but for the name of grace's session."""
        with self.journal._connections._engine.connect() as connection:
            rows = [
                str(tuple(row))
                for table in models.db.metadata.tables
                for row in connection.exec_driver_sql(f"SELECT * FROM {table}")
            ]
        return [row.replace("grace's session", "") for row in rows]

    @property
    def acts(self) -> list[str]:
        return [line.what for line in self.journal.read(reading.audit, self.boss.id, 100)]

    @property
    def hub(self) -> Hub:
        """As much of one as is needed to ask; what is asked of the journal is in `asked`."""

        def ask(request: Any) -> Any:
            self.asked.append(request)
            return self.journal.ask(request)

        return cast(
            Hub,
            SimpleNamespace(
                journal=SimpleNamespace(ask=ask, read=self.journal.read),
                limiter=SimpleNamespace(room=lambda address: None, account=lambda identity: None),
                mail=SimpleNamespace(open=False),
                config=SimpleNamespace(room_makers="everybody"),
                check_open=lambda: None,
                rooms_changed=lambda *people: None,
                follower=SimpleNamespace(settle=lambda: None),
            ),
        )


@pytest.fixture
def office(store: str) -> Office:
    return Office(store)


def ban(**whom: str) -> ImposeEverywhere:
    return ImposeEverywhere((Impose("ban", "somebody", **whom),), BOSS, Act("banned somebody"))  # type: ignore[arg-type]


LOST: dict[str, tuple[Callable[[Office], Any], type[ChatError]]] = {
    "is no administrator any more": (lambda it: ChangeAccount(it.ada.id, {"role": "member"}), Forbidden),
    "is disabled": (lambda it: ChangeAccount(it.ada.id, {"disabled": True}), SignIn),
    "is signed out": (lambda it: EndSessions(it.ada.id), SignIn),
    "is banned": (lambda it: ban(person=it.ada.id), Forbidden),
}
# By whom: the request of an administrator about grace.
ADMINISTERS: dict[str, Callable[[Office, Identity], Request]] = {
    "a role": lambda it, by: ChangeAccount(it.grace.id, {"role": "administrator"}, identity=by),
    "a sign-out": lambda it, by: EndSessions(it.grace.id, act=Act("signed out"), identity=by),
    "an invitation": lambda it, by: Invite("a code", FAR, 1, identity=by),
    "an invitation taken back": lambda it, by: TakeInvitationBack(1, identity=by),
    "a link for a password": lambda it, by: OfferReset("a code", it.grace.id, FAR, identity=by),
    "a ban": lambda it, by: ImposeEverywhere(
        (Impose("ban", "grace", person=it.grace.id),), BOSS, Act("banned grace"), identity=by
    ),
    "a ban lifted": lambda it, by: LiftEverywhere(1, BOSS, Act("lifted"), identity=by),
    "a bot": lambda it, by: SignUp("Builds", uniquifier="b", by=Author.of(by), identity=by),
    "a bot's token": lambda it, by: MakeToken(
        "a token", it.grace.id, "builds", ("write",), bot=True, identity=by
    ),
    "a token revoked": lambda it, by: RevokeToken(1, identity=by),
    "a second factor": lambda it, by: ResetFactor(
        it.grace.id, BOSS, Act("took the factor away"), identity=by
    ),
    "an erasure": lambda it, by: Erase(it.grace.id, "x1", True, identity=by),
}


def prepare(office: Office) -> None:
    """What can be taken back: an invitation, a ban and a token, each with the number 1, and a factor."""
    office.journal.ask(Invite("another code", FAR, 1))
    office.journal.ask(ban(person="g99"))
    office.journal.ask(MakeToken("another token", office.grace.id, "x", ("read",)))
    office.journal.ask(ChangeAccount(office.grace.id, {"tf_primary_method": "authenticator"}))


@pytest.mark.parametrize("what", ADMINISTERS)
@pytest.mark.parametrize("lost", LOST)
def test_what_an_administrator_asked_for_and_lost_the_right_to_is_not_done(
    lost: str, what: str, office: Office
) -> None:
    prepare(office)
    loses, refusal = LOST[lost]
    request = ADMINISTERS[what](office, office.identity)
    before, grace = office.acts, office.called("grace")
    *_, answer = office.ask_together(loses(office), request)
    assert type(answer) is refusal
    assert set(office.acts) - set(before) <= {"banned somebody"}, "nothing of it is noted"
    assert office.called("grace") == grace
    assert office.journal.read(people_reading.person_called, "Builds") is None
    assert [line.id for line in office.journal.read(people_reading.invitations)] == [1]
    assert [line.id for line in office.journal.read(token_reading.tokens)] == [1]
    assert office.journal.read(people_reading.reset_for, "a code") is None
    assert office.who("grace's session") is not None
    assert office.journal.read(people_reading.has_factor, office.grace.id)


@pytest.mark.parametrize("what", ADMINISTERS)
def test_who_has_the_right_still_is_asked_again_and_does_it(what: str, office: Office) -> None:
    prepare(office)
    request = ADMINISTERS[what](office, office.identity)
    *_, answer = office.ask_together(ChangeAccount(office.boss.id, {"status": "away"}), request)
    assert not isinstance(answer, ChatError)


OWN: dict[str, Callable[[Office, Identity], Request]] = {
    "a status": lambda it, by: ChangeAccount(it.ada.id, {"status": "here"}, identity=by, verb="read"),
    "a password": lambda it, by: ChangeAccount(it.ada.id, {"password": "x"}, True, identity=by, verb="read"),
    "a sign-out of the others": lambda it, by: EndSessions(
        it.ada.id, but="another session", identity=by, verb="read"
    ),
    "a passkey": lambda it, by: KeepPasskey(it.ada.id, {}, identity=by, verb="read"),
    "a passkey dropped": lambda it, by: DropPasskey(it.ada.id, 1, identity=by, verb="read"),
    "a token": lambda it, by: MakeToken(
        "a token", it.ada.id, "x", ("read",), identity=by, verb="change_self"
    ),
    "a room": lambda it, by: MakeRoom("den", identity=by),
    "a private room": lambda it, by: MakeRoom("den", kind="private", identity=by, verb="make_private_room"),
    "a conversation": lambda it, by: MakeRoom(
        "ada, grace", kind="direct", party="u2 u3", identity=by, verb="write_to_people"
    ),
    "a position": lambda it, by: MarkRead(it.room, it.ada.id, 1, by, 2),
    "a wish not to hear": lambda it, by: Mute(it.room, it.ada.id, True, by, 2),
}


@pytest.mark.parametrize("what", OWN)
@pytest.mark.parametrize("lost", [lost for lost in LOST if "administrator" not in lost])
def test_what_somebody_asked_for_themselves_and_is_out_since_is_not_done(
    lost: str, what: str, office: Office
) -> None:
    loses, refusal = LOST[lost]
    request = OWN[what](office, office.identity)
    *_, answer = office.ask_together(loses(office), request)
    assert type(answer) is refusal
    assert [state.name for state in office.journal.read(reading.states)] == ["board"]
    assert office.called("ada").status == ""
    assert office.journal.read(token_reading.tokens) == []
    assert office.read_by(office.ada.id) == []
    assert not office.journal.read(reading.muted, office.room, office.ada.id)


@pytest.mark.parametrize("what", ["a position", "a wish not to hear"])
def test_who_was_removed_from_a_room_neither_reads_nor_mutes_it(what: str, office: Office) -> None:
    request = OWN[what](office, office.identity)
    out = (ChangeRoom({"kind": "private"}), SetMember(office.ada.id, "ada", None))
    inside = SetMember(office.grace.id, "grace", "owner")
    removal = Post(office.room, BOSS, "did it", "notice", effects=(inside, *out), identity=SYSTEM)
    *_, answer = office.ask_together(removal, request)
    assert isinstance(answer, ChatError)
    assert office.read_by(office.ada.id) == []


@pytest.mark.parametrize("whom", [{"person": "g7"}, {"device": "a browser"}, {"network": "192.0.2.0/24"}])
def test_what_a_guest_asked_for_and_is_banned_since_is_not_done(whom: dict[str, str], office: Office) -> None:
    guest = office.people.guest(GUEST)
    assert guest is not None
    wanted: tuple[Request, ...] = (
        NoteGuest(guest.id, guest.name, guest.device, guest.address, guest),
        MakeRoom("den", identity=guest),
        SignUp("mallory", uniquifier="m", person=guest.id, identity=guest, verb="read"),
    )
    _, *answers = office.ask_together(ban(**whom), *wanted)
    assert [type(answer) for answer in answers] == [Forbidden] * 3
    assert office.journal.read(people_reading.find, guest.id) is None


NOT_A_GUEST: dict[str, Callable[[Office], Request]] = {
    "has an account": lambda it: SignUp("joan", uniquifier="j", person=GUEST.id),
    "is erased": lambda it: Erase(GUEST.id, "x1", True),
}


@pytest.mark.parametrize("why", NOT_A_GUEST)
def test_who_is_a_guest_no_longer_is_told_to_sign_in_by_whatever_they_asked_for(
    why: str, office: Office
) -> None:
    office.journal.ask(NoteGuest(GUEST.id, GUEST.name, GUEST.device, GUEST.address))
    guest = office.people.guest(GUEST)
    assert guest is not None
    wanted: tuple[Request, ...] = (
        NoteGuest(guest.id, guest.name, guest.device, guest.address, guest),
        MarkRead(office.room, guest.id, 1, guest, 2),
        MakeRoom("den", identity=guest),
        SignUp("mallory", uniquifier="m", person=guest.id, identity=guest, verb="read"),
    )
    _, *answers = office.ask_together(NOT_A_GUEST[why](office), *wanted)
    assert [type(answer) for answer in answers] == [SignIn] * 4
    assert office.read_by(guest.id) == []
    assert office.journal.read(reading.guest, guest.id) is None


def test_all_that_is_asked_says_who_asks(office: Office) -> None:
    """So that the journal can ask again. Each verb on people, as the doors call it."""
    ada, grace, hub = office.identity, office.grace, office.hub
    accounts.set_role(hub, ada, grace, "administrator")
    accounts.set_role(hub, ada, office.called("grace"), "member")
    accounts.set_status(hub, ada, office.ada, "here")
    accounts.sign_out(hub, ada, grace)
    accounts.sign_out(hub, ada, office.ada, but=ada.session)
    accounts.invite(hub, ada)
    accounts.take_invitation_back(hub, ada, 1)
    accounts.offer_reset(hub, ada, grace)
    accounts.ban(hub, ada, grace.id)
    accounts.lift_ban(hub, ada, 1)
    made = tokens.make(hub, ada, bot="Builds", name="builds", scopes=["write"])
    own = tokens.make(hub, ada, name="mine", scopes=["read"])
    for token in (made, own):
        tokens.revoke(hub, ada, token.id)
    administration.make_room(hub, ada, "den", kind="private")
    membership.begin_conversation(hub, ada, [grace.id])
    accounts.erase(hub, ada, grace.id, keep_messages=True)
    *asked, onward = office.asked
    assert isinstance(onward, EraseOnward), "that goes on with what was permitted"
    assert len(asked) == 18
    assert [request.identity for request in asked] == [ada] * 18
    verbs = {"administer", "read", "change_self", "make_private_room", "write_to_people"}
    assert {request.verb for request in asked} == verbs


def test_to_sign_out_is_no_right_that_is_lost(office: Office) -> None:
    ada = office.identity
    accounts.disable(office.hub, SYSTEM, office.ada)
    assert accounts.sign_out(office.hub, ada, office.ada, only=ada.session) == 0


def test_a_token_that_does_not_change_its_owner_ends_no_session(office: Office) -> None:
    reader = structs.replace(office.identity, session="", token="t", scopes=frozenset[Scope]({"read"}))
    with pytest.raises(Forbidden):
        accounts.sign_out(office.hub, reader, office.ada)
    assert office.asked == []


def test_what_a_socket_has_read_is_told_under_who_they_are_now(office: Office) -> None:
    kept: list[MarkRead] = []
    room = SimpleNamespace(id=office.room, last=9, rights=Rights(number=4))
    hub = cast(
        Hub,
        SimpleNamespace(
            room=lambda number: room,
            read=lambda *told: None,
            journal=SimpleNamespace(submit=lambda request, answer: kept.append(request)),
        ),
    )
    now = [office.identity]
    reads = Reads(hub, lambda: now[0])
    reads.read(office.room, 1)
    now[0] = Identity(now[0].id, "ada", "member", session="ada's session", people=99)
    reads.read(office.room, 2)
    now[0] = Identity("", "", "banned")
    with pytest.raises(SignIn):
        reads.read(office.room, 3)
    reads.keep()
    assert [(each.seq, each.identity.role, each.rights) for each in kept] == [
        (1, "administrator", 4),
        (2, "member", 4),
    ]


ABOUT_GRACE: dict[str, Callable[[Office], Request]] = {
    "a part": lambda it: deed(it, "made grace an owner", SetMember(it.grace.id, "grace", "owner")),
    "a time-out": lambda it: deed(it, "timed grace out", Impose("timeout", "grace", it.grace.id)),
    "a ban": lambda it: deed(
        it, "banned grace", SetMember(it.grace.id, "grace", None), Impose("ban", "grace", it.grace.id)
    ),
    "sending out": lambda it: deed(it, "removed grace"),
    "a conversation": lambda it: MakeRoom(
        "ada, grace",
        kind="direct",
        members=((it.ada.id, "ada", "member"), (it.grace.id, "grace", "member")),
        party=f"{it.ada.id} {it.grace.id}",
    ),
    "a ban from the server": lambda it: ImposeEverywhere(
        (Impose("ban", "grace", it.grace.id), Impose("ban", "grace", device="a browser")),
        BOSS,
        Act("banned grace from the server", it.grace.id),
    ),
}


def deed(office: Office, said: str, *effects: Effect) -> Post:
    """One of the boss about grace."""
    whom = office.grace.id
    detail = {"removed": whom}
    return Post(
        office.room, BOSS, said, "notice", detail=detail, effects=effects, act=Act(said, whom), over=whom
    )


@pytest.mark.parametrize("what", ABOUT_GRACE)
def test_a_deed_about_who_was_just_erased_does_not_put_them_back(what: str, office: Office) -> None:
    erasure = Erase(office.grace.id, "x1", True)
    _, answer = office.ask_together(erasure, ABOUT_GRACE[what](office))
    assert type(answer) is BadRequest
    erasing.finish(office.journal, office.grace.id)
    words = [f"'{office.grace.id}'", f'"{office.grace.id}"', "grace"]
    assert [row for row in office.rows if any(word in row for word in words)] == []


def test_of_two_guests_with_one_name_each_has_their_own_network(office: Office) -> None:
    for person in ("g1", "g2"):
        office.journal.ask(NoteGuest(person, "mallory", f"browser of {person}", "192.0.2.1"))
    for person, network in (("g1", "192.0.2.0/24"), ("g2", "198.51.100.0/24")):
        bans = (Impose("ban", "mallory", person), Impose("ban", "mallory", network=network))
        office.journal.ask(ImposeEverywhere(bans, BOSS, Act("banned mallory from the server", person)))
    kept = office.journal.read(personal_data.export, "g1")
    assert [each["network"] for each in kept["sanctions"]] == [None, "192.0.2.0/24"]
    office.journal.ask(Erase("g1", "x1", True))
    bans = {ban.name: (ban.person, ban.network) for ban in office.journal.read(reading.sanctions_of, None)}
    assert bans == {"mallory": ("g2", "198.51.100.0/24"), personal_data.NAME: (None, "192.0.2.0/24")}


def test_of_the_audit_log_nothing_of_others_is_given_out(office: Office) -> None:
    grace, boss = Author(office.grace.id, "grace"), Author(office.boss.id, "boss")
    for by, whom, name in ((boss, grace.id, "grace"), (grace, "g7", "mallory")):
        ban = Impose("ban", name, whom)
        act = Act(f"banned {name} from the server, and all guests from 192.0.2.0/24", whom, f"{name}'s fault")
        office.journal.ask(ImposeEverywhere((ban,), by, act))
    made, suffered, did = office.journal.read(personal_data.export, grace.id)["audit"]
    assert (made["what"], made["whom"]) == ("made an account: grace (member)", grace.id)
    assert (suffered["whom"], suffered["why"]) == (grace.id, "grace's fault")
    assert not {"who_id", "who_name"} & suffered.keys()
    assert did["what"] == "banned somebody from the server, and all guests from a network"
    assert not {"whom", "why"} & did.keys()


def test_what_was_read_is_kept_by_the_next_try_where_the_database_failed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatapp.reads.KEEP_SECONDS", 0.01)
    tried: list[int] = []

    def submit(request: MarkRead, answer: Callable[[object], None]) -> None:
        tried.append(request.seq)
        answer(NotKept() if len(tried) < 3 else request.seq)

    room = SimpleNamespace(id=office.room, last=9, rights=Rights())
    journal = SimpleNamespace(submit=submit)
    hub = cast(Hub, SimpleNamespace(room=lambda number: room, read=lambda *told: None, journal=journal))
    reads = Reads(hub, lambda: office.identity)
    reads.read(office.room, 7)
    with gevent.Timeout(UNIT):
        while len(tried) < 3:
            gevent.sleep(0.01)
    reads.keep()
    assert tried == [7, 7, 7]


# -- a name that two take at once ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["joan", "Jоan"])
def test_a_guest_does_not_come_in_under_a_name_that_somebody_just_took(name: str, office: Office) -> None:
    guest = Identity("g8", name, "guest", "192.0.2.8", "another browser")
    wanted = NoteGuest(guest.id, name, guest.device, guest.address, guest)
    _, late = office.ask_together(SignUp("joan", uniquifier="j"), wanted)
    assert isinstance(late, BadRequest)
    assert office.journal.read(people_reading.find, guest.id) is None


@pytest.mark.parametrize("name", ["builds", "Вuilds"])
def test_a_hooks_name_is_nobodys_until_it_is_revoked(name: str, office: Office) -> None:
    guest = Identity("g8", name, "guest", "192.0.2.8", "another browser")
    taking: list[Request] = [
        NoteGuest(guest.id, name, guest.device, guest.address, guest),
        ChangeAccount(office.grace.id, {"name": name}),
        SignUp(name, uniquifier="b"),
    ]
    made = Post(office.room, BOSS, "did it", "notice", effects=(MakeHook("a hook", "Builds"),))
    _, *answers = office.ask_together(made, *taking)
    assert [type(answer) for answer in answers] == [BadRequest] * 3
    revoked = Post(office.room, BOSS, "did it", "notice", effects=(RevokeHook(1),))
    _, noted, renamed, signed_up = office.ask_together(revoked, *taking)
    assert noted == 0
    assert isinstance(renamed, Person)
    assert isinstance(signed_up, BadRequest)  # it is grace's now


def test_who_shared_a_hooks_name_before_may_write_it_otherwise(office: Office) -> None:
    """As a database may have it that is older than the rule."""
    joan = office.sign_up("joan", "joan's session")
    engine = office.journal._connections._engine
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection.execute(
            insert(reading.HOOKS).values(
                room_id=office.room,
                key="k",
                name="joan",
                name_key=key("joan"),
                by_id="u1",
                by_name="boss",
                made_at=1,
            )
        )
    assert office.journal.ask(ChangeAccount(joan.id, {"name": "Joan"})).name == "Joan"


# -- an invitation that leads into a room --------------------------------------------------------------------


def invited(office: Office, room: int | None = None, by: Person | None = None) -> SignUp:
    """The request of who uses an invitation that ada made."""
    maker = by or office.ada
    room = office.room if room is None else room
    office.journal.ask(Invite("a code", FAR, 1, room=room, by=Author(maker.id, maker.name)))
    return SignUp("joan", uniquifier="joan", invitation="a code")


def members(office: Office) -> Iterable[str]:
    return [member.name for member in office.journal.read(reading.members, office.room)]


def test_an_account_and_its_place_in_the_room_are_one_transaction(office: Office) -> None:
    request, commits = invited(office), list[Any]()
    office.journal.on_commit = commits.append
    joan = office.journal.ask(request)
    assert "joan" in members(office)
    assert office.acts[:2] == ["took joan in", f"made an account: {joan.name} (member)"]
    (together,) = commits
    (kept,) = [each for each in together if getattr(each, "room", None) == office.room]
    assert [message.detail["member"]["id"] for message in kept.messages] == [joan.id]
    assert [message.seq for message in kept.messages] == [2]


LEADS_NOWHERE: dict[str, Callable[[Office], Request]] = {
    "the room is gone": lambda it: DropRoom(it.room),
    "who invited is no member of the private room": lambda it: Post(
        it.room,
        BOSS,
        "did it",
        "notice",
        effects=(
            SetMember(it.grace.id, "grace", "owner"),
            ChangeRoom({"kind": "private"}),
            SetMember(it.ada.id, "ada", None),
        ),
    ),
    "who invited is disabled": lambda it: ChangeAccount(it.ada.id, {"disabled": True}),
    "who invited is banned": lambda it: ban(person=it.ada.id),
}


@pytest.mark.parametrize("why", LEADS_NOWHERE)
def test_where_an_invitation_leads_nowhere_any_more_it_is_an_account_all_the_same(
    why: str, office: Office
) -> None:
    request = invited(office)
    *_, joan = office.ask_together(LEADS_NOWHERE[why](office), request)
    assert isinstance(joan, Person)
    assert "joan" not in members(office)
    assert "took joan in" not in office.acts


def test_nobody_is_invited_into_a_conversation(office: Office) -> None:
    parts = tuple((each.id, each.name, "member") for each in (office.ada, office.grace))
    room = office.journal.ask(MakeRoom("ada, grace", kind="direct", members=parts, party="u2 u3"))  # type: ignore[arg-type]
    live = SimpleNamespace(rights=Rights(kind="direct"))
    hub = cast(Hub, SimpleNamespace(journal=office.journal, room=lambda number: live))
    with pytest.raises(BadRequest):
        accounts.invite(hub, SYSTEM, room=room)
    office.journal.ask(invited(office, room, Person("system", "system", "administrator")))
    assert len(office.journal.read(reading.members, room)) == 2


def looking(office: Office) -> Hub:
    """As much of a hub as is needed to look at rooms."""
    presence = SimpleNamespace(everywhere=dict[int, list[Author]])
    return cast(
        Hub, SimpleNamespace(journal=office.journal, people=office.people, presence=presence, turnstile=None)
    )


def sent_out(office: Office) -> None:
    effect = SetMember(office.grace.id, "grace", None)
    office.journal.ask(Post(office.room, BOSS, "removed grace", "notice", effects=(effect,)))


def in_private(office: Office) -> Identity:
    """Grace, who is a member of the room, which is private."""
    private = (ChangeRoom({"kind": "private"}),)
    office.journal.ask(Post(office.room, BOSS, "**hello**"))
    office.journal.ask(Post(office.room, BOSS, "made it private", "notice", effects=private))
    grace = office.who("grace's session")
    assert grace is not None
    return grace


def listed(hub: Hub, identity: Identity) -> dict[int, str]:
    """What the list says of each room."""
    rooms = listing.rooms_with_last(hub, identity)
    return {room.state.id: room.last.body if room.last else "" for room in rooms}


def test_a_list_has_no_room_that_one_was_sent_out_of_while_its_words_were_made(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    grace, hub = in_private(office), looking(office)
    assert listed(hub, grace) == {office.room: "**hello**"}
    monkeypatch.setattr("chatapp.listing.marking.mark", lambda *_: sent_out(office))
    assert listed(hub, grace) == {}


@pytest.mark.parametrize("loss", sorted(LOST.keys() - {"is no administrator any more"}))
def test_a_list_is_for_nobody_who_may_not_see_one_any_more_when_its_words_are_made(
    loss: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, hub = office.identity, looking(office)
    lose, refusal = LOST[loss]
    monkeypatch.setattr("chatapp.listing.marking.mark", lambda *_: office.journal.ask(lose(office)))
    with pytest.raises(refusal):
        listed(hub, ada)


def test_a_list_says_what_is_there_when_the_words_are_made(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    grace, hub = in_private(office), looking(office)
    secret = office.journal.ask(Post(office.room, BOSS, "**secret**", identity=SYSTEM)).message.seq
    assert listed(hub, grace) == {office.room: "**secret**"}
    deletion = Post(office.room, BOSS, kind="delete", of=secret, identity=SYSTEM, any_author=True)
    monkeypatch.setattr("chatapp.listing.marking.mark", lambda *_: office.journal.ask(deletion))
    assert listed(hub, grace) == {office.room: "**hello**"}
    news = Post(office.room, BOSS, "**news**", identity=SYSTEM)
    monkeypatch.setattr("chatapp.listing.marking.mark", lambda *_: office.journal.ask(news))
    assert listed(hub, grace) == {office.room: "**news**"}


def test_a_list_makes_no_words_of_rooms_that_are_not_in_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    grace, hub = in_private(office), looking(office)
    private, banned = (
        ChangeRoom({"kind": "private"}),
        Impose("ban", "grace", person=office.grace.id),
    )
    for effects in ((), (private,), (banned,)):
        room = office.journal.ask(MakeRoom("another"))
        office.journal.ask(Post(room, BOSS, f"**{effects}**", identity=SYSTEM))
        office.journal.ask(Post(room, BOSS, "done", "notice", effects=effects))
    made: list[str] = []
    monkeypatch.setattr(
        "chatapp.listing.marking.mark", lambda _, messages: made.extend(each.body for each in messages)
    )
    assert sorted(listed(hub, grace).values()) == sorted(made) == ["**()**", "**hello**"]


def test_what_was_found_in_a_room_that_one_was_sent_out_of_since_is_not_shown(office: Office) -> None:
    grace, hub = in_private(office), looking(office)
    message = office.journal.read(reading.after, office.room, 0, 10, 100)[0]
    results = [searching.Result(message, "board")]
    assert searching.still_theirs(hub, grace, results) == results
    sent_out(office)
    assert searching.still_theirs(hub, grace, results) == []
