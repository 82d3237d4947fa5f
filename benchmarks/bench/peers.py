"""Who is measured beside us: how each is started, and how the load client talks to it.

Each in its best configuration that we know of, with nothing that it does not need: benchmarks/README.md.
"""

import os
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import installing
from benchmarks.bench.client import Words, build
from benchmarks.bench.servers import Server, free_port, running

FILES = 19_000
SOCKET_IO = {
    "transport": "websocket",
    "path": "/socket.io/?EIO=4&transport=websocket",
    "hello": "40",
    "ready": "40{",
    "beat": "2",
    "beat_answer": "3",
}


class Peer(ABC):
    """One that fans messages out over WebSockets. `patience`: seconds that what is in flight may take."""

    name: str
    patience = 30
    keeps = False  # whether it can keep messages, one commit each

    def __init__(self, cache: Path) -> None:
        self.cache = cache

    @abstractmethod
    def install(self) -> None: ...

    @abstractmethod
    def command(self, port: int, folder: Path) -> list[str]: ...

    @contextmanager
    def serve(self, core: int) -> Iterator[Server]:
        """Started for the block, on `core`."""
        with tempfile.TemporaryDirectory(prefix="chat-peer-") as name:
            folder, port = Path(name), free_port()
            environ = {**os.environ, "KEPT": str(folder / "kept.db"), "NODE_ENV": "production"}
            environ.pop("GUNICORN_CMD_ARGS", None)
            with running(Server(self.command(port, folder), port, (core,), environ, self.home)) as server:
                yield server

    @property
    def home(self) -> Path:
        """The folder that it is started in."""
        return installing.PEERS / self.name

    def by_websocket(self, tag: str) -> Words:
        return {"transport": "websocket", "path": "/ws"}

    def speaking(self, tag: str) -> Words:
        return {"speak": "websocket", "speak_path": "/ws"}

    def keeping(self) -> Words:
        """How one speaks whose messages are kept, each answered with itself once it is."""
        return {"speak": "websocket", "speak_path": "/kept", "ack": "~", "ack_number": "~"}


class Bare(Peer):
    name = "bare"

    def install(self) -> None:
        self._program = build(self.cache, [installing.PEERS / "bare" / "bare.c"], "bare")

    def command(self, port: int, folder: Path) -> list[str]:
        return [str(self._program), str(port)]


class Nchan(Peer):
    name = "nchan"
    buffer = 128  # messages of a channel: more than are ever in flight

    def install(self) -> None:
        self._nginx, self._module = installing.nchan()

    def command(self, port: int, folder: Path) -> list[str]:
        template = (self.home / "nginx.conf").read_text()
        filled = template.format(
            module=self._module, folder=folder, port=port, files=FILES, buffer=self.buffer
        )
        (folder / "nginx.conf").write_text(filled)
        nginx = [self._nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")]
        return [sys.executable, str(self.home / "no_delay.py"), str(port), *nginx]

    def by_websocket(self, tag: str) -> Words:
        return {"transport": "websocket", "path": f"/sub?id={tag}"}

    def by_poll(self, tag: str) -> Words:
        return {"transport": "poll", "path": f"/sub?id={tag}", "cursor": "validators"}

    def speaking(self, tag: str) -> Words:
        return {"speak": "websocket", "speak_path": f"/pub?id={tag}"}


class NodeWs(Peer):
    name = "ws"
    program = "ws.js"

    def install(self) -> None:
        self._folder = installing.node(self.cache)

    @property
    def home(self) -> Path:
        return self._folder

    def command(self, port: int, folder: Path) -> list[str]:
        return ["node", self.program, str(port)]


class SocketIo(NodeWs):
    name = "socket.io"
    program = "socketio.js"

    def by_websocket(self, tag: str) -> Words:
        return SOCKET_IO

    def speaking(self, tag: str) -> Words:
        return {**_speak(SOCKET_IO), "send": '42["chat message","%m"]'}


class _Python(Peer):
    keeps = True

    def install(self) -> None:
        self._programs = installing.python(self.cache, self.name)


class Starlette(_Python):
    name = "starlette"

    def command(self, port: int, folder: Path) -> list[str]:
        options = "--loop uvloop --http httptools --ws websockets-sansio --ws-per-message-deflate false"
        options += f" --no-access-log --log-level warning --backlog 4096 --port {port}"
        return [str(self._programs / "uvicorn"), "app:app", *options.split()]

    def by_poll(self, tag: str) -> Words:
        return {
            "transport": "poll",
            "path": "/poll?after=%c",
            "first_path": "/poll?after=-1",
            "cursor": '"cursor":',
        }


class Tornado(_Python):
    name = "tornado"

    def command(self, port: int, folder: Path) -> list[str]:
        return [str(self._programs / "python"), "app.py", str(port)]

    def by_poll(self, tag: str) -> Words:
        return {"transport": "poll", "path": "/a/message/updates?cursor=%c", "cursor": '"id":'}

    def posting(self) -> Words:
        form = "Content-Type: application/x-www-form-urlencoded"
        return {"speak": "post", "speak_path": "/a/message/new", "speak_header": form, "send": "body=%m"}


class FlaskSocketIo(_Python):
    name = "flask_socketio"

    def command(self, port: int, folder: Path) -> list[str]:
        return _gunicorn(self._programs, port)

    def by_websocket(self, tag: str) -> Words:
        return SOCKET_IO

    def speaking(self, tag: str) -> Words:
        return {**_speak(SOCKET_IO), "send": '42["chat message","%m"]'}

    def keeping(self) -> Words:
        return {**_speak(SOCKET_IO), "send": '42["kept message","%m"]', "ack": "~", "ack_number": "~"}


class Channels(_Python):
    name = "channels"
    patience = 200  # about 1,000 deliveries a second

    def command(self, port: int, folder: Path) -> list[str]:
        return [str(self._programs / "daphne"), "-b", "127.0.0.1", "-p", str(port), "-v", "0", "app:app"]

    def by_websocket(self, tag: str) -> Words:
        return {**super().by_websocket(tag), "ready": "joined"}


class FlaskSock(_Python):
    name = "flask_sock"

    def command(self, port: int, folder: Path) -> list[str]:
        return _gunicorn(self._programs, port)

    def by_websocket(self, tag: str) -> Words:
        return {**super().by_websocket(tag), "ready": "connected"}


def _gunicorn(programs: Path, port: int) -> list[str]:
    options = f"-k gevent -w 1 --worker-connections {FILES} --backlog 4096 -b 127.0.0.1:{port}"
    return [str(programs / "gunicorn"), "app:app", *options.split(), "--no-control-socket"]


def _speak(words: Words) -> Words:
    """What a reader is told, for a speaker: `path` as `speak_path`, and so on."""
    told = {f"speak_{word}": words[word] for word in ("path", "hello", "ready")}
    return {**told, "speak": "websocket", "beat": words["beat"], "beat_answer": words["beat_answer"]}


ALL: tuple[type[Peer], ...] = (
    Bare,
    Nchan,
    NodeWs,
    SocketIo,
    Starlette,
    Tornado,
    FlaskSocketIo,
    Channels,
    FlaskSock,
)
