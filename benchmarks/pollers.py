"""Many long polls on one room, each asking again with its cursor as soon as it is answered.

Run by waiting_polls.py as a process of its own: `pollers.py PORT COUNT ROOM COOKIE`. Prints `ready` when
every poll knows where the room is and waits from there, `back N` when all have been given message N and have
asked again, and, when its standard input ends, one line of JSON: how long after it was numbered a message was
in a poll's hands. A poll that is not given the very next message ends it with an error.
"""

import json
import os
import re
import resource
import selectors
import socket
import sys
import time
from collections import Counter
from datetime import datetime
from typing import Any

import rig

WAIT_SECONDS = 50
OPENING = 50  # connections at once, so that no accept queue overflows
LATE_SECONDS = 60  # for a message to come to every poll
MOST_SECONDS = 1800  # then we end whatever standard input says


class Poll:
    """One keep-alive connection that always has a request under way."""

    def __init__(self, port: int, room: int, cookie: str) -> None:
        self._path = f"/api/rooms/{room}/messages"
        self._fields = f"Host: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n"
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._cursor = -1
        self._data = b""

    def ask(self) -> None:
        """Wait for what follows the cursor; without one, ask where the room is, which is answered at once."""
        wait = WAIT_SECONDS if self._cursor >= 0 else 0
        query = f"after={self._cursor}&wait={wait}"
        self.socket.sendall(f"GET {self._path}?{query} HTTP/1.1\r\n{self._fields}".encode())

    def take(self) -> list[dict[str, Any]] | None:
        """The new messages, once an answer is complete. Raises RigError for any but the next ones."""
        answer = self._answer()
        if answer is None:
            return None
        messages: list[dict[str, Any]] = answer["messages"]
        seqs = [message["seq"] for message in messages]
        if answer.get("reset") or seqs != list(range(self._cursor + 1, self._cursor + 1 + len(seqs))):
            raise rig.RigError(f"a poll at #{self._cursor} was given {seqs}")
        self._cursor = answer["cursor"]
        return messages

    def _answer(self) -> dict[str, Any] | None:
        piece = self.socket.recv(65_536)
        self._data += piece
        head, blank, body = self._data.partition(b"\r\n\r\n")
        if not piece or (blank and not head.startswith(b"HTTP/1.1 200")):
            raise rig.RigError(f"a poll was answered with {head[:200]!r}")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if not blank or length is None or len(body) < int(length[1]):
            return None
        self._data = b""
        answer: dict[str, Any] = json.loads(body)
        return answer


def main() -> None:
    port, count, room, cookie = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.nice(5)  # the sender beside us must not wait for us: it is what is measured
    with selectors.DefaultSelector() as selector:
        for number in range(count):
            poll = Poll(port, room, cookie)
            selector.register(poll.socket, selectors.EVENT_READ, poll)
            poll.ask()
            if number % OPENING == OPENING - 1:
                time.sleep(0.05)
        selector.register(sys.stdin, selectors.EVENT_READ, None)
        latencies = follow(selector, count)
    print(
        json.dumps({f"p{share}_ms": rig.percentile(latencies, share / 100) for share in (50, 99)}), flush=True
    )


def follow(selector: selectors.BaseSelector, count: int) -> list[float]:
    """Answer and ask until standard input ends; the milliseconds from numbering to each arrival."""
    latencies: list[float] = []
    started = 0
    given: Counter[int] = Counter()  # by message, while not everybody has it
    first_given: dict[int, float] = {}
    deadline = time.monotonic() + MOST_SECONDS
    while time.monotonic() < deadline:
        for key, _ in selector.select(1):
            if key.data is None:
                return latencies
            messages = key.data.take()
            if messages is None:
                continue
            now = time.time()
            key.data.ask()
            if started < count:
                started += 1
                if started == count:
                    print("ready", flush=True)
            for message in messages:
                latencies.append((now - datetime.fromisoformat(message["at"]).timestamp()) * 1000)
                seq = message["seq"]
                given[seq] += 1
                first_given.setdefault(seq, now)
                if given[seq] == count:
                    del given[seq], first_given[seq]
                    print("back", seq, flush=True)
        if any(time.time() - first > LATE_SECONDS for first in first_given.values()):
            raise rig.RigError(f"not every poll was given {list(given)} within {LATE_SECONDS} s")
    raise rig.RigError(f"still running after {MOST_SECONDS} s")


if __name__ == "__main__":
    main()
