"""The instance folder: made on first use by whichever process comes first, all others wait for it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from chatapp.config import Config
from chatapp.errors import SetupError

DATABASES = ("chat.db", "bus.db", "search.db")
WRITTEN = (
    "setup.lock",
    *(base + end for base in DATABASES for end in ("", "-wal", "-shm")),
    "bus.db.lock",
    "search.db.lock",
    "uploads",
    "uploads/lock",
)


@contextmanager
def setting_up(config: Config) -> Iterator[None]:
    """Hold the lock under which the instance folder is set up, so that processes starting at once queue.

    What is made meanwhile is for this user only: the folder may have been there, open to all.
    Raises SetupError where the folder cannot be made or written to.
    """
    if os.path.exists(config.instance_path) and not os.path.isdir(config.instance_path):
        raise SetupError(
            f"the instance folder {config.instance_path} is a file, not a folder: name a folder in "
            "CHATAPP_INSTANCE_PATH"
        )
    check_files(config)
    before = os.umask(0o077)
    try:
        with _locked(config):
            yield
    finally:
        os.umask(before)


@contextmanager
def _locked(config: Config) -> Iterator[None]:
    try:
        os.makedirs(config.instance_path, mode=0o700, exist_ok=True)
        lock = os.open(config.path("setup.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # O_RDWR alone succeeds on a file that was there before the disk became read-only.
        os.ftruncate(lock, 0)
    except OSError as error:
        raise SetupError(
            f"the instance folder {config.instance_path} cannot be written to ({error.strerror}): make it "
            "writable for this user, or name another one in CHATAPP_INSTANCE_PATH"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def check_files(config: Config) -> None:
    """Raises SetupError where one of the files that are there cannot be written to."""
    # SQLite opens what it may only read, and would find that out with somebody's first message; the others
    # with the first file or search. A folder in which nothing can be written is another matter: that is said
    # of the folder.
    if not os.access(config.instance_path, os.W_OK):
        return
    for path in (*map(config.path, WRITTEN), *_folders(config.path("uploads"))):
        wanted = os.R_OK | os.W_OK | (os.X_OK if os.path.isdir(path) else 0)
        if os.path.exists(path) and not os.access(path, wanted):
            raise SetupError(f"{path} cannot be written to: make it writable for this user")


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.path for entry in entries if entry.is_dir())
    except OSError:  # not there yet, or not to be looked into: it is looked at itself
        return []
