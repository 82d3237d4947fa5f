"""`/healthz`: the process is alive. `/readyz`: it may be sent traffic."""

from flask import Blueprint, Response

from chatapp.errors import Draining
from chatapp.globals import get_hub
from chatapp.journal import people_reading

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def alive() -> Response:
    """The process is alive."""
    return Response("ok\n", mimetype="text/plain")


@bp.get("/readyz")
def ready() -> Response:
    """Whether it may be sent traffic: 503 while draining, and while the database cannot be read."""
    if get_hub().draining.is_set():
        raise Draining()
    get_hub().journal.read(people_reading.number)  # a row, whichever
    return Response("ready\n", mimetype="text/plain")
