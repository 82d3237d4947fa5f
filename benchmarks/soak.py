"""A million messages, a hundred thousand reconnects, ten thousand rooms: what stays in a worker's memory.

Exit status: 0, the memory stayed within the aim; 1, it did not; 2, it cannot be run.
"""

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
import rig  # noqa: E402
from gevent.pool import Pool  # noqa: E402

sys.path.insert(0, str(rig.CHECKOUT))
from tests.torture.wire import Http, WebSocket, now  # noqa: E402

PARTS = 10
AIM = 0.10  # by which the memory may differ from what it was after the first part
WRITERS, IN_FLIGHT = 4, 64
AT_ONCE = 20  # reconnects
SETTLE_SECONDS = 4  # for idle rooms to leave; the server is told 2
WIDE, HIGH, EDGE = 720, 300, 50  # of the picture, in its own units


class Crowd:
    """What is done to the server, a part of it at a time."""

    def __init__(self, server: rig.Running, options: argparse.Namespace) -> None:
        self._address = ("127.0.0.1", server.port)
        self._cookie = rig.guest(server, "soak")
        self._options = options
        self._said = self._made = 0

    def part(self) -> None:
        """A tenth of everything, all at the same time."""
        share = self._options.messages // PARTS // WRITERS
        doing = [gevent.spawn(self._write, share) for _ in range(WRITERS)]
        doing.append(gevent.spawn(self._reconnect, self._options.reconnects // PARTS))
        doing.append(gevent.spawn(self._visit, self._options.rooms // PARTS))
        gevent.joinall(doing, raise_error=True)

    def _write(self, count: int) -> None:
        ws = WebSocket(self._address, "/ws", self._cookie)
        sent = kept = 0
        while kept < count:
            while sent < count and sent - kept < IN_FLIGHT:
                self._said += 1
                ws.send(json.dumps({"type": "send", "room": rig.ROOM, "body": f"message {self._said}"}))
                sent += 1
            for text in ws.texts(60):
                if '"ack"' not in text[:20]:
                    raise rig.RigError(f"a message was not kept: {text[:200]}")
                kept += 1
        ws.close()

    def _reconnect(self, count: int) -> None:
        pool = Pool(AT_ONCE)
        for _ in range(count):
            pool.spawn(self._come_and_go)
        pool.join(raise_error=True)

    def _come_and_go(self) -> None:
        ws = WebSocket(self._address, "/ws", self._cookie)
        ws.send(json.dumps({"type": "join", "room": rig.ROOM, "after": -1}))
        while not any('"joined"' in text for text in ws.texts(60)):
            pass
        ws.close()

    def _visit(self, count: int) -> None:
        http = Http(self._address, self._cookie)
        for _ in range(count):
            self._made += 1
            _, room = http.ask("POST", "/api/rooms", {"name": f"room {self._made}"})
            http.ask("GET", f"/api/rooms/{room['id']}/messages?after=-1")
        http.close()


def resident(pid: int) -> float:
    """MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise rig.RigError(f"process {pid} is gone")


def soak(server: rig.Running, options: argparse.Namespace) -> Iterator[float]:
    """The worker's memory in MB before, and after each part."""
    crowd = Crowd(server, options)
    yield resident(server.worker)
    for part in range(1, PARTS + 1):
        started = now()
        crowd.part()
        took = now() - started
        gevent.sleep(SETTLE_SECONDS)
        memory = resident(server.worker)
        print(f"{part}/{PARTS}: {memory:.1f} MB, after {took:.0f} s", flush=True)
        yield memory


def picture(memory: Sequence[float], options: argparse.Namespace) -> str:
    """The memory as a line, as SVG."""
    top = 1.25 * max(memory)

    def at(part: float, megabytes: float) -> str:
        x = EDGE + part * (WIDE - 2 * EDGE) / PARTS
        return f"{x:.1f},{HIGH - EDGE - megabytes / top * (HIGH - 2 * EDGE):.1f}"

    line = " ".join(at(part, megabytes) for part, megabytes in enumerate(memory))
    low, high = memory[1] * (1 - AIM), memory[1] * (1 + AIM)
    band = " ".join([at(1, high), at(PARTS, high), at(PARTS, low), at(1, low)])
    places = [(at(part, 0).partition(",")[0], f"{100 * part // PARTS} %") for part in range(PARTS + 1)]
    foot = HIGH - EDGE + 20
    labels = "".join(f'<text x="{x}" y="{foot}" text-anchor="middle">{said}</text>' for x, said in places)
    for megabytes in range(0, int(top) + 1, 25):
        x, y = at(0, megabytes).split(",")
        labels += (
            f'<path d="M{x} {y}H{WIDE - EDGE}" stroke="#e1e6e5"/>'
            f'<text x="{EDGE - 8}" y="{float(y) + 4:.1f}" text-anchor="end">{megabytes}</text>'
        )
    title = (
        f"A worker's memory in MB: {memory[1]:.0f} after the first tenth, {memory[-1]:.0f} at the end",
        f"of {options.messages:,} messages, {options.reconnects:,} reconnects and {options.rooms:,} rooms",
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="#44504d"><title>{" ".join(title)}</title>'
        f'<rect width="{WIDE}" height="{HIGH}" fill="#ffffff"/>'
        f'<polygon points="{band}" fill="#e0f1ee"/>{labels}'
        f'<polyline points="{line}" fill="none" stroke="#0a6a5f" stroke-width="2"/>'
        f'<text x="{EDGE}" y="20">{title[0]}</text><text x="{EDGE}" y="38">{title[1]}</text></svg>\n'
    )


def main() -> int:
    options = read_options()
    core, _ = rig.prepare()
    with rig.chatapp(core, CHATAPP_ROOM_IDLE_SECONDS="2") as server:
        memory = list(soak(server, options))
    if options.picture:
        options.picture.write_text(picture(memory, options))
    most = max(abs(megabytes / memory[1] - 1) for megabytes in memory[2:])
    print(
        f"at most {most:.1%} away from {memory[1]:.1f} MB, which it was after the first tenth; aim: {AIM:.0%}"
    )
    return 0 if most <= AIM else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1_000_000, help="(1000000)")
    parser.add_argument("--reconnects", type=int, default=100_000, help="(100000)")
    parser.add_argument("--rooms", type=int, default=10_000, help="made and visited once (10000)")
    parser.add_argument("--picture", type=Path, help="where to draw the line, as SVG")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except rig.RigError as error:
        print(f"soak: {error}", file=sys.stderr)
        sys.exit(2)
