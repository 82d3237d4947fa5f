"""`/metrics`: this worker's figures, for Prometheus."""

import os
from collections.abc import Iterator

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from chatapp.globals import get_hub
from chatapp.hub import Hub

bp = Blueprint("metrics", __name__)


class HubCollector:
    """Reads the hub when it is asked; nothing is counted for its own sake."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """The figures, each labelled with the worker that answers: another request may reach another one."""
        hub = self._hub
        rooms = list(hub.rooms)
        followed = [subscriber for room in rooms for subscriber in room.readers]
        live = sum(len(room.live) for room in rooms)
        gauges = {
            "rooms": ("Rooms in memory", len(rooms)),
            "connections": ("WebSockets and event streams", len(hub.heartbeat.connections)),
            "subscriptions": ("Rooms followed by connections", len(followed)),
            "late_subscriptions": ("Those served at their own pace", len(followed) - live),
            "waiting_polls": ("Requests that wait for news", sum(room.waiting for room in rooms)),
            "journal_queue": ("Requests that wait to be kept", hub.journal.queued),
        }
        for name, (meaning, value) in gauges.items():
            yield self._labelled(GaugeMetricFamily(f"chatapp_{name}", meaning, labels=["worker"]), value)
        counters = {
            "messages_kept": ("Messages kept", hub.journal.kept),
            "quick_polls": ("Polls that were answered the short way", hub.quick_polls),
        }
        for name, (meaning, value) in counters.items():
            yield self._labelled(CounterMetricFamily(f"chatapp_{name}", meaning, labels=["worker"]), value)

    @staticmethod
    def _labelled(family: Metric, value: float) -> Metric:
        family.add_metric([str(os.getpid())], value)  # type: ignore[attr-defined]
        return family


@bp.get("/metrics")
def metrics() -> Response:
    """Prometheus text."""
    registry = CollectorRegistry()
    registry.register(HubCollector(get_hub()))
    return Response(generate_latest(registry), mimetype="text/plain; version=0.0.4")
