"""`/api/tokens`: tokens of one's own and, for administrators, of bots."""

from typing import Any

from flask import Blueprint, Response, request
from msgspec import Struct

from chatapp import auth, tokens
from chatapp.globals import get_hub, get_identity
from chatapp.transports import json_api

bp = Blueprint("tokens", __name__)


class NewToken(Struct, frozen=True):
    """`name`: what it is for. `rooms`: none for all. `days`: until it expires; null is never. `bot`: for the
    bot of that name, which is made where there is none; for administrators.
    """

    name: str
    scopes: list[Any]
    rooms: list[int] | None = None
    days: int | None = tokens.DAYS
    bot: str | None = None


@bp.get("/api/tokens")
def index() -> Response:
    """One's own tokens; with `everybodys=1`, all, for administrators. The tokens themselves are not kept."""
    everybodys = request.args.get("everybodys") == "1"
    return json_api.answer({"tokens": tokens.tokens(get_hub(), get_identity(), everybodys=everybodys)})


@bp.post("/api/tokens")
def make() -> Response:
    """Make a token; 201 with it, which is never shown again."""
    auth.guard_write()
    hub, identity, wanted = get_hub(), get_identity(), json_api.body(NewToken)
    made = tokens.make(
        hub,
        identity,
        bot=wanted.bot,
        name=wanted.name,
        scopes=wanted.scopes,
        rooms=wanted.rooms,
        days=wanted.days,
    )
    return json_api.answer(made, 201)


@bp.delete("/api/tokens/<int:number>")
def revoke(number: int) -> Response:
    """A token is good no longer; 204."""
    auth.guard_write()
    tokens.revoke(get_hub(), get_identity(), number)
    return Response(status=204)
