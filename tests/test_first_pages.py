"""The first pages of a worker: what takes long to make of its files was made before, or is made beside its hub."""

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients import eventually
from tests.raw_socket import nobody_gets
from tests.servers import ROOT, START_SECONDS, Server

LANGUAGES = ("en", "de", "ar")
PAGES = ("/chats/", "/chats/1/", "/chats/1/details/", "/about", "/search?q=hello", "/sign-in")
# gunicorn's settings, and on top of them: each worker says where it does what takes long.
TOLD = """
import runpy

own = runpy.run_path({path!r})
globals().update({{name: value for name, value in own.items() if not name.startswith("_")}})


def post_worker_init(worker):
    import gzip, brotli, gevent, jinja2
    from gevent.monkey import get_original
    from chatapp import prepared

    thread = get_original("_thread", "get_ident")
    hub = thread()

    def tell(holder, name):
        does = getattr(holder, name)

        def told(*arguments, **more):
            print("on the hub:" if thread() == hub else "beside the hub:", name, flush=True)
            return does(*arguments, **more)

        setattr(holder, name, told)

    tell(jinja2.Environment, "compile")
    tell(prepared, "read_po")
    tell(brotli, "compress")
    tell(gzip, "compress")
    own["post_worker_init"](worker)
"""


class Told:
    """A server whose log has what its workers have made, and where."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        conf = folder / "told.conf.py"
        conf.write_text(TOLD.format(path=str(server.root / "gunicorn.conf.py")))
        server.start("-c", str(conf))

    def next_worker(self, come: Callable[[], None]) -> None:
        before, ready = set(self.server.worker_pids), "".join(self.server.log).count("Ready")
        come()
        eventually(
            lambda: (
                "".join(self.server.log).count("Ready") > ready and not before & set(self.server.worker_pids)
            ),
            "another worker is in its place",
            START_SECONDS,
        )

    def made(self, where: str) -> set[str]:
        return {line.split()[-1] for line in self.server.log if line.startswith(where)}

    def page(self, path: str, language: str = "en") -> str:
        answer = nobody_gets(
            self.server.url + path, headers={"Accept": "text/html", "Accept-Language": language}
        )
        assert answer.status_code == 200, path
        return answer.text


@pytest.fixture
def fresh(new_server: Callable[..., Server], tmp_path: Path) -> Told:
    return Told(new_server(), tmp_path)


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Told]:
    """A server of a copy of the program, which may be changed."""
    program = tmp_path / "program"
    for folder in ("chatapp", "templates", "static"):
        shutil.copytree(ROOT / folder, program / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("wsgi.py", "gunicorn.conf.py"):
        shutil.copy(ROOT / file, program)
    server = Server(tmp_path / "instance")
    server.root, server.under = program, []  # not forked from what knows the original
    yield Told(server, tmp_path)
    server.kill()


def test_a_new_worker_serves_pages_in_each_language_and_what_belongs_to_them_and_makes_nothing_on_its_hub(
    fresh: Told,
) -> None:
    linked: set[str] = set()
    for language in LANGUAGES:
        for path in PAGES:
            page = fresh.page(path, language)
            assert f'<html lang="{language}"' in page
            linked |= set(re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css))"', page))
    assert len(linked) > 50
    assert {path.split(".")[0] for path in linked if path.startswith("/languages/")} == {
        "/languages/ar",
        "/languages/de",
    }
    for path in linked:
        for coding in ("br", "gzip"):
            answer = nobody_gets(fresh.server.url + path, headers={"Accept-Encoding": coding})
            assert answer.status_code == 200, path
    assert fresh.made("beside the hub:") == {"compress"}
    assert fresh.made("on the hub:") == set()


def test_what_was_changed_is_shown_by_the_next_worker_and_made_ahead_of_it_by_a_reload(copy: Told) -> None:
    template = copy.server.root / "templates" / "server.html"
    words = copy.server.root / "chatapp" / "translations" / "de" / "LC_MESSAGES" / "messages.po"
    template.write_text(template.read_text().replace("</main>", "<p>{{ _('Search') }}, at first</p></main>"))
    copy.next_worker(copy.server.kill_worker)
    assert "Search, at first" in copy.page("/about")
    assert copy.made("on the hub:") == {"compile"}

    template.write_text(template.read_text().replace("at first", "in the end"))
    words.write_text(words.read_text().replace('msgstr "Suchen"', 'msgstr "Finden"'))
    copy.server.log.clear()
    copy.next_worker(lambda: os.kill(copy.server.pid, signal.SIGHUP))
    assert "Search, in the end" in copy.page("/about")
    assert "Finden, in the end" in copy.page("/about", "de")
    assert copy.made("on the hub:") == set()
