"""Two hundred readers stop reading: what that costs in memory, and what it does to somebody who reads on.

Exit status: 0, the aims are met; 1, they are not; 2, a reader was cut off or missed something.
"""

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402
import json  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
import rig  # noqa: E402

sys.path.insert(0, str(rig.CHECKOUT))
from tests.torture.wire import Cut, WebSocket, now  # noqa: E402

MEMORY_AIM = 36  # MB for all of them
RATIO_AIM = 3.0  # of a live reader's p99
WARM_UP = 200  # messages
PAUSE = 0.01  # seconds between two messages
PATIENCE = 120  # seconds for all that is still to come


class Live:
    """Somebody who writes and reads on."""

    def __init__(self, server: rig.Running, cookie: str) -> None:
        self._said = 0
        self._writer = WebSocket(("127.0.0.1", server.port), "/ws", cookie)
        self._reader = WebSocket(("127.0.0.1", server.port), "/ws", cookie)
        join = {"type": "join", "room": rig.ROOM, "after": -1, "presence": False}
        self._reader.send(json.dumps(join))
        while not any('"joined"' in text for text in self._reader.texts(10)):
            pass

    def say(self, count: int, size: int, until: "gevent.Greenlet[[], None] | None" = None) -> list[float]:
        """Say `count` messages, or as many as it takes `until` that is done; how long each took, in ms."""
        first, sent = self._said + 1, {}
        arrived: dict[int, float] = {}
        reading = gevent.spawn(self._read, arrived)
        while self._said < first + count - 1 or (until is not None and not until.ready()):
            self._said += 1
            sent[self._said] = now()
            body = f"{self._said} " + "x" * size
            self._writer.send(json.dumps({"type": "send", "room": rig.ROOM, "body": body}))
            gevent.sleep(PAUSE)
        with gevent.Timeout(PATIENCE):
            while len(arrived) < len(sent):
                gevent.sleep(PAUSE)
        reading.kill()
        return [1000 * (arrived[seq] - sent[seq]) for seq in sent]

    def _read(self, arrived: dict[int, float]) -> None:
        while True:
            for text in self._reader.texts(PATIENCE):
                frame = json.loads(text)
                if frame["type"] == "message":
                    arrived[frame["seq"]] = now()


class Sleepers:
    """The readers of sleepers.py, in a process of their own."""

    def __init__(self, server: rig.Running, cookie: str, count: int) -> None:
        command = [sys.executable, str(rig.HERE / "sleepers.py"), str(server.port), str(count), cookie]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._expect("ready")

    def read_until(self, last: int) -> int:
        """How many of them did not get everything up to `last`, in order."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{last}\n")
        self._process.stdin.flush()
        return int(self._expect("read"))

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _expect(self, word: str) -> str:
        assert self._process.stdout is not None
        said = self._process.stdout.readline().split()
        if not said or said[0] != word:
            raise rig.RigError("the sleepers ended, see above")
        return said[-1]


@dataclass
class Result:
    p99: float  # ms, of a live reader while the others do not read
    p99_catching_up: float  # ms, while they read what they missed
    megabytes: float  # by which the worker grew while they did not read
    seconds: float  # that they took to catch up
    wrong: int


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
        live, sleepers = Live(server, cookie), Sleepers(server, cookie, lazy)
        try:
            live.say(WARM_UP, 50)  # nobody is late yet
            wrong = sleepers.read_until(WARM_UP)
            before = resident(server.worker)
            beside = live.say(options.messages, options.size)
            grown = resident(server.worker) - before
            begun = now()
            catching_up = gevent.spawn(sleepers.read_until, WARM_UP + options.messages)
            catching_up.link(lambda _: took.append(now() - begun))
            took: list[float] = []
            busy = live.say(options.messages // 3, 50, until=catching_up)
            wrong = max(wrong, catching_up.get())
        finally:
            sleepers.end()
        p99, p99_catching_up = rig.percentile(beside, 0.99), rig.percentile(busy, 0.99)
        return Result(p99, p99_catching_up, grown, took[0], wrong)


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
    took = [result.seconds for result in together]
    print(f"they catch up within             {rig.spread(took, '.1f')} s")
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
