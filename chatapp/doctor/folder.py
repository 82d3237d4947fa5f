"""The instance folder: whose it is, and who else may read what is in it."""

import os
import pwd
import stat
from collections.abc import Callable, Iterable

from chatapp import instance
from chatapp.config import Config
from chatapp.doctor.finding import Finding, Findings, error, warning
from chatapp.errors import SetupError

OTHERS = stat.S_IRWXO
PRIVATE = ("config.py", "chat.db", "chat.db-wal", "bus.db", "search.db", "uploads")


def strangers(config: Config) -> Finding | None:
    """That this is not the user whose folder it is: nothing else may be opened then, for SQLite would make
    files that the server could not write to.
    """
    owner = os.stat(config.instance_path).st_uid
    if owner == os.geteuid():
        return None
    name = _name(owner)
    return error(
        "other-user",
        f"{config.instance_path} belongs to {name}, and this runs as {_name(os.geteuid())}",
        "what another user makes in there the server cannot write to; so nothing in it was looked at",
        f"sudo -u {name} flask doctor, with the server's settings",
    )


def examine(config: Config) -> Findings:
    """Of a folder that belongs to who asks."""
    yield from _writable(config)
    yield from _owners(config)
    yield from _readers(config)


def _writable(config: Config) -> Findings:
    said = ""
    if not os.access(config.instance_path, os.W_OK | os.X_OK):
        said = f"the instance folder {config.instance_path} cannot be written to"
    try:
        instance.check_files(config)
    except SetupError as refusal:
        said = said or str(refusal).partition(":")[0]
    if said:
        yield error(
            "not-writable",
            said,
            "the server does not start, or refuses to keep what it is given",
            f"{_take_over(config)}; chmod -R u+rwX {config.instance_path}; "
            "mount -o remount,rw where the disk is read-only",
        )


def _owners(config: Config) -> Findings:
    # Left behind by a command that somebody ran as root.
    theirs = _those(config, sorted(os.listdir(config.instance_path)), _is_strange)
    if theirs:
        yield error(
            "strange-owner",
            f"{theirs}: of another user than the folder that they are in",
            "the server may not be able to write to them",
            f"{_take_over(config)}, and run flask as that user only",
        )


def _is_strange(path: str) -> bool:
    owner = os.lstat(path).st_uid
    if os.path.basename(path) == "config.py" and owner == 0 and os.access(path, os.R_OK):
        return False  # it is only read: root's is what the server itself cannot change
    return owner != os.geteuid()


def _readers(config: Config) -> Findings:
    if not _mode(config.instance_path) & stat.S_IXOTH:
        return  # nobody else gets at what is in there
    open_to_all = _those(config, PRIVATE, _is_open)
    if open_to_all:
        yield warning(
            "readable-by-others",
            f"every user of this machine may read {open_to_all}",
            "there is all that was ever said in them, also in private rooms",
            f"chmod 700 {config.instance_path}",
        )


def _is_open(path: str) -> bool:
    return os.path.exists(path) and bool(_mode(path) & OTHERS)


def _mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def _those(config: Config, names: Iterable[str], wanted: Callable[[str], bool]) -> str:
    """Of the files `names` in the folder those that are `wanted`, with commas between them."""
    return ", ".join(filter(wanted, map(config.path, names)))


def _take_over(config: Config) -> str:
    """The command by which the folder and all in it is of who asks."""
    return f"chown -R {_name(os.geteuid())} {config.instance_path}"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
