"""Pieces of pages that are the same for many who ask: made once, and kept while they are asked for.

Each is made of its arguments alone, of which the language is one, so that none of them ever has to be thrown
away: what has changed has other arguments.
"""

from collections.abc import Container, Iterable
from functools import lru_cache

import msgspec
from flask import Flask, request
from markupsafe import Markup

from chatapp import localized
from chatapp.pages.rendering import macro
from chatapp.pages.rows import Row
from chatapp.permissions import Identity
from chatapp.text import DESCRIPTION_LIMIT

MARKS = ("👍", "❤️", "😄", "🎉", "👀", "🙏")  # what is offered to react with
ROWS_KEPT = 4096  # some 80 pages, for readers of one language
# Bytes of a row as JSON. A longer one is made anew each time, so that what is kept is at most some 40 MB.
ROW_LIMIT = 1500


def init_app(app: Flask) -> None:
    app.add_template_global(static)


def static(file: str) -> str:
    """Where a file of static/ is; `url_for` takes twenty times as long, and a page has a dozen."""
    return f"{request.script_root}/static/{file}"


def log_rows(
    rows: Iterable[Row],
    viewer: Identity | None,
    *,
    moderates: bool,
    restorable: Container[int],
    undo: int,
    token: str,
) -> Markup:
    """The rows of a page for its list. `restorable`: the numbers of those that the viewer may bring back, by
    a form with a `token`, within `undo` seconds.
    """
    language = localized.language()

    def of(row: Row) -> str:
        if row.message["seq"] in restorable:  # has a form, which is one browser's
            seen = {"id": viewer.id if viewer else ""}
            return str(macro("_log.html", "log_row")(row, seen, moderates, undo=undo, token=token))
        encoded = msgspec.json.encode(row)
        make = _row if len(encoded) <= ROW_LIMIT else _row.__wrapped__
        return make(encoded, _sees(row, viewer), moderates, language).decode()

    return Markup("".join(map(of, rows)))  # nosec B704  # of templates


def room_templates(viewer: Identity | None, *, files: bool, undo: int) -> Markup:
    """The dialogs of a room's page, and what its scripts clone."""
    return _room_templates(viewer is not None, files, undo, localized.language())


def room_scripts(*, files: bool) -> Markup:
    """What a room's page loads."""
    return _room_scripts(files, request.script_root)


@lru_cache(ROWS_KEPT)
def _row(encoded: bytes, viewer: str | None, moderates: bool, language: str) -> bytes:
    # As bytes: of a text with an emoji in it each sign takes four in memory.
    row = msgspec.json.decode(encoded, type=Row)
    html = macro("_log.html", "log_row")(row, None if viewer is None else {"id": viewer}, moderates)
    return str(html).encode()


@lru_cache(64)
def _room_templates(viewer: bool, files: bool, undo: int, language: str) -> Markup:
    seen = {"id": ""} if viewer else None
    make = macro("_room_templates.html", "room_templates")
    return make(seen, files, undo, MARKS, DESCRIPTION_LIMIT)


@lru_cache(16)
def _room_scripts(files: bool, root: str) -> Markup:
    return macro("_room_templates.html", "room_scripts")(files)


def _sees(row: Row, viewer: Identity | None) -> str | None:
    """Who the viewer is, as far as it is to be seen in the row: "" is anybody who may write."""
    if viewer is None:
        return None
    about = [row.message["author"]["id"], *row.message.get("mentions", ())]
    return viewer.id if viewer.id in about else ""
