"""The statements of a transaction that are about one room as a whole, or about one person's place in it."""

import secrets
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from chatapp.errors import BadRequest
from chatapp.journal.people_reading import erased
from chatapp.journal.reading import (
    AUDIT,
    DELETED_TEXTS,
    FILES,
    GUESTS,
    HOOKS,
    MEMBERS,
    MENTIONS,
    MESSAGES,
    READS,
    REPORTS,
    ROOMS,
    SANCTIONS,
    of_one_deed,
)
from chatapp.journal.requests import REMOVALS_KEPT, Act, Impose, MakeRoom, NoteGuest, Prune, SetMember
from chatapp.message import TELLING, Author, Message

PRUNED_AT_ONCE = 2000  # messages: who writes meanwhile waits for the transaction


def new_epoch() -> str:
    """A short random name for one log; it stands in SSE ids behind a dot, so it has none."""
    return secrets.token_hex(4)


def insert_room(connection: Connection, request: MakeRoom, created_at: int) -> int:
    """Returns its id. `created_at`: microseconds since 1970."""
    row = {
        "name": request.name,
        "topic": request.topic,
        "epoch": new_epoch(),
        "created_at": created_at,
        "kind": request.kind,
        "guests": request.guests,
        "party": request.party,
    }
    room: int = connection.execute(insert(ROOMS).values(row).returning(ROOMS.c.id)).scalar_one()
    members = [
        {"room_id": room, "person_id": person, "name": name, "role": role, "at": created_at}
        for person, name, role in request.members
    ]
    if members:
        connection.execute(insert(MEMBERS), members)
    return room


def room_of_party(connection: Connection, party: str) -> int | None:
    """The direct room of those people, if there is one."""
    return connection.scalar(select(ROOMS.c.id).where(ROOMS.c.party == party))


def change_room(connection: Connection, room: int, change: dict[str, Any]) -> None:
    """Set the columns of `change`."""
    connection.execute(update(ROOMS).where(ROOMS.c.id == room).values(change))


def delete_room(connection: Connection, room: int) -> None:
    """The room with all that is in it."""
    for table in (MESSAGES, DELETED_TEXTS, MENTIONS, READS, MEMBERS, SANCTIONS, REPORTS, HOOKS, FILES):
        connection.execute(delete(table).where(table.c.room_id == room))
    connection.execute(delete(ROOMS).where(ROOMS.c.id == room))


def begin_log_anew(connection: Connection, room: int, first_seq: int) -> None:
    """Remove all messages; the next one is `first_seq`, in a log of another name."""
    # Not what waits to be sent with a message: that has no number.
    for table in (MESSAGES, DELETED_TEXTS, MENTIONS, REPORTS, FILES):
        connection.execute(delete(table).where(table.c.room_id == room, table.c.seq < first_seq))
    change_room(connection, room, {"epoch": new_epoch(), "first_seq": first_seq})


def prune(connection: Connection, room: int, request: Prune, last_seq: int) -> tuple[int, bool]:
    """Remove the oldest messages, at most PRUNED_AT_ONCE; returns the first number that may still be there,
    and whether any was removed.
    """
    columns = MESSAGES.c
    first: int = connection.execute(select(ROOMS.c.first_seq).where(ROOMS.c.id == room)).scalar_one()
    least = first
    if request.before is not None:
        young = select(columns.seq).where(columns.room_id == room, columns.at >= request.before)
        least = max(least, connection.scalar(young.order_by(columns.at).limit(1)) or last_seq + 1)
    if request.keep is not None:
        least = max(least, last_seq + 1 - request.keep)
    least = min(least, first + PRUNED_AT_ONCE)
    if least == first:
        return first, False
    for table in (MESSAGES, DELETED_TEXTS, MENTIONS, REPORTS, FILES):
        connection.execute(delete(table).where(table.c.room_id == room, table.c.seq < least))
    change_room(connection, room, {"first_seq": least})
    return least, True


def amend(connection: Connection, change: Message, at: int) -> None:
    """Bring the text that `change` is about to its newest form, and what was said about it: the rule of
    Message.amended_by, on disk. `at`: microseconds.
    """
    messages, columns = update(MESSAGES).where(MESSAGES.c.room_id == change.room), MESSAGES.c
    newest: dict[str, Any]
    match change.kind:
        case "edit":
            newest = {"body": change.body, "edited_at": at, "called": change.calls or None}
        case "delete":
            newest = {"body": "", "deleted_at": at, "called": None}
            told = messages.where(columns.of == change.of, columns.kind.in_(TELLING))
            connection.execute(told.values(body="", called=None, files=None))
        case _:
            newest = {"body": change.body, "deleted_at": None, "called": change.calls or None}
            deletions = messages.where(columns.of == change.of, columns.kind == "delete")
            connection.execute(deletions.values(remove=True))
    connection.execute(messages.where(columns.seq == change.of).values(newest))
    mentioned = (MENTIONS.c.room_id == change.room) & (MENTIONS.c.seq == change.of)
    connection.execute(delete(MENTIONS).where(mentioned))


def mentions(message: Message, author: str) -> list[dict[str, Any]]:
    """Rows of whom a text of `author`, an id, or what says one again, calls: so they are counted."""
    if not message.people_called:
        return []
    people = dict.fromkeys(person for person in message.people_called if person != author)
    seq = message.of if message.kind in TELLING else message.seq
    return [{"person_id": person, "room_id": message.room, "seq": seq} for person in people]


def keep_deleted(connection: Connection, text: Row[Any], by: str, until: int) -> None:
    """Keep what `text` says, which `by` is about to delete, so that it can be brought back."""
    # Whoever is being erased has been taken out of these texts, and not yet of all logs.
    called = {words: who for words, who in (text.called or {}).items() if not erased(connection, who)}
    row = {"room_id": text.room_id, "seq": text.seq, "body": text.body, "called": called or None}
    row |= {"by_id": by, "until": until}
    connection.execute(insert(DELETED_TEXTS).values(row))


def take_over(connection: Connection, text: Row[Any], by: str, until: int) -> None:
    """Of what `text` said, which is deleted: from now on it is `by` who deleted it."""
    columns = DELETED_TEXTS.c
    mine = (columns.room_id == text.room_id) & (columns.seq == text.seq)
    connection.execute(update(DELETED_TEXTS).where(mine).values(by_id=by, until=until))


def take_deleted(connection: Connection, room: int, seq: int) -> None:
    """Keep it no longer: it has been brought back, or will not be."""
    columns = DELETED_TEXTS.c
    connection.execute(delete(DELETED_TEXTS).where(columns.room_id == room, columns.seq == seq))


def forget_deleted(connection: Connection, until: int) -> int:
    """Remove what could be brought back until then at most; returns how many texts that were."""
    return connection.execute(delete(DELETED_TEXTS).where(DELETED_TEXTS.c.until <= until)).rowcount


def remember_removal(connection: Connection, room: int, person: str, seq: int) -> None:
    """Beside the log: whoever missed the notice learns of it also when the log was cleared since."""
    query = select(ROOMS.c.removals).where(ROOMS.c.id == room)
    removals: dict[str, int] = dict(connection.execute(query).scalar_one())
    removals.pop(person, None)
    removals[person] = seq
    change_room(connection, room, {"removals": dict(list(removals.items())[-REMOVALS_KEPT:])})


def set_member(connection: Connection, room: int, request: SetMember, at: int) -> None:
    """Raises BadRequest where a room with other people in it would be left without an owner, and where who is
    to be a new member has a part already.
    """
    columns = MEMBERS.c
    mine = (columns.room_id == room) & (columns.person_id == request.person)
    if request.new and connection.execute(select(columns.role).where(mine)).first():
        raise BadRequest("They are a member already")
    if request.role != "owner":
        _keep_an_owner(connection, room, request.person)
    if request.role is None:
        connection.execute(delete(MEMBERS).where(mine))
        return
    row = _upsert(connection, MEMBERS).values(
        room_id=room, person_id=request.person, name=request.name, role=request.role, at=at
    )
    connection.execute(
        row.on_conflict_do_update(
            index_elements=[columns.room_id, columns.person_id],
            set_={"role": row.excluded.role, "name": row.excluded.name},
        )
    )


def _keep_an_owner(connection: Connection, room: int, person: str) -> None:
    roles = select(MEMBERS.c.person_id, MEMBERS.c.role).where(MEMBERS.c.room_id == room)
    others = {row[0]: row[1] for row in connection.execute(roles)}
    if others.pop(person, None) == "owner" and others and "owner" not in others.values():
        raise BadRequest("This room would be left without an owner: make somebody else one first")


def mute(connection: Connection, room: int, person: str, muted: bool) -> None:
    """Raises BadRequest where the person is no member."""
    mine = (MEMBERS.c.room_id == room) & (MEMBERS.c.person_id == person)
    if not connection.execute(update(MEMBERS).where(mine).values(muted=muted)).rowcount:
        raise BadRequest("Join the room first")


def notify(connection: Connection, room: int, person: str, level: str) -> None:
    """Raises BadRequest where the person is no member."""
    mine = (MEMBERS.c.room_id == room) & (MEMBERS.c.person_id == person)
    if not connection.execute(update(MEMBERS).where(mine).values(notify=level)).rowcount:
        raise BadRequest("Join the room first")


def impose(connection: Connection, room: int | None, sanction: Impose, by: Author, at: int) -> None:
    """A later sanction of the same kind on the same one takes the place of the earlier.

    `at`: the same for all that one deed imposes, by which they are known to belong together.
    """
    columns, target = SANCTIONS.c, (sanction.person, sanction.device, sanction.network)
    row = {
        "kind": sanction.kind,
        "room_id": room,
        "person_id": sanction.person,
        "device": sanction.device,
        "network": sanction.network,
        "name": sanction.name,
        "until": sanction.until,
        "reason": sanction.reason,
        "by_id": by.id,
        "by_name": by.name,
        "at": at,
    }
    earlier = update(SANCTIONS).where(
        columns.kind == sanction.kind, columns.room_id.is_not_distinct_from(room), columns.lifted_at.is_(None)
    )
    for column, value in zip((columns.person_id, columns.device, columns.network), target, strict=True):
        if value is not None:
            connection.execute(earlier.where(column == value).values(lifted_at=at))
    connection.execute(insert(SANCTIONS).values(row))


def lift(connection: Connection, room: int | None, sanction: int, at: int) -> None:
    """With it all that the same deed imposed: of a guest, the browser and the network.

    Raises BadRequest where it is not in force (any more).
    """
    columns = SANCTIONS.c
    in_force = columns.room_id.is_not_distinct_from(room) & columns.lifted_at.is_(None)
    found = connection.execute(
        select(columns.kind, columns.at, columns.by_id).where(columns.id == sanction, in_force)
    ).first()
    if found is None:
        raise BadRequest("That is not in force (any more)")
    same = of_one_deed(found.kind, found.at, found.by_id)
    connection.execute(update(SANCTIONS).where(same, in_force).values(lifted_at=at))


def note(connection: Connection, who: Author, act: Act, room: int | None, at: int) -> None:
    """An entry of the audit log. `at`: microseconds since 1970."""
    row = {
        "at": at,
        "who_id": who.id,
        "who_name": who.name,
        "what": act.what,
        "room_id": room,
        "whom": act.whom,
        "why": act.why,
    }
    connection.execute(insert(AUDIT).values(row))


def note_guest(connection: Connection, request: NoteGuest, at: int) -> None:
    """Who became a guest; where twice, the newest counts."""
    row = _upsert(connection, GUESTS).values(
        person_id=request.person,
        name=request.name,
        device=request.device,
        address=request.address,
        at=at,
    )
    newest = {name: row.excluded[name] for name in ("name", "device", "address", "at")}
    connection.execute(row.on_conflict_do_update(index_elements=[GUESTS.c.person_id], set_=newest))


def last_text_at(connection: Connection, room: int, person: str, since: int) -> int | None:
    """When the person wrote a text last, if later than `since` (microseconds)."""
    columns = MESSAGES.c
    query = select(func.max(columns.at)).where(
        columns.room_id == room, columns.at > since, columns.author_id == person, columns.kind == "text"
    )
    at: int | None = connection.scalar(query)
    return at


def advance_read(connection: Connection, person: str, room: int, seq: int) -> int:
    """Never backwards; returns how far the person has read now."""
    row = _upsert(connection, READS).values(person_id=person, room_id=room, seq=seq)
    connection.execute(
        row.on_conflict_do_update(
            index_elements=[READS.c.person_id, READS.c.room_id],
            set_={"seq": row.excluded.seq},
            where=READS.c.seq < row.excluded.seq,
        )
    )
    position = select(READS.c.seq).where(READS.c.person_id == person, READS.c.room_id == room)
    read: int = connection.execute(position).scalar_one()
    return read


def turn_read_back(connection: Connection, person: str, room: int, seq: int) -> int:
    """What follows `seq` is unread again; returns how far the person has read now."""
    mine = (READS.c.person_id == person) & (READS.c.room_id == room)
    connection.execute(update(READS).where(mine, READS.c.seq > seq).values(seq=seq))
    return connection.scalar(select(READS.c.seq).where(mine)) or 0


def _upsert(connection: Connection, table: Table) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)
