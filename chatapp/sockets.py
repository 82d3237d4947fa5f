"""The socket below gevent's: non-blocking, so that a call takes what it can and never switches.

And what TCP does for us: it notices machines that have vanished, and holds little for peers that do not read.
"""

import socket as stdlib
import struct
import sys
from contextlib import suppress
from typing import Any, cast

import gevent
from gevent import socket

# Where linux/tcp.h's `struct tcp_info` has the number of probes without an answer, the milliseconds since
# data was last sent, and since the last ACK.
PROBES, LAST_DATA_SENT, LAST_ACK_RECV = 3, 44, 56
TCP_INFO_SIZE = 104

KERNEL_UNSENT = 65_536  # bytes that the kernel holds for one peer beyond those that are in flight


def raw(sock: socket.socket) -> stdlib.socket:
    """The operating system's socket of a gevent socket, for which gevent has no public name."""
    return cast(stdlib.socket, cast(Any, sock)._sock)


def prepare(sock: socket.socket, heartbeat: int) -> None:
    """Set up an accepted TCP socket; `heartbeat` in seconds.

    A machine that is silent for two heartbeats is given up. That is for plain requests: a poll that waits
    (TCP probes its client), a request that comes in bits, an answer that is not taken. Who is pushed to has
    heartbeats.

    What cannot be sent yet waits with us, where it is bounded and pings come first, not in the kernel, which
    would take up to 4 MB for each socket.
    """
    sock.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", heartbeat),
        ("TCP_KEEPINTVL", max(1, heartbeat // 5)),
        ("TCP_KEEPCNT", 5),
        ("TCP_USER_TIMEOUT", 2 * heartbeat * 1000),  # milliseconds
        ("TCP_NOTSENT_LOWAT", KERNEL_UNSENT),
    ):
        if hasattr(stdlib, name):
            sock.setsockopt(stdlib.IPPROTO_TCP, getattr(stdlib, name), value)


def wait_for_ever(sock: socket.socket) -> None:
    """Take back TCP_USER_TIMEOUT: it would also end a peer that is there and has only stopped reading."""
    if hasattr(stdlib, "TCP_USER_TIMEOUT"):
        with suppress(OSError):  # no TCP
            sock.setsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_USER_TIMEOUT, 0)


def unacknowledged(sock: socket.socket, seconds: float) -> bool:
    """Whether the peer's machine has said nothing for `seconds` and owes an answer to what was last sent.

    One that is there and has stopped reading owes none: it answers TCP's probes, which do not count as data,
    that there is no room. (One probe without an answer may be on its way.)
    """
    if sys.platform != "linux":
        return False  # TCP's own time-outs find out, later
    try:
        info = sock.getsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_INFO, TCP_INFO_SIZE)
    except OSError:  # no TCP, or closed
        return False
    (sent,) = struct.unpack_from("=I", info, LAST_DATA_SENT)
    (acknowledged,) = struct.unpack_from("=I", info, LAST_ACK_RECV)
    return bool((sent < acknowledged or info[PROBES] >= 2) and acknowledged > seconds * 1000)


class OutOfTime(BaseException):
    """What was waited for has not come. Not an Exception: it is thrown into whatever waits just then."""


def receive_now(sock: socket.socket, most: int) -> bytes | None:
    """What is there of at most `most` bytes; empty at the end, None where nothing is. Never switches."""
    try:
        return raw(sock).recv(most)
    except BlockingIOError:
        return None


def receive_within(sock: socket.socket, most: int, seconds: float) -> bytes | None:
    """The same, or what comes within `seconds`, for which it switches."""
    # gevent's own Timeout takes four times as long, which is felt where many poll.
    timer = gevent.get_hub().loop.timer(seconds)
    timer.start(gevent.getcurrent().throw, OutOfTime())
    try:
        return sock.recv(most)
    except OutOfTime:
        return None
    finally:
        timer.stop()
        timer.close()


def send_all(sock: socket.socket, data: bytes) -> None:
    """Send `data`. Switches where the kernel does not take it at once. (gevent's asks for the size of the
    kernel's buffer first, each time.)
    """
    try:
        sent = raw(sock).send(data)
    except BlockingIOError:
        sent = 0
    if sent < len(data):
        sock.sendall(data[sent:])


def has_unread(sock: socket.socket) -> bool:
    """Whether there are bytes from the peer that nobody has read yet."""
    try:
        return bool(raw(sock).recv(1, stdlib.MSG_PEEK))
    except OSError:
        return False
