"""One message over each transport, read over each, before and after a time in which nothing is said."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import urlencode

import gevent
from websockets.exceptions import ConnectionClosed

from chatapp.doctor.finding import Findings, error
from chatapp.doctor.visit import readers
from chatapp.doctor.visit.address import TIMED_OUT, Address, Answer, Unreached
from chatapp.doctor.visit.arrival import cut_off, refused
from chatapp.doctor.visit.lodging import Lodger
from chatapp.doctor.visit.readers import EventStream, Reader, Socket

LOOK_SECONDS = 0.02
POSTED, OF_FORM, AGAIN = "over a request", "over the tutorial's form", "after a while"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NO_UPGRADE = {"200", "400", "404", "426", "501", "InvalidUpgrade", "InvalidMessage"}


def examine(address: Address, lodger: Lodger, wait: float, hear: float) -> Findings:
    """`wait`: seconds in which nothing is said. `hear`: until what was said has come to everybody; it takes
    milliseconds. Raises Unreached.
    """
    everybody: list[Reader] = [reader(address, lodger, wait) for reader in readers.ALL]
    try:
        yield from _talk(address, lodger, wait, hear, everybody)
    finally:
        for reader in everybody:
            reader.stop()


def _talk(address: Address, lodger: Lodger, wait: float, hear: float, everybody: list[Reader]) -> Findings:
    sockets = [reader for reader in everybody if isinstance(reader, Socket)]
    _until(lambda: all(socket.settled for socket in sockets), hear)
    said = [POSTED, OF_FORM, *(socket.name for socket in sockets if _say(socket))]
    _check(lodger.post(address, POSTED))
    form = urlencode({"new_message": OF_FORM}).encode()
    _check(address.ask("POST", f"/chats/{lodger.room}/http", {**lodger.fields, **FORM}, form))
    deaf = _deaf(everybody, said, hear)
    yield from _refusals(everybody)
    yield from _held_back([reader.name for reader in deaf], hear)
    going_on = [reader for reader in everybody if not reader.refused and reader not in deaf]
    _until(lambda: all(reader.ended for reader in going_on), wait)
    _check(lodger.post(address, AGAIN))
    lost = _deaf(going_on, [AGAIN], hear)
    cut = [each.name for each in everybody if each.ended or each in lost or each.refused == str(TIMED_OUT)]
    if cut:
        yield cut_off(cut)


def _until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        gevent.sleep(LOOK_SECONDS)


def _say(socket: Socket) -> bool:
    """Whether it could be said, and so has to be heard."""
    with suppress(ConnectionClosed, OSError):
        if socket.open:
            socket.say(socket.name)
            return True
    return False


def _check(answer: Answer) -> None:
    if answer.status not in (200, 201):
        timed_out = answer.status == TIMED_OUT
        raise Unreached(f"a message is answered {answer.status}", "a message", timed_out=timed_out)


def _deaf(among: Sequence[Reader], said: Sequence[str], hear: float) -> list[Reader]:
    """Those that are there and have not heard all that was said, in time."""

    def deaf() -> list[Reader]:
        there = [reader for reader in among if not (reader.refused or reader.ended)]
        return [reader for reader in there if any(text.encode() not in reader.heard for text in said)]

    _until(lambda: not deaf(), hear)
    return deaf()


def _refusals(everybody: Sequence[Reader]) -> Findings:
    not_in = [reader for reader in everybody if reader.refused and reader.refused != str(TIMED_OUT)]
    no_upgrade = [each for each in not_in if isinstance(each, Socket) and each.refused in NO_UPGRADE]
    if no_upgrade:
        yield error(
            "no-upgrade",
            f"the proxy lets no WebSocket through: {', '.join(map(_answered, no_upgrade))}",
            "pages fall back to slower transports, and programs that know sockets only do not work at all",
            "nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header "
            "Connection $connection_upgrade; (with the map of docs/running.md). Caddy: no header_up "
            "Connection or Upgrade, and versions 1.1 in reverse_proxy's transport http",
        )
    others = [each for each in not_in if each not in no_upgrade]
    if others:
        yield refused(list(map(_answered, others)))


def _answered(reader: Reader) -> str:
    return f"{reader.name} ({reader.refused})"


def _held_back(names: list[str], hear: float) -> Findings:
    if names:
        yield error(
            "held-back",
            f"the proxy holds back what is said, for {hear:g} s and longer: {', '.join(names)}",
            "readers see it when much more was said, or never",
            "nginx: proxy_buffering off; and no proxy_ignore_headers X-Accel-Buffering. Caddy: "
            f"flush_interval -1 in reverse_proxy, and no encode for {EventStream.kind}",
        )
