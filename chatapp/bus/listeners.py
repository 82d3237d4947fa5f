"""Who listens to the bus of a machine. Each who does holds a shared lock on one file, which ends with its
process; whether another one holds it is asked without taking any.

That is by locks of an open file (Linux's F_OFD_SETLK, fcntl(2)), so that two who listen within one process
are two. Where a system has no such locks, others may listen at any time.
"""

import fcntl
import os
import struct
import sys
from contextlib import suppress

_FLOCK = "hhqqi"  # struct flock: type, whence, start, length (0: to the end), process (0: of an open file)


class Listeners:
    """`path`: the file, made on first use."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None

    def join(self) -> None:
        """Be one of them until `close`. Raises OSError where there can be no such file."""
        if sys.platform == "linux":
            if self.moved:
                self.close()
            file = self._open()
            with suppress(OSError):  # this kernel has no such locks, as `are_others` finds as well
                fcntl.fcntl(file, fcntl.F_OFD_SETLK, _lock(fcntl.F_RDLCK))

    @property
    def are_others(self) -> bool:
        """Whether another one may listen, as far as the file is still the same. Takes a microsecond, never
        switches.
        """
        if sys.platform != "linux":
            return True
        try:
            answer = fcntl.fcntl(self._open(), fcntl.F_OFD_GETLK, _lock(fcntl.F_WRLCK))
        except OSError:
            return True
        return bool(struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK)

    @property
    def moved(self) -> bool:
        """Whether somebody removed the file: who comes now locks another one."""
        if self._file is None:
            return False
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self._file))
        except OSError:
            return True

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file


def _lock(kind: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0)
