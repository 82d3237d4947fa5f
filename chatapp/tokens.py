"""Tokens: with one, a program acts for a person, as far as the token allows.

A bot is an account without a way to sign in: so it has a name that nobody else has, is taken into rooms,
banned and renamed like anybody, and nothing else has to know of bots.
"""

import re
import secrets
import time
from collections.abc import Sequence

from msgspec import Struct

from chatapp import accounts
from chatapp.access import enter
from chatapp.errors import BadRequest, Forbidden
from chatapp.hub import Hub
from chatapp.journal import people_reading, token_reading
from chatapp.journal.people_requests import Person
from chatapp.journal.token_requests import MakeToken, RevokeToken, TokenLine
from chatapp.message import DAY_MICROSECONDS, Author
from chatapp.permissions import SCOPES, SYSTEM, Identity, Scope, check

PREFIX = "chat_"  # so that whoever finds one knows what it is
NAME_LIMIT = 80
DAYS, DAYS_LIMIT = 90, 3660
ROOMS_LIMIT = 50  # each is a field of the form in which they are ticked: auth.FIELDS_LIMIT
_TOKEN = re.compile(r"chat_[\w-]{43}", re.ASCII)  # PREFIX, and 32 bytes in base 64


class MadeToken(Struct, frozen=True):
    """A new token; `token` is shown this once. `person`: whose it is, by id."""

    id: int
    token: str
    person: str


def is_token(text: str) -> bool:
    """Whether `text` looks like one."""
    return _TOKEN.fullmatch(text) is not None


def make(
    hub: Hub,
    identity: Identity,
    person: Person | None = None,
    *,
    bot: object = None,
    name: object,
    scopes: Sequence[Scope],
    rooms: Sequence[int] | None = None,
    days: int | None = DAYS,
) -> MadeToken:
    """Make a token for `identity` itself or, for whom administers, for `person` or for the bot called `bot`,
    which is made if there is none, and not where the token is refused.

    `scopes`: at least one; `rooms`: None for all; `days`: until it expires, None for never. Raises
    BadRequest, NoSuchRoom (of rooms that the maker may not read), SignIn, Forbidden and TooFast.
    """
    _check_signed_in(identity)
    if bot is not None or (person is not None and person.id != identity.id):
        check(identity, "administer")
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= NAME_LIMIT or not name.isprintable():
        raise BadRequest(
            "Say in one line of 1 to %(limit)s characters what the token is for", limit=NAME_LIMIT
        )
    if not scopes or any(scope not in list(SCOPES) for scope in scopes):
        raise BadRequest("scopes: one or more of %(scopes)s", scopes=", ".join(SCOPES))
    if days is not None and not (type(days) is int and 1 <= days <= DAYS_LIMIT):
        raise BadRequest("days: a whole number from 1 to %(limit)s, or none for ever", limit=DAYS_LIMIT)
    if rooms is not None:
        if not 1 <= len(rooms) <= ROOMS_LIMIT:
            raise BadRequest("rooms: 1 to %(limit)s of them, or none for all", limit=ROOMS_LIMIT)
        for room in rooms:
            enter(hub, identity, room)
    hub.limiter.account(identity)
    if bot is not None:
        person = _bot(hub, identity, bot)
    own = person is None or person.id == identity.id
    token = PREFIX + secrets.token_urlsafe(32)
    request = MakeToken(
        accounts.hashed(token),
        identity.id if person is None else person.id,
        name.strip(),
        tuple(scope for scope in SCOPES if scope in scopes),
        None if rooms is None else tuple(sorted(set(rooms))),
        None if days is None else time.time_ns() // 1000 + days * DAY_MICROSECONDS,
        bot=not own and identity.id != SYSTEM.id,
        by=Author.of(identity),
        identity=identity,
        verb="change_self" if own else "administer",
    )
    made: int = hub.journal.ask(request)
    return MadeToken(made, token, request.person)


def tokens(hub: Hub, identity: Identity, *, everybodys: bool = False) -> list[TokenLine]:
    """One's own tokens or, for who administers, everybody's: those not revoked, the newest first."""
    _check_signed_in(identity)
    if everybodys:
        check(identity, "administer")
    return hub.journal.read(token_reading.tokens, None if everybodys else identity.id)


def revoke(hub: Hub, identity: Identity, token: int) -> None:
    """One's own or, for who administers, anybody's token is good no longer: in all workers, on open sockets.

    Raises BadRequest where there is none. It counts towards no rate: whoever lost a token ends it at once.
    """
    _check_signed_in(identity)
    administers = identity.id == SYSTEM.id or identity.role == "administrator"
    request = RevokeToken(
        token,
        None if administers else identity.id,
        Author.of(identity),
        identity=identity,
        verb="administer" if administers else "change_self",
    )
    hub.journal.ask(request)


def _bot(hub: Hub, identity: Identity, name: object) -> Person:
    if not isinstance(name, str):
        raise BadRequest("A bot’s name is a string")
    found = hub.journal.read(people_reading.person_called, name.strip())
    return found or accounts.sign_up(hub, name, by=identity)


def _check_signed_in(identity: Identity) -> None:
    check(identity, "change_self")
    if identity.token:
        raise Forbidden("Tokens are made, seen and revoked by who is signed in, not with a token")
    if identity.guest:
        raise Forbidden("Tokens are for people with an account")
