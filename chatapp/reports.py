"""Reports: people bring a message before those who moderate the room, or run the server, and these settle it.

What a message said is shown as it was when it was reported, whatever its author has made of it since. Who is
reported never sees it, also where they moderate the room. An administrator sees the reports of rooms that
they are not in: who reports hands the message over.
"""

from typing import get_args

from chatapp import access, deeds, moderation, text
from chatapp.errors import BadRequest
from chatapp.hub import Hub
from chatapp.journal import report_statements as statements
from chatapp.journal.requests import Outcome, Post, Report, ReportLine, Settle
from chatapp.message import Author
from chatapp.permissions import Identity, Verb, check
from chatapp.posting import VISITOR
from chatapp.room import Room

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


def report(hub: Hub, identity: Identity, room_id: int, seq: int, why: str = "") -> None:
    """Bring a text before the moderators. Doing it twice is doing it once."""
    room = deeds.permitted(hub, identity, room_id, "report")
    why = text.reason(why)
    hub.limiter.report(identity)
    hub.journal.ask(Report(room.id, seq, Author.of(identity), why, identity, room.rights.number))


def of_room(hub: Hub, identity: Identity, room_id: int) -> list[ReportLine]:
    """Those that wait in a room, the oldest first. For who moderates it, and for administrators."""
    room, _ = access.oversee(hub, identity, room_id)
    return hub.journal.read(statements.waiting, identity.id, room.id)


def everywhere(hub: Hub, identity: Identity) -> list[ReportLine]:
    """Those that wait in all rooms, the oldest first. For administrators."""
    check(identity, "administer")
    found = hub.journal.read(statements.waiting, identity.id)
    return [each for each in found if identity.rooms is None or each.room in identity.rooms]


def settle(
    hub: Hub,
    identity: Identity,
    room_id: int,
    number: int,
    outcome: Outcome,
    seconds: int = 0,
    why: str = "",
) -> None:
    """Settle a report, and all others of the same message: do what its `outcome` says, and note it.

    `seconds`: of a time-out or a ban, 0 until it is lifted. Raises BadRequest where somebody has settled it,
    and TooFast.
    """
    if outcome not in OUTCOMES:
        raise BadRequest(
            "There is no outcome “%(outcome)s”: %(outcomes)s",
            outcome=str(outcome)[:20],
            outcomes=", ".join(OUTCOMES),
        )
    why = text.reason(why)
    room, verb = access.oversee(hub, identity, room_id)
    found = hub.journal.read(statements.one, room.id, number, identity.id)
    deed = _deed(hub, identity, room, verb, found, outcome, seconds, why)
    if deed is not None:
        hub.limiter.message(identity)
    hub.journal.ask(Settle(room.id, number, outcome, identity, verb, room.rights.number, why, deed))
    if outcome == "banned":
        hub.rooms_changed(found.author.id)


def _deed(
    hub: Hub,
    identity: Identity,
    room: Room,
    verb: Verb,
    found: ReportLine,
    outcome: Outcome,
    seconds: int,
    why: str,
) -> Post | None:
    if outcome == "dismissed":
        return None
    if outcome == "deleted":
        return Post(
            room.id,
            Author.of(identity),
            kind="delete",
            of=found.seq,
            identity=identity,
            verb=verb,
            rights=room.rights.number,
            any_author=True,
            forced=True,
            undo_seconds=hub.config.undo_seconds,
        )
    if found.author.id == VISITOR.id:
        raise BadRequest("That was somebody without a name: delete the message, or close the room to guests")
    if outcome == "timed out":
        return moderation.timing_out(hub, identity, room, verb, found.author.id, seconds, why)
    return moderation.banning(hub, identity, room, verb, found.author.id, seconds, why)
