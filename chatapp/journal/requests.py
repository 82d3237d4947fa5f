"""What can be asked of the journal, and what it answers. Plain values."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from chatapp.message import Author, File, Message
from chatapp.permissions import SYSTEM, Identity, Posting, Rights, RoomKind, RoomRole, Verb

SYSTEM_AUTHOR = Author.of(SYSTEM)
REMOVALS_KEPT = 100  # of a room; every process has looked at them within a second

Kind = Literal["text", "edit", "delete", "restore", "reaction", "notice"]
Level = Literal["all", "mentions", "none"]
Outcome = Literal["dismissed", "deleted", "timed out", "banned"]


class RoomState(Struct, frozen=True):
    """A room as the database has it. `first_seq`: the oldest number that may still be there. `removals`: who
    was removed lately (author ids), and the number of the notice that says so. `rights`: see `Rights.number`.
    """

    id: int
    name: str
    topic: str
    epoch: str
    first_seq: int
    last_seq: int
    revision: int
    closed: bool
    removals: dict[str, int] = {}
    kind: RoomKind = "public"
    posting: Posting = "everyone"
    guests: bool = True
    slow_seconds: int = 0
    keep_days: int | None = None
    keep_messages: int | None = None
    rights: int = 1


class Look(Struct, frozen=True):
    """A room and some of its messages, of one moment. `rights`: None where the asker has those already."""

    state: RoomState
    messages: list[Message]
    rights: Rights | None = None


class Listed(Struct, frozen=True):
    """A room as it concerns one person, the only one in `rights`. `party`: the others of a direct room.
    `notify`: None where the person has not said. `unread`: texts of others; `mentions`: those that call them.
    """

    state: RoomState
    rights: Rights
    muted: bool
    party: list[Author]
    notify: Level | None = None
    unread: int = 0
    mentions: int = 0


class Member(Struct, frozen=True):
    """`at`: since when. `status`: what they say of themselves; `bot`: that they are a program: these stand
    with the people.
    """

    id: str
    name: str
    role: RoomRole
    at: str
    status: str = ""
    bot: Literal[True] | UnsetType = UNSET


class Sanction(Struct, frozen=True):
    """What one deed imposed on a person, their browser and a network, or some of these.

    `until`: None for good. `by`: a name.
    """

    id: int
    kind: Literal["ban", "timeout"]
    name: str
    person: str | None
    device: str | None
    network: str | None
    until: str | None
    reason: str
    by: str
    at: str


class AuditLine(Struct, frozen=True):
    """An entry of the audit log."""

    id: int
    at: str
    who_id: str
    who: str
    what: str
    room: int | None
    whom: str
    why: str


class ReportLine(Struct, frozen=True):
    """A report that waits. `body`: what the message of `author` said when it was reported by `by`."""

    id: int
    room: int
    room_name: str
    seq: int
    author: Author
    body: str
    by: Author
    why: str
    at: str


class ChangeRoom(Struct, frozen=True):
    """Set columns of the room."""

    columns: dict[str, Any]


class SetMember(Struct, frozen=True):
    """Give a person a part in the room, another one, or (None) none. `new`: only who has none yet."""

    person: str
    name: str
    role: RoomRole | None
    new: bool = False


class Impose(Struct, frozen=True):
    """A sanction on `person`, `device` or `network`; `until` in microseconds since 1970, 0: for good."""

    kind: Literal["ban", "timeout"]
    name: str
    person: str | None = None
    device: str | None = None
    network: str | None = None
    until: int = 0
    reason: str = ""


class Lift(Struct, frozen=True):
    """Take a sanction back, with all that the same deed imposed."""

    sanction: int


class MakeHook(Struct, frozen=True):
    """Make an address at which programs post into the room. `key`: the hash of its secret."""

    key: str
    name: str


class RevokeHook(Struct, frozen=True):
    """A hook is good no longer."""

    hook: int


Effect = ChangeRoom | SetMember | Impose | Lift | MakeHook | RevokeHook


class Act(Struct, frozen=True):
    """What the audit log keeps of a request."""

    what: str
    whom: str = ""
    why: str = ""


class Restored(Struct, frozen=True):
    """Of a deleted text that is brought back: its author's id, whom it calls and what files it has."""

    author: str
    called: dict[str, str]
    files: list[File]


class Attachment(Struct, frozen=True):
    """A file that was sent before and goes out with a message. `alt`: what is on it, in words."""

    id: str
    alt: str = ""


class Post(Struct, frozen=True):
    """Keep a message. `effects`: what becomes of the room in the same transaction; `act`: what is noted of
    it.

    `identity` was permitted `verb` under the room's rights numbered `rights`; if they, or who anybody is
    (`identity.people`), have changed since, it is asked again. `any_author`: it may change other people's
    messages. `over`: somebody whom `identity` outranked under those rights.

    `detail` with `removed`, an author's id: from this message on that person has no part in the room.
    `forced`: also in a closed room. `undo_seconds`: how long what a delete takes away can be brought back, by
    a restore, whose words are the deleted ones (`restored`). `why`: is noted of either, where the text is
    somebody else's. `guests`: those who are present, whom a text may call by their names. `files`: what the
    author sent to this room before; where there is no body, it is their names.
    """

    room: int
    author: Author
    body: str = ""
    kind: Kind = "text"
    of: int | None = None
    client_id: str | None = None
    remove: bool = False
    detail: dict[str, Any] | None = None
    effects: tuple[Effect, ...] = ()
    act: Act | None = None
    identity: Identity = SYSTEM
    verb: Verb = "post"
    rights: int = 0
    any_author: bool = False
    over: str | None = None
    forced: bool = False
    undo_seconds: int = 0
    why: str = ""
    restored: Restored | None = None
    guests: tuple[Author, ...] = ()
    files: tuple[Attachment, ...] = ()


def giving_part(
    room: int,
    person: Author,
    role: RoomRole,
    *,
    new: bool,
    identity: Identity = SYSTEM,
    verb: Verb = "invite",
    rights: int = 0,
) -> Post:
    """The deed of who takes somebody in as a member (`new`), or gives them another part in a room."""
    said = f"took {person.name} in" if new else f"made {person.name} {_a(role)}"
    return Post(
        room,
        Author.of(identity),
        said,
        kind="notice",
        detail={"member": {"id": person.id, "name": person.name, "role": role}},
        effects=(SetMember(person.id, person.name, role, new=new),),
        act=Act(said, person.id),
        identity=identity,
        verb=verb,
        rights=rights,
        forced=True,
    )


def _a(role: RoomRole) -> str:
    return {"member": "a member", "moderator": "a moderator", "owner": "an owner"}[role]


class Deeds(Struct, frozen=True):
    """Keep several notices with their effects, all or none; each only sets columns of the room, which is
    never refused. `identity`, `verb` and `rights` as in Post, for all of them. The answer is the number of
    the last.
    """

    room: int
    posts: tuple[Post, ...]
    identity: Identity
    verb: Verb
    rights: int


class Report(Struct, frozen=True):
    """Bring a text before those who moderate; who has done so already has done it. `rights` as in Post."""

    room: int
    seq: int
    by: Author
    why: str
    identity: Identity
    rights: int


class Settle(Struct, frozen=True):
    """A report has this outcome, and with it all that wait about the same message.

    `deed`: what is done about it in the same transaction; where that is refused, the reports go on waiting.
    `identity`, `verb` and `rights` as in Post.
    """

    room: int
    report: int
    outcome: Outcome
    identity: Identity
    verb: Verb
    rights: int
    why: str = ""
    deed: Post | None = None


class Clear(Struct, frozen=True):
    """Remove all messages of a room; numbers go on, under a new epoch. `identity` was permitted to manage it
    under the rights numbered `rights`.
    """

    room: int
    by: Author = SYSTEM_AUTHOR
    act: Act | None = None
    identity: Identity = SYSTEM
    rights: int = 0


class RenewLog(Struct, frozen=True):
    """Give a room's log a new epoch: every reader starts over, with what the database has now."""

    room: int
    by: Author = SYSTEM_AUTHOR
    act: Act | None = None


class MakeRoom(Struct, frozen=True):
    """`members`: (person, name, role) of those who are in it from the beginning. `party`: of a direct room;
    where there is one of that party already, it is the answer. `identity` and `verb`: as of PeopleRequest.
    """

    name: str
    topic: str = ""
    kind: RoomKind = "public"
    guests: bool = True
    members: tuple[tuple[str, str, RoomRole], ...] = ()
    party: str | None = None
    by: Author = SYSTEM_AUTHOR
    act: Act | None = None
    identity: Identity = SYSTEM
    verb: Verb = "make_room"


class DropRoom(Struct, frozen=True):
    """Remove a room and its messages for good. `identity`, `rights`: as of Clear."""

    room: int
    by: Author = SYSTEM_AUTHOR
    act: Act | None = None
    identity: Identity = SYSTEM
    rights: int = 0


class MarkRead(Struct, frozen=True):
    """Remember how far a person has read; never turns back but where they want it to (`back`): what follows
    is unread again. `identity` was permitted to read the room under the rights numbered `rights`.
    """

    room: int
    person: str
    seq: int
    identity: Identity = SYSTEM
    rights: int = 0
    back: bool = False


class NoteGuest(Struct, frozen=True):
    """Remember who became a guest, in which browser and at which address. Refused where the name passes for
    that of somebody with an account, or of a hook. `identity`: the guest, let in before.
    """

    person: str
    name: str
    device: str
    address: str
    identity: Identity = SYSTEM


class Mute(Struct, frozen=True):
    """Whether a member wants to hear of a room. `identity`, `rights`: as of MarkRead."""

    room: int
    person: str
    muted: bool
    identity: Identity = SYSTEM
    rights: int = 0


class Notify(Struct, frozen=True):
    """Of what the browsers of a member tell them. `identity`, `rights`: as of MarkRead."""

    room: int
    person: str
    level: Level
    identity: Identity = SYSTEM
    rights: int = 0


class Prune(Struct, frozen=True):
    """Remove what is older than `before` (microseconds since 1970) and all but the newest `keep` messages:
    the oldest of them, as many as one transaction removes (`statements.PRUNED_AT_ONCE`); ask again for the
    rest.
    """

    room: int
    before: int | None = None
    keep: int | None = None


class ForgetDeleted(Struct, frozen=True):
    """Remove the deleted texts that could be brought back until then at most (microseconds since 1970)."""

    until: int


class KeepFile(Struct, frozen=True):
    """Remember what somebody sent as a file, before a message goes out with it. `digest`: the SHA-256 under
    which its content lies in the folder. `identity`, `rights`: as in Post.
    """

    room: int
    file: File
    digest: str
    identity: Identity
    rights: int


class CollectFiles(Struct, frozen=True):
    """Forget those of `files`, ids, that no message has had since `before` (microseconds since 1970)."""

    files: tuple[str, ...]
    before: int


class ForgetContents(Struct, frozen=True):
    """Of the folder of uploads `digests` are gone, where no file has them by now."""

    digests: tuple[str, ...]


class EraseOnward(Struct, frozen=True):
    """Take the person, who is being erased, out of the messages `seqs` of a room: the next that name them.
    None of them: there are no more, and it is done.

    `waiting`: others to whom whoever asks comes behind this one; nobody else has to.
    """

    person: str
    room: int = 0
    seqs: tuple[int, ...] = ()
    waiting: tuple[str, ...] = ()


class PeopleRequest(Struct, frozen=True, kw_only=True):
    """What is about people rather than rooms: see people_requests.py.

    `identity` was permitted `verb`; if who anybody is (`identity.people`) has changed since, it is asked
    again.
    """

    identity: Identity = SYSTEM
    verb: Verb = "administer"


Request = (
    Post
    | Deeds
    | Report
    | Settle
    | Clear
    | RenewLog
    | MakeRoom
    | DropRoom
    | MarkRead
    | Mute
    | Notify
    | Prune
    | ForgetDeleted
    | NoteGuest
    | KeepFile
    | CollectFiles
    | ForgetContents
    | EraseOnward
    | PeopleRequest
)


class Kept(Struct, frozen=True):
    """The answer to a Post. `new` is False where its client_id was known: then it is the first one's."""

    message: Message
    new: bool


class PeopleMoved(Struct, frozen=True):
    """One transaction changed who somebody is; `number`: the count of such transactions (`Server.people`)."""

    number: int


class Commit(Struct, frozen=True):
    """What one transaction did to one room. `changed`: more than that messages were added."""

    room: int
    revision: int
    messages: list[Message]
    changed: bool = False
