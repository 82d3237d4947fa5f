"""What befalls a server and a browser: a locked database, processes that stand still."""

import os
import signal
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser

from tests.servers import Server


@contextmanager
def locked(server: Server) -> Iterator[None]:
    """Another process holds the server's database: nothing can be kept until it lets go."""
    connection = sqlite3.connect(server.instance / "chat.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


@contextmanager
def stopped(pids: Iterable[int]) -> Iterator[None]:
    """The processes get no time at all, as when a machine sleeps; their connections stay."""
    pids = list(pids)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def processes(browser: Browser) -> list[int]:
    """The browser's process and all that it has started."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return _family(next(process["id"] for process in found if process["type"] == "browser"))


def _family(pid: int) -> list[int]:
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []  # it has gone meanwhile
    return [pid, *(member for child in children for member in _family(child))]
