"""The database's file: whether the one at its path is still the one that is open.

A file that was removed or replaced stays open and takes commits until the last process closes it; then it is
gone, with all that was acknowledged. (Whether its write-ahead log is still in its place is not looked at.)
"""

import os

from chatapp.journal.faults import DatabaseGone


class DatabaseFile:
    """Known from when it was first opened until the process ends: what was gone once is not trusted again."""

    def __init__(self) -> None:
        self._path = ""
        self._opened: tuple[int, int] | None = None
        self._gone = False

    def remember(self, path: str) -> None:
        """The file at `path` has just been opened."""
        self._path, self._opened = path, _identity(path)

    def check(self) -> None:
        """Raises DatabaseGone. Two microseconds; for a native thread, since a disk can take its time."""
        if not self._gone and _identity(self._path) == self._opened:
            return
        self._gone = True
        raise DatabaseGone(
            f"the file {self._path} was removed or replaced: put it in its place, and restart the server"
        )


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
