"""The database's file: whether the one at its path is still the one that is open.

A file that was removed or replaced stays open and takes commits until the last process closes it; then it is
gone, with all that was acknowledged. (Whether its write-ahead log is still in its place is not looked at.)
"""

import os

from chatapp.journal.faults import DatabaseGone, Unusable


class DatabaseFile:
    """The file at `path`, from its first opening to the end of the process. Once gone it stays gone."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._opened: tuple[int, int] | None = None
        self._gone = False

    def opened(self) -> None:
        """It has just been opened for the first time."""
        self._opened = self._identity()

    def check(self) -> None:
        """Raises DatabaseGone, or Unusable where it cannot be looked at. For a thread: a disk takes time."""
        if not self._gone:
            found = self._identity()
            self._gone = found is None or found != self._opened
        if self._gone:
            raise DatabaseGone(
                f"the file {self._path} was removed or replaced: put it in its place, and restart the server"
            )

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unusable(f"the file {self._path} cannot be looked at: {error.strerror}") from None
        return status.st_dev, status.st_ino
