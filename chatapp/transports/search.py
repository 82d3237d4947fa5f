"""`GET /api/search`: the newest messages that somebody looks for, in all rooms that they may read."""

from typing import Any

from flask import Blueprint, Response, request

from chatapp import cursor, searching
from chatapp.errors import BadRequest
from chatapp.globals import get_hub, get_identity
from chatapp.transports import json_api

bp = Blueprint("search_api", __name__)


@bp.get("/api/search")
def find() -> Response:
    """Messages with the words of `q`, the newest first."""
    found = searching.search(
        get_hub(),
        get_identity(),
        request.args.get("q", ""),
        before(request.args.get("before")),
        _limit(request.args.get("limit")),
    )
    messages = [result.message for result in found.results]
    answer: dict[str, Any] = {"messages": messages, "cursor": found.cursor}
    if names := get_hub().people.names_now({message.author.id for message in messages}):
        answer["names"] = names
    if found.building:
        answer["building"] = True
    return json_api.answer(answer)


def before(text: str | None) -> int | None:
    """A cursor of a search, from a query string. Raises BadRequest."""
    return min(max(cursor.number(text, "before"), 0), 2**62) if text else None


def _limit(text: str | None) -> int:
    if text is None:
        return searching.PAGE
    limit = cursor.number(text, "limit")
    if not 1 <= limit <= searching.PAGE_LIMIT:
        raise BadRequest("limit is 1 to %(limit)s", limit=searching.PAGE_LIMIT)
    return limit
