"""What it costs to write who is there to the bus, and to tell a room of it: a program of `costs`.

`python -m benchmarks.bench.telling 10000 5`: so many people hold leases in another process, in one room,
and so many more come one by one. Prints microseconds of CPU, for each lease and for each person that is
told of.
"""

import json
import sys
import tempfile
import time

from chatapp.bus import LEASE_SECONDS, Lease, open_bus
from chatapp.message import Author
from chatapp.presence import Presence

ROOM = 1


def main(people: int, tellings: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here, there = (open_bus(f"sqlite:///{folder}/bus.db") for _ in range(2))
        here.prepare()
        presence = Presence(here, lambda *_: None, lambda _: "", lambda: False, lambda *_: None)

        def come(first: int, count: int) -> float:
            expires = time.monotonic() + LEASE_SECONDS
            who = [Author(f"u{number}", f"person {number}") for number in range(first, first + count)]
            begun = time.process_time()
            there.hold([Lease(ROOM, each, expires) for each in who], ())
            return time.process_time() - begun

        written = come(0, people)
        presence.frame(ROOM)
        told = 0.0
        for number in range(tellings):
            come(people + number, 1)
            presence.rang(ROOM)
            begun = time.process_time()
            presence.gather()
            told += time.process_time() - begun
        here.close()
        there.close()
    print(json.dumps({"lease": 1e6 * written / people, "telling": 1e6 * told / tellings / people}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
