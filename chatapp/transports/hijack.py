"""Taking the connection over from gunicorn and Flask, for an answer that we write ourselves.

A reader stays for hours, and what the two hold for a request (its head taken apart, contexts, the
frames of some thirty calls) takes more memory than all that is ours. So the handler prepares what comes, and
returns; when gunicorn has let go of the connection, `chatapp.accepted` serves it, in the same greenlet.

gunicorn closes its socket when it lets go: what goes on is a duplicate.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Response, request
from gevent import socket

_taken_over: "dict[socket.socket, TakenOver]" = {}  # by gunicorn's socket, between handler and `accepted`


class TakenOver(NamedTuple):
    """A connection that goes on: `serve` is called without any context of Flask's, and returns at its end."""

    sock: socket.socket
    serve: Callable[[], None]


class Hijacked(Response):
    """The response is written by us: gunicorn closes its socket and writes nothing.

    StopIteration is how gunicorn's async workers are told so (flask-sock does the same).
    """

    def __call__(self, environ: Any, start_response: Any) -> Any:
        raise StopIteration


def client_socket() -> socket.socket:
    """The socket of the request that is being handled."""
    sock: socket.socket = request.environ["gunicorn.socket"]
    return sock


def take_over(client: socket.socket, sock: socket.socket, serve: Callable[[], None]) -> None:
    """Have `serve` called when gunicorn has let go of the request on its socket `client`; `sock`, a duplicate
    of it, is closed behind that.

    The handler then answers with `Hijacked`, as flask-sock does by itself.
    """
    _taken_over[client] = TakenOver(sock, serve)


def went_over() -> bool:
    """Whether the request that is being handled was: what its handler returns nobody writes."""
    return request.environ.get("gunicorn.socket") in _taken_over


def taken_over(client: socket.socket) -> TakenOver | None:
    """What goes on on the connection of gunicorn's socket `client`; once."""
    return _taken_over.pop(client, None)
