"""Who is asking, and the tables of who may do what. Every door asks `check`, and so does the journal.

Two tables, and both must allow: ROLES is what somebody may do on this server, STANDINGS what they may do in
one room. What a room, a sanction or a token takes away from that is in `_withheld`.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, Literal

from msgspec import Struct

from chatapp.errors import ChatError, Forbidden, NoSuchRoom, SignIn, Term

Role = Literal["banned", "anonymous", "visitor", "guest", "hook", "member", "administrator"]
RoomKind = Literal["public", "private", "direct"]
RoomRole = Literal["member", "moderator", "owner"]
Posting = Literal["everyone", "members", "moderators"]
Scope = Literal["read", "write", "manage"]
Standing = Literal[
    "hidden",
    "outside",
    "visitor",
    "guest",
    "hook",
    "person",
    "party",
    "member",
    "moderator",
    "owner",
    "administrator",
]
Verb = Literal[
    "read",
    "visit",
    "post",
    "report",
    "join",
    "leave",
    "invite",
    "change_any",
    "moderate",
    "manage",
    "make_room",
    "make_private_room",
    "write_to_people",
    "change_self",
    "administer",
]


class Identity(Struct, frozen=True):
    """`id`: unique for ever; a guest's starts with g, a hook's with h. `address`: where the request came
    from, for limits.

    `device`: of the browser of a guest; `session`: under which a person is signed in; `token`: the hash of
    the token that they sent instead. `people`: how often who anybody is had changed on this server when this
    was true (people.py). `scopes` and `rooms` (None: all) are what a token allows of all that its owner may,
    until `expires_at` (microseconds since 1970; 0: for good). A hook has its one room in `rooms`.
    `language`: in which a person reads who has chosen one. `bot`: a program under a name of its own, with an
    account in which nobody signs in, or a hook.
    """

    id: str
    name: str
    role: Role
    address: str = ""
    device: str = ""
    session: str = ""
    scopes: frozenset[Scope] | None = None
    rooms: frozenset[int] | None = None
    people: int = 0
    token: str = ""
    expires_at: int = 0
    language: str = ""
    bot: bool = False

    @property
    def guest(self) -> bool:
        return self.role in ("guest", "visitor")

    @property
    def known(self) -> bool:
        """Whether this is somebody: has a name, shows in presence, may have read positions."""
        return bool(self.id) and self.role not in ("anonymous", "visitor")

    @property
    def expired(self) -> bool:
        """Whether the time of its token is over."""
        return bool(self.expires_at) and not _in_force(self.expires_at)


class Sanctions:
    """Who may not, and until when (microseconds since 1970; 0: for good): people, guests' devices and
    addresses.
    """

    def __init__(self, rows: Iterable[tuple[str | None, str | None, str | None, int]] = ()) -> None:
        """`rows`: (person, device, network, until), each with one of the first three."""
        self._people: dict[str, int] = {}
        self._devices: dict[str, int] = {}
        self._networks: list[tuple[IPv4Network | IPv6Network, int]] = []
        for person, device, network, until in rows:
            if person is not None:
                self._people[person] = _later(self._people.get(person), until)
            elif device is not None:
                self._devices[device] = _later(self._devices.get(device), until)
            elif network is not None:
                self._networks.append((ip_network(network), until))

    def meet(self, identity: Identity) -> bool:
        """Whether one of them is in force for `identity`; devices and addresses count for guests only."""
        if not (self._people or self._devices or self._networks):
            return False  # as in nearly every room, with every message
        return any(map(_in_force, self._of(identity)))

    def until(self, identity: Identity) -> int | None:
        """The end of what is in force for `identity` (0: for good), or None where nothing is."""
        found = list(filter(_in_force, self._of(identity)))
        return None if not found else 0 if 0 in found else max(found)

    def _of(self, identity: Identity) -> Iterator[int]:
        if (until := self._people.get(identity.id)) is not None:
            yield until
        if identity.role not in ("guest", "visitor", "anonymous"):
            return
        if (until := self._devices.get(identity.device)) is not None:
            yield until
        yield from (until for network, until in self._networks if _within(identity.address, network))


NOBODY: Final = Sanctions()


class Rights(Struct, frozen=True):
    """What a room's row, its members and its sanctions say. `number` counts their changes."""

    number: int = 0
    kind: RoomKind = "public"
    posting: Posting = "everyone"
    guests: bool = True
    members: Mapping[str, RoomRole] = {}
    bans: Sanctions = NOBODY
    timeouts: Sanctions = NOBODY


# A visitor is a caller without identity where guests are welcome; an anonymous one where they are not.
_PERSON: Final = frozenset[Verb](
    {"read", "visit", "post", "report", "join", "leave", "invite", "change_any", "moderate", "manage"}
)
_ON_THE_SERVER: Final = frozenset[Verb]({"make_room", "make_private_room", "write_to_people", "change_self"})
ROLES: Final[dict[Role, frozenset[Verb]]] = {
    "banned": frozenset(),
    "anonymous": frozenset(),
    "visitor": frozenset({"read", "visit"}),
    "guest": frozenset({"read", "visit", "post", "report", "join", "leave", "make_room", "change_self"}),
    "hook": frozenset({"post"}),
    "member": _PERSON | _ON_THE_SERVER,
    "administrator": _PERSON | _ON_THE_SERVER | {"administer"},
}
STANDINGS: Final[dict[Standing, frozenset[Verb]]] = {
    "hidden": frozenset(),  # for them the room is not there
    "outside": frozenset(),  # they see that it is there: a guest where there are to be none
    "visitor": frozenset({"read", "visit"}),
    "guest": frozenset({"read", "visit", "post", "report"}),
    "hook": frozenset({"post"}),  # in the room that it is of, whoever else may write there
    "person": frozenset({"read", "visit", "post", "report", "join"}),
    "party": frozenset({"read", "visit", "post", "report", "leave"}),  # of a direct conversation
    "member": frozenset({"read", "visit", "post", "report", "leave"}),
    "moderator": frozenset({"read", "visit", "post", "report", "leave", "invite", "change_any", "moderate"}),
    "owner": _PERSON - {"join"},
    "administrator": _PERSON,
}
SCOPES: Final[dict[Scope, frozenset[Verb]]] = {
    "read": frozenset({"read"}),
    "write": frozenset({"read", "visit", "post", "report", "join", "leave", "write_to_people"}),
    "manage": frozenset(
        {
            "read",
            "invite",
            "change_any",
            "moderate",
            "manage",
            "make_room",
            "make_private_room",
            "change_self",
            "administer",
        }
    ),
}
# What it takes to make a room, a public one and a private one, by who makes them on this server.
MAKING: Final[dict[str, tuple[Verb, Verb]]] = {
    "everybody": ("make_room", "make_private_room"),
    "members": ("make_private_room", "make_private_room"),
    "administrators": ("administer", "administer"),
}

RANKS: Final[dict[RoomRole, int]] = {"member": 1, "moderator": 2, "owner": 3}

SYSTEM: Final = Identity("system", "system", "administrator")
EVERYBODYS: Final = Rights()


def may(identity: Identity, verb: Verb, rights: Rights | None = None) -> bool:
    """Whether `identity` may do `verb`: in the room with `rights`, or (None) in some room or on this server.

    `visit` is to post through the tutorial's doors without a name.
    """
    if identity.id == SYSTEM.id:
        return True
    if verb not in ROLES[identity.role] or not _scoped(identity, verb):
        return False
    return rights is None or (
        verb in STANDINGS[standing(identity, rights)] and not _withheld(identity, verb, rights)
    )


def check(identity: Identity, verb: Verb, rights: Rights | None = None) -> None:
    """Raises what `may` refuses: NoSuchRoom for a room that is not theirs to know of, SignIn where a name
    would help, Forbidden where it would not, which says why.
    """
    if may(identity, verb, rights):
        return
    if identity.role == "banned":
        raise Forbidden("You are banned here")
    if rights is not None and standing(identity, rights) == "hidden" and ROLES[identity.role]:
        raise NoSuchRoom()
    if not identity.known:
        raise SignIn()
    raise Forbidden(_reason(identity, verb, rights))


def withdrawn(identity: Identity, rights: Rights, removed: bool = False) -> Forbidden:
    """Why who has read the room with `rights` may not go on: what every transport says at its end.

    `removed`: whether somebody sent them out, after which they may be let in again.
    """
    try:
        check(identity, "read", rights)
    except NoSuchRoom:  # who has read it knows that it is there
        return Forbidden(_SENT_OUT if removed else _MEMBERS_READ)
    except ChatError as refusal:
        return Forbidden(refusal.sentence, None, **refusal.values)
    return Forbidden(_SENT_OUT)


def standing(identity: Identity, rights: Rights) -> Standing:
    """What `identity` is in the room with `rights`."""
    if identity.role == "hook":
        return "hook"
    own = rights.members.get(identity.id) if identity.id else None
    if rights.kind == "direct":
        return "party" if own else "hidden"
    if own is None and rights.kind == "private":
        return "hidden"
    if identity.role == "administrator":
        return "administrator"
    if own is not None:
        return own
    if identity.guest and not rights.guests:
        return "outside"
    match identity.role:
        case "visitor":
            return "visitor"
        case "guest":
            return "guest"
        case "member":
            return "person"
        case _:
            return "outside"


def outranks(identity: Identity, person: str, rights: Rights) -> bool:
    """Whether `identity` may act on `person`: on nobody of the same rank or a higher one."""
    if identity.id == SYSTEM.id or standing(identity, rights) == "administrator":
        return True
    own, other = rights.members.get(identity.id), rights.members.get(person)
    return RANKS.get(own, 0) > RANKS.get(other, 0)  # type: ignore[arg-type]  # None has no rank


def may_restore(who: str, author: str, deleted_by: str, any_author: bool) -> bool:
    """Whether `who` may bring a deleted text back: what its author deleted, they alone; what a moderator did,
    whoever moderates (`any_author`) but its author; what was deleted from the shell, that alone. All are ids.
    """
    if deleted_by in (author, SYSTEM.id):
        return who == deleted_by
    return any_author and who != author


def may_take_over(who: str, author: str, deleted_by: str, any_author: bool) -> bool:
    """Whether `who` may delete a text once more that could come back, after which `may_restore` goes by them:
    what its author deleted, whoever moderates; whatever others deleted, the shell. As in `may_restore`.
    """
    if who == SYSTEM.id:
        return deleted_by != SYSTEM.id
    return any_author and who != author and deleted_by == author


def visible(identity: Identity, rights: Rights) -> bool:
    """Whether `identity` may know that the room with `rights` is there."""
    return identity.id == SYSTEM.id or standing(identity, rights) != "hidden"


def _scoped(identity: Identity, verb: Verb) -> bool:
    if identity.rooms is not None and verb in (*_ON_THE_SERVER, "administer"):
        return False  # a token for some rooms is none for the server
    return identity.scopes is None or any(verb in SCOPES[scope] for scope in identity.scopes)


def _withheld(identity: Identity, verb: Verb, rights: Rights) -> bool:
    own = STANDINGS[standing(identity, rights)]
    if "manage" not in own and rights.bans.meet(identity):
        return True
    if verb in ("read", "report", "leave"):
        return False
    if "manage" not in own and rights.timeouts.meet(identity):
        return True
    return verb in ("visit", "post") and not _may_say(identity, rights)


def _may_say(identity: Identity, rights: Rights) -> bool:
    if identity.role == "hook":
        return True
    match rights.posting:
        case "everyone":
            return True
        case "members":
            return identity.id in rights.members or identity.role == "administrator"
        case "moderators":
            return "moderate" in STANDINGS[standing(identity, rights)]


BANNED_HERE: Final = Term("You are banned from this room")
_SENT_OUT: Final = Term("You were removed from this room")
_MEMBERS_READ: Final = Term("This room is for its members only")
_MEMBERS_ALONE: Final = Term("Only members write in this room")
_MODERATORS_ALONE: Final = Term("Only moderators write in this room")


def _reason(identity: Identity, verb: Verb, rights: Rights | None) -> str:
    if not _scoped(identity, verb):
        return Term("This token may not do that")
    if rights is None or verb not in ROLES[identity.role]:
        return ""
    if standing(identity, rights) == "outside":
        return Term("Guests are not welcome in this room")
    if rights.bans.meet(identity):
        return BANNED_HERE
    if verb in ("post", "visit"):
        if rights.timeouts.meet(identity):
            return Term("You may only read in this room for now")
        return _MEMBERS_ALONE if rights.posting == "members" else _MODERATORS_ALONE
    return ""


def _later(one: int | None, other: int) -> int:
    return other if one is None else 0 if 0 in (one, other) else max(one, other)


def _in_force(until: int) -> bool:
    return until == 0 or until > time.time_ns() // 1000


@lru_cache(1024)
def _within(address: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        given = ip_address(address)
    except ValueError:  # no address: a Unix socket, the command line
        return False
    # A socket for both kinds of address names one of IPv4 as one of IPv6.
    mapped = getattr(given, "ipv4_mapped", None)
    return given in network or (mapped is not None and mapped in network)
