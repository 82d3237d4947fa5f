"""A disk that fails and a clock that jumps on demand, for real servers.

`preload.c` is preloaded into the server; a small file that is mapped by all its processes and by the test says
what is wrong, and counts.
"""

import atexit
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Literal

Fault = Literal["ENOSPC", "EIO on write", "EIO on fsync", "EROFS"]

# As preload.c has them.
FAULTS: dict[Fault | None, int] = {None: 0, "ENOSPC": 1, "EIO on write": 2, "EIO on fsync": 4, "EROFS": 8}
CLOCK = struct.Struct("q")
SLOT = struct.Struct("48sIIQQ")
FAULT_AT, DELAY_AT, REFUSED_AT, SYNCS_AT = 48, 52, 56, 64
SLOTS = 8
SIZE = CLOCK.size + SLOTS * SLOT.size


@cache
def _folder() -> Path:
    """A folder of this process, with the library in it; gone when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="chatapp-faults-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    source = Path(__file__).with_name("preload.c")
    flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra"]
    subprocess.run(["cc", *flags, "-o", folder / "preload.so", source], check=True)
    return folder


class Faults:
    """The faults of the files in `instance`, a server's instance folder, and of its clock.

    Start the server with `environ` in its environment (`server.settings.update(faults.environ)`), then `set` and
    `clear` at will: they work at once, in all its processes, without a restart.
    """

    def __init__(self, instance: Path) -> None:
        handle, name = tempfile.mkstemp(dir=_folder())
        os.ftruncate(handle, SIZE)
        self._control = mmap.mmap(handle, SIZE)
        os.close(handle)
        self._names: list[str] = []
        self.environ = {
            "LD_PRELOAD": str(_folder() / "preload.so"),
            "FAULTS_FOLDER": os.path.realpath(instance),
            "FAULTS_CONTROL": name,
        }
        self._slot("chat.db")  # from the start: syncs are counted there

    def set(self, name: str, fault: Fault | None) -> None:
        """Let the files whose names start with `name` fail: `chat.db` means its `-wal` and `-shm` as well.

        ENOSPC: the disk is full. EIO: it is broken. EROFS: it has become read-only.
        """
        struct.pack_into("I", self._control, self._slot(name) + FAULT_AT, FAULTS[fault])

    def clear(self) -> None:
        """Let everything work again."""
        for name in self._names:
            self.set(name, None)
        self.set_clock(0)

    def slow_down(self, name: str, milliseconds: int) -> None:
        """Let each sync of those files take so much longer, as on a disk that is no SSD; `clear` leaves that."""
        struct.pack_into("I", self._control, self._slot(name) + DELAY_AT, milliseconds)

    def set_clock(self, seconds: int) -> None:
        """Let the server's time of day be ahead of the true one by `seconds`, or behind it where negative."""
        CLOCK.pack_into(self._control, 0, seconds)

    @property
    def syncs(self) -> int:
        """How often the database was made to reach the disk: fsync and fdatasync that succeeded on chat.db*."""
        return self._count("chat.db", SYNCS_AT)

    @property
    def refused(self) -> int:
        """How many calls have failed by our doing, of all files."""
        return sum(self._count(name, REFUSED_AT) for name in self._names)

    def _count(self, name: str, at: int) -> int:
        count: int = struct.unpack_from("Q", self._control, self._slot(name) + at)[0]
        return count

    def _slot(self, name: str) -> int:
        """Where the slot of `name` begins in the control file."""
        if name not in self._names:
            assert len(self._names) < SLOTS
            SLOT.pack_into(
                self._control, CLOCK.size + len(self._names) * SLOT.size, name.encode(), 0, 0, 0, 0
            )
            self._names.append(name)
        return CLOCK.size + self._names.index(name) * SLOT.size
