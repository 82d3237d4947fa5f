"""A machine within this one: its files, with an /opt, an /etc and what varies of its own; root makes it and is in it.

It has the tests' Python with their libraries, from which pip takes what it is to install.
"""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

PYTHON, LIBRARIES = "/opt/python", "/opt/libraries"
ENVIRON = {
    "PATH": f"{PYTHON}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LD_LIBRARY_PATH": f"{PYTHON}/lib",
    "PYTHONPATH": LIBRARIES,
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # pip reads that as no isolation: what builds the package is in LIBRARIES
    "PIP_ROOT_USER_ACTION": "ignore",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "LANG": "C.UTF-8",
}
# `etc` is a copy; the rest is empty at first. What lies below them on this machine is out of sight.
BEGIN = f"""
mkdir "$0/etc" && cp -a /etc/. "$0/etc" && mount --bind "$0/etc" /etc
mount -t tmpfs -o mode=755 opt /opt
mount -t tmpfs -o mode=755 lib /var/lib
mkdir {PYTHON} {LIBRARIES}
mount --bind "$1" {PYTHON}
mount --bind "$2" {LIBRARIES}
echo made
exec sleep infinity
"""


class Box:
    """`folder`: an empty one. What is started in the box ends with what it is started by."""

    def __init__(self, folder: Path) -> None:
        begin = ["unshare", "--mount", "--propagation", "private", "bash", "-euc", BEGIN]
        arguments = [str(folder), sys.base_prefix, sysconfig.get_path("purelib")]
        self._holder = subprocess.Popen([*begin, *arguments], stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"made\n"

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    def enter(self, *command: str) -> list[str]:
        """The command line that carries out `command` in the box."""
        return ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "--", *command]

    def run(self, line: str, folder: Path, environ: Mapping[str, str] = ENVIRON) -> str:
        """What a line of a shell says in the box, in `folder` of it."""
        # nsenter leads to the folder in the box that is this process's here.
        command = self.enter("bash", "-euc", f'cd "$0"; {line}', str(folder))
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def read_only(self, command: Sequence[str], *writable: str) -> list[str]:
        """The command line that carries out `command` in the box, in which nothing but `writable` can be written to.

        A folder `writable` is as it is in the box; /tmp is empty, as is what people have at home, and /proc shows
        processes alone.
        """
        binds = "".join(f'mount --bind "{path}" "{path}"; ' for path in writable)
        keep = "".join(f"|{path}" for path in writable)
        script = (
            "mount -t tmpfs -o mode=1777 tmp /tmp; mount -t tmpfs -o mode=000 home /root; "
            "mount -t tmpfs -o mode=000 home /home; mount -t proc -o hidepid=invisible,subset=pid proc /proc; "
            f"{binds}"
            "while read -r _ at _; do case $at in /dev*|/sys*|/proc*|/tmp" + keep + ") ;; "
            '*) mount -o remount,bind,ro "$at" 2>/dev/null || mount -o remount,ro "$at";; esac; '
            "done < <(grep -v '^[^ ]* /\\(proc\\|sys\\|dev\\)' /proc/self/mounts | tac); "
            'exec "$@"'
        )
        return self.enter(
            "unshare", "--mount", "--propagation", "private", "bash", "-euc", script, "box", *command
        )


def without_rights(user: str, group: str, groups: str, command: Sequence[str]) -> list[str]:
    """The command line that carries out `command` as that user, who can never become another one.

    `groups`: what setpriv has for the user's other groups.
    """
    anybody = ["setpriv", "--reuid", user, "--regid", group, groups, "--no-new-privs"]
    return [*anybody, "--bounding-set=-all", "--inh-caps=-all", *command]


def _is_possible() -> bool:
    return (
        os.geteuid() == 0
        and subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL).returncode == 0
    )


# For tests with one: root may not make any in a container without CAP_SYS_ADMIN.
where_possible = pytest.mark.skipif(
    not _is_possible(), reason="only root, with CAP_SYS_ADMIN, makes the boxes in which this is tried"
)
