"""Files: sent to a room, named by a message, given out to who may read it, and gone when nobody has them."""

import fcntl
import io
import json
import os
import re
import secrets
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import httpx
import pytest
from gevent.lock import BoundedSemaphore
from PIL import Image
from sqlalchemy import create_engine

from chatapp import file_types, models
from chatapp.collection import KEPT_SECONDS, collect
from chatapp.errors import BadRequest
from chatapp.files import Admission, keep
from chatapp.journal import Journal, file_statements
from chatapp.journal.databases import engine_options, listen
from chatapp.journal.requests import Attachment, Clear, DropRoom, KeepFile, MakeRoom, Post, Prune
from chatapp.message import Author, File
from chatapp.permissions import SYSTEM
from chatapp.text import file_name
from chatapp.threads import in_thread
from chatapp.uploads import Uploads
from tests.clients import UNIT, Person, eventually
from tests.conftest import server_of_each_store
from tests.faults import Fault, Faults
from tests.people import Member, administrator, is_named, member
from tests.raw_socket import RawSocket, problem
from tests.servers import TABLES, Server

LIMIT = 300_000  # bytes a file
PDF = b"%PDF-1.7\n1 0 obj <</JS (app.alert(1))>>"
HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
MP4 = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(100)
WEBM = (
    b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webmB\x87\x81\x04"
    + bytes(60)
)


def picture(form: str = "PNG", size: tuple[int, int] = (60, 40), **save: Any) -> bytes:
    return encoded(Image.new("RGB", size, (200, 30, 30)), form, **save)


def encoded(image: Image.Image, form: str, **save: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, form, **save)
    return data.getvalue()


def turned() -> bytes:
    """A photograph that was taken with the camera on its side, and says where."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "A camera of Ada's"
    return picture("JPEG", (1600, 900), exif=exif)


def bomb() -> bytes:
    """A PNG of 900 million pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    head = struct.pack("!IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


# What is sent, under which name; what it is then said to be, and whether a browser may show it.
KINDS: dict[str, tuple[bytes, str, bool]] = {
    "a.png": (picture("PNG"), "image/png", True),
    "b.jpeg": (picture("JPEG"), "image/jpeg", True),
    "c.gif": (picture("GIF"), "image/gif", True),
    "d.webp": (picture("WEBP"), "image/webp", True),
    "e.avif": (picture("AVIF"), "image/avif", True),
    "f.mp3": (b"ID3\x04\0\0\0\0\0\0" + bytes(100), "audio/mpeg", True),
    "g.ogg": (b"OggS\0\x02" + bytes(20) + b"\x01vorbis" + bytes(50), "audio/ogg", True),
    "h.wav": (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + bytes(50), "audio/wav", True),
    "i.m4a": (b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + bytes(40), "audio/mp4", True),
    "j.flac": (b"fLaC\0\0\0\x22" + bytes(40), "audio/flac", True),
    "k.mp4": (MP4, "video/mp4", True),
    "l.webm": (WEBM, "video/webm", True),
    "m.pdf": (PDF, "application/pdf", False),
    "n.html": (HTML, "text/html", False),
    "o.svg": (SVG, "image/svg+xml", False),
    "p.xml": (b'<?xml version="1.0"?><a/>', "application/xml", False),
    "q.txt": ("Grüße".encode(), "text/plain", False),
    "r.zip": (b"PK\x03\x04" + bytes(30), "application/zip", False),
    # A name makes nothing more of it than it is, and a picture that cannot be shown is none.
    "s.png": (HTML, "text/html", False),
    "t.svg.png": (SVG, "image/svg+xml", False),
    "u.png": (b"what it is not", "text/plain", False),
    "v.mp4": (b"\x81\xfe\x03\x04 none either", "application/octet-stream", False),
    "w.jpg": (picture("JPEG", (400, 400))[:300], "application/octet-stream", False),
    "x.png": (bomb(), "application/octet-stream", False),
    "y": (b"\x81\xfe" + bytes(40), "application/octet-stream", False),
    # Both a picture and a page: as a picture it runs nothing.
    "z.gif": (picture("GIF") + HTML, "image/gif", True),
}  # fmt: skip


each_store = server_of_each_store  # for what is asked of the database; the others have a limit of their own


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("files") / "instance", workers=2, file_limit=str(LIMIT)).start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def mary(server: Server) -> Iterator[Member]:
    with closing(member(server, "mary")) as person:
        yield person


@pytest.fixture
def den(mary: Member) -> int:
    """A private room of mary's."""
    answer = mary.http.post("/api/rooms", json={"name": "the den", "kind": "private"})
    return answer.json()["id"]


def send(
    person: Person, room: int, data: Any = b"words", name: str = "a.txt", **headers: str
) -> httpx.Response:
    return person.http.post(f"/api/rooms/{room}/files", params={"name": name}, content=data, headers=headers)


def sent(person: Person, room: int, data: bytes = b"words", name: str = "a.txt") -> str:
    answer = send(person, room, data, name)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def say(person: Person, room: int, *files: Any, **fields: Any) -> httpx.Response:
    return person.http.post(person.messages(room), json={"files": files, **fields})


def said(person: Person, room: int, *files: Any, **fields: Any) -> dict[str, Any]:
    answer = say(person, room, *files, **fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def get(person: Person, room: int, file: str, name: str = "a.txt", **headers: str) -> httpx.Response:
    return person.http.get(f"/chats/{room}/files/{file}/{name}", headers=headers)


def thumbnail(person: Person, room: int, file: str) -> httpx.Response:
    return person.http.get(f"/chats/{room}/thumbs/{file}")


def contents(server: Server) -> set[str]:
    """The names of all that lies in the folder of uploads."""
    return {path.name for path in (server.instance / "uploads").rglob("*") if path.is_file()} - {"lock"}


# -- from one to the others ------------------------------------------------------------------------------------


def test_a_file_comes_to_everybody_with_the_message_that_names_it_and_to_nobody_before(
    mary: Member, grace: Person
) -> None:
    room, data = mary.make_room(), b"\x81\xfe" * 100_000
    answer = send(mary, room, data, "the plan.bin")
    file = {
        "id": answer.json()["id"],
        "name": "the plan.bin",
        "type": "application/octet-stream",
        "size": 200_000,
    }
    assert (answer.status_code, answer.json()) == (201, file)
    assert get(mary, room, file["id"]).content == data  # who sent it sees what they are about to send
    assert get(grace, room, file["id"]).status_code == 404
    assert "files" not in mary.say(room, "only words")

    with closing(grace.socket()) as reader, closing(mary.socket()) as socket:
        reader.join(room, after=1)
        alt = {"id": file["id"], "alt": " what we\nmean to do "}
        socket.send({"type": "send", "room": room, "client_id": "one", "body": "see", "files": [alt]})
        message = reader.expect(lambda frame: frame["type"] == "message" and frame["kind"] == "text")
        assert (message["body"], message["files"]) == ("see", [{**file, "alt": "what we mean to do"}])
        again = mary.http.post(mary.messages(room), json={"client_id": "one", "body": "see", "files": [alt]})
        assert (again.status_code, again.json()["seq"]) == (200, message["seq"])
    assert grace.read(room, after=1)["messages"] == [message]
    assert get(grace, room, file["id"]).content == data
    assert problem(say(mary, room, file["id"])) == "bad_request"  # it is sent already


def test_a_message_without_words_says_the_names_of_its_files(mary: Member, grace: Person) -> None:
    room = mary.make_room()
    files = [sent(mary, room, b"1", "one.txt"), sent(mary, room, b"2", "two.txt")]
    message = said(mary, room, *files)
    assert message["body"] == "one.txt\ntwo.txt"
    assert [file["id"] for file in message["files"]] == files
    edited = mary.http.post(mary.messages(room), json={"kind": "edit", "of": 1, "body": "both"}).json()
    assert "files" not in edited
    assert [(each["body"], len(each.get("files", ()))) for each in grace.read(room, after=0)["messages"]] == [
        ("both", 2),
        ("both", 0),
    ]


def test_what_comes_to_its_end_after_its_sender_was_banned_is_refused(server: Server, mary: Member) -> None:
    room = mary.make_room()
    mallory = member(server, "mallory")
    mallory.say(room, "I am in")

    def banned_half_way() -> Iterator[bytes]:
        yield b"x" * 100_000
        assert server.flask("room", "ban", str(room), mallory.name).returncode == 0
        eventually(lambda: mallory.http.get(mallory.messages(room)).status_code == 403)
        yield b"x" * 100_000

    with closing(mallory):
        assert problem(send(mallory, room, banned_half_way())) == "forbidden"


def test_files_that_wait_for_the_disk_keep_nobody_else_waiting(tmp_path: Path) -> None:
    """A process that was stopped may hold the lock, or the disk be slow."""
    uploads = Uploads(str(tmp_path))
    arrived = [uploads.arriving(LIMIT) for _ in range(12)]
    for number, each in enumerate(arrived):
        each.write(b"%d" % number)
    uploads.keep(arrived[0])
    with open(tmp_path / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = [gevent.spawn(uploads.keep, each) for each in arrived[1:]]
        with gevent.Timeout(UNIT):
            assert in_thread(lambda: "a question to the database") == "a question to the database"
        assert not any(each.ready() for each in waiting)
    gevent.joinall(waiting, timeout=UNIT, raise_error=True)
    assert all(Path(uploads.content(each.digest)).exists() for each in arrived)


def test_while_a_picture_that_came_is_made_smaller_all_else_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller, begun, may_end = file_types._upright, threading.Event(), threading.Event()

    def slowly(image: Image.Image) -> Image.Image:
        begun.set()
        assert may_end.wait(UNIT), "nothing else goes on meanwhile"
        return smaller(image)

    monkeypatch.setattr(file_types, "_upright", slowly)
    hub = SimpleNamespace(
        config=SimpleNamespace(files_total=10 * LIMIT),
        journal=SimpleNamespace(read=lambda *_: 0, ask=lambda _: None),
        uploads=Uploads(str(tmp_path)),
        decoding=BoundedSemaphore(1),
    )
    arrived = hub.uploads.arriving(LIMIT)
    arrived.write(picture("JPEG", (2000, 1500)))
    keeping = gevent.spawn(keep, hub, SYSTEM, Admission(1, 1), arrived, "large.jpg")
    with gevent.Timeout(UNIT):
        while not begun.is_set():
            gevent.sleep(0.001)
    may_end.set()
    assert keeping.get(timeout=UNIT).width == 2000
    with Image.open(hub.uploads.thumbnail(arrived.digest)) as small:
        assert small.size == (640, 480)


def test_while_a_lost_thumbnail_is_made_anew_people_talk(one_worker: Server) -> None:
    """Of a picture that comes from the disk as slowly as can be."""
    with closing(member(one_worker, "joan")) as joan:
        room, data = joan.make_room(), picture("JPEG", (61, 41))
        file = sent(joan, room, data, "harbour.jpg")
        (lost,) = (one_worker.instance / "uploads").rglob(f"{sha256(data).hexdigest()}.webp")
        lost.unlink()
        content = lost.with_suffix("")
        content.unlink()
        os.mkfifo(content)
        with ThreadPoolExecutor(1) as thread:
            looking = thread.submit(thumbnail, joan, room, file)
            disk = open(content, "wb")  # noqa: SIM115  # as soon as somebody reads it
            joan.say(room, "meanwhile")
            assert joan.read(room, after=0)["messages"][-1]["body"] == "meanwhile"
            assert not looking.done()
            disk.close()
            content.unlink()
            assert looking.result().status_code == 404
        content.write_bytes(data)  # or the doctor would miss it at this server, which others have as well


def test_a_part_of_a_file_is_given_out_and_nothing_where_the_browser_has_it(mary: Member) -> None:
    room = mary.make_room()
    file, data = sent(mary, room, MP4, "Übersicht “a”.mp4"), MP4
    said(mary, room, file)
    part = get(mary, room, file, Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, data[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(data)}"
    assert get(mary, room, file, Range="bytes=-5").content == data[-5:]
    assert get(mary, room, file, Range="bytes=999-").status_code == 416
    for other in (
        "items=0-1",
        "bytes=abc",
        "bytes=0-0,2-3",
    ):  # a unit, or a form, that is not served: the whole
        assert get(mary, room, file, Range=other).content == data
    whole = get(mary, room, file)
    assert whole.headers["Content-Disposition"] == (
        "inline; filename=\"Ubersicht a.mp4\"; filename*=UTF-8''%C3%9Cbersicht%20%E2%80%9Ca%E2%80%9D.mp4"
    )
    assert whole.headers["Content-Length"] == str(len(data))
    kept = get(mary, room, file, **{"If-None-Match": whole.headers["ETag"]})
    assert (kept.status_code, kept.content) == (304, b"")
    head = mary.http.head(f"/chats/{room}/files/{file}/x")
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(len(data)), b"")


def test_what_a_file_is_its_content_says_and_only_what_runs_nothing_is_shown_in_place(mary: Member) -> None:
    room = mary.make_room()
    found: dict[str, Any] = {}
    for name, (data, _, _) in KINDS.items():
        kept = send(mary, room, data, name).json()
        answer = get(mary, room, kept["id"])
        assert answer.content == data
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert (
            answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'; frame-ancestors 'none'"
        )
        assert answer.headers["Cache-Control"] == "no-cache, private"
        inline = answer.headers["Content-Disposition"].startswith("inline;")
        assert answer.headers["Content-Type"] == (kept["type"] if inline else "application/octet-stream")
        assert thumbnail(mary, room, kept["id"]).status_code == (200 if "width" in kept else 404)
        assert ("width" in kept) == (inline and kept["type"].startswith("image/"))
        found[name] = (data, kept["type"], inline)
    assert {name: kind[1:] for name, kind in found.items()} == {
        name: kind[1:] for name, kind in KINDS.items()
    }


def test_a_thumbnail_is_small_the_right_way_up_says_nothing_more_and_is_made_anew_where_it_is_lost(
    mary: Member, server: Server
) -> None:
    room = mary.make_room()
    kept = send(mary, room, turned(), "photo.jpg").json()
    assert (kept["width"], kept["height"]) == (900, 1600)
    found = thumbnail(mary, room, kept["id"])
    with Image.open(io.BytesIO(found.content)) as image:
        assert (image.format, image.size, dict(image.getexif())) == ("WEBP", (360, 640), {})
    assert b"camera" not in found.content
    assert b"camera" in get(mary, room, kept["id"]).content  # what was sent is given out as it was sent
    (lost,) = (server.instance / "uploads").rglob(f"{sha256(turned()).hexdigest()}.webp")
    lost.unlink()
    assert thumbnail(mary, room, kept["id"]).content == found.content


@pytest.mark.parametrize(
    "width", [600, 5000], ids=["small", "large"]
)  # beyond 2,560 Pillow scales in two steps
def test_a_thumbnail_of_sixteen_bits_of_grey_looks_as_the_picture_does(width: int, tmp_path: Path) -> None:
    half = width // 2
    image = Image.frombytes("I;16", (width, 40), (bytes(2 * half) + b"\x00\x80" * half) * 40)
    (tmp_path / "grey").write_bytes(encoded(image, "PNG", transparency=0xFFFF))
    look = file_types.look(str(tmp_path / "grey"), "grey.png", str(tmp_path / "small"))
    assert look == file_types.Look("image/png", width, 40)
    with Image.open(tmp_path / "small") as small:
        right = small.convert("RGB").getpixel((small.width * 3 // 4, small.height // 2))
    assert right == pytest.approx((128, 128, 128), abs=2)


def test_a_jpeg_is_decoded_where_what_it_holds_of_itself_meanwhile_is_not_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 400 * 300 * 3
    monkeypatch.setattr(file_types, "COEFFICIENTS", most)
    for number, (mode, sampling, shown) in enumerate(
        [("RGB", 0, True), ("CMYK", 2, True), ("CMYK", 0, False), ("L", 0, True)]
    ):
        path = tmp_path / str(number)
        path.write_bytes(encoded(Image.new(mode, (400, 300)), "JPEG", progressive=True, subsampling=sampling))
        look = file_types.look(str(path), "x.jpg", str(path.with_suffix(".webp")))
        assert (look.width == 400) == shown, (mode, sampling)


def test_the_same_content_lies_there_once_under_its_hash_and_only_for_the_server(
    mary: Member, server: Server
) -> None:
    room, data = mary.make_room(), os.urandom(1000)
    first, second = sent(mary, room, data), sent(mary, room, data, "another name")
    assert first != second
    digest = sha256(data).hexdigest()
    path = server.instance / "uploads" / digest[:2] / digest
    assert path.read_bytes() == data
    assert {oct(each.stat().st_mode & 0o777) for each in (path, server.instance / "uploads" / "lock")} == {
        "0o600"
    }
    assert {oct(each.stat().st_mode & 0o777) for each in path.parents[:2]} == {"0o700"}
    assert not list((server.instance / "uploads" / "arriving").iterdir())


# -- who ------------------------------------------------------------------------------------------------------


def test_files_are_sent_by_who_has_an_account_and_read_by_who_may_read_the_room(
    mary: Member, den: int, server: Server, new_server: Callable[..., Server], grace: Person
) -> None:
    file = sent(mary, den, picture(), "a.png")
    said(mary, den, file)
    for answer in (get(grace, den, file), get(grace, 999_999, file), thumbnail(grace, den, file)):
        assert (answer.status_code, problem(answer)) == (404, "no_such_room")
    other = mary.make_room()
    assert problem(get(mary, other, file)) == "not_found"  # an id is good in its room only
    assert problem(say(mary, other, file)) == "bad_request"
    nan = member(server, "nan")
    mary.http.put(f"/api/rooms/{den}/members/{nan.id}", json={"role": "member"}).raise_for_status()
    assert get(nan, den, file).status_code == 200
    mine = sent(nan, den)
    assert problem(say(mary, den, mine)) == "bad_request"  # and for who sent it
    mary.http.delete(f"/api/rooms/{den}/members/{nan.id}").raise_for_status()
    assert get(nan, den, file).status_code == 404
    assert problem(send(nan, den)) == "no_such_room"
    nan.close()

    assert problem(send(grace, other)) == "forbidden"
    assert problem(send(Person(server), other)) == "sign_in"
    mary.http.patch(f"/api/rooms/{other}", json={"closed": True}).raise_for_status()
    assert problem(send(mary, other)) == "room_closed"

    open_to_guests = new_server(guest_files="yes", file_limit="1000").start()
    with closing(Person(open_to_guests, "ada")) as guest:
        room = guest.make_room()
        assert get(guest, room, said(guest, room, sent(guest, room))["files"][0]["id"]).content == b"words"
    closed = new_server(file_limit="0").start()
    boss = administrator(closed)
    assert problem(send(boss, boss.make_room())) == "forbidden"
    assert 'id="attach"' not in boss.http.get("/chats/1/").text


def test_what_is_deleted_pruned_cleared_or_dropped_is_given_out_no_more(each_store: Server) -> None:
    mary, grace = member(each_store, "mary"), Person(each_store, "grace")
    room = mary.make_room()
    files = [sent(mary, room, f"{number}".encode()) for number in range(3)]
    for file in files:
        said(mary, room, file)
    mary.http.post(mary.messages(room), json={"kind": "delete", "of": 1}).raise_for_status()
    first = grace.read(room, after=0)["messages"][0]
    assert (first["body"], "files" in first) == ("", False)
    assert [get(each, room, files[0]).status_code for each in (mary, grace)] == [404, 404]
    waiting = sent(mary, room)
    mary.http.post(f"/api/rooms/{room}/clear").raise_for_status()
    assert get(mary, room, files[1]).status_code == 404
    said(mary, room, waiting)  # who was about to send it does
    mary.http.delete(f"/api/rooms/{room}").raise_for_status()
    assert problem(get(mary, room, waiting)) == "no_such_room"


def test_of_somebody_their_files_are_named_and_taken_out_with_them(each_store: Server) -> None:
    room = 0
    for messages in ("keep", "remove"):
        joan = member(each_store, "joan")
        room = joan.make_room(f"of {joan.id}")
        name, data = f"to {messages}.txt", f"{messages} it".encode()
        file, digest = sent(joan, room, data, name), sha256(data).hexdigest()
        said(joan, room, file)
        unsent = sent(joan, room, b"not yet")
        kept = json.loads(each_store.console("user", "export", joan.name).out)
        assert [(each["id"], each["name"], each["seq"]) for each in kept["files"]] == [
            (file, name, 1),
            (unsent, "a.txt", None),
        ]
        assert kept["files"][0]["sha256"] == digest
        done = each_store.console("user", "erase", joan.name, "--messages", messages, "--yes")
        assert done.status == 0, done.err
        boss = administrator(each_store)
        assert get(boss, room, file).status_code == (200 if messages == "keep" else 404)
        rows = "\n".join(line for line in each_store.dump().splitlines() if name in line or unsent in line)
        assert not is_named(joan, rows)
        assert unsent not in rows
        assert (name in rows) == (messages == "keep")
        joan.close()


# -- without a script --------------------------------------------------------------------------------------------


def test_the_form_of_the_page_sends_words_and_files_at_once(mary: Member, grace: Person) -> None:
    room = mary.make_room()
    mary.say(room, "hello")
    two = [("files", ("c/d/one.txt", b"1")), ("files", ("two.png", picture()))]
    for data, files in (
        ({"body": "both"}, two),
        ({"body": ""}, two[:1]),
        ({"body": "none"}, [("files", ("", b""))]),
    ):
        answer = mary.http.post(f"/chats/{room}/", data=data, files=files)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/chats/{room}/"), answer.text
    told = grace.read(room, after=1)["messages"]
    assert [(each["body"], [file["name"] for file in each.get("files", ())]) for each in told] == [
        ("both", ["one.txt", "two.png"]),
        ("one.txt", ["one.txt"]),
        ("none", []),
    ]
    for person, files, said in (
        (grace, two, "Only people with an account send files here"),
        (mary, [("files", ("large", bytes(LIMIT + 1)))], "A file has at most"),
        (mary, [("files", (f"{number}", b"1")) for number in range(11)], "Too many files at once"),
    ):
        answer = person.http.post(
            f"/chats/{room}/", data={"body": "my words"}, files=files, headers={"Accept": "text/html"}
        )
        assert answer.status_code in (400, 403, 413)
        assert said in answer.text
        assert ("my words" in answer.text) == (answer.status_code != 413)
    large = grace.http.post(
        f"/chats/{room}/", data={"body": "words"}, files={"files": ("a", bytes(2_000_000))}
    )
    assert problem(large) == "forbidden"  # not read to its end
    nameless = b'--x\r\nContent-Disposition: form-data; name="files"; filename=""\r\n\r\nwords\r\n--x--\r\n'
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    assert problem(mary.http.post(f"/chats/{room}/", content=nameless, headers=form)) == "bad_request"
    assert len(grace.read(room, after=1)["messages"]) == 3


def test_files_whose_words_are_refused_stay_attached_and_go_out_with_the_next_try(
    mary: Member, grace: Person
) -> None:
    room = mary.make_room()
    refused, html = {"body": "x" * 5000}, {"Accept": "text/html"}
    two = [("files", ("one.txt", b"1")), ("files", ("two & <b>.png", picture()))]
    page = mary.http.post(f"/chats/{room}/", data=refused, files=two, headers=html)
    assert page.status_code == 413
    assert "two &amp; &lt;b&gt;.png</bdi> is attached" in page.text
    box = re.compile(r'name="attached" value="(\w+)" checked')
    attached = box.findall(page.text)
    assert len(attached) == 2
    more = mary.http.post(
        f"/chats/{room}/",
        data={**refused, "attached": attached},
        files=[("files", ("three.txt", b"3"))],
        headers=html,
    )
    assert (box.findall(more.text)[:2], len(box.findall(more.text))) == (attached, 3)
    # Half of them may be refused, others kept already.
    half = [("files", ("four.txt", b"4")), ("files", ("nothing.txt", b""))]
    page = mary.http.post(f"/chats/{room}/", data={"body": "words"}, files=half, headers=html)
    assert (page.status_code, len(box.findall(page.text))) == (400, 1)
    # One was unticked. What is not theirs to send is no more theirs here than elsewhere.
    page = mary.http.post(
        f"/chats/{room}/", data={"body": "", "attached": [attached[1], "no such file"]}, headers=html
    )
    assert (page.status_code, box.findall(page.text)) == (400, attached[1:])
    done = mary.http.post(f"/chats/{room}/", data={"body": "", "attached": attached[1:]})
    assert done.status_code == 303
    (told,) = [each for each in grace.read(room, after=0)["messages"] if each.get("files")]
    assert [(file["id"], file["name"]) for file in told["files"]] == [(attached[1], "two & <b>.png")]
    page = mary.http.post(f"/chats/{room}/", data={**refused, "attached": attached}, headers=html)
    assert box.findall(page.text) == attached[:1]  # the other is sent


# -- hostile -----------------------------------------------------------------------------------------------------


def test_a_files_name_is_one_line_without_a_path_and_leaves_its_header(mary: Member) -> None:
    room = mary.make_room()
    for name, called in {
        "../../etc/passwd": "passwd",
        "C:\\Users\\mary\\plan.doc": "plan.doc",
        "a\r\nSet-Cookie: x=1\r\n\r\n<b>.txt": "aSet-Cookie: x=1<b>.txt",
        "photo\u202egpj.exe": "photogpj.exe",
        "invoice.pdf.exe": "invoice.pdf.exe",
        'a"; filename=b.txt': 'a"; filename=b.txt',
        "..": "file",
        "": "file",
        "\u200b": "file",
        "e\u0301.txt": "é.txt",
        "n" * 300 + ".jpeg": "n" * 115 + ".jpeg",
        "." + "n" * 300: "." + "n" * 119,
    }.items():
        assert file_name(name) == called
        kept = send(mary, room, b"x", name).json()
        assert kept["name"] == called
        answer = get(mary, room, kept["id"], "chat.db")
        assert answer.content == b"x"
        assert "set-cookie" not in answer.headers
        assert answer.headers["Content-Disposition"].startswith("attachment; filename")
    for path in (
        f"/chats/{room}/files/..%2Fchat.db/x",
        f"/chats/{room}/files/{kept['id']}/..%2F..%2Fchat.db",
        f"/chats/{room}/files/{'0' * 24}/x",
        f"/chats/{room}/thumbs/..",
    ):
        assert mary.http.get(path).status_code in (404, 308)


def test_what_is_too_large_empty_cut_off_or_without_an_end_is_refused_and_nothing_of_it_stays(
    mary: Member, server: Server
) -> None:
    room = mary.make_room()
    before = contents(server)
    for answer, code in (
        (send(mary, room, bytes(LIMIT + 1)), "too_long"),
        (send(mary, room, (bytes(65_536) for _ in range(10))), "too_long"),  # it does not say how much comes
        (send(mary, room, bytes(LIMIT + 2_000_000)), "too_long"),
        (send(mary, room, b""), "bad_request"),
        (
            mary.http.post(f"/api/rooms/{room}/files", data={"name": "no file"}, files={"a": ("", b"")}),
            "bad_request",
        ),
        (
            mary.http.post(f"/api/rooms/{room}/files", files=[("a", ("1", b"1")), ("b", ("2", b"2"))]),
            "bad_request",
        ),
    ):
        assert problem(answer) == code
    head = {"Cookie": mary.cookie, "Origin": server.url}
    with RawSocket(server) as cut:
        cut.request("POST", f"/api/rooms/{room}/files?name=a", b"little", **head | {"Content-Length": "1000"})
        cut.hang_up()
        assert cut.answer().code == "bad_request"
    with RawSocket(server) as broken:
        broken.request("POST", f"/api/rooms/{room}/files?name=a", **head | {"Transfer-Encoding": "chunked"})
        broken.send(b"5\r\nhello\r\nnonsense\r\n")
        assert broken.answer().code == "bad_request"
    with RawSocket(server) as endless:
        endless.request("POST", f"/api/rooms/{room}/files?name=a", **head | {"Transfer-Encoding": "chunked"})
        for _ in range(5):
            endless.send(b"10000\r\n" + bytes(65_536) + b"\r\n")
        assert endless.answer().code == "too_long"
    eventually(lambda: contents(server) == before)


def test_a_message_has_no_files_but_its_senders_and_no_more_than_ten(mary: Member) -> None:
    room = mary.make_room()
    file = sent(mary, room)
    for fields in (
        {"files": [file, file]},
        {"files": [file, "0" * 24]},
        {"files": [f"{number}" for number in range(11)]},
        {"files": [file], "kind": "edit", "of": 1, "body": "words"},
        {"files": [7]},
        {"files": [{"alt": "of nothing"}]},
        {"files": [{"id": file, "alt": "a\0b"}]},
        {"files": []},
        {},
    ):
        assert problem(mary.http.post(mary.messages(room), json=fields)) == "bad_request"
    assert problem(say(mary, room, {"id": file, "alt": "a" * 301})) == "too_long"
    assert said(mary, room, file)["files"][0]["id"] == file  # none of that has taken it


def test_a_hundred_at_once_are_all_kept_or_told_to_wait(mary: Member, server: Server) -> None:
    room = mary.make_room()
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda number: send(mary, room, f"{number}".encode()), range(100)))
    kept = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(set(kept)) == len(kept) > 0
    assert {(problem(answer), answer.headers["Retry-After"]) for answer in refused} <= {("too_fast", "1")}
    with ThreadPoolExecutor(25) as pool:
        codes = list(pool.map(lambda file: get(mary, room, file).status_code, kept))
    assert set(codes) == {200}
    assert sent(mary, room)  # nobody is counted who is not on their way any more


def test_no_more_comes_where_the_room_for_it_the_rate_or_the_disk_is_at_its_end(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(files_total="1000", rate_files="5 per hour", file_limit="2000")
    faults = Faults(server.instance)
    server.settings.update(faults.environ)
    server.start()
    boss = administrator(server)
    room = boss.make_room()
    first = sent(boss, room, bytes(600))
    full = send(boss, room, os.urandom(600))
    assert (problem(full), full.status_code) == ("not_kept", 503)
    assert "all the room that this server has for files" in full.json()["detail"]
    before = contents(server)
    troubles: dict[Fault, str] = {
        "ENOSPC": "no room for it on the server’s disk",
        "EIO on fsync": "not be written",
    }
    for fault, said_of_it in troubles.items():
        faults.set("uploads", fault)
        answer = send(boss, room, b"little")
        assert (problem(answer), answer.status_code) == ("not_kept", 503)
        assert said_of_it in answer.json()["detail"]
    faults.clear()
    eventually(lambda: "files are not kept: No space left on device" in "".join(server.log))
    eventually(lambda: contents(server) == before)
    assert get(boss, room, sent(boss, room, b"little")).content == b"little"
    assert get(boss, room, first).content == bytes(600)
    too_fast = send(boss, room, b"1")
    assert problem(too_fast) == "too_fast"
    assert int(too_fast.headers["Retry-After"]) > 1


# -- collection --------------------------------------------------------------------------------------------------


class Keeper:
    """A journal with a room, and a folder."""

    def __init__(self, store: str, path: Path) -> None:
        self.engine = create_engine(store, **engine_options(store, busy_seconds=1))
        listen(self.engine)
        models.db.metadata.create_all(self.engine)
        self.journal = Journal(self.engine, queue_limit=100)
        self.uploads = Uploads(str(path / "uploads"))
        self.room: int = self.journal.ask(MakeRoom("board"))

    def keep(self, file: str, content: str) -> str:
        arriving = self.uploads.arriving(100)
        arriving.write(content.encode())
        arriving.finish()
        self.uploads.keep(arriving)
        arriving.close()
        kept = File(file, f"{file}.txt", "text/plain", len(content))
        self.journal.ask(KeepFile(self.room, kept, arriving.digest, SYSTEM, 0))
        return arriving.digest

    def keep_one(self, content: str) -> str:
        """Another file with that content: its id."""
        file = secrets.token_hex(8)
        self.keep(file, content)
        return file

    def post(self, *files: str, **fields: Any) -> int:
        attached = tuple(Attachment(file) for file in files)
        answer = self.journal.ask(Post(self.room, Author.of(SYSTEM), files=attached, **fields))
        return answer.message.seq

    def ask(self, statement: str) -> list[Any]:
        """What the database answers; what the statement changes is kept."""
        with self.engine.begin() as connection:
            found = connection.exec_driver_sql(statement)
            return [tuple(row) for row in found] if found.returns_rows else []

    def there(self, digest: str) -> bool:
        return Path(self.uploads.content(digest)).exists()

    def collect(self, seconds_from_now: float) -> int:
        """As if it were so much later."""
        return collect(self.journal, self.uploads, time.time() + seconds_from_now - KEPT_SECONDS)


def test_what_no_message_has_is_collected_an_hour_later_and_nothing_before(
    store: str, tmp_path: Path
) -> None:
    keeper = Keeper(store, tmp_path)
    said, unsent, deleted, pruned = (
        keeper.keep(file, file) for file in ("said", "unsent", "deleted", "pruned")
    )
    twice = keeper.keep("twice", "said")  # the same content, which another file has still
    assert twice == said
    seqs = [keeper.post(file) for file in ("pruned", "deleted", "said")]
    Path(keeper.uploads.thumbnail(deleted)).write_bytes(b"small")
    keeper.post(kind="delete", of=seqs[1], forced=True, undo_seconds=60)
    keeper.journal.ask(Prune(keeper.room, keep=3))
    halfway = keeper.uploads.arriving(100)
    halfway.write(b"cut off")

    assert keeper.collect(KEPT_SECONDS - 60) == 0
    assert all(map(keeper.there, (said, unsent, deleted, pruned)))
    kept = "SELECT seq FROM messages WHERE files IS NOT NULL ORDER BY seq"
    assert keeper.ask(kept) == [(2,), (3,)]  # a deletion may be taken back until then
    assert keeper.collect(KEPT_SECONDS + 60) == 3
    assert keeper.ask(kept) == [(3,)]
    assert keeper.ask("SELECT id FROM files") == [("said",)]
    assert [keeper.there(digest) for digest in (said, unsent, deleted, pruned)] == [True, False, False, False]
    assert not Path(keeper.uploads.thumbnail(deleted)).exists()
    assert not Path(halfway.path).exists()
    halfway.close()
    with pytest.raises(BadRequest):
        keeper.post("unsent")
    keeper.journal.ask(Clear(keeper.room))
    assert keeper.collect(KEPT_SECONDS + 60) == 1
    assert not keeper.there(said)


def test_where_a_deletion_has_no_undo_what_is_known_of_its_files_goes_with_it(
    store: str, tmp_path: Path
) -> None:
    keeper = Keeper(store, tmp_path)
    digest = keeper.keep("plan", "plan")
    keeper.post(kind="delete", of=keeper.post("plan"), forced=True)
    assert "plan.txt" not in str([keeper.ask(f"SELECT * FROM {table}") for table in TABLES])
    assert keeper.collect(KEPT_SECONDS + 60) == 1
    assert not keeper.there(digest)


def test_what_nobody_has_any_more_counts_as_long_as_it_lies_on_the_disk(store: str, tmp_path: Path) -> None:
    keeper = Keeper(store, tmp_path)

    def total() -> int:
        found: int = keeper.journal.read(file_statements.total)
        return found

    keeper.post(kind="delete", of=keeper.post(keeper.keep_one("plan")), forced=True)  # without undo
    keeper.post(keeper.keep_one("cleared"))
    keeper.journal.ask(Clear(keeper.room))
    other, keeper.room = keeper.room, keeper.journal.ask(MakeRoom("dropped"))
    for name in ("dropped", "plan"):  # of the second there is one already
        keeper.post(keeper.keep_one(name))
    keeper.journal.ask(DropRoom(keeper.room))
    keeper.room = other
    assert keeper.ask("SELECT count(*) FROM files") == [(0,)]
    assert total() == len("plan" + "cleared" + "dropped")
    keeper.keep_one("cleared")
    assert total() == len("plan" + "cleared" + "dropped")
    assert keeper.collect(KEPT_SECONDS - 60) == 0
    assert total() == len("plan" + "cleared" + "dropped")
    os.unlink(keeper.uploads.content(sha256(b"plan").hexdigest()))  # lost, or removed and then killed
    keeper.collect(KEPT_SECONDS + 60)
    assert total() == 0
    keeper.keep_one("plan")
    assert total() == len("plan")


def test_what_comes_again_while_its_content_is_forgotten_counts(store: str, tmp_path: Path) -> None:
    keeper = Keeper(store, tmp_path)
    keeper.post(keeper.keep_one("plan"))
    keeper.journal.ask(Clear(keeper.room))
    os.unlink(keeper.uploads.content(sha256(b"plan").hexdigest()))
    missing = keeper.uploads.missing

    def found(digests: Any) -> list[str]:
        gone = missing(digests)
        keeper.keep_one("plan")  # now it comes again
        return gone

    keeper.uploads.missing = found  # type: ignore[method-assign]
    keeper.collect(0)
    assert keeper.journal.read(file_statements.total) == len("plan")


def test_what_comes_again_while_it_is_collected_stays(store: str, tmp_path: Path) -> None:
    keeper = Keeper(store, tmp_path)
    digest = keeper.keep("first", "the same")
    os.utime(keeper.uploads.content(digest), (0, 0))
    keeper.ask("UPDATE files SET at = 0")
    unknown = keeper.journal.read

    def read(question: Any, *arguments: Any) -> Any:
        answer = unknown(question, *arguments)
        if answer == [digest]:  # seen to be old, and of nobody: now it comes again
            keeper.keep("second", "the same")
        return answer

    keeper.journal.read = read  # type: ignore[method-assign]
    assert keeper.collect(0) == 0
    assert keeper.there(digest)
    keeper.post("second")
    assert Path(keeper.uploads.content(digest)).read_bytes() == b"the same"
