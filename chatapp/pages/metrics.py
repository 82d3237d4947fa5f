"""`/metrics`: the figures of all workers together, for Prometheus, and for who has the token."""

import secrets
from collections.abc import Iterator
from itertools import accumulate

from flask import Blueprint, Response, abort, request
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from chatapp import figures
from chatapp.counts import COUNTS
from chatapp.errors import SignIn
from chatapp.globals import get_hub
from chatapp.scoreboard import Scoreboard
from chatapp.transports import json_api

bp = Blueprint("metrics", __name__)

# With the name of the label, where there is one.
GAUGES = {
    "connections": ("WebSockets and event streams", "transport"),
    "waiting_polls": ("Requests that wait for news", ""),
    "rooms": ("Rooms in memory, each as often as there are workers that have it", ""),
    "subscriptions": ("Rooms followed by connections", ""),
    "late_subscriptions": ("Those that are served at their own pace", ""),
    "journal_queue": ("Requests that wait to be kept", ""),
    "bus_queue": ("Notices that wait to be sent to the other workers", ""),
}
COUNTERS = {
    "deliveries": (
        "Messages written to readers: live, late (at their pace), or as a poll’s answer",
        "how",
    ),
    "fell_behind": ("Readers that were live and whose sockets did not take all", ""),
    "refusals": ("Refusals by their code, also those that end a connection", "reason"),
    "hub_blocked": ("How often a worker served nobody for more than 50 ms", ""),
    "hub_blocked_seconds": ("For how long altogether", ""),
    "messages_kept": ("Messages kept", ""),
    "quick_polls": ("Polls that were answered the short way", ""),
    "quick_handshakes": ("WebSockets that were opened the short way", ""),
}
HISTOGRAMS = {
    "journal_group_size": "Requests that were kept in one transaction",
    "journal_commit_seconds": "From the turn of a group until it was on the disk",
    "bus_lag_seconds": "From a notice’s sending until it was heard",
}


class _Board(Collector):
    """What is on the scoreboard, when it is asked."""

    def __init__(self, board: Scoreboard) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        counters, gauges, workers = self._board.total()
        yield GaugeMetricFamily("chatapp_workers", "Workers whose figures these are", workers)
        for name, (meaning, label) in GAUGES.items():
            yield _labelled(GaugeMetricFamily, name, meaning, label, gauges.get(name, {}))
        for name, (meaning, label) in COUNTERS.items():
            yield _labelled(CounterMetricFamily, name, meaning, label, counters.get(name, {}))
        for name, meaning in HISTOGRAMS.items():
            yield _histogram(name, meaning, counters.get(name, {"+Inf": 0}))


def _labelled(
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
    name: str,
    meaning: str,
    label: str,
    values: dict[str, float],
) -> Metric:
    family = kind(f"chatapp_{name}", meaning, labels=[label] if label else [])
    for value_of, value in sorted(values.items()):
        family.add_metric([value_of] if label else [], value)
    return family


def _histogram(name: str, meaning: str, told: dict[str, float]) -> Metric:
    bounds = [bound for bound in told if bound != "sum"]
    up_to = accumulate(told[bound] for bound in bounds)
    family = HistogramMetricFamily(f"chatapp_{name}", meaning)
    family.add_metric([], list(zip(bounds, up_to, strict=True)), told.get("sum", 0))
    return family


@bp.get("/metrics")
def metrics() -> Response:
    """Prometheus text. Of the other workers what they told last, a second ago at most."""
    hub = get_hub()
    if not hub.config.metrics:
        abort(404)
    said = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not secrets.compare_digest(said.encode(), hub.config.metrics.encode()):
        return _refused()
    figures.tell(hub)
    registry = CollectorRegistry()
    registry.register(_Board(hub.scoreboard))
    return Response(generate_latest(registry), mimetype="text/plain; version=0.0.4")


def _refused() -> Response:
    COUNTS.refusals[SignIn.code] += 1
    refused = json_api.refusal(SignIn())
    refused.headers["WWW-Authenticate"] = "Bearer"  # RFC 6750 section 3
    return refused
