"""From what somebody sent to a request to the journal: permission, form and rate, the same for every door."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from chatapp import text
from chatapp.access import enter
from chatapp.errors import BadRequest, ChatError, Forbidden
from chatapp.hub import Hub
from chatapp.journal.requests import Attachment, Kept, Post
from chatapp.message import Author
from chatapp.permissions import Identity, Rights, Verb, may

UNDECIDED = -1
FILES_LIMIT = 10  # of one message
VISITOR = Author("guest", "guest", guest=True)


class Draft(Struct, frozen=True):
    """What a sender sent, as it came over the wire; docs/protocol.md, "Words".

    `why`: somebody else's message is deleted or brought back, for the audit log.
    """

    body: Any = None
    kind: str = "text"
    of: int | None = None
    client_id: str | None = None
    remove: bool = False
    files: list[str | Attachment] | None = None
    why: Any = None


def post(hub: Hub, identity: Identity, room: int, draft: Draft, verb: Verb = "post") -> Kept:
    """Keep a message and wait until it is on the disk. Switches. Raises the ChatError that refuses it."""
    kept: Kept = hub.journal.ask(_request(hub, identity, room, draft, verb))
    return kept


def submit(
    hub: Hub, identity: Identity, room: int, draft: Draft, done: Callable[[Kept | ChatError], None]
) -> None:
    """Keep a message without waiting; `done` is called with the answer and must not switch.

    Raises the ChatError of what can be refused at once. Switches where the room has to be loaded, and where
    there is an `@` in the text.
    """
    hub.journal.submit(_request(hub, identity, room, draft, "post"), done)  # type: ignore[arg-type]


def _request(hub: Hub, identity: Identity, room: int, draft: Draft, verb: Verb) -> Post:
    number, rights = _rights(hub, identity, room, draft, verb)
    body = _body(draft, hub.config.body_limit)
    files, client_id, why = _files(draft), text.client_id(draft.client_id), text.reason(draft.why)
    hub.limiter.message(identity)
    return Post(
        room=room,
        author=Author.of(identity) if identity.known else VISITOR,
        body=body,
        files=files,
        kind=draft.kind,  # type: ignore[arg-type]  # _body has looked at it
        of=draft.of,
        client_id=client_id,
        remove=draft.remove and draft.kind == "reaction",
        identity=identity,
        verb=verb,
        rights=number,
        any_author=may(identity, "change_any", rights),
        undo_seconds=hub.config.undo_seconds,
        why=why,
        forced=identity.id == "system",
        guests=_guests_here(hub, room, rights) if "@" in body else (),
    )


def _guests_here(hub: Hub, room: int, rights: Rights) -> tuple[Author, ...]:
    """Whom a text of a public room may call though they have no account. Asks the bus: switches."""
    if rights.kind != "public":
        return ()
    return tuple(who for who in hub.presence.people(room) if who.guest)


def _rights(hub: Hub, identity: Identity, room: int, draft: Draft, verb: Verb) -> tuple[int, Rights]:
    """The rights of the room, and under which number of theirs the message is permitted.

    Who may only read here may have written before, and lost the answer: what has a client_id the journal
    decides, which knows what is kept; no rights have the number UNDECIDED. Who may write in no room, as with
    a token that only reads, has not.
    """
    try:
        rights = enter(hub, identity, room, verb).rights
        return rights.number, rights
    except Forbidden:
        if draft.client_id is None or not may(identity, verb):
            raise
    return UNDECIDED, enter(hub, identity, room).rights


def _body(draft: Draft, limit: int) -> str:
    if draft.kind not in ("text", "edit", "delete", "restore", "reaction"):
        raise BadRequest("There is no kind “%(kind)s” to send", kind=draft.kind[:20])
    if draft.kind != "text" and draft.of is None:
        raise BadRequest("of says which message the %(kind)s is about", kind=draft.kind)
    if draft.kind in ("delete", "restore"):
        return ""
    if draft.kind == "reaction":
        return text.reaction(draft.body)
    if draft.files and draft.kind == "text" and draft.body in (None, ""):
        return ""  # the journal takes their names
    return text.body(draft.body, limit)


def _files(draft: Draft) -> tuple[Attachment, ...]:
    if not draft.files:
        return ()
    if draft.kind != "text":
        raise BadRequest("Only a text has files")
    if len(draft.files) > FILES_LIMIT:
        raise BadRequest("A message has at most %(limit)s files", limit=FILES_LIMIT)
    files = [Attachment(each) if isinstance(each, str) else each for each in draft.files]
    if len({each.id for each in files}) < len(files):
        raise BadRequest("That file is named twice")
    return tuple(Attachment(each.id, text.description(each.alt)) for each in files)
