"""Many long polls on one room, each asking again with its cursor as soon as it is answered.

Run by waiting_polls.py as a process of its own: `pollers.py PORT COUNT ROOM COOKIE`. Prints a line when all
have asked; when its standard input ends, one line of JSON: how many answers and messages came, and how long
after it was numbered a message was in a poll's hands. A message out of order ends it with an error.
"""

import json
import os
import resource
import selectors
import socket
import sys
import time
from datetime import datetime
from typing import Any

import rig

WAIT_SECONDS = 50
OPENING = 50  # connections at once, so that no accept queue overflows
MOST_SECONDS = 900  # then we end whatever standard input says


class Poll:
    """One keep-alive connection that always has a request under way."""

    def __init__(self, port: int, room: int, cookie: str) -> None:
        self._request = (
            f"GET /api/rooms/{room}/messages?after=%d&wait={WAIT_SECONDS} HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n"
        ).encode()
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._cursor = -1
        self._data = b""

    def ask(self) -> None:
        self.socket.sendall(self._request % self._cursor)

    def answer(self) -> dict[str, Any] | None:
        """The answer, once it is complete. Raises RigError for any but 200."""
        piece = self.socket.recv(65_536)
        self._data += piece
        head, blank, body = self._data.partition(b"\r\n\r\n")
        if not piece or (blank and not head.startswith(b"HTTP/1.1 200")):
            raise rig.RigError(f"a poll was answered with {head[:200]!r}")
        length = next(
            (line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), b""
        )
        if not blank or len(body) < int(length.partition(b":")[2]):
            return None
        self._data = b""
        answer: dict[str, Any] = json.loads(body)
        return answer

    def take(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        """The new messages of `answer`, which must follow what came before. Raises RigError."""
        messages: list[dict[str, Any]] = answer["messages"]
        seqs = [message["seq"] for message in messages]
        start = self._cursor if self._cursor >= 0 or not seqs else seqs[0] - 1
        if seqs != list(range(start + 1, start + 1 + len(seqs))) or answer.get("reset"):
            raise rig.RigError(f"a poll at #{self._cursor} was given {seqs}")
        self._cursor = answer["cursor"]
        return messages


def main() -> None:
    port, count, room, cookie = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.nice(5)  # the sender beside us must not wait for us: it is what is measured
    selector = selectors.DefaultSelector()
    polls = []
    for number in range(count):
        poll = Poll(port, room, cookie)
        poll.ask()
        polls.append(poll)
        selector.register(poll.socket, selectors.EVENT_READ, poll)
        if number % OPENING == OPENING - 1:
            time.sleep(0.05)
    print("asked", flush=True)
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    print(json.dumps(follow(selector)), flush=True)
    for poll in polls:
        poll.socket.close()


def follow(selector: selectors.BaseSelector) -> dict[str, float]:
    """Answer and ask until standard input ends."""
    answers = messages = 0
    latencies: list[float] = []
    deadline = time.monotonic() + MOST_SECONDS
    while time.monotonic() < deadline:
        for key, _ in selector.select(1):
            if key.data is None:
                return {
                    "answers": answers,
                    "messages": messages,
                    "p50_ms": rig.percentile(latencies, 0.5),
                    "p99_ms": rig.percentile(latencies, 0.99),
                }
            answer = key.data.answer()
            if answer is None:
                continue
            now = time.time()
            answers += 1
            for message in key.data.take(answer):
                messages += 1
                latencies.append((now - datetime.fromisoformat(message["at"]).timestamp()) * 1000)
            key.data.ask()
    raise rig.RigError(f"still running after {MOST_SECONDS} s")


if __name__ == "__main__":
    main()
