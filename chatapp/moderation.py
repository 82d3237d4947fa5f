"""Keeping the peace in a room: sending somebody out, time-outs, bans, and taking them back."""

import time
from ipaddress import ip_network

from chatapp.deeds import keep, permitted
from chatapp.errors import BadRequest, Forbidden
from chatapp.hub import Hub
from chatapp.journal import reading
from chatapp.journal.requests import Act, AuditLine, Impose, Lift, Sanction, SetMember
from chatapp.membership import known
from chatapp.message import Message
from chatapp.permissions import Identity, outranks
from chatapp.room import Room

REASON_LIMIT = 250
LONGEST = 366 * 86_400  # seconds; longer is for good


def kick(hub: Hub, identity: Identity, room_id: int, name: str) -> list[str]:
    """Send everybody called `name` out of the room (they may come back); their ids. Raises BadRequest."""
    room = permitted(hub, identity, room_id, "moderate")
    people = called(hub, room, name)
    for person in people:
        _check_rank(identity, person, name, room)
    for person in people:
        said = f"removed {name}"
        act = Act(said, person)
        keep(hub, identity, room, "moderate", said, {"removed": person}, act=act, over=person)
    return people


def time_out(hub: Hub, identity: Identity, room_id: int, person: str, seconds: int, why: str = "") -> Message:
    """Let somebody only read, for `seconds` (0: until it is lifted)."""
    room, name = _target(hub, identity, room_id, person)
    effect = Impose("timeout", name, person=person, until=_until(seconds), reason=_reason(why))
    said = f"let {name} only read" + (f" for {told(seconds)}" if seconds else "")
    detail, act = {"timeout": person, "seconds": seconds}, Act(said, person, why)
    return keep(hub, identity, room, "moderate", said, detail, effect, act=act, over=person)


def ban(
    hub: Hub,
    identity: Identity,
    room_id: int,
    person: str,
    seconds: int = 0,
    why: str = "",
    network: str = "",
) -> Message:
    """Keep somebody out of the room, for `seconds` (0: until it is lifted); of a guest, their browser too.

    A guest may come back in another browser: `network` keeps out all guests who come from there.
    """
    room, name = _target(hub, identity, room_id, person)
    until, reason = _until(seconds), _reason(why)
    # What may be refused comes first: of a refusal nothing is kept.
    effects: list[Impose | SetMember] = []
    if person in room.rights.members:
        effects.append(SetMember(person, name, None))
    effects.append(Impose("ban", name, person=person, until=until, reason=reason))
    if device := hub.journal.read(reading.device_of, person):
        effects.append(Impose("ban", name, device=device, until=until, reason=reason))
    if network:
        effects.append(Impose("ban", name, network=_network(network), until=until, reason=reason))
    said = f"banned {name}" + (f" for {told(seconds)}" if seconds else "")
    detail = {"removed": person, "banned": person, "seconds": seconds}
    act = Act(said, person, why)
    notice = keep(hub, identity, room, "moderate", said, detail, *effects, act=act, over=person)
    hub.rooms_changed(person)
    return notice


def lift(hub: Hub, identity: Identity, room_id: int, sanction: int) -> Message:
    """Take a time-out or a ban back. Raises BadRequest where it is not in force."""
    room = permitted(hub, identity, room_id, "moderate")
    found = next((one for one in hub.journal.read(reading.sanctions_of, room.id) if one.id == sanction), None)
    if found is None:
        raise BadRequest("That is not in force (any more)")
    said = f"let {found.name} {'in' if found.kind == 'ban' else 'write'} again"
    act = Act(said, found.person or found.device or found.network or "")
    notice = keep(hub, identity, room, "moderate", said, {"lifted": sanction}, Lift(sanction), act=act)
    if found.person:
        hub.rooms_changed(found.person)
    return notice


def sanctions(hub: Hub, identity: Identity, room_id: int) -> list[Sanction]:
    """What nobody has lifted, the newest first."""
    room = permitted(hub, identity, room_id, "moderate")
    return hub.journal.read(reading.sanctions_of, room.id)


def audit(hub: Hub, identity: Identity, room_id: int, limit: int = 100) -> list[AuditLine]:
    """Who did what in a room, the newest first."""
    room = permitted(hub, identity, room_id, "moderate")
    return hub.journal.read(reading.audit, limit, room=room.id)


def called(hub: Hub, room: Room, name: str) -> list[str]:
    """Ids of those who are called `name` in a room. Raises BadRequest where there is nobody."""
    # Presence lags by half a second, and who follows a room without being in it has none. So where nobody of
    # that name shows, those are meant who wrote under it lately, or are members.
    here = {who.id for who in hub.presence.people(room.id) if who.name == name}
    people = here or {
        *hub.journal.read(reading.authors_called, room.id, name),
        *(member.id for member in hub.journal.read(reading.members, room.id) if member.name == name),
    }
    if not people:
        raise BadRequest(f"Nobody called {name!r} is in this room or wrote in it lately")
    return sorted(people)


def told(seconds: int) -> str:
    """A time as it is said: "10 minutes"."""
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} seconds"


def _target(hub: Hub, identity: Identity, room_id: int, person: str) -> tuple[Room, str]:
    room = permitted(hub, identity, room_id, "moderate")
    name = known(hub, room, person).name
    if person == identity.id:
        raise BadRequest("That would be yourself")
    _check_rank(identity, person, name, room)
    return room, name


def _check_rank(identity: Identity, person: str, name: str, room: Room) -> None:
    if not outranks(identity, person, room.rights):
        raise Forbidden(f"{name} is no less than you here")


def _until(seconds: int) -> int:
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= LONGEST:
        raise BadRequest(f"seconds are a whole number from 0 (no end) to {LONGEST}")
    return time.time_ns() // 1000 + seconds * 1_000_000 if seconds else 0


def _reason(why: str) -> str:
    if not isinstance(why, str) or len(why) > REASON_LIMIT:
        raise BadRequest(f"A reason has at most {REASON_LIMIT} characters")
    return why.strip()


def _network(network: str) -> str:
    try:
        return str(ip_network(network, strict=False))
    except ValueError:
        raise BadRequest("A network is written 192.0.2.0/24 or 2001:db8::/48") from None
