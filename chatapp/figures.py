"""What this worker tells of itself on the scoreboard, where `/metrics` adds it to what the others tell."""

import logging

import gevent

from chatapp.counts import COUNTS, Spread
from chatapp.errors import ChatError
from chatapp.hub import Hub
from chatapp.scoreboard import Figures

TELL_SECONDS = 1.0
TRANSPORTS = ("websocket", "plain_socket", "event_stream")
REFUSALS = tuple(error.code for error in ChatError.__subclasses__())

log = logging.getLogger(__name__)


def run(hub: Hub) -> None:
    """Tell once a second, for ever; not where nobody may ask."""
    while hub.config.metrics:
        tell(hub)
        gevent.sleep(TELL_SECONDS)


def tell(hub: Hub) -> None:
    """Write what is so now into this worker's place. Does not switch."""
    if hub.place is not None:
        hub.scoreboard.tell(hub.place, hub.worker, _counters(hub), _gauges(hub))


def _gauges(hub: Hub) -> Figures:
    rooms = list(hub.rooms)
    followed = sum(len(room.readers) for room in rooms)
    return {
        "connections": {each: hub.heartbeat.by_transport[each] for each in TRANSPORTS},
        "waiting_polls": _one(len(hub.waiting)),
        "rooms": _one(len(rooms)),
        "subscriptions": _one(followed),
        "late_subscriptions": _one(followed - sum(len(room.live) for room in rooms)),
        "journal_queue": _one(hub.journal.queued),
        "bus_queue": _one(hub.bus.queued),
    }


def _counters(hub: Hub) -> Figures:
    return {
        "deliveries": {"live": COUNTS.pushed, "late": COUNTS.caught_up, "poll": COUNTS.polled},
        "fell_behind": _one(COUNTS.fell_behind),
        "refusals": {**dict.fromkeys(REFUSALS, 0), **COUNTS.refusals},
        "hub_blocked": _one(COUNTS.blocked),
        "hub_blocked_seconds": _one(COUNTS.blocked_seconds),
        "messages_kept": _one(hub.journal.kept),
        "quick_polls": _one(COUNTS.quick_polls),
        "quick_handshakes": _one(COUNTS.quick_handshakes),
        "journal_group_size": _spread(COUNTS.group_sizes),
        "journal_commit_seconds": _spread(COUNTS.commit_seconds),
        "bus_lag_seconds": _spread(COUNTS.bus_seconds),
    }


def _one(value: float) -> dict[str, float]:
    return {"": value}


def _spread(spread: Spread) -> dict[str, float]:
    """By upper bound, as Prometheus writes them, with the sum of all; none is part of another yet."""
    bounds = [str(float(bound)) for bound in spread.bounds]
    return {**dict(zip([*bounds, "+Inf"], spread.counts, strict=True)), "sum": spread.total}
