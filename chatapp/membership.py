"""Who is a member of a room: joining, leaving, being taken in, given another part, and removed."""

from collections.abc import Sequence

from msgspec import UNSET, structs
from sqlalchemy import Connection

from chatapp import text
from chatapp.deeds import keep, perform, permitted
from chatapp.errors import BadRequest, Forbidden, SignIn
from chatapp.hub import Hub
from chatapp.journal import people_reading, reading
from chatapp.journal.requests import Act, Level, MakeRoom, Member, Mute, Notify, SetMember, giving_part
from chatapp.message import Author, Message
from chatapp.names import key
from chatapp.permissions import RANKS, Identity, RoomRole, Verb, check, outranks
from chatapp.room import Room

PARTY_LIMIT = 8  # people in a direct conversation


def members(hub: Hub, identity: Identity, room_id: int) -> list[Member]:
    """Who is a member, owners first."""
    room = permitted(hub, identity, room_id, "read")
    return members_of(hub, room)


def members_of(hub: Hub, room: Room) -> list[Member]:
    """The same, of a room that the asker may read."""
    found, bots = hub.journal.read(_members_and_bots, room.id)
    statuses = hub.people.statuses
    return [
        structs.replace(one, status=statuses.get(one.id, ""), bot=one.id in bots or UNSET) for one in found
    ]


def _members_and_bots(connection: Connection, room: int) -> tuple[list[Member], set[str]]:
    return reading.members(connection, room), people_reading.bots_in(connection, room)


def join(hub: Hub, identity: Identity, room_id: int) -> Message | None:
    """Become a member of a public room; None where one is already."""
    room = permitted(hub, identity, room_id, "read")
    if identity.id in room.rights.members:
        return None
    room = permitted(hub, identity, room_id, "join")
    effect = SetMember(identity.id, identity.name, "member", new=True)
    detail = {"member": {"id": identity.id, "name": identity.name, "role": "member"}}
    act = Act("became a member", identity.id)
    notice = keep(hub, identity, room, "join", act.what, detail, effect, act=act)
    hub.rooms_changed(identity.id)
    return notice


def leave(hub: Hub, identity: Identity, room_id: int) -> Message | None:
    """Be a member no longer; None where one is none. A private room is out of sight from then on."""
    room = permitted(hub, identity, room_id, "read")
    if identity.id not in room.rights.members:
        return None
    room = permitted(hub, identity, room_id, "leave")
    if room.rights.kind == "direct":
        raise BadRequest("A conversation is not left: mute it")
    effect = SetMember(identity.id, identity.name, None)
    detail = {"member": {"id": identity.id, "name": identity.name, "role": None}}
    act = Act("left", identity.id)
    notice = keep(hub, identity, room, "leave", act.what, detail, effect, act=act)
    hub.rooms_changed(identity.id)
    return notice


def take_in(
    hub: Hub, identity: Identity, room_id: int, whom: str, part: RoomRole | None = None
) -> Message | None:
    """Make `whom`, an id or a name, a member, or give them another part; None where they have it already.

    To take somebody in as a member is `invite`; any other part is given by owners. Without a `part` who is in
    keeps the one that they have.
    """
    role = "member" if part is None else part
    if role not in tuple(RANKS):  # it may be anything that JSON has
        raise BadRequest(
            "There is no part “%(role)s” in a room: %(ranks)s", role=role, ranks=", ".join(RANKS)
        )
    room = permitted(hub, identity, room_id, "read")
    now = room.rights.members.get(whom)
    if now is not None and part in (None, now):
        return None
    verb: Verb = "invite" if now is None and role == "member" else "manage"
    room = permitted(hub, identity, room_id, verb)
    if room.rights.kind == "direct":
        raise BadRequest("A conversation with more people is another one: begin it")
    person = named(hub, room, whom)
    if person.id != whom:  # a name: what its bearer is here decides
        return take_in(hub, identity, room_id, person.id, part)
    if person.guest and role != "member":
        raise BadRequest("Guests have no part in running a room")
    notice = perform(
        hub,
        giving_part(
            room.id,
            person,
            role,
            new=verb == "invite",
            identity=identity,
            verb=verb,
            rights=room.rights.number,
        ),
    )
    hub.rooms_changed(person.id)
    return notice


def remove(hub: Hub, identity: Identity, room_id: int, person: str, why: str = "") -> Message:
    """End somebody's membership; of a private room they get nothing that is kept from then on."""
    why = text.reason(why)
    room = permitted(hub, identity, room_id, "moderate")
    found = {member.id: member for member in hub.journal.read(reading.members, room.id)}.get(person)
    if found is None or room.rights.kind == "direct":
        raise BadRequest("There is no such member of this room")
    if not outranks(identity, person, room.rights):
        raise Forbidden("%(name)s has the same rights as you here, or more", name=found.name)
    said = f"removed {found.name}"
    effect, act = SetMember(person, found.name, None), Act(said, person, why)
    notice = keep(hub, identity, room, "moderate", said, {"removed": person}, effect, act=act, over=person)
    hub.rooms_changed(person)
    return notice


def named(hub: Hub, room: Room, whom: str) -> Author:
    """Who has that id or name, as `known` finds them, or that name in this room. Raises BadRequest.

    Guests who are elsewhere are not looked for: a moderator would learn from the answer who that is.
    """
    try:
        return known(hub, room, whom)
    except BadRequest:
        here = {who.id: who for who in hub.presence.people(room.id) if key(who.name) == key(whom)}
    if len(here) > 1:
        raise BadRequest(
            "There are %(count)s people called %(name)s here: give the id", count=len(here), name=whom
        )
    for guest in here.values():
        return guest
    if room.rights.kind == "public" and room.rights.guests:
        raise BadRequest(
            "Nobody has an account called %(name)s. A guest is taken in while they are in this room: "
            "ask them to open it",
            name=whom,
        )
    raise BadRequest(
        "Nobody has an account called %(name)s. A guest needs one to come in here: have them make it first",
        name=whom,
    )


def known(hub: Hub, room: Room, person: str) -> Author:
    """Who has that id or name: a person with an account, a guest, or who wrote in the room lately.

    Raises BadRequest where there is nobody.
    """
    found = hub.journal.read(people_reading.find, person)
    if found is not None:
        return found
    name = hub.journal.read(reading.name_of, room.id, person)
    if name is None:
        raise BadRequest("There is nobody with that id")
    return Author(person, name)


def begin_conversation(hub: Hub, identity: Identity, others: Sequence[str]) -> int:
    """The direct room of `identity` and `others`, ids: the one that there is, or a new one.

    Raises BadRequest, Forbidden, SignIn, TooFast.
    """
    check(identity, "write_to_people")
    hub.check_open()
    party = {identity.id: Author.of(identity)}
    for other in others[:PARTY_LIMIT]:
        party[other] = _with_account(hub, other)
    if not 2 <= len(party) <= PARTY_LIMIT or len(others) >= PARTY_LIMIT:
        raise BadRequest("A conversation is between 2 and %(limit)s people", limit=PARTY_LIMIT)
    hub.limiter.room(identity.address)
    request = MakeRoom(
        ", ".join(sorted(person.name for person in party.values())),
        kind="direct",
        guests=False,
        members=tuple((person.id, person.name, "member") for person in party.values()),
        party=" ".join(sorted(party)),
        identity=identity,
        verb="write_to_people",
    )
    room: int = hub.journal.ask(request)
    hub.rooms_changed(*party)
    return room


def _with_account(hub: Hub, person: str) -> Author:
    found = hub.journal.read(people_reading.person, person)
    if found is None or found.disabled:
        raise BadRequest("There is nobody with that id and an account")
    return Author(found.id, found.name)


def mute(hub: Hub, identity: Identity, room_id: int, muted: bool) -> None:
    """Whether `identity` wants to hear of a room that they are a member of."""
    if not identity.known:
        raise SignIn()
    check(identity, "change_self")
    room = permitted(hub, identity, room_id, "read")
    hub.journal.ask(Mute(room.id, identity.id, bool(muted), identity, room.rights.number))
    hub.rooms_changed(identity.id)


def notify(hub: Hub, identity: Identity, room_id: int, level: Level) -> None:
    """Of what the browsers of `identity`, a member of the room, tell them while they do something else."""
    if not identity.known:
        raise SignIn()
    check(identity, "change_self")
    room = permitted(hub, identity, room_id, "read")
    hub.journal.ask(Notify(room.id, identity.id, level, identity, room.rights.number))
    hub.rooms_changed(identity.id)
