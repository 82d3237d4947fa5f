"""What can be asked of the journal about people, and what it answers. Plain values.

Codes and cookies never come here: only their hashes do (`key`). Times are microseconds since 1970.
"""

from typing import Any, Literal

from msgspec import Struct

from chatapp.journal.requests import SYSTEM_AUTHOR, Act, Impose, PeopleRequest
from chatapp.message import Author
from chatapp.permissions import Sanctions

AccountRole = Literal["member", "administrator"]


class Person(Struct, frozen=True):
    """Somebody with an account, as the others may know them; but for `language`, in which they read: a tag,
    or None for that of their browsers. `bot`: it is a program, which has tokens and no way to sign in.
    """

    id: str
    name: str
    role: AccountRole
    status: str = ""
    disabled: bool = False
    language: str | None = None
    bot: bool = False


class News(Struct, frozen=True):
    """What has changed about people since an earlier number (`Server.people`); `number`: the one now.

    `changed`: people as they are now; `renamed`: those of them with a new name; `ended`: keys of
    sessions and tokens.
    `bans`: those in force on the whole server. `erased`: people who are here no more, by the hashes of ids.
    """

    number: int
    changed: list[Person]
    renamed: list[Person]
    ended: list[str]
    bans: Sanctions
    erased: list[str]


class SessionLine(Struct, frozen=True):
    """A session as its owner sees it."""

    key: str
    device: str
    address: str
    made_at: str
    seen_at: str


class Invited(Struct, frozen=True):
    """What somebody is told whom an invitation lets in: who made it, and the room into which it leads."""

    by: Author
    room: int | None
    room_name: str | None  # none where the room is gone


class InvitationLine(Struct, frozen=True):
    """An invitation that is still good. `by`: a name."""

    id: int
    note: str
    by: str
    made_at: str
    expires_at: str
    uses: int
    room: int | None


class FirstPasskey(Struct, frozen=True):
    """The passkey with which an account is made. `handle`: what it knows the account by; `columns`: of the
    login library.
    """

    handle: str
    columns: dict[str, Any]


class SignUp(PeopleRequest, frozen=True):
    """Make an account; the answer is the Person.

    `person`: the id of a guest who signs up; None: a new one. `secrets`, `passkey`: columns of
    the login library. `invitation`: the key of one with uses left: where it leads into a room that is still
    there, and who made it may still take people in there, the person is a member. `first`: it is the first
    administrator's, and there must have been none. `identity`: `by`, or the guest; of who is neither it is
    SYSTEM, which is not asked again.
    """

    name: str
    uniquifier: str
    role: AccountRole = "member"
    person: str | None = None
    secrets: dict[str, Any] = {}  # noqa: RUF012  # msgspec copies it
    passkey: dict[str, Any] | None = None
    invitation: str | None = None
    first: bool = False
    by: Author | None = None


class ChangeAccount(PeopleRequest, frozen=True):
    """Set columns of an account; the answer is the Person.

    `end_sessions`: also sign the person out everywhere.
    """

    person: str
    columns: dict[str, Any]
    end_sessions: bool = False
    by: Author = SYSTEM_AUTHOR
    act: Act | None = None


class OpenSession(PeopleRequest, frozen=True):
    """Somebody signed in."""

    key: str
    person: str
    device: str
    address: str


class EndSessions(PeopleRequest, frozen=True):
    """Sign somebody out: of the session `only`, or of all but `but`. Answers how many were ended."""

    person: str
    only: str | None = None
    but: str | None = None
    by: Author = SYSTEM_AUTHOR
    act: Act | None = None


class SawSessions(PeopleRequest, frozen=True):
    """These sessions were used lately."""

    keys: tuple[str, ...]


class KeepPasskey(PeopleRequest, frozen=True):
    """Remember a passkey of somebody, or what has changed of one (`id`)."""

    person: str
    columns: dict[str, Any]
    id: int | None = None


class DropPasskey(PeopleRequest, frozen=True):
    """Forget a passkey."""

    person: str
    id: int


class TakeRecoveryCode(PeopleRequest, frozen=True):
    """Use up a recovery code of somebody, `code` as it is stored. Answers 1, or 0 where it is not there (any
    more).
    """

    person: str
    code: str


class Spend(PeopleRequest, frozen=True):
    """Use up what is good once, until it would end by itself. Answers 1 the first time, and then 0."""

    key: str
    until: int


class Invite(PeopleRequest, frozen=True):
    """Make an invitation; the answer is its number."""

    key: str
    expires_at: int
    uses: int
    note: str = ""
    room: int | None = None
    by: Author = SYSTEM_AUTHOR


class TakeInvitationBack(PeopleRequest, frozen=True):
    """An invitation is good no longer."""

    id: int
    by: Author = SYSTEM_AUTHOR


class OfferReset(PeopleRequest, frozen=True):
    """Make a link with which somebody sets a new password; earlier ones are good no longer."""

    key: str
    person: str
    expires_at: int
    by: Author = SYSTEM_AUTHOR


class Reset(PeopleRequest, frozen=True):
    """Set a new password with such a link, once; the person is signed out everywhere. Answers the Person."""

    key: str
    password: str
    uniquifier: str


class OfferAddress(PeopleRequest, frozen=True):
    """Make a link with which somebody confirms that an e-mail address is theirs; earlier ones are good no
    longer.
    """

    key: str
    person: str
    address: str
    expires_at: int


class ConfirmAddress(PeopleRequest, frozen=True):
    """Set an address with such a link, once. Answers the Person, and the address that they had before."""

    key: str


class DropAddress(PeopleRequest, frozen=True):
    """Forget somebody's address, also one that is to be confirmed yet. Answers which one it was, if any."""

    person: str
    by: Author


class ResetFactor(PeopleRequest, frozen=True):
    """Take somebody's second factor away: authenticator, recovery codes, passkeys that are nothing else."""

    person: str
    by: Author
    act: Act


class Erase(PeopleRequest, frozen=True):
    """Have a person be nobody here any more, and only in the logs: EraseOnward takes them out of these.
    Answers who owns rooms from then on that were theirs alone (ids).

    `alias`: the author id that what they said gets.
    `keep_messages`: what they said stays, as somebody's without a name; else it goes.
    """

    person: str
    alias: str
    keep_messages: bool
    by: Author = SYSTEM_AUTHOR


class ImposeEverywhere(PeopleRequest, frozen=True):
    """Bans on the whole server."""

    sanctions: tuple[Impose, ...]
    by: Author
    act: Act


class LiftEverywhere(PeopleRequest, frozen=True):
    """Take a ban on the whole server back."""

    sanction: int
    by: Author
    act: Act
