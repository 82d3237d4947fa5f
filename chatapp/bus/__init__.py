"""The bus: tells every other process what was committed, and carries what is never stored.

It is a doorbell, the database is the truth: a notice may be lost, doubled or late, and no reader suffers.
"""

from chatapp.bus.base import LEASE_SECONDS, Bus, Lease
from chatapp.bus.notices import (
    Committed,
    GuestLeft,
    GuestsLeft,
    Lost,
    Missed,
    Notice,
    PeopleChanged,
    PresenceChanged,
    ReadUpTo,
    RoomsChanged,
    TurningBack,
    Typing,
)
from chatapp.bus.sqlite import SqliteBus
from chatapp.errors import SetupError

__all__ = [
    "LEASE_SECONDS",
    "Bus",
    "Committed",
    "GuestLeft",
    "GuestsLeft",
    "Lease",
    "Lost",
    "Missed",
    "Notice",
    "PeopleChanged",
    "PresenceChanged",
    "ReadUpTo",
    "RoomsChanged",
    "TurningBack",
    "Typing",
    "is_redis",
    "open_bus",
]


def open_bus(url: str) -> Bus:
    """The bus at `url`. Raises SetupError for a kind that there is not."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        return SqliteBus(rest.removeprefix("/"))
    # Who has no such bus never loads its driver.
    if scheme in ("postgresql", "postgresql+psycopg"):
        from chatapp.bus.postgres import PostgresBus

        return PostgresBus(url)
    if is_redis(url):
        from chatapp.bus.redis import RedisBus

        return RedisBus(url)
    raise SetupError(
        "CHATAPP_BUS_URL: there is no such bus; write sqlite:////path/to/bus.db, redis://host:6379/0 or "
        "postgresql+psycopg://user:password@host/name"
    )


def is_redis(url: str) -> bool:
    """Whether the bus at `url` is a Redis, which can do more than be one."""
    return url.partition("://")[0] in ("redis", "rediss", "unix")
