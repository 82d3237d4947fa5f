"""The audit log of the whole server: who did what, where, to whom, when and why."""

from chatapp.errors import BadRequest
from chatapp.hub import Hub
from chatapp.journal import reading
from chatapp.journal.requests import AuditLine
from chatapp.permissions import Identity, check

PAGE, PAGE_LIMIT = 50, 1000
ABOUT_LIMIT = 100


def entries(
    hub: Hub,
    identity: Identity,
    *,
    about: str = "",
    room: int | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[AuditLine]:
    """The newest `limit` entries, the newest first; those `before` a number. For administrators.

    `about`: words that stand in what was done, in whose name or id, or in why. `room`: of one room.
    Nothing of reports about `identity`.
    """
    check(identity, "administer")
    if not 1 <= limit <= PAGE_LIMIT:
        raise BadRequest("limit is 1 to %(limit)s", limit=PAGE_LIMIT)
    if len(about) > ABOUT_LIMIT:
        raise BadRequest("What is looked for has at most %(limit)s characters", limit=ABOUT_LIMIT)
    before = 2**62 if before is None else min(max(before, 0), 2**62)
    room = None if room is None else min(max(room, 0), 2**62)
    return hub.journal.read(reading.audit, identity.id, limit, before, room=room, about=about.strip())
