"""`/api/rooms/<id>/messages`: long poll, history pages, and posting."""

import re
from collections.abc import Sequence

from flask import Blueprint, Response, request
from msgspec import Struct

from chatapp import access, auth, cursor, marking, posting
from chatapp.counts import COUNTS
from chatapp.errors import BadRequest
from chatapp.globals import get_hub, get_identity
from chatapp.hub import Hub
from chatapp.journal import reading
from chatapp.message import Author, Message
from chatapp.permissions import check
from chatapp.posting import Draft
from chatapp.room import Room
from chatapp.transports import json_api
from chatapp.transports.again import offer, tell_refusal
from chatapp.transports.hijack import client_socket
from chatapp.transports.polling import PAGE_LIMIT, poll
from chatapp.transports.waiting import Poller

WAIT_LIMIT = 55  # seconds: proxies cut idle answers at 60
SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # as JSON writes a number, without a sign
SEQ = re.compile(rb"[0-9]{1,18}")

bp = Blueprint("messages", __name__)


class _Asked(Struct, frozen=True):
    """What all polls of one reader have in common."""

    epoch: str | None
    wait: float
    limit: int | None
    html: bool


@bp.get("/api/rooms/<room_id:room_id>/messages")
def read(room_id: int) -> Response:
    """What follows a cursor, at once or after a wait; or the page of history before a number."""
    tell_refusal()
    with access.entered(get_hub(), get_identity(), room_id) as room:
        return json_api.raw(_batch(room))


def _batch(room: Room) -> bytes:
    limit = _limit(request.args.get("limit"))
    html = json_api.wants_html()
    before = request.args.get("before")
    if before is not None:
        if "after" in request.args:
            raise BadRequest("Give before or after, not both")
        return _page_before(room, cursor.number(before, "before"), limit or PAGE_LIMIT, html)
    after = cursor.parse(request.args.get("after"))
    hub, identity = get_hub(), get_identity()
    poller = Poller(hub, identity, client_socket())
    asked = _Asked(request.args.get("epoch"), json_api.patience(_wait(request.args.get("wait"))), limit, html)

    def again(after: str) -> bytes:
        poller.identified(hub.people.still(identity))
        with access.entered(hub, poller.identity, room.id) as same:
            return _polled(hub, same, poller, cursor.parse(after), asked)

    offer("after", SEQ, again)
    return _polled(hub, room, poller, after, asked)


def _polled(hub: Hub, room: Room, poller: Poller, after: int | None, asked: "_Asked") -> bytes:
    if poller.identity.known:
        hub.presence.polled(room.id, Author.of(poller.identity))
    found = poll(
        hub,
        room,
        poller,
        after=after,
        epoch=asked.epoch,
        wait=asked.wait,
        limit=asked.limit,
        html=asked.html,
    )
    COUNTS.polled += len(found.messages)
    names = hub.people.names_now({message.author.id for message in found.messages})
    return json_api.batch(
        found.messages, found.cursor, found.epoch, names, reset=found.reset, html=asked.html
    )


@bp.post("/api/rooms/<room_id:room_id>/messages")
def write(room_id: int) -> Response:
    """Keep a message; 201, or 200 with the first one where its client_id was known."""
    auth.guard_write()
    get_hub().check_open()
    html = json_api.wants_html()
    draft = json_api.body(Draft)
    kept = posting.post(get_hub(), get_identity(), room_id, draft)
    message = kept.message.marked if html else kept.message
    return json_api.raw(message.json, 201 if kept.new else 200)


def _page_before(room: Room, before: int, limit: int, html: bool) -> bytes:
    if before < 0:
        raise BadRequest("before is a message’s number")
    before = min(before, 2**62)
    messages = access.read(get_hub(), get_identity(), room, reading.before, before, limit)
    epoch = room.epoch
    messages = marking.fitting(get_hub().turnstile, messages, html=html, newest=True)
    check(get_identity(), "read", room.rights)
    end = messages[-1].seq if messages else room.last
    return json_api.batch(messages, end, epoch, _names(messages), html=html)


def _names(messages: Sequence[Message]) -> dict[str, str]:
    return get_hub().people.names_now({message.author.id for message in messages})


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    limit = cursor.number(text, "limit")
    if not 1 <= limit <= PAGE_LIMIT:
        raise BadRequest("limit is 1 to %(limit)s", limit=PAGE_LIMIT)
    return limit


def _wait(text: str | None) -> float:
    """Seconds to wait for news. Raises BadRequest for what is no such number."""
    if text is None:
        return 0
    if not SECONDS.fullmatch(text):
        raise BadRequest("wait is a number of seconds, 0 or more")
    return min(float(text), WAIT_LIMIT)
