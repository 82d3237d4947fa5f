"""Uploads: the folder of what people sent as files, each under the hash of what is in it.

    uploads/arriving/…       on its way in, under a name of chance
    uploads/ab/abcd…         a file, named after its SHA-256; whoever sends the same again adds nothing
    uploads/ab/abcd….webp    its thumbnail, if it is a picture

Invariant: what is younger than the age at which contents are collected is never removed, though no row may
know of it yet. Whoever keeps a content puts a new file in its place, and whoever removes one looks at its age
under the same lock: so none goes between the moment when it was seen to be old and its removal.
"""

import errno
import fcntl
import hashlib
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from gevent.threadpool import ThreadPool

from chatapp.errors import NotKept, TooLong
from chatapp.threads import in_thread
from chatapp.trouble import Trouble

T = TypeVar("T")

ARRIVING = "arriving"
THUMBNAIL = ".webp"
THREADS = 4  # of their own: a slow disk, or a lock that is held, keeps files waiting and nothing else

log = logging.getLogger(__name__)


class Uploads:
    """The folder at `path`; it is made when the first file comes."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._threads = ThreadPool(THREADS)
        self._trouble = Trouble(log, "files are not kept")

    def arriving(self, limit: int) -> "Arriving":
        """A new file of at most `limit` bytes. Switches. Raises NotKept."""
        path = os.path.join(self._path, ARRIVING, secrets.token_hex(16))
        return Arriving(self, path, limit, self.write(lambda: _create(path)))

    def content(self, digest: str) -> str:
        """The path of what has that SHA-256."""
        return os.path.join(self._path, digest[:2], digest)

    def thumbnail(self, digest: str) -> str:
        """The path of its thumbnail."""
        return self.content(digest) + THUMBNAIL

    def keep(self, arrived: "Arriving") -> None:
        """Put what has arrived whole into its place, on the disk. Switches. Raises NotKept."""

        def job() -> None:
            target = self.content(arrived.digest)
            _make_folder(os.path.dirname(target))
            with self._locked():
                os.replace(arrived.path, target)
                os.utime(target)
            _sync(os.path.dirname(target))

        self.write(job)

    def older(self, before: float) -> list[str]:
        """The digests of what lies here since before that time (seconds since 1970). Switches.

        What was on its way in since then is removed: nobody has sent it to its end.
        """

        def job() -> list[str]:
            for path in _files(os.path.join(self._path, ARRIVING)):
                if _age(path) < before:
                    _remove(path)
            folders = [os.path.join(self._path, f"{number:02x}") for number in range(256)]
            paths = [path for folder in folders for path in _files(folder) if _age(path) < before]
            return sorted({os.path.basename(path).removesuffix(THUMBNAIL) for path in paths})

        return self.off_hub(job)

    def remove(self, digests: Iterable[str], before: float) -> int:
        """Remove those of `digests` that still are older; how many that were. Switches."""

        def job() -> int:
            removed = 0
            for digest in digests:
                content, thumbnail = self.content(digest), self.thumbnail(digest)
                with self._locked():
                    if (_age(content) if os.path.exists(content) else _age(thumbnail)) < before:
                        _remove(content)
                        _remove(thumbnail)
                        removed += 1
            return removed

        return self.off_hub(job)

    def off_hub(self, job: Callable[[], T]) -> T:
        """What `job`, about files, returns or raises. Switches."""
        return in_thread(job, self._threads)

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Those of `digests` that do not lie here. Switches."""
        return self.off_hub(lambda: [one for one in digests if not os.path.exists(self.content(one))])

    def write(self, job: Callable[[], T]) -> T:
        """What `job` returns, done off the hub; its OSError is said in the log. Switches. Raises NotKept."""
        try:
            value = self.off_hub(job)
        except OSError as error:
            self._trouble.tell(f"{error.strerror or error}: {self._path}")
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            if full:
                raise NotKept(
                    "The file was not kept: there is no room for it on the server’s disk"
                ) from error
            raise NotKept("The file was not kept: it could not be written") from error
        self._trouble.over()
        return value

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Against other processes and other threads of this one. Held for some system calls."""
        lock = os.open(os.path.join(self._path, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


class Arriving:
    """A file on its way in: written piece by piece, then kept or discarded.

    As far as Werkzeug's form parser needs it a file: it writes, and goes back to the beginning in the end.
    """

    def __init__(self, uploads: Uploads, path: str, limit: int, file: int) -> None:
        self.path, self.size = path, 0
        self._uploads, self._limit, self._file = uploads, limit, file
        self._hash = hashlib.sha256()
        self._open = True

    @property
    def digest(self) -> str:
        """The SHA-256 of what has come so far."""
        return self._hash.hexdigest()

    def write(self, data: bytes | bytearray) -> int:
        """Switches. Raises TooLong, NotKept."""
        self.size += len(data)
        if self.size > self._limit:
            raise TooLong("A file has at most %(limit)s bytes", limit=self._limit)

        def job() -> None:
            self._hash.update(data)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]

        self._uploads.write(job)
        return len(data)

    def seek(self, _position: int) -> int:
        """It is never read from here, but by its path."""
        return 0

    def finish(self) -> None:
        """It is whole: bring it to the disk. Switches. Raises NotKept."""
        self._uploads.write(lambda: os.fsync(self._file))

    def close(self) -> None:
        """Give it up, or nothing where it was kept. Switches."""
        if self._open:
            self._open = False
            os.close(self._file)
            self._uploads.off_hub(lambda: _remove(self.path))


def _create(path: str) -> int:
    _make_folder(os.path.dirname(path))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _make_folder(path: str) -> None:
    for each in (os.path.dirname(path), path):  # `makedirs` gives its mode to the last one only
        os.makedirs(each, mode=0o700, exist_ok=True)


def _sync(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries]
    except FileNotFoundError:
        return []


def _age(path: str) -> float:
    """When it was written, in seconds since 1970; what is not there never was old."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return float("inf")


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
