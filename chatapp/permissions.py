"""Who is asking, and the one table of who may do what. Every door asks `check`."""

from typing import Final, Literal

from msgspec import Struct

from chatapp.errors import Forbidden, SignIn

Role = Literal["anonymous", "visitor", "guest", "member", "moderator", "administrator"]
Verb = Literal["read", "visit", "post", "change_any", "make_room", "administer"]


class Identity(Struct, frozen=True):
    """`id`: unique for ever; a guest's starts with g. `address`: where the request came from, for limits."""

    id: str
    name: str
    role: Role
    address: str = ""

    @property
    def guest(self) -> bool:
        return self.role in ("guest", "visitor")

    @property
    def known(self) -> bool:
        """Whether this is somebody: has a name, shows in presence, may have read positions."""
        return self.role not in ("anonymous", "visitor")


# A visitor is a caller without identity where guests are welcome; an anonymous one where they are not.
TABLE: Final[dict[Role, frozenset[Verb]]] = {
    "anonymous": frozenset(),
    "visitor": frozenset({"read", "visit"}),
    "guest": frozenset({"read", "visit", "post", "make_room"}),
    "member": frozenset({"read", "visit", "post", "make_room"}),
    "moderator": frozenset({"read", "visit", "post", "change_any", "make_room"}),
    "administrator": frozenset({"read", "visit", "post", "change_any", "make_room", "administer"}),
}

SYSTEM: Final = Identity("system", "system", "administrator")


def may(identity: Identity, verb: Verb) -> bool:
    """Whether `identity` may do `verb`. `visit` is to post through the tutorial's doors without a name."""
    return verb in TABLE[identity.role]


def check(identity: Identity, verb: Verb) -> None:
    """Raises SignIn where a name would help and Forbidden where it would not."""
    if not may(identity, verb):
        raise Forbidden() if identity.known else SignIn()
