"""`/chats/<id>/details/` and the forms that lead to it: what a room is, who is in it, and what is done there.

Each form is answered with 303 back to the page that it stood on. What refuses it is said above it.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from flask import Blueprint, Response, request, url_for

from chatapp import access, administration, auth, hooks, membership, moderation
from chatapp.errors import BadRequest, ChatError, Term
from chatapp.globals import get_hub, get_identity
from chatapp.journal import reading, token_reading
from chatapp.journal.requests import Member
from chatapp.localized import gettext
from chatapp.message import Author
from chatapp.moderation import LONGEST
from chatapp.pages.about import about
from chatapp.pages.message import durations, message_page
from chatapp.pages.person import person_card
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import done, page, refused, said, see_other
from chatapp.pages.rooms import entered, names_in, names_offered
from chatapp.permissions import RANKS, Identity, may, outranks
from chatapp.room import Room

ENTRIES = 50  # of the audit log on the page
IMPOSED = {
    "timeout": Term("Timed out: they can read, but not write."),
    "kick": Term("Sent out of the room."),
    "ban": Term("Banned from the room."),
}

bp = Blueprint("details", __name__)


@bp.get("/chats/<room_id:room_id>/details/")
def show(room_id: int) -> Response:
    """All there is to know of a room, and the forms for who may change it; first of `?person=`, an id."""
    return _page(room_id)


@bp.get("/chats/<room_id:room_id>/about/")
def show_about(room_id: int) -> Response:
    """What the room's page takes into itself anew when rights have changed."""
    room = entered(room_id)
    return Response(render_template("about.html", about=about(get_hub(), get_identity(), room)))


@bp.post("/chats/<room_id:room_id>/settings")
def change(room_id: int) -> Response:
    """Change what the room is."""
    auth.guard_write()
    form = auth.checked_form(
        "name", "topic", "kind", "posting", "guests", "slow_seconds", "keep_days", "keep_messages", "closed"
    )
    return _done(room_id, "settings", form, lambda: _change(room_id, form), Term("The settings are saved."))


@bp.post("/chats/<room_id:room_id>/join")
def join(room_id: int) -> Response:
    """Become a member."""
    auth.guard_write()
    form = auth.checked_form("back")
    return _done(
        room_id,
        "part",
        form,
        lambda: membership.join(get_hub(), get_identity(), room_id),
        Term("You are a member now."),
    )


@bp.post("/chats/<room_id:room_id>/leave")
def leave(room_id: int) -> Response:
    """Be a member no longer; back to all rooms, where that is said: a private one is out of sight."""
    auth.guard_write()
    name = entered(room_id).name
    try:
        get_hub().check_open()
        membership.leave(get_hub(), get_identity(), room_id)
    except ChatError as error:
        return refused(error, lambda refusal: _page(room_id, refusal, "part"))
    return done(url_for("rooms.index"), gettext("You have left “%(room)s”.", room=name))


@bp.post("/chats/<room_id:room_id>/mute")
def mute(room_id: int) -> Response:
    """Hear of the room no more, or (`muted` empty) again."""
    auth.guard_write()
    form = auth.checked_form("back", "muted")
    muted = bool(form["muted"])
    return _done(
        room_id,
        "part",
        form,
        lambda: membership.mute(get_hub(), get_identity(), room_id, muted),
        Term("This room is muted.") if muted else Term("This room is no longer muted."),
    )


@bp.post("/chats/<room_id:room_id>/members")
def take_in(room_id: int) -> Response:
    """Make somebody a member, or give them another part. `person`: a name or an id, or several."""
    auth.guard_write()
    form = auth.checked_form("person", "role")
    part: Any = form["role"] or None
    hub, identity = get_hub(), get_identity()

    def act() -> None:
        room = access.enter(hub, identity, room_id, "invite")
        # All of them are looked up before one of them is taken in.
        people = [membership.named(hub, room, name) for name in names_in(form["person"]) or [""]]
        for person in people:
            membership.take_in(hub, identity, room_id, person.id, part)

    what = Term("The part is saved.") if part else Term("Added to the room.")
    return _done(room_id, "members", form, act, what)


@bp.post("/chats/<room_id:room_id>/remove")
def remove(room_id: int) -> Response:
    """End the membership of `person`, an id."""
    auth.guard_write()
    form = auth.checked_form("person", "why")
    hub, identity = get_hub(), get_identity()
    return _done(
        room_id,
        "members",
        form,
        lambda: membership.remove(hub, identity, room_id, form["person"], form["why"]),
        Term("Removed from the room."),
    )


@bp.post("/chats/<room_id:room_id>/sanctions")
def impose(room_id: int) -> Response:
    """Send `person`, an id, out, time them out or ban them; `of`: the message on whose page the form is."""
    auth.guard_write()
    form = auth.checked_form("kind", "person", "seconds", "why", "network", "of")
    hub, identity, person = get_hub(), get_identity(), form["person"]

    def act() -> None:
        seconds = _number(form["seconds"], Term("How long, in seconds")) or 0
        if form["kind"] == "kick":
            moderation.send_out(hub, identity, room_id, person, form["why"])
        elif form["kind"] == "timeout":
            moderation.time_out(hub, identity, room_id, person, min(seconds, LONGEST), form["why"])
        elif form["kind"] == "ban":
            moderation.ban(
                hub, identity, room_id, person, min(seconds, LONGEST), form["why"], form["network"].strip()
            )
        else:
            raise BadRequest("To send out, a time-out or a ban")

    if not form["of"]:
        where = "person" if "person" in request.args else "sanctions"
        return _done(room_id, where, form, act, IMPOSED.get(form["kind"], ""))
    try:
        act()
    except ChatError as error:
        seq = int(form["of"]) if form["of"].isdecimal() else 0
        return refused(error, lambda refusal: message_page(room_id, seq, refusal, form))
    return _to_room(room_id)


@bp.post("/chats/<room_id:room_id>/sanctions/<int:sanction>/lift")
def lift(room_id: int, sanction: int) -> Response:
    """Take a time-out or a ban back."""
    auth.guard_write()
    hub, identity = get_hub(), get_identity()
    lifted = Term("Lifted.")
    return _done(room_id, "sanctions", {}, lambda: moderation.lift(hub, identity, room_id, sanction), lifted)


@bp.post("/chats/<room_id:room_id>/hooks")
def make_hook(room_id: int) -> Response:
    """Make an incoming webhook. Its address is in the answer, and nowhere else."""
    auth.guard_write()
    form = auth.checked_form("name")
    try:
        made = hooks.make(get_hub(), get_identity(), room_id, form["name"])
    except ChatError as error:
        return refused(error, lambda refusal: _page(room_id, refusal, "hooks", form))
    return _page(room_id, where="hooks", made=made.address(request.url_root))


@bp.post("/chats/<room_id:room_id>/hooks/<int:hook>/revoke")
def revoke_hook(room_id: int, hook: int) -> Response:
    """A hook is good no longer."""
    auth.guard_write()
    return _done(
        room_id,
        "hooks",
        {},
        lambda: hooks.revoke(get_hub(), get_identity(), room_id, hook),
        Term("The webhook is revoked."),
    )


@bp.post("/chats/<room_id:room_id>/clear")
def clear(room_id: int) -> Response:
    """Remove all messages for good; `sure` has to be said."""
    auth.guard_write()
    form = auth.checked_form("sure")

    def act() -> None:
        access.enter(get_hub(), get_identity(), room_id, "manage")
        _check_sure(form)
        administration.clear(get_hub(), get_identity(), room_id)

    return _done(room_id, "ends", form, act, Term("All messages are removed."))


@bp.post("/chats/<room_id:room_id>/delete")
def drop(room_id: int) -> Response:
    """Remove the room for good; `sure` has to be said. Back to all rooms."""
    auth.guard_write()
    form = auth.checked_form("sure")

    def act() -> None:
        access.enter(get_hub(), get_identity(), room_id, "manage")
        _check_sure(form)
        administration.drop(get_hub(), get_identity(), room_id)

    answer = _done(room_id, "ends", form, act, Term("The room is deleted."))
    return _see("rooms.index") if answer.status_code == 303 else answer


@bp.post("/chats/<room_id:room_id>/conversation")
def converse(room_id: int) -> Response:
    """Begin a direct conversation with a member, `person`, or go on with the one that there is."""
    auth.guard_write()
    form = auth.checked_form("person")
    hub, identity = get_hub(), get_identity()
    try:
        entered(room_id)
        conversation = membership.begin_conversation(hub, identity, [form["person"]])
    except ChatError as error:
        return refused(error, lambda refusal: _page(room_id, refusal, "members", form))
    return _to_room(conversation)


def _change(room_id: int, form: dict[str, str]) -> None:
    access.enter(get_hub(), get_identity(), room_id, "manage")  # before what is asked for is looked at
    hub, identity = get_hub(), get_identity()
    kind: Any = form["kind"]
    who: Any = form["posting"]
    days, messages = (
        _number(form["keep_days"], Term("Days")),
        _number(form["keep_messages"], Term("Messages")),
    )
    administration.change(
        hub,
        identity,
        room_id,
        administration.naming(form["name"]),
        administration.topic_of(form["topic"]),
        administration.posting_of(who),
        administration.guests_let_in(bool(form["guests"])),
        administration.pace_of(_number(form["slow_seconds"], Term("Seconds")) or 0),
        administration.keeping(days or None, messages or None),
        administration.kind_of(kind),
        administration.closing(bool(form["closed"])),
    )


def _done(room_id: int, where: str, form: dict[str, str], act: Callable[[], object], what: str) -> Response:
    """Do it, and back; `where`: the part of the page above which a refusal is said, or `what` was done."""
    try:
        get_hub().check_open()
        act()
    except ChatError as error:
        return refused(error, lambda refusal: _page(room_id, refusal, where, form))
    if form.get("back") == "room":
        return _to_room(room_id)
    part = "sanctions" if where == "person" else where
    return done(url_for("details.show", room_id=room_id, _anchor=part), gettext(what), part)


def _page(
    room_id: int,
    error: ChatError | None = None,
    where: str = "",
    form: dict[str, str] | None = None,
    made: str = "",
) -> Response:
    """`where`: the part whose form was sent; `made`: what is shown this once."""
    hub, identity = get_hub(), get_identity()
    room = entered(room_id)
    members = membership.members_of(hub, room)
    own = about(hub, identity, room)
    runs = "moderate" in own.may
    person = request.args.get("person", "")
    html = render_template(
        "details.html",
        room={**msgspec.to_builtins(room.state), "name": own.name},
        about=own,
        person=person_card(hub, identity, room, own, person) if person else None,
        members=[_plain(identity, one, room) for one in members],
        parts=list(RANKS),
        targets=_targets(room, identity) if runs else [],
        sanctions=_sanctions(room, identity) if runs else [],
        entries=hub.journal.read(reading.audit, identity.id, ENTRIES, room=room.id) if runs else [],
        hooks=hub.journal.read(token_reading.hooks, room.id) if "manage" in own.may else [],
        made=made,
        may_write_to=not identity.guest and may(identity, "write_to_people"),
        names=names_offered() if "invite" in own.may else [],
        durations=durations(),
        error=said(error),
        where=where,
        form=form or {},
    )
    return page(html, error)


def _plain(identity: Identity, member: Member, room: Room) -> dict[str, Any]:
    """`account`: whether they have one; `below`: whether who asks may act on them."""
    return {
        **msgspec.to_builtins(member),
        "account": get_hub().people.has_account(member.id),
        "below": _below(identity, member.id, room),
    }


def _below(identity: Identity, person: str, room: Room) -> bool:
    return outranks(identity, person, room.rights)


def _targets(room: Room, identity: Identity) -> list[Author]:
    """Whom a moderator may act on without one of their messages: who is here and not above them."""
    here = get_hub().presence.people(room.id)
    return [who for who in here if who.id != identity.id and _below(identity, who.id, room)]


def _sanctions(room: Room, identity: Identity) -> list[dict[str, Any]]:
    """What is in force; `below`: whether it may be lifted by who asks."""
    found = get_hub().journal.read(reading.sanctions_of, room.id)
    return [
        {**msgspec.to_builtins(one), "below": not one.person or _below(identity, one.person, room)}
        for one in found
    ]


def _check_sure(form: dict[str, str]) -> None:
    if not form["sure"]:
        raise BadRequest("Say that you are sure: this cannot be undone")


def _number(value: str, what: Term) -> int | None:
    if not value.strip():
        return None
    if not value.strip().isdecimal() or len(value) > 12:
        raise BadRequest("%(what)s: a whole number", what=what)
    return int(value)


def _to_room(room_id: int) -> Response:
    return _see("rooms.show", room_id=room_id)


def _see(endpoint: str, **values: Any) -> Response:
    return see_other(url_for(endpoint, **values))
