"""Being told by the kernel that a file was written to: inotify(7), which only Linux has."""

import ctypes
import os
from contextlib import suppress

from gevent.socket import wait_read

IN_MODIFY, IN_DELETE_SELF, IN_MOVE_SELF = 0x2, 0x400, 0x800
EVENTS = 4096  # bytes of them that are thrown away at once: that there were some is all that they say


class FileWatch:
    """Of the file at `path`. Raises OSError where there is none, or no such watch is to be had."""

    def __init__(self, path: str) -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except (AttributeError, TypeError):
            raise OSError("there is no inotify here") from None
        if watch < 0:
            raise _fault()
        self._watch: int = watch
        if libc.inotify_add_watch(watch, os.fsencode(path), IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF) < 0:
            fault = _fault()
            self.close()
            raise fault

    def wait(self, seconds: float) -> bool:
        """Wait until it was written to, or is not there any more; False where that takes longer. Switches."""
        try:
            wait_read(self._watch, timeout=seconds, timeout_exc=TimeoutError())
        except TimeoutError:
            return False
        with suppress(BlockingIOError):
            while os.read(self._watch, EVENTS):
                pass
        return True

    def close(self) -> None:
        os.close(self._watch)


def _fault() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
