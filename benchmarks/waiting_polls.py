"""How much later another person's message is acknowledged when a thousand long polls wait in its room.

Exit status: 0, the aim is met; 1, it is not; 2, a poll missed something, or it cannot be run.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, Self

import rig
from websockets.sync.client import connect
from websockets.typing import Subprotocol

AIM_MS = 50.0
WAVE_PAUSE = 0.02  # seconds between two messages that come while the polls are still coming back


class Sender(Protocol):
    """Somebody who writes into the room through one of its doors."""

    name: str

    def say(self, text: str) -> None:
        """Send `text` and wait for the acknowledgement."""


class Poster:
    name = "POST"

    def __init__(self, server: rig.Running, cookie: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        origin = f"http://127.0.0.1:{server.port}"
        self._headers = {"Content-Type": "application/json", "Cookie": cookie, "Origin": origin}

    def say(self, text: str) -> None:
        draft = json.dumps({"body": text, "client_id": uuid.uuid4().hex})
        path = f"/api/rooms/{rig.ROOM}/messages"
        self._connection.request("POST", path, draft.encode(), self._headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 201:
            raise rig.RigError(f"POST answered {answer.status}: {said[:200]!r}")


class Socket:
    name = "send"

    def __init__(self, server: rig.Running, cookie: str) -> None:
        self._opening = connect(
            f"ws://127.0.0.1:{server.port}/ws",
            subprotocols=[Subprotocol("chatapp.v1")],
            additional_headers={"Cookie": cookie},
        )

    def __enter__(self) -> Self:
        self._socket = self._opening.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def say(self, text: str) -> None:
        frame = {"type": "send", "room": rig.ROOM, "body": text, "client_id": uuid.uuid4().hex}
        self._socket.send(json.dumps(frame))
        answer = json.loads(self._socket.recv(30))
        if answer["type"] != "ack":
            raise rig.RigError(f"send was answered with {answer}")


Times = defaultdict[tuple[str, str], list[float]]  # (door, moment) -> ms


def measure(senders: list[Sender], settle: Callable[[], None], count: int) -> Times:
    """Ack times through each door, with all polls waiting and in the wave of those coming back."""
    times: Times = defaultdict(list)
    for sender in senders:
        for _ in range(count):
            settle()
            times[sender.name, "all waiting"].append(timed(sender))
        for _ in range(count):  # the last message has just woken everybody
            time.sleep(WAVE_PAUSE)
            times[sender.name, "in the wave"].append(timed(sender))
    settle()
    return times


def timed(sender: Sender) -> float:
    start = time.perf_counter()
    sender.say("the quick brown fox jumps over the lazy dog")
    return (time.perf_counter() - start) * 1000


@dataclass
class Polls:
    """The process that holds the waiting polls; what they saw is known when it has ended."""

    pid: int
    seen: dict[str, float] = field(default_factory=dict)


@contextmanager
def polls_waiting(server: rig.Running, count: int) -> Iterator[Polls]:
    """`count` polls wait within the block, in a process of their own."""
    words = [str(server.port), str(count), str(rig.ROOM), rig.guest(server, "reader")]
    process = subprocess.Popen(
        [sys.executable, str(rig.HERE / "pollers.py"), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline().strip() != "asked":
            raise rig.RigError("the polls could not be opened, see above")
        polls = Polls(process.pid)
        yield polls
        process.stdin.close()
        said = process.stdout.read()
        if process.wait(30):
            raise rig.RigError("a poll was not served as it should be, see above")
        polls.seen.update(json.loads(said))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def main() -> int:
    options = read_options()
    core, _ = rig.prepare()
    rig.check_readers(options.polls)
    alone, beside, seen = [], [], []
    with rig.chatapp(core) as server:
        cookie = rig.guest(server, "ada")
        with Socket(server, cookie) as socket:
            senders: list[Sender] = [Poster(server, cookie), socket]
            for number in range(1, options.rounds + 1):
                print(f"round {number}/{options.rounds}", file=sys.stderr)
                alone.append(measure(senders, partial(rig.wait_until_idle, server.worker), options.messages))
                with polls_waiting(server, options.polls) as polls:
                    settle = partial(rig.wait_until_idle, server.worker, polls.pid)
                    beside.append(measure(senders, settle, options.messages))
                seen.append(polls.seen)
    return report(alone, beside, seen, options)


def report(
    alone: list[Times], beside: list[Times], seen: list[dict[str, float]], options: argparse.Namespace
) -> int:
    print(
        f"\nMilliseconds until a message is acknowledged, {options.rounds} rounds in turns, "
        f"{options.messages} messages each; medians of the rounds\n"
    )
    print(f"{'':<19}{'nobody waits':^18}{f'{options.polls:,} polls wait':^18}{'later by':>20}")
    heads = f"{'p50':>8}{'p99':>8}  "
    print(f"{'':<19}{heads}{heads}{'p50 (lowest – highest)':>26}{'p99':>8}")
    met = True
    for door, moment in alone[0]:
        columns = [
            [rig.percentile(times[door, moment], share) for times in rounds]
            for rounds in (alone, beside)
            for share in (0.5, 0.99)
        ]
        p50, p99, p50_beside, p99_beside = map(statistics.median, columns)
        later = [high - low for low, high in zip(columns[0], columns[2], strict=True)]
        print(
            f"{door + ', ' + moment:<19}{p50:8.1f}{p99:8.1f}  {p50_beside:8.1f}{p99_beside:8.1f}  "
            f"{rig.spread(later, '.1f'):>26}{p99_beside - p99:8.1f}"
        )
        if moment == "all waiting":
            met = met and statistics.median(later) < AIM_MS
    served = [statistics.median(polled[key] for polled in seen) for key in ("p50_ms", "p99_ms")]
    expected = options.polls * (4 * options.messages)
    missed = sum(abs(expected - polled["messages"]) for polled in seen)
    print(
        f"\nall waiting: less than {AIM_MS:g} ms later at p50: {'met' if met else 'NOT met'}\n"
        f"every poll got every message, in order: {f'NO, {missed} are missing' if missed else 'yes'}; "
        f"in its hands {served[0]:.0f} ms (p50), {served[1]:.0f} ms (p99) after it was numbered"
    )
    print(
        f"""
All waiting: a message is sent when every poll has come back and the server is idle. In the wave:
{WAVE_PAUSE * 1000:.0f} ms after the last ack, while the server still answers the polls that this one woke.
What is acknowledged is on the disk; one bare fsync takes {rig.fsync_ms():.2f} ms here.
{rig.versions()}"""
    )
    return 2 if missed else 0 if met else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--polls", type=int, default=1000, help="long polls that wait in the room (1000)")
    parser.add_argument("--messages", type=int, default=8, help="for each round, door and moment (8)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds without and with polls (5)")
    options = parser.parse_args()
    if options.rounds < 1 or options.messages < 1:
        parser.error("--rounds and --messages are at least 1")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except rig.RigError as error:
        print(f"waiting_polls: {error}", file=sys.stderr)
        sys.exit(2)
