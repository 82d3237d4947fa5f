"""The bench: its load client believes no server that loses, doubles or changes; its table tells what was measured."""

import base64
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.bench import flamegraph, flames, table
from benchmarks.bench.__main__ import measure
from benchmarks.bench.client import CLIENT_LIMIT, Client, Refused, arguments, build, sound
from benchmarks.bench.machine import CHECKOUT, kernel
from benchmarks.bench.results import Key, Results
from benchmarks.bench.scenario import Measure, Scenario, text
from benchmarks.bench.table import Row
from tests.clients import UNIT, eventually

WEBSOCKETS = {"transport": "websocket", "path": "/", "speak": "websocket", "speak_path": "/"}
# As much as is needed, however long it takes; what is crooked is so with one of the first four messages, which are
# sent before any comes back.
SHORT = {"seconds": 60, "messages": 20, "warmup": 0, "text": text()}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    core = max(os.sched_getaffinity(0))
    return Client(build(tmp_path_factory.mktemp("bench")), core)


def head_of(stream):
    """The head of the next request; nothing where the client is gone."""
    lines = []
    while (line := stream.readline()) != b"\r\n":
        if not line:
            return ""
        lines.append(line.decode())
    return "".join(lines)


class Crooked:
    """A server that sends what comes by a WebSocket on to everybody, each as `deliver(reader, number, frame)` has
    it: a list of frames, empty for none. `pieces`: three bytes at a time.
    """

    def __init__(self, deliver=lambda reader, number, frame: [frame], pieces=False):
        self._deliver, self._pieces = deliver, pieces
        self._clients, self._number, self._comings = [], 0, 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._clients:
            each.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._comings += 1
            threading.Thread(target=self._serve, args=(sock, self._comings), daemon=True).start()

    def _serve(self, sock, coming):
        with suppress(OSError, ValueError, struct.error), sock, sock.makefile("rb") as stream:
            if head := head_of(stream):
                self._talk(sock, stream, head, coming)

    def _talk(self, sock, stream, head, coming):
        with self._lock:  # who has the answer has all that is published from then on
            sock.sendall(answer_to(head))
            self._clients.append(sock)
        while True:
            self._publish(read_frame(stream))

    def _publish(self, payload):
        with self._lock:
            number, self._number = self._number, self._number + 1
            for reader, sock in enumerate(self._clients):
                data = b"".join(frame(each) for each in self._deliver(reader, number, payload))
                if self._pieces:
                    for at in range(0, len(data), 3):
                        sock.sendall(data[at : at + 3])
                else:
                    sock.sendall(data)


def answer_to(head):
    """The answer to a handshake."""
    key = head.partition("Sec-WebSocket-Key: ")[2].partition("\r")[0]
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    accept = base64.b64encode(digest).decode()
    fields = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}"
    return f"HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n\r\n".encode()


def read_frame(stream):
    """The text of one masked frame of a client."""
    first, second = struct.unpack("!BB", stream.read(2))
    if first != 0x81 or not second & 0x80:
        raise ValueError
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", stream.read(2))
    mask = stream.read(4)
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(stream.read(size)))


def frame(payload):
    if len(payload) < 126:
        return struct.pack("!BB", 0x81, len(payload)) + payload
    if len(payload) < 65536:
        return struct.pack("!BBH", 0x81, 126, len(payload)) + payload
    return struct.pack("!BBQ", 0x81, 127, len(payload)) + payload


def run(client, server, **words):
    return client.run(server.port, [], {**SHORT, **words})


def fan_out(client, server, **words):
    told = {**WEBSOCKETS, "readers": 3, "speakers": 1, "in_flight": 4, **words}
    return run(client, server, **told)


# -- the load client: what it counts


@pytest.mark.parametrize(("size", "pieces"), [(50, False), (50, True), (130, True), (3000, False)])
def test_every_reader_has_every_message_and_they_are_counted(client, size, pieces):
    with Crooked(pieces=pieces) as server:
        result = fan_out(client, server, text=text(size))
    assert result["messages"] >= 20
    assert 0 <= result["deliveries"] - 3 * result["messages"] <= 3 * 4  # those in flight at the end
    assert 0 < result["p50_ms"] <= result["p99_ms"]


def test_readers_come_to_all_servers_in_turn_and_are_waited_for_on_each(client):
    with Crooked() as first, Crooked() as second:
        second._clients = first._clients  # what is said at the first is told at both
        result = fan_out(client, first, readers=6, port=[second.port])
        assert (first._comings, second._comings) == (3 + 1, 3)  # and the speaker
    assert 0 <= result["deliveries"] - 6 * result["messages"] <= 6 * 4


def test_a_frame_of_more_than_64_kilobytes_is_read(client):
    with Crooked(lambda reader, number, payload: [payload + b" " * 70_000]) as server:
        assert fan_out(client, server)["messages"] >= 20


def test_other_frames_between_the_messages_are_passed_over(client):
    with Crooked(lambda reader, number, payload: [b'{"type":"presence"}', payload]) as server:
        assert fan_out(client, server)["messages"] >= 20


# -- the load client: what it refuses


def lost(reader, number, payload):
    return [] if (reader, number) == (1, 2) else [payload]


def doubled(reader, number, payload):
    return [payload, payload] if (reader, number) == (1, 2) else [payload]


class Swapping:
    """Gives one reader two messages in the wrong order."""

    def __init__(self):
        self._held = None

    def __call__(self, reader, number, payload):
        if (reader, number) == (1, 1):
            self._held = payload
            return []
        return [payload, self._held] if (reader, number) == (1, 2) else [payload]


def changed(reader, number, payload):
    return [payload.replace(b"quick", b"quack")] if number == 2 else [payload]


def cut(reader, number, payload):
    return [payload[:-1]] if number == 2 else [payload]


def of_another_room(reader, number, payload):
    return [payload.replace(b"~00000.", b"~00001.")] if number == 2 else [payload]


@pytest.mark.parametrize(
    ("deliver", "said"),
    [
        (lost, "got message 3 where 2 was due: lost"),
        (doubled, "got message 2 where 3 was due: doubled"),
        (Swapping(), "got message 2 where 1 was due: lost or out of order"),
        (changed, "got message 2, but not as it was sent"),
        (cut, "got message 2, but not as it was sent"),
        (of_another_room, "got message 2 of log 1"),
    ],
    ids=["lost", "doubled", "out of order", "changed", "cut", "of another room"],
)
def test_a_server_that_does_not_deliver_as_it_should_is_refused(client, deliver, said):
    with Crooked(deliver) as server, pytest.raises(Refused, match=said):
        fan_out(client, server)


def test_a_last_message_that_never_comes_is_refused(client):
    def until(reader, number, payload):
        return [payload] if number < 2 or reader != 1 else []

    with Crooked(until) as server, pytest.raises(Refused, match=r"nothing has come for|not all messages"):
        fan_out(client, server, patience=0.5)


def test_a_message_that_nobody_sent_is_refused(client):
    def early(reader, number, payload):
        coming = payload[:7] + b"%010d" % (number + 1) + payload[17:]
        return [payload, coming]

    with Crooked(early) as server, pytest.raises(Refused, match="got message 1, which was not sent"):
        fan_out(client, server, in_flight=1)


def test_a_server_whose_own_numbers_have_a_gap_is_refused(client):
    def numbered(reader, number, payload):
        return [b'{"seq":%d,"body":"%s"}' % (number + (number > 1), payload)]

    with Crooked(numbered) as server, pytest.raises(Refused, match="the server's number 3 after 1"):
        fan_out(client, server, seq='"seq":')


def test_an_ack_that_is_not_the_one_that_is_due_is_refused(client):
    def skipping(reader, number, payload):
        return [] if number == 2 else [payload]

    with (
        Crooked(skipping) as server,
        pytest.raises(Refused, match="ack for message 3 where that for 2 was due"),
    ):
        run(client, server, speak="websocket", speak_path="/", speakers=1, in_flight=4, ack="~")


def test_a_client_at_its_limit_is_not_believed():
    assert sound({"client_cpu": CLIENT_LIMIT - 0.01})
    with pytest.raises(Refused, match="at its limit"):
        sound({"client_cpu": CLIENT_LIMIT})


# -- the load client: HTTP


class Answering:
    """A server that answers each request on a connection with what `answer(request line)` gives, in pieces."""

    def __init__(self, answer):
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with suppress(OSError), sock, sock.makefile("rb") as stream:
            while head := head_of(stream):
                for piece in self._answer(head.partition("\r")[0]):
                    sock.sendall(piece)


def chunked(content, size):
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def message(number, log=0):
    return b'{"seq":%d,"body":"~%05d.%010d~ %s"}' % (number + 1, log, number, text().encode())


def held(client, server, count, **words):
    """Keep two readers until both have `count` messages."""
    with client.hold(server.port, {"readers": 2, "text": text(), **words}) as readers:
        readers.wait_for(count, 60)


@pytest.mark.parametrize("size", [7, 1000], ids=["small chunks", "large chunks"])
def test_polls_follow_the_cursor_of_each_answer(client, size):
    def answer(line):
        cursor = int(line.partition("after=")[2].partition(" ")[0])
        if cursor == 9:
            return []  # nothing more comes
        batch = b"" if cursor < 0 else b",".join([message(cursor), message(cursor + 1), message(cursor + 2)])
        after = 0 if cursor < 0 else cursor + 3
        content = b'{"messages":[%s],"cursor":%d}' % (batch, after)
        if after % 2:
            return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content), content]
        return [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            chunked(content, size),
            b"0\r\n\r\n",
        ]

    words = {"transport": "poll", "first_path": "/?after=-1", "path": "/?after=%c", "cursor": '"cursor":'}
    with Answering(answer) as server:
        held(client, server, 9, **words)


@pytest.mark.parametrize(
    "size", [0, 1, 7, 1000], ids=["no chunks", "single bytes", "small chunks", "large chunks"]
)
def test_an_event_stream_is_read_however_it_is_cut(client, size):
    events = b"retry: 10\n\n" + b"".join(
        b"id: %d\nevent: message\ndata: %s\n\n" % (number + 1, message(number)) for number in range(20)
    )

    def answer(line):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        body = chunked(events, size) if size else events
        yield head + (b"Transfer-Encoding: chunked\r\n\r\n" if size else b"\r\n")
        yield from (body[at : at + 11] for at in range(0, len(body), 11))

    with Answering(answer) as server:
        held(client, server, 20, transport="stream", path="/", ready="retry:", seq='"seq":')


def test_a_page_without_what_it_should_have_is_refused(client):
    def answer(line):
        return [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsorry"]

    with Answering(answer) as server, pytest.raises(Refused, match="a page without the last message"):
        run(client, server, readers=2, transport="page", ready="the last message")


def test_an_error_is_refused_whatever_it_is(client):
    def answer(line):
        return [b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"]

    with Answering(answer) as server, pytest.raises(Refused, match="503"):
        run(client, server, readers=2, transport="page", ready="x")


def test_options_are_written_as_the_program_has_them():
    told = arguments({"first_path": "/x", "hold": True, "seq": None, "come_back": False, "readers": 3})
    assert told == ["--first-path", "/x", "--hold", "--readers", "3"]
    assert arguments({"port": [8001, 8002]}) == ["--port", "8001", "--port", "8002"]


# -- the load client: coming back


class Restarting(Crooked):
    """Speaks a little of chatapp.v1: has `before` messages for the first two and hangs up on them, refuses the one
    who comes back first, and sends what follows their cursor, or `first` where that is given, to the others.
    """

    def __init__(self, before, after, first=None):
        super().__init__()
        self._before, self._after, self._first = before, after, first

    def _talk(self, sock, stream, head, coming):
        if coming == 3:
            sock.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            return
        sock.sendall(answer_to(head))
        cursor = json.loads(read_frame(stream))["after"]
        sock.sendall(frame(b'{"type":"joined","cursor":%d}' % max(0, cursor)))
        start, end = (0, self._before) if coming < 3 else (self._first or cursor, self._after)
        sock.sendall(b"".join(frame(message(number)) for number in range(start, end)))
        if coming > 3:
            stream.read()  # until it is gone


COMING_BACK = {
    "transport": "websocket",
    "path": "/",
    "hello": '{"type":"join","after":%c}',
    "ready": '"type":"joined"',
    "seq": '"seq":',
    "come_back": True,
}


def test_readers_whose_server_restarts_come_back_with_their_cursor(client):
    with Restarting(4, 9) as server:
        held(client, server, 9, **COMING_BACK)


@pytest.mark.parametrize(("first", "said"), [(5, "lost"), (3, "doubled")])
def test_what_is_lost_or_doubled_over_a_restart_is_refused(client, first, said):
    with Restarting(4, 9, first) as server, pytest.raises(Refused, match=f"where 4 was due: {said}"):
        held(client, server, 9, **COMING_BACK)


# -- results


def test_a_run_that_was_broken_off_goes_on_where_it_was(tmp_path):
    path, conditions = tmp_path / "run.jsonl", {"commit": "abc"}
    results = Results(path, conditions)
    results.add(Key("kept", "ours", 0), {"rate": 1})
    results.add(Key("kept", "ours", 1), {"refused": "the load client was at its limit"})
    with path.open("a") as file:
        file.write('{"scenario": "kept", "lane": "ours", "repet')  # cut in the middle

    again = Results(path, conditions)
    assert again.has(Key("kept", "ours", 0))
    assert not again.has(Key("kept", "ours", 1)), "what was refused is measured again"
    assert not again.has(Key("kept", "ours", 2))
    again.add(Key("kept", "ours", 1), {"rate": 2})
    assert Results(path, conditions).of("kept", "ours") == {0: {"rate": 1}, 1: {"rate": 2}}


def test_figures_of_other_conditions_are_put_aside_not_mixed(tmp_path):
    path = tmp_path / "run.jsonl"
    Results(path, {"commit": "abc"}).add(Key("kept", "ours", 0), {"rate": 1})
    results = Results(path, {"commit": "def"})
    assert not results.has(Key("kept", "ours", 0))
    assert json.loads(results.put_aside.read_text().splitlines()[1])["result"] == {"rate": 1}


# -- who is measured when


class Two(Scenario):
    """Two lanes; the second is refused at its first repetition."""

    name, about, repetitions = "two", "", 2

    def __init__(self):
        super().__init__(None)
        self.measured = []
        self.unsound = True

    def make_lanes(self):
        return {"ours": lambda: self._measure("ours"), "theirs": lambda: self._measure("theirs")}

    def _measure(self, lane):
        self.measured.append(lane)
        if lane == "theirs" and self.unsound:
            self.unsound = False
            raise Refused("the load client was at its limit")
        return {"rate": 2.0 if lane == "ours" else 1.0}

    def rows(self, results):
        return [
            self.row(results, "rate", Measure("ours", ("rate",)), Measure("theirs", ("rate",)), floor=1.0)
        ]


def test_lanes_are_measured_in_turns_and_who_is_first_changes(tmp_path):
    scenario = Two()
    measure([scenario], Results(tmp_path / "run.jsonl", {}), None)
    assert scenario.measured == ["ours", "theirs", "theirs", "ours"]


def test_what_was_refused_is_said_and_is_all_that_is_measured_again(tmp_path):
    path, scenario = tmp_path / "run.jsonl", Two()
    measure([scenario], Results(path, {}), None)
    (told,) = scenario.rows(Results(path, {}))
    assert told.verdict == "REFUSED"
    assert told.refused == ["theirs: the load client was at its limit"]

    scenario.measured.clear()
    results = Results(path, {})
    measure([scenario], results, None)
    assert scenario.measured == ["theirs"]
    (told,) = scenario.rows(results)
    assert (told.verdict, told.measured) == ("floor", [2.0, 2.0])


def test_a_repetition_that_one_of_both_has_not_is_in_no_ratio(tmp_path):
    results, scenario = Results(tmp_path / "run.jsonl", {}), Two()
    results.add(Key("two", "ours", 1), {"rate": 9.0})
    results.add(Key("two", "ours", 0), {"rate": 2.0})
    results.add(Key("two", "theirs", 0), {"rate": 1.0})
    (told,) = scenario.rows(results)
    assert told.measured == [2.0]


# -- pictures


def test_a_flame_graph_has_what_took_time_as_wide_as_its_share_and_nobody_who_waited():
    folded = "\n".join(
        [
            "0x1 (?);greenlet::run (x.cpp:1);run (core.so);Room._push (chatapp/room.py:7);send (libc.so.6) 600",
            "0x2 (?);run (core.so);Room._push (chatapp/room.py:9) 200",
            "run (core.so);<genexpr> (json/x.py:1) 199",
            "run (core.so);rare (x.py:1) 1",
            "get (queue.py:1);PyThread_acquire_lock_timed (libpython3.11.so) 5000",
        ]
    )
    picture = ElementTree.fromstring(flamegraph.draw(folded, "Fan-out & more"))
    boxes = {
        box.findtext("{*}title"): float(box.find("{*}rect").get("width")) for box in picture.findall("{*}g")
    }
    assert boxes == {
        "all: 100.0%": 1199.5,
        "run (core.so): 100.0%": 1199.5,
        "Room._push (chatapp/room.py): 80.0%": 959.5,
        "send (libc.so.6): 60.0%": 719.5,
        "<genexpr> (json/x.py): 19.9%": 238.3,
    }
    assert picture.findtext("{*}text") == "Fan-out & more, 1,000 samples"


def test_each_load_that_is_drawn_has_its_picture_in_the_docs_which_is_small():
    pictures = {path.stem: path.stat().st_size for path in (CHECKOUT / "docs" / "flames").glob("*.svg")}
    assert pictures.keys() == flames.PICTURES.keys()
    assert max(pictures.values()) < 150_000
    shown = (CHECKOUT / "docs" / "performance.md").read_text()
    assert [name for name in pictures if f"](flames/{name}.svg)" not in shown] == []


# -- the table


def row(*ratios, **more):
    return Row("fan-out", list(ratios), [1.0] * len(ratios), peer="nchan", floor=1.0, aim=1.8, **more)


def test_a_row_says_what_its_median_meets():
    assert row(0.5, 2.0, 2.0).verdict == "aim"
    assert row(0.5, 1.0, 2.0).verdict == "floor"
    assert row(0.5, 0.9, 2.0).verdict == "MISSED"


def test_where_less_is_better_the_limits_are_upper_ones():
    restart = {"floor": 15, "aim": 5, "fewer": True}
    assert Row("restart", [4.0], **restart).verdict == "aim"
    assert Row("restart", [14.0], **restart).verdict == "floor"
    assert Row("restart", [16.0], **restart).verdict == "MISSED"
    assert "≤ 15" in table.render([Row("restart", [4.0], **restart)])


def test_nothing_is_printed_of_what_was_refused():
    lines = table.render(
        [row(2.0, 3.0, refused=["ours: reader 1 got message 5 where 4 was due"])]
    ).splitlines()
    assert "REFUSED" in lines[2]
    assert "3" not in lines[2]
    assert lines[3] == "REFUSED: fan-out: ours: reader 1 got message 5 where 4 was due"


def test_what_was_not_measured_is_no_success():
    assert Row("fan-out", [], [], floor=1.0).verdict == "REFUSED"


def test_a_ratio_is_made_within_a_repetition():
    assert Row("x", [10, 40], [10, 20]).measured == [1.0, 2.0]


def test_a_bench_that_is_told_to_end_leaves_no_server_behind(tmp_path):
    command = [sys.executable, "-m", "benchmarks.bench", "page", "--seconds", "60"]
    environ = {**os.environ, "BENCH_CACHE": str(tmp_path)}
    with subprocess.Popen(command, cwd=CHECKOUT, env=environ, stderr=subprocess.PIPE, text=True) as bench:
        children = Path(f"/proc/{bench.pid}/task/{bench.pid}/children")
        eventually(lambda: any(map(_is_load_client, children.read_text().split())), "it measures", 3 * UNIT)
        started = children.read_text().split()
        bench.send_signal(signal.SIGTERM)
        _, said = bench.communicate(timeout=60)
    assert bench.returncode == 130, said
    assert "broken off" in said
    assert len(started) >= 2
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


def _is_load_client(pid: str) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/exe").readlink().name.startswith("load-")  # not the compiler that makes it
    return False


def test_of_the_kernel_only_its_number_is_told(monkeypatch):
    for release in ("6.18.44", "6.18.44-amd64-v7", "6.18.44+"):
        monkeypatch.setattr("platform.release", lambda release=release: release)
        assert kernel() == "6.18.44"
