"""`/chats/<id>/messages/<seq>/` and its forms: one message, and what may be done about it.

Where there is a script the room's page does the same without leaving it. Each form is answered with 303 back
to the message in its room; what refuses it is said on its page.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from flask import Blueprint, Response, url_for

from chatapp import access, auth, localized, posting
from chatapp.errors import BadRequest, ChatError
from chatapp.globals import get_hub, get_identity
from chatapp.journal import reading
from chatapp.localized import gettext
from chatapp.message import DAY_SECONDS, Message
from chatapp.pages.about import about
from chatapp.pages.fragments import MARKS
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import page, refused, said, see_other
from chatapp.pages.rooms import entered, plain, restorable, room_page, to_take_over
from chatapp.pages.rows import Reaction, standing
from chatapp.permissions import outranks
from chatapp.posting import Draft
from chatapp.room import NEWEST, Room

# What the form for a time-out or a ban offers: seconds (0: until it is lifted).
DURATIONS = (600, 3600, DAY_SECONDS, 7 * DAY_SECONDS, 0)

bp = Blueprint("message", __name__)


@bp.get("/chats/<room_id:room_id>/messages/<int:seq>/")
def show(room_id: int, seq: int) -> Response:
    """One message, and the forms for what who asks may do about it."""
    return message_page(room_id, seq)


@bp.post("/chats/<room_id:room_id>/messages/<int:seq>/reaction")
def react(room_id: int, seq: int) -> Response:
    """React with `body`, or (`remove`) take that back."""
    auth.guard_write()
    form = auth.checked_form("body", "remove")
    draft = Draft(form["body"], kind="reaction", of=_of(seq), remove=bool(form["remove"]))
    return _done(room_id, seq, draft, lambda refusal: message_page(room_id, seq, refusal, form))


@bp.post("/chats/<room_id:room_id>/messages/<int:seq>/reply")
def reply(room_id: int, seq: int) -> Response:
    """Answer it with `body`."""
    auth.guard_write()
    form = auth.checked_form("body")
    draft = Draft(form["body"], of=_of(seq))
    return _done(
        room_id, seq, draft, lambda refusal: message_page(room_id, seq, refusal, {"reply": form["body"]})
    )


@bp.post("/chats/<room_id:room_id>/messages/<int:seq>/edit")
def edit(room_id: int, seq: int) -> Response:
    """Let it say `body` from now on."""
    auth.guard_write()
    form = auth.checked_form("body")
    draft = Draft(form["body"], kind="edit", of=_of(seq))
    return _done(
        room_id, seq, draft, lambda refusal: message_page(room_id, seq, refusal, {"edit": form["body"]})
    )


@bp.post("/chats/<room_id:room_id>/messages/<int:seq>/delete")
def delete(room_id: int, seq: int) -> Response:
    """Delete it; of somebody else's, `why`."""
    auth.guard_write()
    form = auth.checked_form("why")
    draft = Draft(kind="delete", of=_of(seq), why=form["why"])
    return _done(
        room_id, seq, draft, lambda refusal: message_page(room_id, seq, refusal, {"delete": form["why"]})
    )


@bp.post("/chats/<room_id:room_id>/messages/<int:seq>/restore")
def restore(room_id: int, seq: int) -> Response:
    """Bring it back, where it was deleted."""
    auth.guard_write()
    draft = Draft(kind="restore", of=_of(seq))
    return _done(room_id, seq, draft, lambda refusal: room_page(room_id, error=refusal))


def message_page(
    room_id: int, seq: int, error: ChatError | None = None, form: dict[str, str] | None = None
) -> Response:
    """The page of one message; `error`: what refused its `form`, which is shown filled in again.

    Raises Forbidden, NoSuchRoom, BadRequest.
    """
    hub, identity = get_hub(), get_identity()
    room = entered(room_id)
    own = about(hub, identity, room)
    message = _text(room, seq)
    author = message.author
    reactions = _reactions(room, message)
    html = render_template(
        "message.html",
        room={**msgspec.to_builtins(room.state), "name": own.name},
        about=own,
        message=plain(message.marked),
        marks={**dict.fromkeys(MARKS, False), **{mark: mine for mark, _, mine in reactions}},
        reactions=reactions,
        own=author.id == identity.id,
        restorable=bool(restorable(room, [message])),
        takes_over=bool(to_take_over(room, [message])),
        may_act="moderate" in own.may
        and author.id not in (identity.id, "system", "guest")
        and outranks(identity, author.id, room.rights),
        durations=durations(),
        error=said(error),
        form=form or {},
    )
    return page(html, error)


def durations() -> list[tuple[int, str]]:
    """DURATIONS, each with its words."""
    return [(seconds, localized.duration(seconds) if seconds else gettext("no end")) for seconds in DURATIONS]


def _of(seq: int) -> int:
    return min(seq, 2**62)  # beyond that no database has a number


def _done(room_id: int, seq: int, draft: Draft, refuse: Callable[[ChatError], Response]) -> Response:
    hub = get_hub()
    try:
        hub.check_open()
        posting.post(hub, get_identity(), room_id, draft)
    except ChatError as error:
        return refused(error, refuse)
    newest = hub.room(room_id).last
    query: dict[str, Any] = {} if seq > newest - NEWEST else {"before": seq + NEWEST // 2}
    return see_other(url_for("rooms.show", room_id=room_id, **query, _anchor=f"m{seq}"))


def _text(room: Room, seq: int) -> Message:
    found = access.read(get_hub(), get_identity(), room, reading.before, _of(seq) + 1, 1)
    if not found or found[0].seq != seq or found[0].kind != "text":
        raise BadRequest("There is no such message")
    return found[0]


def _reactions(room: Room, message: Message) -> list[Reaction]:
    said = access.read(get_hub(), get_identity(), room, reading.reactions, message.seq)
    return standing([plain(each) for each in said], get_identity().id)
