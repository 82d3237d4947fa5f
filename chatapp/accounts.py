"""The verbs on people: making accounts, changing them, signing out, inviting, banning from the server.

The doors (pages, API, `flask user`, `flask shell`) call these. What is given out as a code is kept as its
hash.
"""

import hashlib
import secrets
import time
from typing import Any

import gevent

from chatapp import erasing, letters, text
from chatapp.access import enter
from chatapp.errors import BadRequest, Term
from chatapp.hub import Hub
from chatapp.journal import people_reading, personal_data, reading
from chatapp.journal.people_requests import (
    AccountRole,
    ChangeAccount,
    EndSessions,
    Erase,
    FirstPasskey,
    ImposeEverywhere,
    InvitationLine,
    Invite,
    LiftEverywhere,
    OfferReset,
    Person,
    Reset,
    ResetFactor,
    SessionLine,
    SignUp,
    Spend,
    TakeInvitationBack,
)
from chatapp.journal.people_statements import TAKEN
from chatapp.journal.requests import Act, Impose, Sanction
from chatapp.languages import languages
from chatapp.message import DAY_SECONDS, Author
from chatapp.permissions import SYSTEM, Identity, Verb, check

ROLES: tuple[AccountRole, ...] = ("member", "administrator")
INVITATION_DAYS, INVITATION_DAYS_LIMIT = 7, 366
USES_LIMIT = 10_000
RESET_SECONDS = DAY_SECONDS
FOUND_LIMIT = 50


def hashed(secret: str) -> str:
    """What is kept of a code or of a session's secret: whoever reads the database cannot use it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_code() -> str:
    """A code that nobody guesses, to stand in a link."""
    return secrets.token_urlsafe(24)


def new_handle() -> str:
    """What passkeys know a new account by: nothing that tells who it is (WebAuthn, 14.6.1)."""
    return secrets.token_hex(16)


# -- who there is --------------------------------------------------------------------------------------------


def people_like(hub: Hub, identity: Identity, begins: str) -> list[Person]:
    """People whose name begins with `begins`, by name. For people with an account."""
    check(identity, "write_to_people")
    return hub.journal.read(people_reading.search, begins, FOUND_LIMIT)


def person(hub: Hub, name_or_id: str) -> Person:
    """Somebody with an account. Raises BadRequest."""
    found = hub.journal.read(people_reading.person, name_or_id)
    found = found or hub.journal.read(people_reading.person_called, name_or_id)
    if found is None:
        raise BadRequest("There is nobody called “%(name)s” with an account", name=name_or_id)
    return found


# -- accounts ------------------------------------------------------------------------------------------------


def free_name(hub: Hub, name: object, role: AccountRole) -> str:
    """`name` as an account with it would have it. Raises BadRequest where nobody new may have it now."""
    name = text.person_name(name, administrator=role == "administrator")
    if hub.journal.read(people_reading.name_taken, name):
        raise BadRequest(TAKEN)
    return name


def sign_up(
    hub: Hub,
    name: object,
    *,
    password: str | None = None,
    passkey: FirstPasskey | None = None,
    guest: Identity | None = None,
    invitation: str | None = None,
    first: bool = False,
    role: AccountRole = "member",
    by: Identity | None = None,
) -> Person:
    """Make an account. `password`: hashed. `guest`: who signs up, and keeps id and messages. A passkey is
    kept in the same transaction, and who comes by an invitation into a room is a member of it.

    Raises BadRequest (a name that passes for somebody's), Forbidden (an invitation that is used up, …).
    """
    name = text.person_name(name, administrator=role == "administrator")
    request = SignUp(
        name=name,
        uniquifier=secrets.token_hex(16),
        role=role,
        person=guest.id if guest is not None else None,
        secrets={
            "password": password,
            "fs_webauthn_user_handle": passkey.handle if passkey else new_handle(),
        },
        passkey=passkey.columns if passkey else None,
        invitation=hashed(invitation) if invitation is not None else None,
        first=first,
        by=Author.of(by) if by is not None else None,
        identity=by or guest or SYSTEM,
        verb="administer" if by is not None else "read",
    )
    person: Person = hub.journal.ask(request)
    return person


def rename(hub: Hub, identity: Identity, person: Person, name: object) -> Person:
    """Give somebody another name; it shows at once, wherever they have written.

    Raises BadRequest, TooFast.
    """
    name = text.person_name(name, administrator=person.role == "administrator")
    if name == person.name:
        return person
    return _change(hub, identity, person, f"is called {name} now", {"name": name}, counts=True)


def set_status(hub: Hub, identity: Identity, person: Person, status: object) -> Person:
    """What somebody says of themselves, in one line. Raises BadRequest, TooFast."""
    return _change(hub, identity, person, "", {"status": text.status(status)}, counts=True)


def set_language(hub: Hub, identity: Identity, person: Person, language: str) -> Person:
    """The language in which somebody reads, by its tag; empty: as their browsers ask.

    Raises BadRequest, TooFast.
    """
    if language and language not in languages():
        raise BadRequest("That language is not among those here")
    return _change(hub, identity, person, "", {"language": language or None}, counts=True)


def set_role(hub: Hub, identity: Identity, person: Person, role: str) -> Person:
    """Make somebody an administrator, or a member again. One administrator stays."""
    _administer(identity)
    if role not in ROLES:
        raise BadRequest("There is no role “%(role)s”: %(roles)s", role=role, roles=", ".join(ROLES))
    if role == person.role:
        return person
    return _change(hub, identity, person, f"made {person.name} {role}", {"role": role})


def disable(hub: Hub, identity: Identity, person: Person) -> Person:
    """Shut somebody out, until `enable`: they are signed out everywhere."""
    _administer(identity)
    return _change(hub, identity, person, f"disabled {person.name}", {"disabled": True})


def enable(hub: Hub, identity: Identity, person: Person) -> Person:
    _administer(identity)
    return _change(hub, identity, person, f"enabled {person.name}", {"disabled": False})


def set_password(hub: Hub, identity: Identity, person: Person, hash: str) -> Person:
    """Give somebody another password, as its hash; they are signed out everywhere."""
    columns = {"password": hash, "fs_uniquifier": secrets.token_hex(16)}
    changed = _change(hub, identity, person, "set a new password", columns, end_sessions=True)
    letters.tell(hub, person.id, "new password")
    return changed


def reset_factor(hub: Hub, identity: Identity, person: Person) -> Person:
    """Take somebody's second factor away, who has lost it, with its recovery codes; passkeys with which they
    sign in stay.

    Raises BadRequest where there is none. One's own is changed where one says who one is: at /account/.
    """
    _administer(identity)
    if identity.id == person.id:
        raise BadRequest("Your own second factor is changed at /account/")
    act = Act(f"took the second factor of {person.name} away", person.id)
    hub.journal.ask(ResetFactor(person.id, Author.of(identity), act, identity=identity))
    letters.tell(hub, person.id, "factor")
    return person


def _change(
    hub: Hub,
    identity: Identity,
    person: Person,
    said: str,
    columns: dict[str, Any],
    end_sessions: bool = False,
    counts: bool = False,
) -> Person:
    """`counts`: towards the rate of changes."""
    verb: Verb = "read" if identity.id == person.id else "administer"
    check(identity, verb)  # who is banned has no say in it
    if counts:
        hub.limiter.account(identity)
    act = Act(said, person.id) if said else None
    changed: Person = hub.journal.ask(
        ChangeAccount(
            person.id, columns, end_sessions, by=Author.of(identity), act=act, identity=identity, verb=verb
        )
    )
    return changed


# -- sessions ------------------------------------------------------------------------------------------------


def sessions(hub: Hub, identity: Identity, person: Person) -> list[SessionLine]:
    """Where somebody is signed in."""
    if identity.id != person.id:
        _administer(identity)
    return hub.journal.read(people_reading.sessions_of, person.id)


def sign_out(
    hub: Hub, identity: Identity, person: Person, only: str | None = None, but: str | None = None
) -> int:
    """End somebody's sessions: all, the one `only`, or all but `but`. Their sockets end in all workers.

    Raises Forbidden for a token that may not change who it is of.
    """
    own = identity.id == person.id
    leaves = own and only == identity.session  # nobody loses the right to end the very session that they have
    verb: Verb = "change_self" if own else "administer"
    if not leaves:
        check(identity, verb)
    request = EndSessions(
        person.id,
        only,
        but,
        by=Author.of(identity),
        act=None if own else Act(f"signed {person.name} out", person.id),
        identity=SYSTEM if leaves else identity,
        verb=verb,
    )
    ended: int = hub.journal.ask(request)
    return ended


# -- invitations and links -----------------------------------------------------------------------------------


def invite(
    hub: Hub,
    identity: Identity,
    *,
    uses: int = 1,
    days: int = INVITATION_DAYS,
    note: object = "",
    room: int | None = None,
) -> str:
    """The code of a new invitation: it is shown once. `note`: what it is for, among administrators."""
    _administer(identity)
    text.check_between(uses, 1, USES_LIMIT, Term("How many may use it"))
    text.check_between(days, 1, INVITATION_DAYS_LIMIT, Term("Days"))
    note = text.note(note)
    if room is not None and enter(hub, identity, room, "invite").rights.kind == "direct":
        raise BadRequest("A conversation with more people is another one: nobody is invited into it")
    code = new_code()
    by = Author.of(identity)
    hub.journal.ask(
        Invite(hashed(code), in_seconds(days * DAY_SECONDS), uses, note, room, by, identity=identity)
    )
    return code


def invitations(hub: Hub, identity: Identity) -> list[InvitationLine]:
    """Those that are still good, the newest first."""
    _administer(identity)
    return hub.journal.read(people_reading.invitations)


def take_invitation_back(hub: Hub, identity: Identity, number: int) -> None:
    """It is good no longer. Raises BadRequest where there is none."""
    _administer(identity)
    hub.journal.ask(TakeInvitationBack(number, Author.of(identity), identity=identity))


def offer_reset(hub: Hub, identity: Identity, person: Person) -> str:
    """The code of a link with which somebody sets a new password, once, within a day."""
    _administer(identity)
    code = new_code()
    until = in_seconds(RESET_SECONDS)
    hub.journal.ask(OfferReset(hashed(code), person.id, until, Author.of(identity), identity=identity))
    return code


def reset(hub: Hub, code: str, hash: str) -> Person:
    """Set a new password, as its hash, with such a code. Raises Forbidden where it is good no longer."""
    person: Person = hub.journal.ask(Reset(hashed(code), hash, secrets.token_hex(16)))
    letters.tell(hub, person.id, "new password")
    return person


def spend(hub: Hub, secret: str, seconds: int) -> bool:
    """Whether this is the first time, in any worker, that `secret` is used. `seconds`: how long it would be
    good. Switches. Raises NotKept.
    """
    return bool(hub.journal.ask(Spend(hashed(secret), in_seconds(seconds))))


# -- bans from the whole server ------------------------------------------------------------------------------


def ban(
    hub: Hub, identity: Identity, name_or_id: str, seconds: int = 0, why: str = "", network: str = ""
) -> Author:
    """Keep somebody out of the server, for `seconds` (0: until it is lifted); of a guest, the browser too.

    Who it is.
    """
    _administer(identity)
    whom = hub.journal.read(people_reading.find, name_or_id)
    if whom is None:
        raise BadRequest("There is nobody called “%(name)s”", name=name_or_id)
    if whom.id == identity.id:
        raise BadRequest("That would be yourself")
    text.check_between(seconds, 0, 366 * DAY_SECONDS, Term("Seconds"))
    until, why = in_seconds(seconds) if seconds else 0, text.reason(why)
    targets: list[dict[str, str]] = [{"person": whom.id}]
    if device := hub.journal.read(reading.device_of, whom.id):
        targets.append({"device": device})
    said = f"banned {whom.name} from the server" + (f" for {text.told(seconds)}" if seconds else "")
    if network:
        network = text.network(network)
        targets.append({"network": network})
        said += f", and all guests from {network}"
    bans = tuple(Impose("ban", whom.name, until=until, reason=why, **target) for target in targets)
    act = Act(said, whom.id, why)
    hub.journal.ask(ImposeEverywhere(bans, Author.of(identity), act, identity=identity))
    return whom


def bans(hub: Hub, identity: Identity) -> list[Sanction]:
    """Those that nobody has lifted, the newest first."""
    _administer(identity)
    return hub.journal.read(reading.sanctions_of, None)


def lift_ban(hub: Hub, identity: Identity, number: int) -> None:
    """Take a ban from the server back, by any of its numbers. Raises BadRequest where it is not in force."""
    _administer(identity)
    found = hub.journal.read(reading.sanction, None, number)
    if found is None:
        raise BadRequest("That is not in force (any more)")
    whom = found.person or found.device or found.network or ""
    act = Act(f"let {found.name} into the server again", whom)
    hub.journal.ask(LiftEverywhere(number, Author.of(identity), act, identity=identity))


def _administer(identity: Identity) -> None:
    check(identity, "administer")


def in_seconds(seconds: int) -> int:
    """So many seconds from now, in microseconds since 1970."""
    return time.time_ns() // 1000 + seconds * 1_000_000


# -- what is kept of somebody --------------------------------------------------------------------------------


def export(hub: Hub, name_or_id: str) -> dict[str, Any]:
    """Everything that is kept of a person with an account, or (by the id) of a guest. Raises BadRequest."""
    return hub.journal.read(personal_data.export, _somebody(hub, name_or_id).id)


def erase(hub: Hub, identity: Identity, name_or_id: str, *, keep_messages: bool) -> int:
    """Take a person, or (by the id) a guest, out of the database; in how many rooms' logs they were.

    What they said stays as "removed person", or goes. For a command: switches for as long as that takes.
    Raises BadRequest, Forbidden, NotKept.
    """
    person = _somebody(hub, name_or_id).id
    _begin_erasing(hub, identity, person, keep_messages)
    rooms = erasing.finish(hub.journal, person)
    hub.follower.settle()  # what they said is in the search index too, and perhaps no server runs
    return rooms


def begin_to_erase(hub: Hub, identity: Identity, person: str, messages: str, sure: str) -> None:
    """The same as a form asks for it, of a person (an id) with an account: nothing of theirs comes in any
    more, and they are taken out of the logs behind it. Everybody may have their own account erased.

    `messages`: "keep" or "remove"; `sure`: has to be said. Raises BadRequest, Forbidden, TooFast, NotKept.
    """
    if messages not in ("keep", "remove"):
        raise BadRequest("Say whether the messages stay")
    if not sure:
        raise BadRequest("Say that you are sure: this cannot be undone")
    if identity.id == person:
        hub.limiter.account(identity)
    _begin_erasing(hub, identity, person, messages == "keep")
    gevent.spawn(erasing.go_on, hub.journal, person)


def _begin_erasing(hub: Hub, identity: Identity, person: str, keep_messages: bool) -> None:
    verb: Verb = "change_self" if identity.id == person else "administer"
    check(identity, verb)
    reached = letters.reach(hub, person)  # afterwards nobody knows the address
    alias = f"x{secrets.token_hex(8)}"
    heirs: list[str] = hub.journal.ask(
        Erase(person, alias, keep_messages, Author.of(identity), identity=identity, verb=verb)
    )
    if heirs:
        hub.rooms_changed(*heirs)
    if reached:
        letters.tell_erased(hub, *reached)


def _somebody(hub: Hub, name_or_id: str) -> Author:
    found = hub.journal.read(people_reading.find, name_or_id)
    if found is None:
        raise BadRequest("There is nobody called “%(name)s”, and no guest with that id", name=name_or_id)
    return found
