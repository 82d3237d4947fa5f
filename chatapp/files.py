"""Files that people send to rooms: kept until a message goes out with them, found by who may read that."""

import secrets

from msgspec import Struct

from chatapp import access, file_types, text
from chatapp.errors import BadRequest, Forbidden, NotKept, RoomClosed, Term
from chatapp.hub import Hub
from chatapp.journal import file_statements
from chatapp.journal.file_statements import Stored
from chatapp.journal.requests import KeepFile
from chatapp.message import File
from chatapp.permissions import Identity
from chatapp.uploads import Arriving


def refusal(hub: Hub, identity: Identity) -> str:
    """Why `identity` may send files nowhere; empty where they may."""
    if not hub.config.file_limit:
        return Term("No files are sent on this server")
    if identity.guest and not hub.config.guest_files:
        return Term("Only people with an account send files here")
    return ""


class Admission(Struct, frozen=True):
    """Somebody may send files to `room`, under its rights numbered `rights`."""

    room: int
    rights: int


def admit(hub: Hub, identity: Identity, room_id: int) -> Admission:
    """Look whether `identity` may send a file to the room; before any of it is read. Switches.

    Raises what `access.enter` does for `post`; Forbidden, RoomClosed, NotKept where there is no more room.
    """
    hub.check_open()
    room = access.enter(hub, identity, room_id, "post")
    rights = room.rights.number
    if said := refusal(hub, identity):
        raise Forbidden(said)
    if room.closed:
        raise RoomClosed()
    _check_total(hub, 1)
    return Admission(room_id, rights)


def keep(hub: Hub, identity: Identity, admission: Admission, arrived: Arriving, name: str | None) -> File:
    """Keep what has arrived whole, for a message of `identity` in the room. Switches.

    Its content is on the disk before the journal knows of it, and the journal before anybody is answered.
    Raises BadRequest, NotKept, and what the journal refuses it with.
    """
    if not arrived.size:
        raise BadRequest("That file is empty")
    _check_total(hub, arrived.size)
    arrived.finish()
    hub.uploads.keep(arrived)
    digest, called = arrived.digest, text.file_name(name)
    path, thumbnail = hub.uploads.content(digest), hub.uploads.thumbnail(digest)
    with hub.decoding:
        look = hub.uploads.write(lambda: file_types.look(path, called, thumbnail))
    file = File(secrets.token_hex(12), called, look.type, arrived.size, look.width, look.height)
    hub.journal.ask(KeepFile(admission.room, file, digest, identity, admission.rights))
    return file


def find(hub: Hub, identity: Identity, room_id: int, file: str) -> Stored | None:
    """A file of the room as it is served, None where `identity` may not read any message that has it.

    Switches. Raises what `access.enter` does for `read`.
    """
    room = access.enter(hub, identity, room_id)
    asking = identity.id if identity.known else ""
    return access.read(hub, identity, room, file_statements.readable, file, asking)


def _check_total(hub: Hub, size: int) -> None:
    if hub.journal.read(file_statements.total) + size > hub.config.files_total:
        raise NotKept("The file was not kept: all the room that this server has for files is taken")
