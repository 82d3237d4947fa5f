"""Two hundred readers stop reading: what that costs in memory, and what it does to somebody who reads on.

Exit status: 0, the aims are met; 1, they are not; 2, a reader was cut off or missed something.
"""

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402
import json  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
import rig  # noqa: E402

sys.path.insert(0, str(rig.CHECKOUT))
from tests.torture.wire import Cut, WebSocket, now  # noqa: E402

MEMORY_AIM = 36  # MB for all of them
RATIO_AIM = 3.0  # of a live reader's p99
NARROW = 65_536  # bytes of receive buffer: what does not fit is the server's to keep
PAUSE = 0.01  # seconds between two messages
CATCH_UP_SECONDS = 120


@dataclass(repr=False)
class Reader:
    """Joined at the room's end; reads when it is told to."""

    ws: WebSocket
    seqs: list[int] = field(default_factory=list)

    def read_until(self, last: int, arrived: dict[int, float] | None = None) -> None:
        while not self.seqs or self.seqs[-1] < last:
            for text in self.ws.texts(CATCH_UP_SECONDS):
                frame = json.loads(text)
                if frame["type"] == "message":
                    self.seqs.append(frame["seq"])
                    if arrived is not None:
                        arrived[frame["seq"]] = now()


@dataclass
class Result:
    p99: float  # ms, of a live reader while the others do not read
    p99_catching_up: float  # ms, while they read what they missed
    megabytes: float  # by which the worker grew while they did not read
    wrong: int


def join(server: rig.Running, cookie: str, buffer: int = 0) -> Reader:
    ws = WebSocket(("127.0.0.1", server.port), "/ws", cookie, receive_buffer=buffer)
    ws.send(json.dumps({"type": "join", "room": rig.ROOM, "after": -1, "presence": False}))
    while not any('"joined"' in text for text in ws.texts(10)):
        pass
    return Reader(ws)


def say(server: rig.Running, cookie: str, live: Reader, count: int, first: int, size: int) -> list[float]:
    """Say `count` messages and return how long each took to the live reader, in ms."""
    writer = WebSocket(("127.0.0.1", server.port), "/ws", cookie)
    sent: dict[int, float] = {}
    arrived: dict[int, float] = {}
    reading = gevent.spawn(live.read_until, first + count - 1, arrived)
    for seq in range(first, first + count):
        sent[seq] = now()
        writer.send(json.dumps({"type": "send", "room": rig.ROOM, "body": f"{seq} " + "x" * size}))
        gevent.sleep(PAUSE)
    reading.get(timeout=CATCH_UP_SECONDS)
    writer.close()
    return [1000 * (arrived[seq] - sent[seq]) for seq in sent]


def resident(pid: int) -> float:
    """MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise rig.RigError(f"process {pid} is gone")


def measure(core: int, lazy: int, options: argparse.Namespace) -> Result:
    """One round on a new server, with `lazy` readers that stop reading."""
    with rig.chatapp(core) as server:
        cookie = rig.guest(server, "bench")
        live = join(server, cookie)
        sleepers = [join(server, cookie, NARROW) for _ in range(lazy)]
        say(server, cookie, live, 200, 1, 50)  # warm up; nobody is late yet
        for sleeper in sleepers:
            sleeper.read_until(200)
        before = resident(server.worker)
        quiet = say(server, cookie, live, options.messages, 201, options.size)
        grown = resident(server.worker) - before
        last = 200 + options.messages
        catching_up = [gevent.spawn(sleeper.read_until, last) for sleeper in sleepers]
        busy = say(server, cookie, live, options.messages // 3, last + 1, 50)
        wrong = 0
        for sleeper, reading in zip(sleepers, catching_up, strict=True):
            reading.join(timeout=CATCH_UP_SECONDS)
            upto = [seq for seq in sleeper.seqs if seq <= last]
            wrong += not reading.successful() or upto != list(range(1, last + 1))
        return Result(rig.percentile(quiet, 0.99), rig.percentile(busy, 0.99), grown, wrong)


def main() -> int:
    options = read_options()
    core, _ = rig.prepare()
    rig.check_readers(options.readers)
    alone, together = [], []
    for number in range(1, options.rounds + 1):
        print(f"round {number}/{options.rounds}", file=sys.stderr)
        alone.append(measure(core, 0, options))
        together.append(measure(core, options.readers, options))
    return report(alone, together, options)


def report(alone: list[Result], together: list[Result], options: argparse.Namespace) -> int:
    ratios = [with_them.p99 / without.p99 for without, with_them in zip(alone, together, strict=True)]
    later = [
        with_them.p99_catching_up / without.p99_catching_up
        for without, with_them in zip(alone, together, strict=True)
    ]
    grown = [result.megabytes for result in together]
    beside = [result.megabytes for result in alone]
    wrong = sum(result.wrong for result in together)
    print(
        f"\n{options.readers} readers stop reading while {options.messages:,} messages of {options.size:,} "
        f"characters are said; {options.rounds} rounds, medians (lowest – highest)\n"
    )
    print(f"the worker's memory grows by     {rig.spread(grown, '.1f')} MB   aim: less than {MEMORY_AIM}")
    print(f"  and without them by            {rig.spread(beside, '.1f')} MB")
    for name, results in (("without them", alone), ("beside them", together)):
        print(f"a live reader's p99, {name:<12}  {rig.spread([each.p99 for each in results], '.1f')} ms")
    print(f"  ratio                          {rig.spread(ratios, '.2f')}   aim: at most {RATIO_AIM:g}")
    print(f"  ratio while they catch up      {rig.spread(later, '.2f')}   aim: at most {RATIO_AIM:g}")
    print(f"all got everything, in order:    {'yes' if not wrong else f'NO, {wrong} did not'}")
    met = statistics.median(grown) < MEMORY_AIM
    met = met and max(statistics.median(ratios), statistics.median(later)) <= RATIO_AIM
    return 2 if wrong else 0 if met else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", type=int, default=200, help="who stop reading (200)")
    parser.add_argument("--messages", type=int, default=1500, help="said meanwhile (1500)")
    parser.add_argument("--size", type=int, default=2000, help="characters of each (2000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds with and without (3)")
    options = parser.parse_args()
    if options.rounds < 1 or options.messages < 3 or not 1 <= options.size <= 3900:
        parser.error("--rounds is at least 1, --messages 3, --size 1 to 3900")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (rig.RigError, Cut) as error:
        print(f"late_readers: {error}", file=sys.stderr)
        sys.exit(2)
