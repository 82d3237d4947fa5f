"""Many readers of one room that read when they are told to, and not before.

Run by late_readers.py as a process of its own, so that what it costs to read is not taken for what the server
costs others: `sleepers.py PORT COUNT COOKIE`. Prints `ready` when all have joined. Each line `N` on standard
input has them read up to message N, which is answered by `read W`: W readers were cut off or did not get
every message, in order.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

import gevent  # noqa: E402
import rig  # noqa: E402

sys.path.insert(0, str(rig.CHECKOUT))
from tests.torture.wire import WebSocket  # noqa: E402

NARROW = 65_536  # bytes of receive buffer: what does not fit is the server's to keep
SECONDS = 120  # for everything to come


class Reader:
    """Joined at the room's end."""

    def __init__(self, port: int, cookie: str) -> None:
        self._ws = WebSocket(("127.0.0.1", port), "/ws", cookie, receive_buffer=NARROW)
        self._ws.send(json.dumps({"type": "join", "room": rig.ROOM, "after": -1, "presence": False}))
        self._cursor = 0
        while not any('"joined"' in text for text in self._ws.texts(10)):
            pass

    def read_until(self, last: int) -> None:
        """Raises RigError for any message but the next one, and Cut."""
        while self._cursor < last:
            for text in self._ws.texts(SECONDS):
                frame = json.loads(text)
                if frame["type"] == "message":
                    if frame["seq"] != self._cursor + 1:
                        raise rig.RigError(f"#{frame['seq']} came after #{self._cursor}")
                    self._cursor += 1


def main() -> None:
    port, count, cookie = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    readers = [Reader(port, cookie) for _ in range(count)]
    os.nice(10)  # the live reader beside us must not wait for us: it is what is measured
    print("ready", flush=True)
    for line in sys.stdin:
        reading = [gevent.spawn(reader.read_until, int(line)) for reader in readers]
        gevent.joinall(reading, timeout=SECONDS)
        print("read", sum(not each.successful() for each in reading), flush=True)


if __name__ == "__main__":
    main()
