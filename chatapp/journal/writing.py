"""One transaction: requests of many senders are numbered, checked and written together.

Numbers are given under the lock of the room's row, so they have no gaps and become visible in order, on
every database. A refusal (ChatError) is found before anything of its request is written, so it concerns
that request alone; any other exception rolls the whole transaction back.
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET, Struct, structs
from sqlalchemy import Connection, Row, insert, select

from chatapp import permissions
from chatapp.errors import BadRequest, ChatError, Forbidden, NoSuchRoom, RoomClosed, TooFast
from chatapp.journal import (
    file_statements,
    people_reading,
    people_statements,
    personal_data,
    reading,
    report_statements,
    statements,
    token_statements,
)
from chatapp.journal.bulk import row_of
from chatapp.journal.databases import BULK
from chatapp.journal.mentioning import Calls
from chatapp.journal.people_requests import Erase, Person, SignUp
from chatapp.journal.reading import MENTIONS, MESSAGES, message_of
from chatapp.journal.requests import (
    Act,
    ChangeRoom,
    Clear,
    CollectFiles,
    Commit,
    Deeds,
    DropRoom,
    EraseOnward,
    ForgetContents,
    ForgetDeleted,
    Impose,
    KeepFile,
    Kept,
    Lift,
    MakeHook,
    MakeRoom,
    MarkRead,
    Mute,
    NoteGuest,
    Notify,
    PeopleMoved,
    PeopleRequest,
    Post,
    Prune,
    RenewLog,
    Report,
    Request,
    Restored,
    RevokeHook,
    SetMember,
    Settle,
    giving_part,
)
from chatapp.journal.sentences import REPORT_SETTLED
from chatapp.message import AMENDING, Author, File, Message, format_time
from chatapp.permissions import SYSTEM, Identity, Rights, Verb

Answer = Kept | int | list[str] | ChatError | Struct

BEYOND = 1 << 32  # more changes than a database ever loses


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def perform(
    connection: Connection, requests: Sequence[Request]
) -> tuple[list[Answer], list[Commit | PeopleMoved]]:
    """Carry out `requests` in order within the transaction of `connection`.

    Returns an answer for each request (a ChatError is the refusal of that one) and what happened to people
    and to each room. Nothing of it is true before the caller has committed.
    """
    return _Transaction(connection).run(requests)


@dataclass
class _OpenRoom:
    """A room's row while the transaction holds its lock."""

    id: int
    last_seq: int
    last_at: int
    revision: int
    closed: bool
    rights: int
    slow_seconds: int
    messages: list[Message] = field(default_factory=list)
    changed: bool = False


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._bulk = BULK[connection.dialect.name]
        self._rooms: dict[int, _OpenRoom] = {}
        self._rows: list[tuple[object, ...]] = []
        self._mentions: list[dict[str, Any]] = []
        self._known: dict[tuple[int, str, str], Message] = {}
        self._dropped: list[Commit] = []
        self._rights: dict[int, Rights] = {}
        self._calls = Calls(connection)
        self._people: int | None = None  # their number, once it is needed
        self._people_moved = False

    def run(self, requests: Sequence[Request]) -> tuple[list[Answer], list[Commit | PeopleMoved]]:
        of_no_room = (
            *(MakeRoom, NoteGuest, ForgetDeleted, CollectFiles, ForgetContents, EraseOnward, PeopleRequest),
        )
        rooms = {request.room for request in requests if not isinstance(request, of_no_room)}
        posts = [request for request in requests if isinstance(request, Post)]
        sent = {(post.room, post.client_id, post.author.id) for post in posts if post.client_id is not None}
        locked, known, self._people = self._bulk.open(self._connection, requests, rooms, sent)
        self._rooms |= {row[0]: _OpenRoom(*row) for row in locked}
        for row in known:
            self._known[row.room_id, row.client_id, row.author_id] = message_of(row)
        answers = [self._answer(request) for request in requests]
        moved = [PeopleMoved(self._people_number())] if self._people_moved else []
        return answers, [*moved, *self._finish(), *self._dropped]

    def _lock(self, rooms: set[int]) -> None:
        self._rooms |= {row[0]: _OpenRoom(*row) for row in self._bulk.lock(self._connection, rooms)}

    def _answer(self, request: Request) -> Answer:
        try:
            match request:
                case Post():
                    return self._post(request)
                case Deeds():
                    return self._deeds(self._room(request.room), request)
                case Report():
                    return self._report(self._room(request.room), request)
                case Settle():
                    return self._settle(self._room(request.room), request)
                case Clear():
                    return self._clear(self._room(request.room), request)
                case RenewLog():
                    return self._renew_log(self._room(request.room), request)
                case MakeRoom():
                    return self._make_room(request)
                case DropRoom():
                    return self._drop_room(self._room(request.room), request)
                case MarkRead():
                    return self._mark_read(request)
                case Mute():
                    return self._mute(request)
                case Notify():
                    return self._notify(request)
                case NoteGuest():
                    return self._note_guest(request)
                case Prune():
                    return self._prune(self._room(request.room), request)
                case ForgetDeleted():
                    return statements.forget_deleted(self._connection, request.until)
                case KeepFile():
                    return self._keep_file(self._room(request.room), request)
                case CollectFiles():
                    return file_statements.collect(self._connection, request.files, request.before)
                case ForgetContents():
                    return file_statements.forget_contents(self._connection, request.digests)
                case Erase():
                    return self._erase(request)
                case EraseOnward():
                    return self._erase_onward(request)
                case SignUp():
                    return self._sign_up(request)
                case PeopleRequest():
                    return self._about_people(request)
        except ChatError as refusal:
            return refusal

    def _room(self, room: int) -> _OpenRoom:
        if room not in self._rooms:
            raise NoSuchRoom()
        return self._rooms[room]

    def _post(self, post: Post) -> Kept:
        room = self._room(post.room)
        key = (post.room, post.client_id or "", post.author.id)
        if post.client_id is not None and key in self._known:
            # Who lost the answer learns that it is kept, also where they may write no more, but not where
            # they may not read.
            self._permit(room, post.identity, "read", post.rights)
            return Kept(self._known[key], new=False)
        any_author = post.any_author
        if changed := self._permit(room, post.identity, post.verb, post.rights):
            any_author = self._any_author(post, *changed)
        if room.closed and not post.forced:
            raise RoomClosed()
        if post.effects or post.over is not None:
            self._check_nobody_erased(_concerned(post))
        original = None if post.of is None else self._check_original(post, post.of, any_author)
        self._check_pace(room, post, any_author)
        files = self._claimed(room, post)
        self._take_effect(room, post)
        if original is not None and post.kind in ("delete", "restore"):
            post = self._turn(post, original)
        message = self._number(room, post, files)
        if post.client_id is not None:
            self._known[key] = message
        if post.detail is not None and "removed" in post.detail:
            statements.remember_removal(self._connection, room.id, post.detail["removed"], room.last_seq)
        return Kept(message, new=True)

    def _deeds(self, room: _OpenRoom, request: Deeds) -> int:
        """Asked once for all of them: the first may end the right by which the others are done."""
        self._permit(room, request.identity, request.verb, request.rights)
        for post in request.posts:
            self._take_effect(room, post)
            self._number(room, post)
        return room.last_seq

    def _permit(
        self, room: _OpenRoom, identity: Identity, verb: Verb, number: int
    ) -> tuple[Identity, Rights] | None:
        """Decide again what was permitted under the rights `number`, if they or people have changed since.

        Who it is and what the rights are now; None where nothing has changed.
        """
        if identity.id == SYSTEM.id:
            return None
        # Of hooks nobody keeps in memory whether they are in force.
        same_people = identity.role != "hook" and identity.people == self._people_number()
        if same_people and number == room.rights:
            return None
        if not same_people:
            identity = people_reading.identity_now(self._connection, identity)
        found = self._rights.get(room.id)
        if found is None or found.number != room.rights:
            found = reading.rights(self._connection, room.id)
            found = self._rights[room.id] = structs.replace(found, number=room.rights)
        # To run the server is nobody's right in one room: it holds where they are not in it, too.
        permissions.check(identity, verb, None if verb == "administer" else found)
        return identity, found

    def _any_author(self, post: Post, identity: Identity, rights: Rights) -> bool:
        """Whether it may be about anybody's message, under the rights of now. Raises Forbidden."""
        if post.verb == "administer":
            return post.any_author
        if post.over is not None and not permissions.outranks(identity, post.over, rights):
            raise Forbidden("They now have the same rights as you here, or more")
        return permissions.may(identity, "change_any", rights)

    def _permit_on_server(self, identity: Identity, verb: Verb) -> None:
        """Decide again what was permitted in no room, if people have changed since."""
        if identity.id != SYSTEM.id and identity.people != self._people_number():
            permissions.check(people_reading.identity_now(self._connection, identity), verb)

    def _people_number(self) -> int:
        if self._people is None:
            self._people = people_reading.number(self._connection)
        return self._people

    def _erase(self, request: Erase) -> list[str]:
        """Returns who owns rooms from now on that were the person's alone: ids."""
        self._permit_on_server(request.identity, request.verb)
        self._flush()
        rooms = personal_data.rooms_of(self._connection, request.person)
        self._lock(rooms - self._rooms.keys())
        people_statements.check_erasable(self._connection, request)
        heirs, doer = personal_data.heirs(self._connection, request.person), personal_data.doer(request)
        personal_data.erase(self._connection, request, now())
        did = "erased their own account" if doer != request.by else "erased an account"
        statements.note(self._connection, doer, Act(did), None, now())
        for number, heir in heirs:
            post = structs.replace(giving_part(number, heir, "owner", new=False), author=doer)
            self._take_effect(self._rooms[number], post)
            self._number(self._rooms[number], post)
        for room in rooms:
            self._rooms[room].rights += 1
            self._rooms[room].changed = True
        self._people = people_statements.move(self._connection)
        self._people_moved = True
        return sorted({heir.id for _, heir in heirs})

    def _erase_onward(self, request: EraseOnward) -> int:
        """Returns how many messages were dealt with."""
        self._flush()
        done = personal_data.erase_onward(self._connection, request, now())
        self._known = {key: kept for key, kept in self._known.items() if key[0] != request.room}
        if done is not None:
            self._lock({done} - self._rooms.keys())
        if done in self._rooms:  # it may have been deleted meanwhile
            self._rooms[done].changed = True
        return len(request.seqs)

    def _check_nobody_erased(self, people: Iterable[str]) -> None:
        """A deed about somebody that comes behind their erasure would put them back."""
        if any(people_reading.erased(self._connection, person) for person in people):
            raise BadRequest("There is nobody with that id (any more)")

    def _about_people(self, request: PeopleRequest) -> Answer:
        self._permit_on_server(request.identity, request.verb)
        answer: Answer = self._done_about_people(request)
        return answer

    def _done_about_people(self, request: PeopleRequest) -> Any:
        answer, moved = people_statements.perform(self._connection, request, now())
        if moved:
            self._people = people_statements.move(self._connection)
            self._people_moved = True
        return answer

    def _sign_up(self, request: SignUp) -> Person:
        """With the account comes the place in the room into which the invitation leads; with the first
        administrator's, the first room.
        """
        self._permit_on_server(request.identity, request.verb)
        begins = request.role == "administrator" and not people_reading.begun(self._connection)
        person: Person = self._done_about_people(request)
        if begins:
            self._give_first_room(person)
        if request.invitation is not None:
            self._take_in(person, request.invitation)
        return person

    def _give_first_room(self, person: Person) -> None:
        """Who runs the server would be in no room, and the one that it began with nobody's. No notice: who
        comes later is to find the room as empty as it is.
        """
        number = reading.first_public_room(self._connection)
        if number is None:
            return
        if number not in self._rooms:
            self._lock({number})
        if "owner" not in reading.rights(self._connection, number).members.values():
            newcomer = Author(person.id, person.name)
            self._take_effect(self._rooms[number], giving_part(number, newcomer, "owner", new=False))

    def _take_in(self, person: Person, invitation: str) -> None:
        """Where the room is gone, or who invited may take nobody in there any more, it is an account all the
        same.
        """
        invited = people_reading.invited(self._connection, invitation)
        if invited is None or invited.room is None:
            return
        room_id = invited.room
        if room_id not in self._rooms:
            self._lock({room_id})
        room = self._rooms.get(room_id)
        if room is None:
            return
        rights = reading.rights(self._connection, room.id)
        inviter = self._inviter_now(invited.by, rights)
        if person.id in rights.members or inviter is None:
            return
        newcomer = Author(person.id, person.name)
        self._post(giving_part(room.id, newcomer, "member", new=True, identity=inviter))

    def _inviter_now(self, inviter: Author, rights: Rights) -> Identity | None:
        """Who made an invitation, as they are now; None where they may take nobody in."""
        if rights.kind == "direct":
            return None
        if inviter.id == SYSTEM.id:
            return SYSTEM
        try:
            who = people_reading.identity_now(self._connection, Identity(inviter.id, inviter.name, "member"))
        except ChatError:  # disabled, erased, banned
            return None
        return who if permissions.may(who, "invite", rights) else None

    def _check_pace(self, room: _OpenRoom, post: Post, any_author: bool) -> None:
        if not room.slow_seconds or post.kind != "text" or any_author:
            return
        self._flush()  # the last one may be in this very transaction
        pause, at = room.slow_seconds * 1_000_000, now()
        last = statements.last_text_at(self._connection, room.id, post.author.id, at - pause)
        if last is not None:
            left = math.ceil((last + pause - at) / 1_000_000)
            raise TooFast(
                "One message in %(seconds)s seconds in this room",
                retry_after=min(max(left, 1), room.slow_seconds),
                seconds=room.slow_seconds,
            )

    def _take_effect(self, room: _OpenRoom, post: Post) -> None:
        # A refusal leaves nothing behind: each effect is refused before it writes, and only the first may be.
        at = now()  # by which those of one deed are known
        for effect in post.effects:
            match effect:
                case ChangeRoom():
                    statements.change_room(self._connection, room.id, effect.columns)
                    room.closed = effect.columns.get("closed", room.closed)
                    room.slow_seconds = effect.columns.get("slow_seconds", room.slow_seconds)
                case SetMember():
                    statements.set_member(self._connection, room.id, effect, now())
                case Impose():
                    statements.impose(self._connection, room.id, effect, post.author, at)
                case Lift():
                    statements.lift(self._connection, room.id, effect.sanction, now())
                case MakeHook():
                    token_statements.make_hook(self._connection, room.id, effect, post.author, now())
                case RevokeHook():
                    token_statements.revoke_hook(self._connection, room.id, effect.hook, now())
            room.changed = True
        if post.effects:
            room.rights += 1
        if post.act is not None:
            statements.note(self._connection, post.author, post.act, room.id, now())

    def _claimed(self, room: _OpenRoom, post: Post) -> list[File]:
        if not post.files:
            return []
        return file_statements.claimed(self._connection, room.id, post.author.id, post.files)

    def _number(self, room: _OpenRoom, post: Post, files: Sequence[File] = ()) -> Message:
        body = post.body or "\n".join(file.name for file in files)
        room.last_seq += 1
        room.last_at = max(now(), room.last_at + 1)  # no two messages share a time, whatever the clock does
        called = post.restored.called if post.restored else self._calls.of(post, room.rights)
        files = post.restored.files if post.restored else files
        message = Message(
            room=room.id,
            seq=room.last_seq,
            kind=post.kind,
            author=post.author,
            at=format_time(room.last_at),
            body=body,
            of=post.of,
            client_id=post.client_id,
            remove=True if post.remove else UNSET,
            detail=UNSET if post.detail is None else post.detail,
            mentions=list(called.values()) if called else UNSET,
            called=list(called) if called else UNSET,
            files=list(files) if files else UNSET,
        )
        if files and not post.restored:
            file_statements.give(self._connection, room.id, room.last_seq, files)
        self._rows.append(row_of(message, room.last_at))
        room.messages.append(message)
        if post.kind in AMENDING:
            self._amend(room, message)
        self._mentions += statements.mentions(
            message, post.restored.author if post.restored else post.author.id
        )
        return message

    def _check_original(self, post: Post, of: int, any_author: bool) -> Row[Any]:
        """All but a restore, and a delete that takes another one over, are about a text that still has a
        body.
        """
        if post.kind == "restore":
            return self._check_deleted(post, of, any_author)
        if post.kind == "delete" and (deleted := self._taken_over(post, of, any_author)):
            return deleted
        original = self._text(post.room, of)
        own = original.author_id == post.author.id
        if (post.kind == "edit" and not own) or (post.kind == "delete" and not (own or any_author)):
            raise Forbidden("That message is somebody else’s")
        return original

    def _check_deleted(self, post: Post, of: int, any_author: bool) -> Row[Any]:
        deleted = self._deleted(post.room, of)
        if deleted is None:
            raise BadRequest(
                "There is no deleted text #%(of)s that could be brought back (any more)", of=str(of)
            )
        if not permissions.may_restore(post.author.id, deleted.author_id, deleted.by_id, any_author):
            raise Forbidden("That message was deleted by somebody else")
        return deleted

    def _taken_over(self, post: Post, of: int, any_author: bool) -> Row[Any] | None:
        deleted = self._deleted(post.room, of)
        if deleted is None or not permissions.may_take_over(
            post.author.id, deleted.author_id, deleted.by_id, any_author
        ):
            return None
        return deleted

    def _deleted(self, room: int, seq: int) -> Row[Any] | None:
        """A deleted text that can still be brought back."""
        self._flush()  # it may be in this very transaction
        return next(iter(reading.deleted_texts(self._connection, room, seq, seq, now())), None)

    def _turn(self, post: Post, original: Row[Any]) -> Post:
        """Keep what a delete takes away, or give a restore its words; other people's is noted."""
        if post.kind == "delete":
            did = "deleted"
            self._keep_deleted(post, original)
        else:
            did = "brought back"
            files = reading.files_of(original)
            restored = Restored(original.author_id, original.called_then or {}, files)
            post = structs.replace(post, body=original.said, restored=restored)
            statements.take_deleted(self._connection, original.room_id, original.seq)
        if original.author_id != post.author.id:
            act = Act(f"{did} #{post.of} of {original.author_name}", original.author_id, post.why)
            statements.note(self._connection, post.author, act, original.room_id, now())
        return post

    def _keep_deleted(self, post: Post, original: Row[Any]) -> None:
        until = now() + post.undo_seconds * 1_000_000
        if original.deleted_at is not None and post.undo_seconds:
            statements.take_over(self._connection, original, post.author.id, until)
        elif post.undo_seconds:
            statements.keep_deleted(self._connection, original, post.author.id, until)
        else:
            statements.take_deleted(self._connection, original.room_id, original.seq)
            if original.files:
                file_statements.let_go(self._connection, original.room_id, original.seq)

    def _text(self, room: int, seq: int) -> Row[Any]:
        original = self._original(room, seq)
        if original is None or original.kind != "text":
            raise BadRequest("There is no text #%(seq)s in this room (any more)", seq=str(seq))
        if original.deleted_at is not None:
            raise BadRequest("This message was deleted")
        return original

    def _original(self, room: int, seq: int) -> Row[Any] | None:
        if not 0 < seq < 2**63:
            return None
        self._flush()  # it may be in this very transaction
        query = select(*MESSAGES.c).where(MESSAGES.c.room_id == room, MESSAGES.c.seq == seq)
        return self._connection.execute(query).first()

    def _amend(self, room: _OpenRoom, change: Message) -> None:
        self._flush()
        statements.amend(self._connection, change, room.last_at)
        self._known = {key: kept.amended_by(change) for key, kept in self._known.items()}

    def _report(self, room: _OpenRoom, request: Report) -> int:
        self._permit(room, request.identity, "report", request.rights)
        original = self._text(room.id, request.seq)
        if original.author_id == request.by.id:
            raise BadRequest("That is your own message")
        report_statements.keep(self._connection, request, original, now())
        return room.id

    def _settle(self, room: _OpenRoom, request: Settle) -> int:
        self._permit(room, request.identity, request.verb, request.rights)
        report = report_statements.one(self._connection, room.id, request.report, request.identity.id)
        if request.deed is not None:
            self._post(request.deed)
        report_statements.settle(self._connection, report, request.outcome, now())
        said = f"{REPORT_SETTLED}{report.seq} of {report.author.name}: {request.outcome}"
        act = Act(said, report.author.id, request.why)
        statements.note(self._connection, Author.of(request.identity), act, room.id, now())
        return room.id

    def _clear(self, room: _OpenRoom, request: Clear) -> int:
        """Returns the last number of the old log."""
        self._permit(room, request.identity, "manage", request.rights)
        self._flush()
        self._note(request, room.id)
        statements.begin_log_anew(self._connection, room.id, room.last_seq + 1)
        self._known = {key: kept for key, kept in self._known.items() if key[0] != room.id}
        room.messages.clear()
        room.changed = True
        return room.last_seq

    def _renew_log(self, room: _OpenRoom, request: RenewLog) -> int:
        self._note(request, room.id)
        statements.change_room(self._connection, room.id, {"epoch": statements.new_epoch()})
        # Running processes may know of more changes than the database has now: theirs are all below these.
        room.revision += BEYOND
        room.rights += BEYOND
        room.changed = True
        return room.last_seq

    def _make_room(self, request: MakeRoom) -> int:
        self._permit_on_server(request.identity, request.verb)
        if request.party and (there := statements.room_of_party(self._connection, request.party)):
            return there
        self._check_nobody_erased(person for person, *_ in request.members)
        room = statements.insert_room(self._connection, request, now())
        self._note(request, room)
        self._rooms[room] = _OpenRoom(
            room, last_seq=0, last_at=0, revision=0, closed=False, rights=1, slow_seconds=0, changed=True
        )
        return room

    def _drop_room(self, room: _OpenRoom, request: DropRoom) -> int:
        self._permit(room, request.identity, "manage", request.rights)
        self._flush()
        self._note(request, room.id)
        statements.delete_room(self._connection, room.id)
        del self._rooms[room.id]
        self._dropped.append(Commit(room.id, room.revision + 1, [], changed=True))
        return room.id

    def _keep_file(self, room: _OpenRoom, request: KeepFile) -> int:
        self._permit(room, request.identity, "post", request.rights)
        if room.closed:
            raise RoomClosed()
        self._check_nobody_erased({request.identity.id})
        file_statements.keep(self._connection, request, now())
        return room.id

    def _mark_read(self, request: MarkRead) -> int:
        """Returns how far the person has read now."""
        room = self._room(request.room)
        self._permit(room, request.identity, "read", request.rights)
        seq = max(0, min(request.seq, room.last_seq))
        if request.back:
            return statements.turn_read_back(self._connection, request.person, request.room, seq)
        return statements.advance_read(self._connection, request.person, request.room, seq)

    def _note(self, request: MakeRoom | Clear | RenewLog | DropRoom, room: int) -> None:
        if request.act is not None:
            statements.note(self._connection, request.by, request.act, room, now())

    def _mute(self, request: Mute) -> int:
        room = self._room(request.room)
        self._permit(room, request.identity, "read", request.rights)
        statements.mute(self._connection, room.id, request.person, request.muted)
        return room.id

    def _notify(self, request: Notify) -> int:
        room = self._room(request.room)
        self._permit(room, request.identity, "read", request.rights)
        statements.notify(self._connection, room.id, request.person, request.level)
        return room.id

    def _note_guest(self, request: NoteGuest) -> int:
        self._permit_on_server(request.identity, "read")
        if people_reading.person_called(self._connection, request.name) is not None:
            raise BadRequest(
                "%(name)s is the name of somebody with an account: choose another one, or sign in",
                name=request.name,
            )
        if people_reading.hook_called(self._connection, request.name):
            raise BadRequest("%(name)s is the name of a program here: choose another one", name=request.name)
        statements.note_guest(self._connection, request, now())
        return 0

    def _prune(self, room: _OpenRoom, request: Prune) -> int:
        """Returns the room's first number now. It is the same log: who is behind is reset by its cursor."""
        self._flush()
        first, removed = statements.prune(self._connection, room.id, request, room.last_seq)
        if removed:
            self._known = {key: kept for key, kept in self._known.items() if key[0] != room.id}
            room.changed = True
        return first

    def _flush(self) -> None:
        if self._rows:
            self._bulk.insert_messages(self._connection, self._rows)
            self._rows = []
        if self._mentions:
            self._connection.execute(insert(MENTIONS), self._mentions)
            self._mentions = []

    def _finish(self) -> list[Commit]:
        if self._mentions:
            self._flush()
        touched = [room for room in self._rooms.values() if room.messages or room.changed]
        for room in touched:
            room.revision += 1
        if touched:
            moved = [(room.last_seq, room.last_at, room.revision, room.rights, room.id) for room in touched]
            self._bulk.finish(self._connection, self._rows, moved)
        return [Commit(room.id, room.revision, room.messages, room.changed) for room in touched]


def _concerned(post: Post) -> set[str]:
    """Ids of whom a deed is about."""
    people = {effect.person for effect in post.effects if isinstance(effect, SetMember | Impose)}
    return {person for person in (*people, post.over) if person is not None}
