"""Peers into folders of their own in the cache, from the lists beside them; done once for each list."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.bench.machine import Unfit

PEERS = Path(__file__).resolve().parents[1] / "peers"
NCHAN = (
    Path("/usr/lib/nginx/modules/ngx_nchan_module.so"),
    Path("/usr/lib64/nginx/modules/ngx_nchan_module.so"),
)


def python(cache: Path, peer: str, wanted: Path | None = None) -> Path:
    """The folder of the programs of a virtual environment with `wanted`, which for a peer is
    peers/<peer>/requirements.txt.
    """
    wanted = wanted or PEERS / peer / "requirements.txt"
    folder = cache / f"venv-{peer}"
    done = folder / "installed.txt"
    if not _same(wanted, done):
        _say(f"{peer}: {wanted.read_text().split()}")
        shutil.rmtree(folder, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(folder))
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        _run(*pip, "--disable-pip-version-check", "-r", str(wanted))
        shutil.copy(wanted, done)
    return folder / "bin"


def node(cache: Path) -> Path:
    """A folder whose node_modules has what peers/node/package.json names, and its programs."""
    for needed in ("node", "npm"):
        if shutil.which(needed) is None:
            _apt("nodejs", "npm")
    folder = cache / "node"
    done = folder / "installed.json"
    wanted = PEERS / "node" / "package.json"
    if not _same(wanted, done):
        _say(f"node: {wanted}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(wanted, folder)
        _run("npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error")
        shutil.copy(wanted, done)
    for program in (PEERS / "node").glob("*.js"):
        shutil.copy(program, folder)
    return folder


def nchan() -> tuple[str, Path]:
    """nginx, and its module nchan."""
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if nginx is None or not any(module.exists() for module in NCHAN):
        _apt("nginx", "libnginx-mod-nchan")
        nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    module = next((module for module in NCHAN if module.exists()), None)
    if nginx is None or module is None:
        raise Unfit("nginx with nchan is needed (on Debian: apt-get install nginx libnginx-mod-nchan)")
    return nginx, module


def _apt(*packages: str) -> None:
    needed = f"these packages are needed: {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unfit(needed)
    _say(f"apt-get install {' '.join(packages)}")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    _run("apt-get", "update", "-qq")
    _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)


def _run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if done.returncode:
        raise Unfit(f"{' '.join(command)} failed, see above")


def _same(wanted: Path, done: Path) -> bool:
    return done.exists() and done.read_text() == wanted.read_text()


def _say(what: str) -> None:
    print(f"installing {what}", file=sys.stderr)
