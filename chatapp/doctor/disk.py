"""The disk below the instance folder: its room, its kind, and how long it takes until something is on it."""

import os
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from chatapp.config import Config
from chatapp.doctor.finding import Findings, error, warning

LEAST_FREE = 1_000_000_000  # bytes: for messages, the search index, and a copy of the database at an upgrade
SYNCS = 9
SLOW_SECONDS = 0.1  # a disk that spins takes 10 ms
# Where locks or shared memory hold on one machine only, if at all.
NETWORK = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs"),
    *("vboxsf", "virtiofs", "prl_fs", "davfs", "fakeowner", "gfs2", "ocfs2"),
    *(
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.ceph",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.gcsfuse",
        "fuse.grpcfuse",
    ),
}


def examine(config: Config, proc: Path) -> Findings:
    yield from _kind(config, proc)
    yield from _room(config)
    seconds = _sync_seconds(config.instance_path)
    if seconds is not None:
        yield from judge_syncs(config, seconds)


def judge_syncs(config: Config, seconds: float) -> Findings:
    """`seconds`: of the quickest of some fsyncs, so that it is not the load of the moment."""
    if seconds > SLOW_SECONDS:
        yield warning(
            "slow-disk",
            f"the disk of {config.instance_path} takes {seconds * 1000:.0f} ms until something is on it",
            "each message is acknowledged and shown only once it is on the disk: everybody waits that long",
            "put the instance folder on an SSD of this machine (CHATAPP_INSTANCE_PATH)",
        )


def _kind(config: Config, proc: Path) -> Findings:
    kind = _file_system(config.instance_path, proc / "self" / "mounts")
    if kind in NETWORK:
        yield error(
            "network-disk",
            f"{config.instance_path} is on a network file system ({kind})",
            "SQLite's locks and shared memory do not work there: with several workers, or a server on "
            "another machine, the database will be damaged",
            "put the instance folder on a disk of this machine (CHATAPP_INSTANCE_PATH); for messages in "
            "one place for several machines there is PostgreSQL (CHATAPP_DATABASE_URL)",
        )


def _file_system(path: str, mounts: Path) -> str:
    """The kind of the one on which `path` is; "" where that is not known."""
    path, found, kind = os.path.realpath(path), "", ""
    with suppress(OSError):
        for line in mounts.read_text().splitlines():
            _, point, this, *_ = line.split()
            point = point.encode().decode("unicode_escape")  # a blank is \040
            if os.path.commonpath([path, point]) == point and len(point) >= len(found):
                found, kind = point, this
    return kind


def _room(config: Config) -> Findings:
    uploads = config.path("uploads")
    where = uploads if os.path.isdir(uploads) else config.instance_path
    status = os.statvfs(where)
    free = status.f_bavail * status.f_frsize
    if free < LEAST_FREE:
        yield error(
            "disk-full",
            f"{_bytes(free)} are free on the disk of {where}",
            "once it is full, nothing that anybody says is kept",
            "make room, or move the instance folder to a larger disk (CHATAPP_INSTANCE_PATH)",
        )
    elif config.file_limit and free < config.files_total - _size(uploads):
        yield warning(
            "disk-too-small",
            f"people may send files of {_bytes(config.files_total)} in all, and {_bytes(free)} are free on "
            f"the disk of {where}",
            "files fill it, and then messages are not kept any more",
            f"CHATAPP_FILES_TOTAL={_size(uploads) + max(0, free - 2 * LEAST_FREE)}, or a larger disk",
        )


def _size(folder: str) -> int:
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it was removed meanwhile
                size += os.stat(os.path.join(parent, name)).st_size
    return size


def _sync_seconds(folder: str) -> float | None:
    """None where nothing can be written: that is said of the folder."""
    taken = []
    with suppress(OSError), TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.monotonic()
            os.fsync(file.fileno())
            taken.append(time.monotonic() - begun)
    return min(taken, default=None)


def _bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
