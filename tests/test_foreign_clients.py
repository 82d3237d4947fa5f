"""One story, told with clients that others wrote: Python's `websockets`, Node's `ws`, and Chromium's own."""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.clients import UNIT, Person, Socket, eventually
from tests.raw_socket import RawSocket
from tests.servers import ROOT, Server

EMOJI = "😀" * 4000  # the longest message there is: 16,000 bytes
OPEN = """(address) => {
    globalThis.texts = []; globalThis.goodbye = null; globalThis.socket = new WebSocket(address, "chatapp.v1");
    socket.onmessage = ({ data }) => texts.push(data);
    socket.onclose = ({ code, reason }) => { goodbye = [code, reason]; };
}"""


class PythonSocket(Socket):
    """`websockets`, which the other tests use as well."""

    @property
    def extensions(self) -> str:
        return self.ws.response.headers.get("Sec-WebSocket-Extensions", "")


class NodeSocket(Socket):
    """Node's `ws`, in a process of its own."""

    def __init__(self, person: Person) -> None:
        node = shutil.which("node")
        assert node, "bin/test installs Node and tests/foreign/node_modules"
        address = f"ws://{person.server.host}/ws"
        self._process = subprocess.Popen(
            [node, ROOT / "tests" / "foreign" / "client.mjs", address, "chatapp.v1", person.cookie],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self.frames, self.closed = [], None
        self.extensions: str | None = None
        threading.Thread(target=self._run, daemon=True).start()
        eventually(lambda: self.extensions is not None, "ws is connected")

    def send(self, frame: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(frame, ensure_ascii=False) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(UNIT)

    def _run(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            match json.loads(line):
                case {"opened": extensions}:
                    self.extensions = extensions
                case {"text": text}:
                    self.frames.append(json.loads(text))
                case {"closed": [code, reason]}:
                    self.closed = code, reason


class ChromiumSocket(Socket):
    """Chromium's, opened by the script of a page of its own."""

    def __init__(self, person: Person, browser: Browser) -> None:
        self._context = browser.new_context()
        self._context.add_cookies(
            [
                {"name": name, "value": value, "url": person.server.url}
                for name, value in person.http.cookies.items()
            ]
        )
        self._page = self._context.new_page()
        self._page.goto(f"{person.server.url}/healthz")
        self._page.evaluate(OPEN, f"ws://{person.server.host}/ws")
        eventually(
            lambda: self._page.evaluate("() => socket.readyState === WebSocket.OPEN"), "Chromium is connected"
        )

    @property
    def extensions(self) -> str:
        return self._page.evaluate("() => socket.extensions")

    @property
    def frames(self) -> list[Any]:
        return [json.loads(text) for text in self._page.evaluate("() => texts")]

    @property
    def closed(self) -> tuple[int, str] | None:
        return self._page.evaluate("() => goodbye")

    def send(self, frame: Any) -> None:
        self._page.evaluate("(frame) => socket.send(JSON.stringify(frame))", frame)

    def close(self) -> None:
        self._context.close()


Connect = Callable[[Person], Socket]


@pytest.fixture(params=["websockets", "ws", "Chromium"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Opens sockets of one kind, which are closed when the test is over."""
    kinds: dict[str, Connect] = {
        "websockets": PythonSocket,
        "ws": NodeSocket,
        "Chromium": lambda person: ChromiumSocket(person, request.getfixturevalue("browser")),
    }
    with ExitStack() as opened:
        yield lambda person: opened.enter_context(closing(kinds[request.param](person)))


def test_a_client_reads_writes_is_kept_alive_comes_back_and_is_told_to_come_back(
    connect: Connect, new_server: Callable[..., Server]
) -> None:
    server = new_server(heartbeat="2").start()  # seconds; on a busy machine a pong may take more than one
    with closing(Person(server, "ada")) as ada, closing(Person(server, "grace")) as grace:
        board = ada.make_room("board")
        for body in ("one", "two", "three"):
            grace.say(board, body)

        client = connect(ada)
        assert client.extensions == "", "all three offer to compress"
        epoch = client.join(board, after=1)["epoch"]
        eventually(lambda: _heard(client) == [(2, "two"), (3, "three")])

        client.send({"type": "send", "room": board, "client_id": "a", "body": "four"})
        client.send({"type": "send", "room": board, "client_id": "b", "body": EMOJI})
        eventually(
            lambda: [(ack["client_id"], ack["seq"]) for ack in client.of("ack")] == [("a", 4), ("b", 5)]
        )
        eventually(lambda: _heard(client)[2:] == [(4, "four"), (5, EMOJI)])
        assert ada.read(board, after=3)["messages"] == client.of("message")[2:]

        with RawSocket(server) as silent:
            silent.handshake(Cookie=grace.cookie)
            silent.wait_for_end()  # it did not answer pings for two heartbeats
        assert client.closed is None
        grace.say(board, "six")
        eventually(lambda: _heard(client)[4:] == [(6, "six")])

        server.kill_worker()
        assert eventually(lambda: client.closed)[0] == 1006
        grace.say(board, "seven, while nobody was there")
        again = connect(ada)
        assert again.join(board, after=6, epoch=epoch)["type"] == "joined"
        grace.say(board, "eight")
        eventually(lambda: _heard(again) == [(7, "seven, while nobody was there"), (8, "eight")])

        server.stop()
        assert eventually(lambda: again.closed)[0] == 1012


def _heard(client: Socket) -> list[tuple[int, str]]:
    return [(message["seq"], message["body"]) for message in client.of("message")]
