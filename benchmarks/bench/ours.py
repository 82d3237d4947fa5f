"""Our own server as it comes, one worker, a new instance folder; only the rate limits are out of the way."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.bench.client import Refused, Words
from benchmarks.bench.machine import CHECKOUT
from benchmarks.bench.servers import Server, free_port, running

LOBBY = 1  # the room that a new instance folder comes with
RATES = ("MESSAGES", "CONNECTIONS", "GUESTS", "SEARCHES")


class Chat(Server):
    """A server of ours. `person`, `cookie`: its one guest, who is everybody in the bench."""

    def __init__(self, instance: Path, cores: tuple[int, ...], workers: int = 1, **settings: str) -> None:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("CHATAPP_")}
        environ.pop("GUNICORN_CMD_ARGS", None)
        environ |= {f"CHATAPP_RATE_{what}": "10000000 per second" for what in RATES}
        environ |= {"CHATAPP_INSTANCE_PATH": str(instance), **settings}
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", "-k", "gevent", "wsgi:app"]
        command += ["-w", str(workers), "-b", f"127.0.0.1:{port}"]
        super().__init__(command, port, cores, environ, CHECKOUT)
        self.instance, self._workers = instance, workers
        self.person = self.cookie = ""

    def start(self) -> None:
        super().start()
        if not self.cookie:
            said, cookie = self.ask("POST", "/guests", {"name": "bench"})
            self.person, self.cookie = json.loads(said)["id"], cookie.partition(";")[0]

    def ask(self, method: str, path: str, said: object = None) -> tuple[str, str]:
        """What one request is answered, and the cookie that is set with it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        fields = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{self.port}"}
        if self.cookie:
            fields["Cookie"] = self.cookie
        connection.request(method, path, None if said is None else json.dumps(said), fields)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status >= 300:
            raise Refused(f"{method} {path} was answered {answer.status}: {text[:200]}")
        return text, answer.getheader("Set-Cookie") or ""

    def say(self, text: str, client_id: str) -> None:
        self.ask("POST", f"/api/rooms/{LOBBY}/messages", {"body": text, "client_id": client_id})

    def flask(self, *words: str) -> str:
        """What `flask …` says, beside the server."""
        command = [str(Path(sys.executable).with_name("flask")), *words]
        done = subprocess.run(command, cwd=CHECKOUT, env=self.environ, capture_output=True, text=True)
        if done.returncode:
            raise Refused(f"flask {' '.join(words)}: {done.stderr}")
        return done.stdout

    def new_rooms(self, count: int) -> int:
        """Makes rooms with consecutive numbers; returns the first."""
        numbers = []
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        fields = {
            "Content-Type": "application/json",
            "Origin": f"http://127.0.0.1:{self.port}",
            "Cookie": self.cookie,
        }
        for number in range(count):
            connection.request("POST", "/api/rooms", json.dumps({"name": f"room {number}"}), fields)
            answer = connection.getresponse()
            numbers.append(json.loads(answer.read())["id"])
        connection.close()
        if numbers != list(range(numbers[0], numbers[0] + count)):
            raise Refused("the rooms that were made have not consecutive numbers")
        return int(numbers[0])


@contextmanager
def serve(cores: tuple[int, ...], workers: int = 1, **settings: str) -> Iterator[Chat]:
    """One with an instance folder of its own, for the block."""
    with tempfile.TemporaryDirectory(prefix="chat-instance-") as instance:
        server = Chat(Path(instance), cores, workers, **settings)
        with running(server):
            yield server


@contextmanager
def serve_several(cores: tuple[int, ...], count: int, **settings: str) -> Iterator[list[Chat]]:
    """`count` of them, each with one worker, a port and a master of its own, on one instance folder."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chat-instance-")))
        servers = [Chat(folder, cores, 1, **settings) for _ in range(count)]
        for server in servers:
            server.person, server.cookie = servers[0].person, servers[0].cookie
            stack.enter_context(running(server))
        yield servers


# -- what the load client is told: chatapp.v1 and the HTTP interface of docs/protocol.md


def by_websocket(server: Chat) -> Words:
    return {
        "transport": "websocket",
        "path": "/ws",
        "subprotocol": "chatapp.v1",
        "header": f"Cookie: {server.cookie}",
        "hello": '{"type":"join","room":%r,"after":%c}',
        "ready": '"type":"joined"',
        "seq": '"seq":',
        "error": '"type":"error"',
    }


def by_stream(server: Chat) -> Words:
    return {
        "transport": "stream",
        "path": "/api/rooms/%r/stream?after=-1",
        "header": f"Cookie: {server.cookie}",
        "ready": "retry:",
        "seq": '"seq":',
    }


def by_poll(server: Chat) -> Words:
    return {
        "transport": "poll",
        "path": "/api/rooms/%r/messages?after=%c&wait=50",
        "first_path": "/api/rooms/%r/messages?after=-1",
        "header": f"Cookie: {server.cookie}",
        "cursor": '"cursor":',
    }


def by_tutorial(server: Chat) -> Words:
    return {
        "transport": "poll",
        "path": "/chats/%r/http?lastupdate=%c",
        "first_path": "/chats/%r/http?lastupdate=-1",
        "header": f"Cookie: {server.cookie}",
        "cursor": '"timestamp":',
    }


def speaking(server: Chat, tag: str) -> Words:
    """`tag`: no other run on this server has it, so that each message is sent only once."""
    return {
        "speak": "websocket",
        "speak_path": "/ws",
        "speak_subprotocol": "chatapp.v1",
        "speak_header": f"Cookie: {server.cookie}",
        "send": '{"type":"send","room":%r,"client_id":"' + tag + '.%l.%n","body":"%m"}',
        "ack": '"type":"ack"',
        "ack_number": f"{tag}.",
        "error": '"type":"error"',
    }
