"""The file of an export: lines of JSON, the first of which says what it is, the last one that it is whole.

    {"is": "export", "format": 1, "schema": "0017", "program": "0.1.0", "at": "2026-11-30T07:30:00Z"}
    {"is": "key", "name": "secret_key", "keys": ["…"]}
    {"is": "file", "sha256": "ab…"}               followed by its content in pieces: "<base64>"
    {"is": "table", "name": "rooms", "columns": […], "rows": 3, "given": 7}     followed by its rows: […]
    {"is": "end", "lines": 4711, "sha256": "cd…"}     of all the bytes before

So it is written and read in one go, in little memory, and any other program can read it, too.
"""

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any

import msgspec
from msgspec import Struct

from chatapp import schema
from chatapp.archive.errors import Refused
from chatapp.version import VERSION

FORMAT = 1
PIECE = 256 * 1024  # bytes of a file in one line
# The longest line that is read. No row comes near it: a message is as long as the server lets it be.
LINE_LIMIT = 64 * 1024 * 1024


class Begin(Struct, frozen=True, tag_field="is", tag="export"):
    """What the file is."""

    format: int
    schema: str
    program: str
    at: str


class Key(Struct, frozen=True, tag_field="is", tag="key"):
    """A file of keys (keys.py), as it stands."""

    name: str
    keys: list[str]


class FileBegins(Struct, frozen=True, tag_field="is", tag="file"):
    """From here on come the pieces of a content of the folder of uploads, as base64 in strings."""

    sha256: str


class TableBegins(Struct, frozen=True, tag_field="is", tag="table"):
    """From here on come the rows of a table, each a list in the order of `columns`.

    `given`: the highest id that was ever given in it, which may be of a row that is no more; 0: none.
    """

    name: str
    columns: list[str]
    rows: int
    given: int


class End(Struct, frozen=True, tag_field="is", tag="end"):
    """How many lines there are before this one, and their SHA-256."""

    lines: int
    sha256: str


Head = Key | FileBegins | TableBegins
Body = Iterator[list[Any] | str]


class Writer:
    """Writes an export into `file`: its first line now, then what it is given, and `end` the last one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash, self._lines = file, hashlib.sha256(), 0
        self.write([Begin(FORMAT, schema.newest(), VERSION, now())])

    def write(self, lines: list[Any]) -> None:
        """Add `lines`, as JSON; bytes become base64."""
        encoded = _encoder.encode_lines(lines)
        self._hash.update(encoded)
        self._file.write(encoded)
        self._lines += len(lines)

    def end(self) -> None:
        """It is whole; bring it to the disk."""
        self._file.write(_encoder.encode_lines([End(self._lines, self._hash.hexdigest())]))
        self._file.flush()
        os.fsync(self._file.fileno())


def now() -> str:
    """The time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def check(path: str) -> None:
    """Read all of it. Raises Refused where it is not whole, or not for this program."""
    for _ in _encoded(path):
        pass


def sections(path: str) -> Iterator[tuple[Head, Body]]:
    """What is between the first line and the last: each head with what belongs to it, to be read in order.

    Raises Refused; that something was changed shows at the end.
    """
    lines = _lines(path)
    line = next(lines, None)

    def body() -> Body:
        nonlocal line
        while isinstance(line := next(lines, None), list | str):
            yield line

    while line is not None:
        if isinstance(line, list | str):
            raise Refused(f"{path} is none that this program has written: it lacks a heading")
        rest = body()
        yield line, rest
        for _ in rest:  # what nobody has asked for
            pass


def _lines(path: str) -> Iterator[Head | list[Any] | str]:
    for number, line in enumerate(_encoded(path), 2):
        try:
            yield _decoder.decode(line)
        except msgspec.MsgspecError:
            raise Refused(f"{path} is none that this program has written: line {number}") from None


def _encoded(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        first = file.readline(LINE_LIMIT)
        _check_first(path, first)
        hashed, count = hashlib.sha256(first), 1
        while line := file.readline(LINE_LIMIT):
            if line.startswith(_END):
                _check_last(path, line, End(count, hashed.hexdigest()))
                if file.read(1):
                    raise Refused(f"{path} was changed: it goes on behind its end")
                return
            hashed.update(line)
            count += 1
            yield line
    raise Refused(f"{path} is cut off: the end is missing. Copy it, or export, once more")


def _check_first(path: str, line: bytes) -> None:
    try:
        kind = msgspec.json.decode(line, type=_Kind)
        if kind.format > FORMAT:
            raise Refused(
                f"{path} was written by a newer program (format {kind.format}, known up to {FORMAT}): "
                "install that version here"
            )
        begin = msgspec.json.decode(line, type=Begin)
    except msgspec.MsgspecError:
        raise Refused(f"{path} is no export: `flask data export` writes one") from None
    if begin.schema > schema.newest():
        raise Refused(
            f"{path} was written by a newer program (schema {begin.schema}, here {schema.newest()}): "
            "install that version here"
        )
    if begin.schema < schema.newest():
        raise Refused(
            f"{path} was written by an older program (schema {begin.schema}, here {schema.newest()}): "
            "upgrade the server that it comes from, and export once more"
        )


def _check_last(path: str, line: bytes, found: End) -> None:
    try:
        end = msgspec.json.decode(line, type=End)
    except msgspec.MsgspecError:
        raise Refused(f"{path} is cut off: its last line is not whole") from None
    if end != found:
        raise Refused(f"{path} was changed, or damaged, since it was written: its checksum is another one")


class _Kind(Struct, frozen=True, tag_field="is", tag="export"):
    format: int


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Head | list[Any] | str] = msgspec.json.Decoder(Head | list[Any] | str)
_END = b'{"is":"end"'
