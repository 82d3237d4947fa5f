"""The tables of who may do what, as a person would state them, and what is true of them all."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

import pytest
from msgspec import structs

from chatapp import access, permissions
from chatapp.errors import ChatError, Forbidden, NoSuchRoom, SignIn
from chatapp.permissions import (
    RANKS,
    ROLES,
    SCOPES,
    SYSTEM,
    Identity,
    Posting,
    Rights,
    Role,
    RoomKind,
    RoomRole,
    Sanctions,
    Scope,
    Verb,
    check,
    may,
    outranks,
    visible,
)

VERBS: tuple[Verb, ...] = get_args(Verb)
HOUR = 3_600_000_000  # microseconds
ADA = "u1"

# Who somebody is on this server, and (after the comma) in the room. A hook, which is nobody, has its own test.
PEOPLE: dict[str, tuple[Role, RoomRole | None]] = {
    "banned": ("banned", None),
    "banned, owner": ("banned", "owner"),
    "anonymous": ("anonymous", None),
    "visitor": ("visitor", None),
    "guest": ("guest", None),
    "guest, member": ("guest", "member"),
    "member": ("member", None),
    "member, member": ("member", "member"),
    "member, moderator": ("member", "moderator"),
    "member, owner": ("member", "owner"),
    "administrator": ("administrator", None),
    "administrator, member": ("administrator", "member"),
}

# Everything that is not marked is refused. Guests on: everyone writes, nobody is sanctioned.
PUBLIC = """
                       read visit post report join leave invite change_any moderate manage
banned                 .    .     .    .      .    .     .      .          .        .
banned, owner          .    .     .    .      .    .     .      .          .        .
anonymous              .    .     .    .      .    .     .      .          .        .
visitor                x    x     .    .      .    .     .      .          .        .
guest                  x    x     x    x      .    .     .      .          .        .
guest, member          x    x     x    x      .    x     .      .          .        .
member                 x    x     x    x      x    .     .      .          .        .
member, member         x    x     x    x      .    x     .      .          .        .
member, moderator      x    x     x    x      .    x     x      x          x        .
member, owner          x    x     x    x      .    x     x      x          x        x
administrator          x    x     x    x      x    x     x      x          x        x
administrator, member  x    x     x    x      x    x     x      x          x        x
"""
PRIVATE = """
                       read visit post report join leave invite change_any moderate manage
banned                 .    .     .    .      .    .     .      .          .        .
banned, owner          .    .     .    .      .    .     .      .          .        .
anonymous              .    .     .    .      .    .     .      .          .        .
visitor                .    .     .    .      .    .     .      .          .        .
guest                  .    .     .    .      .    .     .      .          .        .
guest, member          x    x     x    x      .    x     .      .          .        .
member                 .    .     .    .      .    .     .      .          .        .
member, member         x    x     x    x      .    x     .      .          .        .
member, moderator      x    x     x    x      .    x     x      x          x        .
member, owner          x    x     x    x      .    x     x      x          x        x
administrator          .    .     .    .      .    .     .      .          .        .
administrator, member  x    x     x    x      x    x     x      x          x        x
"""
# Nobody rules a conversation, whatever part they have in it.
DIRECT = """
                       read visit post report join leave invite change_any moderate manage
banned                 .    .     .    .      .    .     .      .          .        .
banned, owner          .    .     .    .      .    .     .      .          .        .
anonymous              .    .     .    .      .    .     .      .          .        .
visitor                .    .     .    .      .    .     .      .          .        .
guest                  .    .     .    .      .    .     .      .          .        .
guest, member          x    x     x    x      .    x     .      .          .        .
member                 .    .     .    .      .    .     .      .          .        .
member, member         x    x     x    x      .    x     .      .          .        .
member, moderator      x    x     x    x      .    x     .      .          .        .
member, owner          x    x     x    x      .    x     .      .          .        .
administrator          .    .     .    .      .    .     .      .          .        .
administrator, member  x    x     x    x      .    x     .      .          .        .
"""
# On the server, in no room in particular.
SERVER = """
                       read make_room make_private_room write_to_people change_self administer
banned                 .    .         .                 .               .           .
anonymous              .    .         .                 .               .           .
visitor                x    .         .                 .               .           .
guest                  x    x         .                 .               x           .
member                 x    x         x                 x               x           .
administrator          x    x         x                 x               x           x
"""
# What a person who may do everything may do with a token of one scope.
TOKENS = """
         read visit post report join leave invite change_any moderate manage make_room make_private_room write_to_people change_self administer
read     x    .     .    .      .    .     .      .          .        .      .         .                 .               .           .
write    x    x     x    x      x    x     .      .          .        .      .         .                 x               .           .
manage   x    .     .    .      .    .     x      x          x        x      x         x                 .               x           x
"""
# Who writes in a public room where only these write (columns); "everyone" is above.
WRITES = """
                       members moderators
banned                 .       .
banned, owner          .       .
anonymous              .       .
visitor                .       .
guest                  .       .
guest, member          x       .
member                 .       .
member, member         x       .
member, moderator      x       x
member, owner          x       x
administrator          x       x
administrator, member  x       x
"""
# Who is touched by a sanction of the room: who could take it back for themselves is not.
SPARED = ("member, owner", "administrator", "administrator, member")


def table(text: str) -> dict[str, dict[str, bool]]:
    head, *rows = text.strip("\n").splitlines()
    columns = head.split()
    read = {}
    for row in rows:
        cells = row.split()[-len(columns) :]
        assert set(cells) <= {"x", "."}, row
        name = " ".join(row.split()[: -len(columns)])
        read[name] = dict(zip(columns, (cell == "x" for cell in cells), strict=True))
    return read


ROOMS: dict[RoomKind, dict[str, dict[str, bool]]] = {
    "public": table(PUBLIC),
    "private": table(PRIVATE),
    "direct": table(DIRECT),
}
IN_ROOMS = tuple(verb for verb in VERBS if verb in ROOMS["public"]["guest"])


def identity(who: str, **more: Any) -> Identity:
    role = PEOPLE[who][0]
    person = "" if role in ("anonymous", "visitor") else ADA
    return Identity(person, "ada", role, "192.0.2.7", "a browser", **more)


def rights(who: str, kind: RoomKind = "public", **more: Any) -> Rights:
    part = PEOPLE[who][1]
    members: Mapping[str, RoomRole] = {"u9": "owner"} if part is None else {"u9": "owner", ADA: part}
    return Rights(1, kind, members=members, **more)


def sanction(person: str | None = None, device: str | None = None, network: str | None = None) -> Sanctions:
    return Sanctions([(person, device, network, 0)])


ON_ADA = sanction(person=ADA)
ON_OTHERS = Sanctions([("u2", None, None, 0), (None, "another", None, 0), (None, None, "198.51.100.0/24", 0)])


def everything() -> Iterator[tuple[str, Rights]]:
    """Everybody in every room."""
    postings: tuple[Posting, ...] = get_args(Posting)
    for who, kind, posting, guests, bans, timeouts in itertools.product(
        PEOPLE,
        ROOMS,
        postings,
        (True, False),
        (
            permissions.NOBODY,
            ON_ADA,
            ON_OTHERS,
            sanction(device="a browser"),
            sanction(network="192.0.2.0/24"),
        ),
        (permissions.NOBODY, ON_ADA),
    ):
        yield who, rights(who, kind, posting=posting, guests=guests, bans=bans, timeouts=timeouts)


def allowed(who: str, room: Rights | None, **more: Any) -> set[Verb]:
    me = identity(who, **more)
    return {verb for verb in VERBS if may(me, verb, room)}


# -- the tables ----------------------------------------------------------------------------------------------


def test_the_tables_speak_of_everybody_and_of_everything() -> None:
    for rows in ROOMS.values():
        assert set(rows) == set(PEOPLE)
    assert {role for role, _ in PEOPLE.values()} | {"hook"} == set(get_args(Role))
    assert set(get_args(Role)) == set(ROLES) == set(table(SERVER)) | {"hook"}
    assert {part for _, part in PEOPLE.values() if part} == set(get_args(RoomRole)) == set(RANKS)
    assert set(table(TOKENS)) == set(get_args(Scope)) == set(SCOPES)
    in_rooms, on_server = set(table(PUBLIC)["guest"]), set(table(SERVER)["guest"])
    assert in_rooms | on_server == set(VERBS) == set(table(TOKENS)["read"])


@pytest.mark.parametrize("kind", ROOMS)
@pytest.mark.parametrize("who", PEOPLE)
def test_in_a_room(who: str, kind: RoomKind) -> None:
    expected = {verb for verb, yes in ROOMS[kind][who].items() if yes}
    assert allowed(who, rights(who, kind)) == expected


@pytest.mark.parametrize("who", table(SERVER))
def test_on_the_server(who: str) -> None:
    me = identity(who)
    for verb, yes in table(SERVER)[who].items():
        assert may(me, verb) is yes, verb  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ROOMS)
@pytest.mark.parametrize("posting", get_args(Posting))
def test_a_hook_writes_in_its_room_whoever_else_may_and_does_nothing_else(
    posting: Posting, kind: RoomKind
) -> None:
    hook = Identity("h1", "builds", "hook", rooms=frozenset({1}))
    on_it = sanction(person="h1")
    for guests in (True, False):
        room = Rights(1, kind, posting=posting, guests=guests, members={"u9": "owner"})
        assert {verb for verb in VERBS if may(hook, verb, room)} == {"post"}
        for refusing in (structs.replace(room, bans=on_it), structs.replace(room, timeouts=on_it)):
            assert not any(may(hook, verb, refusing) for verb in VERBS)


@pytest.mark.parametrize("posting", ["members", "moderators"])
@pytest.mark.parametrize("who", PEOPLE)
def test_where_only_some_write(who: str, posting: Posting) -> None:
    room = rights(who, posting=posting)
    before = allowed(who, rights(who))
    writes = {"visit", "post"} if table(WRITES)[who][posting] else set()
    assert allowed(who, room) == before - {"visit", "post"} | writes


@pytest.mark.parametrize("kind", ROOMS)
@pytest.mark.parametrize("who", PEOPLE)
def test_where_guests_are_not_let_in_only_those_are_who_are_members(who: str, kind: RoomKind) -> None:
    before = allowed(who, rights(who, kind))
    expected = set() if who in ("guest", "visitor") else before
    assert allowed(who, rights(who, kind, guests=False)) == expected


@pytest.mark.parametrize("kind", ROOMS)
@pytest.mark.parametrize("who", PEOPLE)
def test_who_is_timed_out_reads_reports_and_may_leave_and_nothing_else(who: str, kind: RoomKind) -> None:
    before = allowed(who, rights(who, kind))
    touched = identity(who).id and not (who in SPARED and kind != "direct")
    assert allowed(who, rights(who, kind, timeouts=ON_ADA)) == (
        before & {"read", "report", "leave"} if touched else before
    )
    assert allowed(who, rights(who, kind, timeouts=ON_OTHERS)) == before


@pytest.mark.parametrize("kind", ROOMS)
@pytest.mark.parametrize("who", PEOPLE)
def test_who_is_banned_from_a_room_may_nothing_in_it(who: str, kind: RoomKind) -> None:
    before = allowed(who, rights(who, kind))
    touched = identity(who).id and not (who in SPARED and kind != "direct")
    assert allowed(who, rights(who, kind, bans=ON_ADA)) == (set() if touched else before)
    assert allowed(who, rights(who, kind, bans=ON_OTHERS)) == before


@pytest.mark.parametrize("target", ["device", "network"])
@pytest.mark.parametrize("who", PEOPLE)
def test_a_ban_of_a_browser_or_an_address_keeps_out_those_without_an_account(who: str, target: str) -> None:
    bans = sanction(**{target: {"device": "a browser", "network": "192.0.2.0/24"}[target]})
    before = allowed(who, rights(who))
    without = PEOPLE[who][0] in ("anonymous", "visitor", "guest")
    assert allowed(who, rights(who, bans=bans)) == (set() if without else before)


@pytest.mark.parametrize(
    ("until", "holds"),
    [(0, True), (time.time_ns() // 1000 + HOUR, True), (time.time_ns() // 1000 - 1, False), (1, False)],
    ids=["for good", "an hour on", "just over", "long over"],
)
def test_a_sanction_holds_until_its_time_or_for_good(until: int, holds: bool) -> None:
    for row in ((ADA, None, None), (None, "a browser", None), (None, None, "192.0.2.0/24")):
        assert Sanctions([(*row, until)]).meet(identity("guest")) is holds
        later = Sanctions([(*row, until), (*row, 1)])  # an older one does not end it
        assert later.meet(identity("guest")) is holds
        assert Sanctions([(*row, until), (*row, 0)]).meet(identity("guest")), "of two the longer one"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.0/120"),
        ("2001:db8::7", "2001:db8::/48"),
    ],
)
def test_an_address_is_in_a_banned_network_however_it_is_written(address: str, network: str) -> None:
    me = Identity("g1", "guest", "guest", address)
    assert sanction(network=network).meet(me)


@pytest.mark.parametrize("address", ["", "local", "unix:", "::ffff:192.0.3.7", "2001:db8::7", "192.0.2.700"])
def test_who_comes_from_no_address_of_that_kind_is_in_no_banned_network(address: str) -> None:
    me = structs.replace(identity("guest"), address=address)
    assert not sanction(network="192.0.2.0/24").meet(me)


def test_a_token_of_one_scope() -> None:
    for scope, cells in table(TOKENS).items():
        me = identity("administrator", scopes=frozenset({scope}))
        for verb, yes in cells.items():
            room = rights("administrator") if verb in ROOMS["public"]["guest"] else None
            assert may(me, verb, room) is yes, (scope, verb)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["public", "private"])
@pytest.mark.parametrize("actor", PEOPLE)
@pytest.mark.parametrize("target", [None, "member", "moderator", "owner"])
def test_nobody_acts_on_who_has_their_own_rank_or_a_higher_one(
    target: RoomRole | None, actor: str, kind: RoomKind
) -> None:
    ranks = [None, "member", "moderator", "owner"]
    own = PEOPLE[actor][1]
    members: dict[str, RoomRole] = {ADA: own} if own else {}
    if target:
        members["u2"] = target
    me = structs.replace(identity(actor), id=ADA)
    rules = PEOPLE[actor][0] == "administrator" and (kind == "public" or own is not None)
    expected = rules or ranks.index(own) > ranks.index(target)
    assert outranks(me, "u2", Rights(1, kind, members=members)) is expected
    assert outranks(SYSTEM, "u2", Rights(1, kind, members=members))


# -- what is true of everything ------------------------------------------------------------------------------


def test_only_who_is_in_a_private_or_direct_room_sees_it_or_may_anything_in_it() -> None:
    for who, room in everything():
        if room.kind != "public" and PEOPLE[who][1] is None:
            assert allowed(who, room) == set(), (who, room)
            assert not visible(identity(who), room)
        else:
            assert visible(identity(who), room)


def test_whatever_a_room_says_it_only_takes_away() -> None:
    for who, room in everything():
        assert allowed(who, room) <= {verb for verb, yes in ROOMS[room.kind][who].items() if yes}, (who, room)


def test_who_is_timed_out_never_does_more_than_read_report_and_leave() -> None:
    for who, room in everything():
        spared = who in SPARED and room.kind != "direct"
        if room.timeouts is ON_ADA and identity(who).id and not spared:
            assert allowed(who, room) <= {"read", "report", "leave"}, (who, room)


def test_who_may_anything_in_a_room_may_read_it() -> None:
    for who, room in everything():
        verbs = allowed(who, room)
        assert not verbs or "read" in verbs, (who, room)


def test_scopes_only_take_away_and_no_scope_is_nothing() -> None:
    scopes: tuple[Scope, ...] = get_args(Scope)
    several = [frozenset(some) for size in range(4) for some in itertools.combinations(scopes, size)]
    for who, room in everything():
        if room.posting != "everyone" or room.timeouts is ON_ADA:
            continue
        whole = allowed(who, room)
        single = {scope: allowed(who, room, scopes=frozenset({scope})) for scope in scopes}
        for some in several:
            expected = {verb for verb in whole if any(verb in single[scope] for scope in some)}
            assert allowed(who, room, scopes=some) == expected, (who, some, room)


def outcome(function: Callable[..., Any], *arguments: Any) -> tuple[type[ChatError], str] | None:
    try:
        function(*arguments)
    except ChatError as refusal:
        return type(refusal), str(refusal)
    return None


def test_check_refuses_exactly_what_may_denies_and_says_a_name_would_help_where_it_would() -> None:
    for who, room in everything():
        for scopes in (None, frozenset[Scope]({"read"})):
            me = identity(who, scopes=scopes)
            for verb in VERBS:
                for where in (room, None):
                    refused = outcome(check, me, verb, where)
                    assert (refused is None) is may(me, verb, where)
                    if refused:
                        assert refused[1], "a refusal says why"
                    if who.startswith("banned"):
                        assert refused == (Forbidden, "You are banned here")
                    elif refused and not me.known:
                        assert refused[0] in (SignIn, NoSuchRoom)
                    elif refused and where is not None and not visible(me, where):
                        assert refused[0] is NoSuchRoom
                    elif refused:
                        assert refused[0] is Forbidden


class OneRoom:
    """A hub of one room, number 1, with `rights`, or of none; and that room."""

    holders = 0

    def __init__(self, rights: Rights | None) -> None:
        self.rights = rights

    def room(self, room_id: int) -> Any:
        if self.rights is None or room_id != 1:
            raise NoSuchRoom()
        return self

    def sync(self, room: Any) -> None:
        pass


def test_a_room_that_is_not_theirs_to_see_is_refused_exactly_like_one_that_never_was() -> None:
    for who, room in everything():
        for scopes, rooms in ((None, None), (frozenset[Scope]({"read"}), None), (None, frozenset({2}))):
            me = identity(who, scopes=scopes, rooms=rooms)
            if visible(me, room) and rooms is None:
                continue
            for verb in VERBS:
                entered = outcome(access.enter, OneRoom(room), me, 1, verb)
                assert entered is not None
                assert entered == outcome(access.enter, OneRoom(None), me, 1, verb), (who, verb, room)


def test_a_token_for_some_rooms_opens_those_and_no_other() -> None:
    for who, room in everything():
        for verb in IN_ROOMS:
            own = outcome(access.enter, OneRoom(room), identity(who), 1, verb)
            assert (
                outcome(access.enter, OneRoom(room), identity(who, rooms=frozenset({1, 5})), 1, verb) == own
            )
            assert (
                outcome(access.enter, OneRoom(room), identity(who, rooms=frozenset({5})), 1, verb) is not None
            )


def test_the_system_may_everything_everywhere() -> None:
    for _, room in everything():
        for verb in VERBS:
            check(SYSTEM, verb, room)
            check(SYSTEM, verb)
