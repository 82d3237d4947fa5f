"""A room as it concerns the one who looks at it: its rules in words, their part, and what they may do."""

from dataclasses import dataclass

from chatapp import localized
from chatapp.errors import ChatError, Term
from chatapp.hub import Hub
from chatapp.journal import reading
from chatapp.journal.requests import RoomState
from chatapp.localized import gettext
from chatapp.message import DAY_SECONDS, format_time
from chatapp.permissions import Identity, Rights, RoomRole, Verb, check, may
from chatapp.room import Room

CLOSED = Term("This room is closed. It can be read, and nobody can write in it.")
VERBS: tuple[Verb, ...] = ("post", "join", "leave", "invite", "change_any", "moderate", "manage")
READERS = {
    "public": Term("Everybody here"),
    "private": Term("Its members; for others it is not there"),
    "direct": Term("The people in it"),
}


@dataclass(frozen=True)
class About:
    """`name`: as they see it. `rules`: (what, how it is here). `silenced`: why they may not write, or "".
    `members_alone`: that only members write. `until`: when being silenced ends, as a time of messages;
    `why`: what who silenced them said, or "".
    `slow_seconds`: how long they wait between two messages.
    """

    room: int
    name: str
    kind: str
    topic: str
    role: RoomRole | None
    muted: bool
    may: frozenset[str]
    rules: list[tuple[str, str]]
    silenced: str
    members_alone: bool
    until: str | None
    why: str
    slow_seconds: int


def about(hub: Hub, identity: Identity, room: Room) -> About:
    """`room` as it is for `identity`, who may read it. Switches."""
    rights, state = room.rights, room.state
    role = rights.members.get(identity.id)
    silenced = _silenced(_writer(identity), rights, state)
    until = rights.timeouts.until(identity) if silenced else None
    verbs = frozenset(verb for verb in VERBS if may(identity, verb, rights))
    return About(
        room.id,
        _name(hub, identity, room),
        state.kind,
        state.topic,
        role,
        muted=role is not None and hub.journal.read(reading.muted, room.id, identity.id),
        may=verbs - {"leave", "invite"} if state.kind == "direct" else verbs,
        rules=_rules(state),
        silenced=silenced,
        members_alone=state.posting == "members" and not state.closed,
        until=format_time(until) if until else None,
        why="" if until is None else hub.journal.read(reading.reason, room.id, "timeout", identity),
        slow_seconds=0 if "change_any" in verbs else state.slow_seconds,
    )


def _name(hub: Hub, identity: Identity, room: Room) -> str:
    """A direct conversation is named after the others."""
    if room.state.kind != "direct":
        return room.name
    party = hub.journal.read(reading.members, room.id)
    return ", ".join(each.name for each in party if each.id != identity.id) or room.name


def _writer(identity: Identity) -> Identity:
    """Who would write: a visitor gets a name first."""
    return identity if identity.role != "visitor" else Identity("", "", "guest", identity.address)


def _silenced(writer: Identity, rights: Rights, state: RoomState) -> str:
    if state.closed:
        return gettext(CLOSED)
    try:
        check(writer, "post", rights)
    except ChatError as refusal:
        return f"{localized.refusal(refusal).rstrip('.')}."
    return ""


def _rules(state: RoomState) -> list[tuple[str, str]]:
    readers = gettext(READERS[state.kind])
    if state.kind == "public" and not state.guests:
        readers = gettext("Everybody with an account")
    writers = gettext("Nobody") if state.closed else _writers(state)
    rules = [(gettext("Who may read"), readers), (gettext("Who may write"), writers)]
    if state.slow_seconds:
        pace = gettext(
            "One message in %(time)s from each person", time=localized.duration(state.slow_seconds)
        )
        rules.append((gettext("Slow mode"), pace))
    return [*rules, (gettext("Messages are kept"), _kept(state))]


def _writers(state: RoomState) -> str:
    if state.posting == "everyone":
        return gettext("Everybody who reads") if state.kind == "public" else gettext("All of them")
    return gettext("Members") if state.posting == "members" else gettext("Moderators")


def _kept(state: RoomState) -> str:
    if not state.keep_days and not state.keep_messages:
        return gettext("For ever")
    days = localized.duration((state.keep_days or 0) * DAY_SECONDS)
    newest = localized.figure(state.keep_messages or 0)
    if state.keep_days and state.keep_messages:
        return gettext("for %(time)s, the newest %(count)s", time=days, count=newest)
    if state.keep_days:
        return gettext("for %(time)s", time=days)
    return gettext("the newest %(count)s", count=newest)
