"""The pages: the rooms, one room, and their forms, which work without JavaScript."""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from flask import Blueprint, Response, request, url_for
from flask_wtf.csrf import generate_csrf
from msgspec import UNSET

from chatapp import (
    access,
    accounts,
    administration,
    auth,
    cursor,
    files,
    listing,
    marking,
    membership,
    posting,
    reads,
)
from chatapp.errors import BadRequest, ChatError
from chatapp.globals import get_hub, get_identity
from chatapp.journal import file_statements, people_reading, reading
from chatapp.listing import ListedRoom
from chatapp.message import Author, Message, format_time
from chatapp.pages import fragments
from chatapp.pages.about import about
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import lead_to, page, said, see_other
from chatapp.pages.rows import rows
from chatapp.permissions import MAKING, check, may, may_restore, may_take_over
from chatapp.posting import Draft
from chatapp.presence import by_name
from chatapp.room import NEWEST, Room
from chatapp.security import first_start
from chatapp.transports import uploading

COMMAND = re.compile(r"/([^\W\d_]+)(?:\s+(.*))?\Z", re.DOTALL)  # as in static/js/commands.js
COMMA = re.compile("[,،]")  # of Latin and of Arabic keyboards
FACES = 3  # people shown with a room in the list

bp = Blueprint("rooms", __name__)


@bp.get("/")
def home() -> Response:
    return lead_to(url_for("rooms.index"))


@bp.get("/chats/")
def index() -> Response:
    """All rooms, and a form to make one; `?next=`: where who has to come in first wanted to go."""
    wanted = auth.local_path(request.args.get("next", ""))
    return index_page(form={"next": wanted, "name": auth.former_name()})


@bp.post("/chats/")
def make() -> Response:
    """Make a room and go there."""
    auth.guard_write()
    form = auth.checked_form("name", "topic", "kind")
    kind: Any = form["kind"] or "public"
    try:
        get_hub().check_open()
        room_id = administration.make_room(get_hub(), get_identity(), form["name"], form["topic"], kind)
    except ChatError as error:
        return index_page(error, form)
    return see_other(url_for("rooms.show", room_id=room_id))


@bp.post("/chats/direct")
def converse() -> Response:
    """Go to the direct conversation with `people`, names with commas between them; begin it if need be."""
    auth.guard_write()
    form = auth.checked_form("people")
    hub, identity = get_hub(), get_identity()
    try:
        check(identity, "write_to_people")
        room_id = membership.begin_conversation(hub, identity, _called(form["people"]))
    except ChatError as error:
        return index_page(error, form)
    return see_other(url_for("rooms.show", room_id=room_id))


def _called(names: str) -> list[str]:
    """The ids of people with an account. Raises BadRequest."""
    read, found = get_hub().journal.read, []
    for name in names_in(names):
        person = read(people_reading.person_called, name)
        if person is None:
            raise BadRequest("There is nobody called “%(name)s” who has an account", name=name)
        found.append(person.id)
    return found


def names_in(written: str) -> list[str]:
    """The names in a field that takes several, with commas between them."""
    if get_hub().journal.read(people_reading.person_called, written.strip()):  # a name with a comma in it
        return [written.strip()]
    return [name for name in map(str.strip, COMMA.split(written)) if name]


def names_offered() -> list[str]:
    """What such a field offers before anything is written in it, to who may know of others. Switches."""
    hub, identity = get_hub(), get_identity()
    if not may(identity, "write_to_people"):
        return []
    return [person.name for person in accounts.people_like(hub, identity, "") if person.id != identity.id]


@bp.get("/chats/<room_id:room_id>/")
def show(room_id: int) -> Response:
    """One room, live."""
    return room_page(room_id)


@bp.get("/chats/long_poll/<room_id:room_id>/")
def show_long_polling(room_id: int) -> Response:
    """The same room, held to long polling."""
    return room_page(room_id, transport="long-poll")


@bp.post("/chats/<room_id:room_id>/")
def say(room_id: int) -> Response:
    """Keep a message sent by the form and show the room again; `attached`: files that came with it before,
    when it was refused.
    """
    intake = uploading.expect(room_id)
    auth.guard_write()
    form, before = auth.checked_form("body"), auth.checked_boxes("attached")
    try:
        get_hub().check_open()
        sent: list[Any] = [*before, *(file.id for file in intake.keep())]
        posting.post(get_hub(), get_identity(), room_id, Draft(_said(form["body"]), files=sent))
    except ChatError as error:
        attached = [*before, *(file.id for file in intake.kept)]
        return room_page(room_id, error=error, form=form, attached=attached)
    return see_other(url_for("rooms.show", room_id=room_id))


def _said(body: str) -> str:
    """What a form without a script says: of what begins with a slash only that (static/js/commands.js)."""
    if body.startswith("//"):
        return body[1:]
    command = COMMAND.match(body)
    if command is None:
        return body
    if command[1].casefold() == "me" and command[2]:
        return f"_{command[2].strip()}_"
    raise BadRequest(
        "There are no commands without JavaScript. Two slashes say what begins with one: //%(name)s",
        name=command[1],
    )


@bp.post("/chats/<room_id:room_id>/messages/<int:seq>/unread")
def mark_unread(room_id: int, seq: int) -> Response:
    """Have the message and all that follows it unread again, and show the rooms."""
    auth.guard_write()
    reads.mark(get_hub(), get_identity(), room_id, seq - 1, back=True)
    return see_other(url_for("rooms.index"))


def index_page(error: ChatError | None = None, form: dict[str, str] | None = None) -> Response:
    """The page of all rooms; `error`: what refused its `form`, which is shown filled in again.

    Raises Forbidden for who is banned.
    """
    _check_not_banned()
    may_read = may(get_identity(), "read")
    rooms = listing.rooms_with_last(get_hub(), get_identity()) if may_read else []
    invites = may(get_identity(), "administer") and get_hub().config.sign_up != "closed"
    html = render_template(
        "rooms.html",
        invites=invites,
        alone=invites and get_hub().journal.read(people_reading.alone),
        rooms=[_listed(each) for each in rooms],
        reports=listing.reports(get_hub(), get_identity(), rooms),
        may_read=may_read,
        may_make=_may_make(),
        may_make_private=_may_make(private=True),
        may_converse=may(get_identity(), "write_to_people"),
        names=names_offered(),
        begun=not first_start.wanted(),
        error=said(error),
        form=form or {},
    )
    return page(html, error)


def room_page(
    room_id: int,
    transport: str = "auto",
    error: ChatError | None = None,
    form: dict[str, str] | None = None,
    attached: Sequence[str] = (),
) -> Response:
    """The page of one room; `error`: what refused its `form`, which is shown filled in again, with the files
    (ids) that came along.

    Raises Forbidden, NoSuchRoom.
    """
    _check_not_banned()
    if not may(get_identity(), "read"):
        wanted = request.full_path.rstrip("?")  # Werkzeug's has a question mark also without a query
        return lead_to(url_for("rooms.index", next=wanted))  # the form is there
    hub, identity = get_hub(), get_identity()
    room = access.enter(hub, identity, room_id)
    hub.sync(room)
    # From before the messages are read: what is kept, or cleared, while the rest is asked for follows it.
    place = {"cursor": room.last, "epoch": room.epoch}
    messages, newer = _page(room)
    messages = marking.fitting(hub.turnstile, messages, html=True, newest=True, for_page=True)
    own = about(hub, identity, room)
    rooms, unread_from = listing.beside(hub, identity, room.id)
    this = next((each for each in rooms if each.state.id == room.id), None)
    here = by_name(this.people) if this else []
    reports, in_all = this.reports if this else 0, listing.reports(hub, identity, rooms)
    if identity.known and all(who.id != identity.id for who in here):
        here = [*here, Author.of(identity)]  # who looks at the page is there, also where nothing connects
    check(identity, "read", room.rights)  # by the rights under which all that was kept
    shown = plainly(message.marked for message in messages)
    viewer, sendable = identity if identity.known else None, _files()
    moderates, undo = "moderate" in own.may, hub.config.undo_seconds
    html = render_template(
        "room.html",
        room={**_plain(room.state), "name": own.name, **place, "reports": reports},
        reports=in_all,
        about=own,
        parts={person: role for person, role in room.rights.members.items() if role != "member"},
        rooms=[_listed(each) for each in rooms],
        may_make=_may_make(),
        messages=shown,
        rows=fragments.log_rows(
            rows(shown, identity.id if identity.known else ""),
            viewer,
            moderates=moderates,
            restorable=restorable(room, messages),
            undo=undo,
            token=generate_csrf(),
        ),
        older=messages[0].seq if messages and messages[0].seq > room.first else None,
        newer=newer,
        unread_from=unread_from,
        undo_seconds=undo,
        now=format_time(time.time_ns() // 1000),
        room_scripts=fragments.room_scripts(files=sendable is not None),
        room_templates=fragments.room_templates(viewer, files=sendable is not None, undo=undo),
        transport=transport,
        people=[hub.presence.plain(who) for who in here],
        names=hub.people.names_now(
            {*(each.author.id for each in messages), *room.rights.members, *(who.id for who in here)}
        ),
        body_limit=hub.config.body_limit,
        files=sendable,
        files_by_account=_files_by_account(),
        attached=_unsent(room, attached),
        rooms_limit=hub.config.rooms_per_socket,
        error=said(error),
        form=form or {},
    )
    return page(html, error)


def entered(room_id: int) -> Room:
    """The room as the database has it now, if who asks may read it. Switches."""
    room = access.enter(get_hub(), get_identity(), room_id)
    get_hub().sync(room)
    return access.enter(get_hub(), get_identity(), room_id)


def restorable(room: Room, messages: Sequence[Message]) -> set[int]:
    """The numbers of the deleted ones among `messages` that who asks may bring back. Switches."""
    return _turnable(room, messages, may_restore)


def to_take_over(room: Room, messages: Sequence[Message]) -> set[int]:
    """The numbers of those that could come back, and that who asks may delete once more. Switches."""
    return _turnable(room, messages, may_take_over)


def _turnable(
    room: Room, messages: Sequence[Message], rule: Callable[[str, str, str, bool], bool]
) -> set[int]:
    hub, identity = get_hub(), get_identity()
    deleted = [message.seq for message in messages if message.deleted_at is not UNSET]
    if not deleted or room.closed or not may(identity, "post", room.rights):
        return set()
    any_author = may(identity, "change_any", room.rights)
    now = time.time_ns() // 1000
    found = hub.journal.read(reading.deleted_texts, room.id, deleted[0], deleted[-1], now)
    return {text.seq for text in found if rule(identity.id, text.author_id, text.by_id, any_author)}


def _may_make(private: bool = False) -> bool:
    return may(get_identity(), MAKING[get_hub().config.room_makers][private])


def _files() -> dict[str, int] | None:
    """What files somebody may send (how many with a message, of how many bytes); None where they may not."""
    hub, identity = get_hub(), get_identity()
    if not identity.known or files.refusal(hub, identity):
        return None
    return {"most": posting.FILES_LIMIT, "limit": hub.config.file_limit}


def _files_by_account() -> bool:
    """Whether a guest could send files with an account, and anybody may make one."""
    config = get_hub().config
    sends = bool(config.file_limit) and not config.guest_files
    return sends and config.sign_up == "open" and get_identity().guest


def _unsent(room: Room, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Those files of `ids` that can still go out with a message of who asks. Switches where there are any."""
    if not ids:
        return []
    found = get_hub().journal.read(file_statements.unsent, room.id, get_identity().id, ids)
    return [_plain(file) for file in found]


def _check_not_banned() -> None:
    if get_identity().role == "banned":
        check(get_identity(), "read")


def _page(room: Room) -> tuple[list[Message], bool]:
    """The newest messages, or those before `?before=`; and whether there are newer ones."""
    before = request.args.get("before")
    if before is None:
        return room.after(room.newest, NEWEST), False
    seq = min(max(cursor.number(before, "before"), 0), 2**62)
    messages = access.read(get_hub(), get_identity(), room, reading.before, seq, NEWEST)
    return messages, bool(messages) and messages[-1].seq < room.last


def _listed(room: ListedRoom) -> dict[str, Any]:
    return {
        **room.plain,
        "people": [msgspec.to_builtins(who) for who in room.people[:FACES]],
        "last": plain(room.last.marked) if room.last else None,
    }


def _plain(state: Any) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(state)
    return fields


def plain(message: Message) -> dict[str, Any]:
    """A message as its JSON, for a template, but that its author is called as they are now."""
    return plainly([message])[0]


def plainly(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """The same of several."""
    name_now = get_hub().people.name_now
    found: list[dict[str, Any]] = [msgspec.to_builtins(message) for message in messages]
    for message in found:
        author = message["author"]
        author["name"] = name_now(author["id"], author["name"])
    return found
