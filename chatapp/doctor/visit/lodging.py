"""Where the doctor stays meanwhile: a private room that it alone is in, with a bot and its token."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from msgspec import Struct

from chatapp import accounts, administration, membership, tokens
from chatapp.doctor.visit.address import JSON, Address, Answer
from chatapp.hub import Hub
from chatapp.permissions import SYSTEM
from chatapp.shell.handles import flushed

NAME = "flask doctor"


class Lodger(Struct, frozen=True):
    """`fields`: with which it says who it is."""

    room: int
    fields: dict[str, str]

    @property
    def messages(self) -> str:
        return f"/api/rooms/{self.room}/messages"

    def post(self, address: Address, text: str, fields: Mapping[str, str] | None = None) -> Answer:
        """Say something in the room."""
        body = json.dumps({"body": text}).encode()
        return address.ask("POST", self.messages, {**self.fields, **JSON, **(fields or {})}, body)


@contextmanager
def lodging(hub: Hub) -> Iterator[Lodger]:
    """Both are gone again at the end; what was done stands in the audit log."""
    with ExitStack() as stack:
        room = flushed(hub, lambda: administration.make_room(hub, SYSTEM, NAME, kind="private"))
        made = None
        stack.callback(lambda: made and erase(hub, made.person))  # and its token with it
        stack.callback(lambda: flushed(hub, lambda: administration.drop(hub, SYSTEM, room)))
        made = tokens.make(
            hub, SYSTEM, bot=new_name(), name=NAME, scopes=("read", "write"), rooms=(room,), days=1
        )
        person = made.person
        flushed(hub, lambda: membership.take_in(hub, SYSTEM, room, person))
        yield Lodger(room, {"Authorization": f"Bearer {made.token}"})


def new_name() -> str:
    return f"doctor {secrets.token_hex(4)}"


def erase(hub: Hub, person: str) -> None:
    """Take somebody out of the database whom the doctor brought there."""
    flushed(hub, lambda: accounts.erase(hub, SYSTEM, person, keep_messages=False))
