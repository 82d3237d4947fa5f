"""How much later another person's message is acknowledged when a thousand long polls wait in its room.

Exit status: 0, the aim is met; 1, it is not; 2, a poll missed a message, or it cannot be run.
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
from collections.abc import Callable
from typing import Protocol, Self

import rig
from websockets.sync.client import connect
from websockets.typing import Subprotocol

AIM_MS = 50.0
WAVE_PAUSE = 0.02  # seconds between two messages that come while the polls are still coming back


class Sender(Protocol):
    """Somebody who writes into the room through one of its doors."""

    name: str

    def say(self, text: str) -> int:
        """Send `text` and wait until it is acknowledged; its number."""


class Poster:
    name = "POST"

    def __init__(self, server: rig.Running, cookie: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        origin = f"http://127.0.0.1:{server.port}"
        self._headers = {"Content-Type": "application/json", "Cookie": cookie, "Origin": origin}

    def say(self, text: str) -> int:
        draft = json.dumps({"body": text, "client_id": uuid.uuid4().hex})
        path = f"/api/rooms/{rig.ROOM}/messages"
        self._connection.request("POST", path, draft.encode(), self._headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 201:
            raise rig.RigError(f"POST answered {answer.status}: {said[:200]!r}")
        return int(json.loads(said)["seq"])


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

    def say(self, text: str) -> int:
        frame = {"type": "send", "room": rig.ROOM, "body": text, "client_id": uuid.uuid4().hex}
        self._socket.send(json.dumps(frame))
        answer = json.loads(self._socket.recv(30))
        if answer["type"] != "ack":
            raise rig.RigError(f"send was answered with {answer}")
        return int(answer["seq"])


Times = defaultdict[tuple[str, str], list[float]]  # (door, moment) -> ms


def measure(senders: list[Sender], settle: Callable[[int], None], count: int) -> Times:
    """Ack times through each door, with all polls waiting and in the wave of those coming back.

    `settle(seq)` waits until everybody who waits has message `seq` (0: none yet) and waits again.
    """
    times: Times = defaultdict(list)
    seq = 0
    for sender in senders:
        for _ in range(count):
            settle(seq)
            seq = timed(sender, times[sender.name, "all waiting"])
        for _ in range(count):  # the last message has just woken everybody
            time.sleep(WAVE_PAUSE)
            seq = timed(sender, times[sender.name, "in the wave"])
    settle(seq)
    return times


def timed(sender: Sender, times: list[float]) -> int:
    start = time.perf_counter()
    seq = sender.say("the quick brown fox jumps over the lazy dog")
    times.append((time.perf_counter() - start) * 1000)
    return seq


class Polls:
    """The process that holds the waiting polls; `seen` is known when it has ended."""

    def __init__(self, server: rig.Running, count: int) -> None:
        words = [str(server.port), str(count), str(rig.ROOM), rig.guest(server, "reader")]
        command = [sys.executable, str(rig.HERE / "pollers.py"), *words]
        self._server = server
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seen: dict[str, float] = {}

    def __enter__(self) -> Self:
        try:
            self._expect("ready")
        except rig.RigError:
            self._process.kill()
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            said, _ = self._process.communicate(timeout=30)
            if kind is None and self._process.returncode:
                raise rig.RigError("a poll was not served as it should be, see above")
            if kind is None:
                self.seen = json.loads(said.splitlines()[-1])
        finally:
            self._process.kill()
            self._process.wait()

    def settle(self, seq: int) -> None:
        """Wait until all polls have message `seq`, and wait again."""
        if seq:
            self._expect(f"back {seq}")
        rig.wait_until_idle(self._server.worker, self._process.pid)

    def _expect(self, line: str) -> None:
        assert self._process.stdout is not None
        for said in self._process.stdout:
            if said.strip() == line:
                return
        raise rig.RigError("a poll was not served as it should be, see above")


def main() -> int:
    options = read_options()
    core, _ = rig.prepare()
    rig.check_readers(options.polls)
    alone, beside, seen = [], [], []
    with rig.chatapp(core) as server, Socket(server, rig.guest(server, "ada")) as socket:
        senders: list[Sender] = [Poster(server, rig.guest(server, "grace")), socket]
        for number in range(1, options.rounds + 1):
            print(f"round {number}/{options.rounds}", file=sys.stderr)
            alone.append(measure(senders, lambda seq: rig.wait_until_idle(server.worker), options.messages))
            with Polls(server, options.polls) as polls:
                beside.append(measure(senders, polls.settle, options.messages))
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
    print(f"\nall waiting: less than {AIM_MS:g} ms later at p50: {'met' if met else 'NOT met'}")
    print(
        f"every poll got every message, in order; in its hands {served[0]:.0f} ms (p50), {served[1]:.0f} ms "
        "(p99) after it was numbered"
    )
    print(
        f"""
All waiting: a message is sent when every poll has come back and the server is idle. In the wave:
{WAVE_PAUSE * 1000:.0f} ms after the last ack, while the server still answers the polls that this one woke.
What is acknowledged is on the disk; one bare fsync takes {rig.fsync_ms():.2f} ms here.
{rig.versions()}"""
    )
    return 0 if met else 1


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
