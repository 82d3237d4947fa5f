"""Keeping the peace in a room: sending somebody out, time-outs, bans, and taking them back."""

import time

from chatapp import text
from chatapp.deeds import deed, keep, perform, permitted
from chatapp.errors import BadRequest, Forbidden
from chatapp.hub import Hub
from chatapp.journal import reading
from chatapp.journal.requests import Act, AuditLine, Impose, Lift, Post, Sanction, SetMember
from chatapp.membership import known
from chatapp.message import DAY_SECONDS, Message
from chatapp.permissions import Identity, Verb, outranks
from chatapp.room import Room

LONGEST = 366 * DAY_SECONDS  # seconds; longer is for good


def kick(hub: Hub, identity: Identity, room_id: int, name: str, why: str = "") -> list[str]:
    """Send everybody called `name` out of the room (they may come back); their ids. Raises BadRequest."""
    room, why = permitted(hub, identity, room_id, "moderate"), text.reason(why)
    people = called(hub, room, name)
    for person in people:
        _check_other(identity, person)
        _check_rank(identity, person, name, room)
    hub.limiter.message(identity)  # once for all of them: nobody stays because the others were too many
    for person in people:
        hub.journal.ask(_sending_out(identity, room, person, name, why))
    return people


def send_out(hub: Hub, identity: Identity, room_id: int, person: str, why: str = "") -> Message:
    """Send one person out of the room, by their id; they may come back."""
    room = permitted(hub, identity, room_id, "moderate")
    name = _target(hub, identity, room, "moderate", person)
    return perform(hub, _sending_out(identity, room, person, name, why))


def time_out(hub: Hub, identity: Identity, room_id: int, person: str, seconds: int, why: str = "") -> Message:
    """Let somebody only read, for `seconds` (0: until it is lifted)."""
    room = permitted(hub, identity, room_id, "moderate")
    return perform(hub, timing_out(hub, identity, room, "moderate", person, seconds, why))


def timing_out(
    hub: Hub, identity: Identity, room: Room, verb: Verb, person: str, seconds: int, why: str
) -> Post:
    """The deed of a time-out, by the right `verb`."""
    name, why = _target(hub, identity, room, verb, person), text.reason(why)
    effect = Impose("timeout", name, person=person, until=_until(seconds), reason=why)
    said = f"timed {name} out" + (f" for {text.told(seconds)}" if seconds else "")
    detail, act = {"timeout": person, "seconds": seconds}, Act(said, person, why)
    return deed(identity, room, verb, said, detail, effect, act=act, over=person)


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
    room = permitted(hub, identity, room_id, "moderate")
    notice = perform(hub, banning(hub, identity, room, "moderate", person, seconds, why, network))
    hub.rooms_changed(person)
    return notice


def banning(
    hub: Hub,
    identity: Identity,
    room: Room,
    verb: Verb,
    person: str,
    seconds: int,
    why: str,
    network: str = "",
) -> Post:
    """The deed of a ban, by the right `verb`."""
    name = _target(hub, identity, room, verb, person)
    if room.rights.kind == "direct":
        raise BadRequest("Nobody is banned from a conversation: an administrator bans from the server")
    until, because = _until(seconds), text.reason(why)
    # What may be refused comes first: of a refusal nothing is kept.
    effects: list[Impose | SetMember] = []
    if person in room.rights.members:
        effects.append(SetMember(person, name, None))
    effects.append(Impose("ban", name, person=person, until=until, reason=because))
    if device := hub.journal.read(reading.device_of, person):
        effects.append(Impose("ban", name, device=device, until=until, reason=because))
    if network:
        effects.append(Impose("ban", name, network=text.network(network), until=until, reason=because))
    said = f"banned {name}" + (f" for {text.told(seconds)}" if seconds else "")
    detail = {"removed": person, "banned": person, "seconds": seconds}
    act = Act(said, person, because)
    return deed(identity, room, verb, said, detail, *effects, act=act, over=person)


def lift(hub: Hub, identity: Identity, room_id: int, sanction: int) -> Message:
    """Take a time-out or a ban back, by any of its numbers, with all that it was of: a guest, their browser,
    a network.

    For who may impose it by their rank: Forbidden. Raises BadRequest where it is not in force.
    """
    room = permitted(hub, identity, room_id, "moderate")
    found = hub.journal.read(reading.sanction, room.id, sanction)
    if found is None:
        raise BadRequest("That is not in force (any more)")
    if found.person:
        _check_rank(identity, found.person, found.name, room)
    said = f"let {found.name} {'in' if found.kind == 'ban' else 'write'} again"
    act = Act(said, found.person or found.device or found.network or "")
    detail, effect, over = {"lifted": sanction}, Lift(sanction), found.person
    notice = keep(hub, identity, room, "moderate", said, detail, effect, act=act, over=over)
    if found.person:
        hub.rooms_changed(found.person)
    return notice


def sanctions(hub: Hub, identity: Identity, room_id: int) -> list[Sanction]:
    """What nobody has lifted, the newest first."""
    room = permitted(hub, identity, room_id, "moderate")
    return hub.journal.read(reading.sanctions_of, room.id)


def audit(hub: Hub, identity: Identity, room_id: int, limit: int = 100) -> list[AuditLine]:
    """Who did what in a room, the newest first; nothing of reports about `identity`."""
    room = permitted(hub, identity, room_id, "moderate")
    return hub.journal.read(reading.audit, identity.id, limit, room=room.id)


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
        raise BadRequest("Nobody called “%(name)s” is in this room or wrote in it lately", name=name)
    return sorted(people)


def _sending_out(identity: Identity, room: Room, person: str, name: str, why: str = "") -> Post:
    said = f"removed {name}"
    act = Act(said, person, text.reason(why))
    return deed(identity, room, "moderate", said, {"removed": person}, act=act, over=person)


def _target(hub: Hub, identity: Identity, room: Room, verb: Verb, person: str) -> str:
    """The name of who may be acted on."""
    name = known(hub, room, person).name
    _check_other(identity, person)
    if verb != "administer":  # it is above every part in a room
        _check_rank(identity, person, name, room)
    return name


def _check_other(identity: Identity, person: str) -> None:
    if person == identity.id:
        raise BadRequest("That would be yourself")


def _check_rank(identity: Identity, person: str, name: str, room: Room) -> None:
    if not outranks(identity, person, room.rights):
        raise Forbidden("%(name)s has the same rights as you here, or more", name=name)


def _until(seconds: int) -> int:
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= LONGEST:
        raise BadRequest("seconds are a whole number from 0 (no end) to %(most)s", most=LONGEST)
    return time.time_ns() // 1000 + seconds * 1_000_000 if seconds else 0
