"""One long poll: look, wait if there is nothing, look again. Knows rooms and sockets, not HTTP."""

from msgspec import Struct

from chatapp import cursor, marking
from chatapp.hub import Hub
from chatapp.message import Message
from chatapp.permissions import check
from chatapp.room import NEWEST, Room
from chatapp.transports.waiting import Poller, check_still, wait_for_news

PAGE_LIMIT = 200


class Batch(Struct, frozen=True):
    """What a poll answers; `cursor` is what the next one asks with."""

    messages: list[Message]
    cursor: int
    epoch: str
    reset: bool = False


def poll(
    hub: Hub,
    room: Room,
    poller: Poller,
    *,
    after: int | None,
    epoch: str | None,
    wait: float,
    limit: int | None,
    html: bool = False,
) -> Batch:
    """What follows the cursor `after`, at once or as soon as there is something, at most `wait` s later, as
    much as one answer has room for. `html`: whether the HTML of it will be asked for.

    Raises NoSuchRoom when the room is deleted, Forbidden when who asks may not read it any more, what else
    ends a pushed reader while it waits, and ClientGone when the client does not. Switches.
    """
    if not wait:
        hub.sync(room)  # a plain read sees all that any process acknowledged before it
        # And asks now: who was let in until then has not waited here.
        check(poller.identity, "read", room.rights)
    start, reset = cursor.begin(hub, room, after, epoch)
    limit = limit or PAGE_LIMIT
    if reset or after is None:
        limit = min(limit, NEWEST)
    log, since = room.epoch, room.last
    arrival = room.arrival  # before the look: what arrives after the look rings this one
    messages = room.after(start, limit)
    if wait and not messages and not reset:
        wait_for_news(hub, room, poller, arrival, wait)
        hub.room(room.id)  # it may have been deleted meanwhile
        messages = room.after(start, limit)
    messages = marking.fitting(hub.turnstile, messages, html=html)
    while room.epoch != log:  # cleared while we looked or waited: what was read may be of either log
        log, start, reset = room.epoch, room.newest, True
        messages = marking.fitting(hub.turnstile, room.after(start, NEWEST), html=html)
    check_still(hub, room, poller.identity, since)
    return Batch(messages, messages[-1].seq if messages else start, room.epoch, reset)
