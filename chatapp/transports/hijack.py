"""Taking the socket over from gunicorn for an answer that we write ourselves."""

from typing import Any

from flask import Response, request
from gevent import socket


class Hijacked(Response):
    """The response was written by the handler: gunicorn closes the connection and writes nothing.

    StopIteration is how gunicorn's async workers are told so (flask-sock does the same).
    """

    def __call__(self, environ: Any, start_response: Any) -> Any:
        raise StopIteration


def client_socket() -> socket.socket:
    """The socket of the request that is being handled."""
    sock: socket.socket = request.environ["gunicorn.socket"]
    return sock
