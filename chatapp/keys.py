"""The keys that sign cookies and CSRF tokens: `secret_key` in the instance folder, one key a line.

The first signs; what the others signed is still accepted. Each process looks at the file before it verifies
anything, so that `flask keys rotate` is in force everywhere when it returns.
"""

import hmac
import os
import secrets
from collections.abc import Mapping, Sequence

from chatapp.config import Config
from chatapp.errors import SetupError

NAMES = NAME, FACTORS = "secret_key", "factor_key"
LEAST = 32  # characters
NO_KEY = "-"


class Keys:
    """The keys as they stand in the file. `all`: the one that signs comes first."""

    def __init__(self, config: Config) -> None:
        """Read the file, which is made on first use. Within `setting_up`. Raises SetupError."""
        self._path = config.path(NAME)
        if not os.path.exists(self._path):
            _write(self._path, [secrets.token_hex(32)])
        try:
            self._seen = _stamp(self._path)
            self.all = read(self._path)
        except OSError as error:
            raise SetupError(
                f"{self._path} cannot be read ({error.strerror}): make it readable for this user"
            ) from None

    def are(self, keys: tuple[str, ...]) -> bool:
        """Whether these are they still: nobody has written the file since they were read."""
        try:
            return keys is self.all and _stamp(self._path) == self._seen
        except OSError:
            return keys is self.all  # as for `look`

    def look(self) -> bool:
        """Read the file again if it is another one now; whether it was.

        What cannot be read, or is being written by hand, leaves the keys as they are: the next start says so.
        """
        try:
            stamp = _stamp(self._path)  # some microseconds, on a local disk
            if stamp == self._seen:
                return False
            self._seen, self.all = stamp, read(self._path)
        except (OSError, SetupError):
            return False
        return True


def rotate(config: Config, *, forget: bool = False) -> int:
    """Have a new key sign from now on; how many older ones are still accepted. Within `setting_up`.

    `forget`: none of them is, so that every cookie is void. Raises SetupError.
    """
    path = config.path(NAME)
    older = [] if forget else list(read(path))
    _write(path, [secrets.token_hex(32), *older])
    return len(older)


def factor_key(config: Config) -> str:
    """The key with which second factors are encrypted, made on first use. Within `setting_up`.

    Raises SetupError. It is not rotated: who lost it would have to set up a second factor anew.
    """
    path = config.path(FACTORS)
    if not os.path.exists(path):
        _write(path, [secrets.token_hex(32)])
    try:
        return read(path)[0]
    except OSError as error:
        raise SetupError(
            f"{path} cannot be read ({error.strerror}): make it readable for this user"
        ) from None


def kept(config: Config) -> dict[str, tuple[str, ...]]:
    """What stands in the files of keys that there are, by their names. Raises SetupError."""
    return {name: read(config.path(name)) for name in NAMES if os.path.exists(config.path(name))}


def fingerprints(config: Config) -> list[str]:
    """What tells the key of each of NAMES that signs or encrypts from all others, and says nothing of it;
    NO_KEY where there is none that can be read.
    """
    return [_fingerprint(config.path(name)) for name in NAMES]


def _fingerprint(path: str) -> str:
    try:
        current = read(path)[0]
    except (OSError, SetupError):
        return NO_KEY
    return hmac.digest(current.encode(), b"chatapp: which key this is", "sha256").hex()[:16]


def put(config: Config, files: Mapping[str, Sequence[str]]) -> None:
    """Have those files of keys say what `kept` found somewhere. Within `setting_up`."""
    for name in NAMES:
        if name in files:
            _write(config.path(name), list(files[name]))


def read(path: str) -> tuple[str, ...]:
    """The keys in a file, the one that signs first. Raises SetupError where one is too short."""
    with open(path, encoding="utf-8", errors="replace") as file:
        keys = tuple(line.strip() for line in file if line.strip())
    if not keys or min(map(len, keys)) < LEAST:
        otherwise = "has to set up a second factor anew" if path.endswith(FACTORS) else "gets a new cookie"
        raise SetupError(f"{path} is too short to be a key: remove it, and everybody {otherwise}")
    return keys


def _write(path: str, keys: list[str]) -> None:
    """Whole or not at all, also when the machine stops here; for this user only."""
    temporary = path + ".new"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        os.fchmod(file.fileno(), 0o600)  # what an interrupted try left may have another mode
        file.write("\n".join(keys) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)


def _stamp(path: str) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns
