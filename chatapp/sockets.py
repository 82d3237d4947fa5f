"""The socket below gevent's: non-blocking, so that a call takes what it can and never switches."""

import socket as stdlib
from typing import Any, cast

from gevent import socket


def raw(sock: socket.socket) -> stdlib.socket:
    """The operating system's socket of a gevent socket, for which gevent has no public name."""
    return cast(stdlib.socket, cast(Any, sock)._sock)
