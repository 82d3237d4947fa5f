"""What can be asked of the journal about tokens and hooks, and what it answers. Plain values.

Tokens and secrets never come here: only their hashes do (`key`). Times are microseconds since 1970.
"""

from msgspec import Struct

from chatapp.journal.people_requests import Person
from chatapp.journal.requests import SYSTEM_AUTHOR, PeopleRequest
from chatapp.message import Author
from chatapp.permissions import Scope


class Holder(Struct, frozen=True):
    """Whom a token stands for, and what it allows until `expires_at` (0: for good); see Identity."""

    person: Person
    scopes: frozenset[Scope]
    rooms: frozenset[int] | None
    expires_at: int


class TokenLine(Struct, frozen=True):
    """A token that is not revoked, as its owner and administrators see it. `person`: whose, by id."""

    id: int
    name: str
    person: str
    person_name: str
    scopes: list[Scope]
    rooms: list[int] | None
    made_at: str
    expires_at: str | None
    used_at: str | None


class HookLine(Struct, frozen=True):
    """A hook as those see it who run its room. `by`: a name."""

    id: int
    name: str
    by: str
    made_at: str


class TokenRequest(PeopleRequest, frozen=True):
    """What is about tokens."""


class MakeToken(TokenRequest, frozen=True):
    """Make a token for `person`; the answer is its number. `bot`: only for somebody who cannot sign in."""

    key: str
    person: str
    name: str
    scopes: tuple[Scope, ...]
    rooms: tuple[int, ...] | None = None
    expires_at: int | None = None
    bot: bool = False
    by: Author = SYSTEM_AUTHOR


class RevokeToken(TokenRequest, frozen=True):
    """A token is good no longer. `person`: whose it must be (None: anybody's)."""

    id: int
    person: str | None = None
    by: Author = SYSTEM_AUTHOR


class SawTokens(TokenRequest, frozen=True):
    """These tokens were used lately."""

    keys: tuple[str, ...]
