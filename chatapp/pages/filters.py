"""How templates write times, sizes, lists and what is kept as a word or a sentence, in the reader's language.

Times are given as messages have them, `2026-11-23T09:00:00.123456Z`; a page's script makes them local.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from babel.dates import format_date, format_skeleton, get_datetime_format
from babel.units import format_unit
from flask import Flask
from flask_babel import get_locale
from markupsafe import Markup, escape

from chatapp import acts, emoji, languages, localized, markdown
from chatapp.errors import Term
from chatapp.links import leads_only_here
from chatapp.localized import gettext
from chatapp.pages.responses import flashed

DATE = "yMMMd"  # CLDR's skeleton: 23 Nov 2026
UNITS = ("kilobyte", "megabyte", "gigabyte")
WORDS = {
    "member": Term("member"),
    "moderator": Term("moderator"),
    "owner": Term("owner"),
    "administrator": Term("administrator"),
    "public": Term("public"),
    "private": Term("private"),
    "direct": Term("conversation"),
    "read": Term("read"),
    "write": Term("write"),
    "manage": Term("manage"),
}


def init_app(app: Flask) -> None:
    for write in (day, date, moment, size, listed, word, device, in_line, noticed, audited, localized.figure):
        app.add_template_filter(write)
    app.add_template_global(bdi)
    app.add_template_test(emoji.are_few, "few_emoji")
    app.add_template_global(flashed)
    app.add_template_global(leads_only_here)


def day(at: str) -> str:
    """23 November 2026"""
    return format_date(_time(at), "long", locale=get_locale())


def date(at: str) -> str:
    """23 Nov 2026"""
    return format_skeleton(DATE, _time(at), locale=get_locale())


def moment(at: str) -> str:
    """23 Nov 2026, 09:00"""
    form = str(get_datetime_format("medium", locale=get_locale()))
    return form.replace("'", "").format(at[11:16], date(at))


def size(bytes: int) -> str:
    """Bytes in words. static/js/files.js has the same rule."""
    if bytes < 1000:
        return format_unit(bytes, "digital-byte", length="long", locale=get_locale())
    rest, unit = bytes / 1000, 0
    while rest >= 1000 and unit < len(UNITS) - 1:
        rest, unit = rest / 1000, unit + 1
    return format_unit(rest, f"digital-{UNITS[unit]}", length="short", format="#,##0.0", locale=get_locale())


def listed(words: Sequence[str]) -> str:
    """ada, grace"""
    return languages.listed(localized.language(), words)


def word(kept: str) -> str:
    """A part, a kind of room or what a token may do, as people call it."""
    return gettext(WORDS.get(kept, kept))


def device(kept: str) -> Markup:
    """A browser, as security/devices.py has called it. It runs as the page does, not as its own name."""
    browser, on, system = kept.partition(" on ")
    said = gettext("%(browser)s on %(system)s", browser=browser, system=system) if on else gettext(kept)
    return Markup('<bdi dir="{}">{}</bdi>').format(languages.direction(localized.language()), said)


def in_line(message: Mapping[str, Any]) -> str:
    """What a message says, for a place that has one line for it."""
    return markdown.in_line(message["body"], message.get("html", ""))


def noticed(said: str) -> str:
    """What a notice says."""
    return acts.noticed(localized.language(), said)


def audited(said: str) -> str:
    """What stands in the audit log."""
    return acts.audited(localized.language(), said)


def bdi(name: str) -> Markup:
    """A name within a sentence: it does not turn the direction of what is around it."""
    return Markup("<bdi>{}</bdi>").format(escape(name))


def _time(at: str) -> datetime:
    return datetime.fromisoformat(at)
