"""The catalogues of languages: what there is to be said, found in the code, and each language's file kept in step.

`bin/translations` brings all files up to date, `bin/translations fr` begins one.
"""

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from chatapp.languages import FILE, FOLDER
from tests.servers import ROOT

# Functions whose first argument is said, or which (1 and 2) are forms of the same; refusals say theirs.
KEYWORDS = {
    "_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "plural": (2, 3),
    "pieces": None,
    "Term": None,
    "setting": (2,),  # its meaning: chatapp/config.py
    **dict.fromkeys(
        ("BadRequest", "Forbidden", "SignIn", "TooLong", "TooFast", "NotKept", "Draining", "RoomClosed"), None
    ),
}
# Where people are told something, and how that is written. Terminals and the log speak English.
SOURCES = {
    "chatapp/**/*.py": "python",
    "templates/**/*.html": "jinja2.ext:babel_extract",
    "static/js/**/*.js": "javascript",
}
LEFT_OUT = ("chatapp/cli/", "chatapp/shell/", "chatapp/migrations/", "templates/api_docs.html")
OPTIONS = {"trimmed": "true", "parse_template_string": "true"}
WIDTH = 110
HEADER = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: {locale}\\n"
"Plural-Forms: {plurals}\\n"

"""


def template() -> Catalog:
    """All that is said, without a translation."""
    catalog = Catalog(charset="utf-8")
    for path, line, said, comments, context in _found():
        catalog.add(said, locations=[(path, line)], auto_comments=comments, context=context)
    return catalog


@cache
def _found() -> list[tuple[str, int, Any, list[str], str | None]]:
    """Where what is said, once for all languages."""
    # newstyle gettext of templates and ours have the same places; Babel finds them by itself.
    return [
        (path, *found)
        for path, method in sorted(_sources())
        for found in extract_from_file(method, ROOT / path, KEYWORDS, ("For translators:",), OPTIONS)
    ]


def languages() -> list[str]:
    """The folders of those that have a file."""
    return sorted(path.parent.parent.name for path in FOLDER.glob(f"*/{FILE}"))


def catalogue(language: str) -> Catalog:
    with (FOLDER / language / FILE).open("rb") as file:
        return read_po(file, locale=language)


def update(language: str) -> Catalog:
    """Its catalogue with all that is said now, and nothing else; what it has of that stays."""
    path = FOLDER / language / FILE
    if path.exists():
        catalog = catalogue(language)
        catalog.update(template(), no_fuzzy_matching=True, update_header_comment=False)
        catalog.obsolete.clear()
    else:
        catalog = template()
        catalog.locale = Locale.parse(language)
    return catalog


def write(catalog: Catalog, path: Path) -> None:
    """Without line numbers and dates: a change shows what has changed."""
    header = HEADER.format(locale=catalog.locale_identifier, plurals=catalog.plural_forms)
    path.parent.mkdir(parents=True, exist_ok=True)
    for message in catalog:
        message.locations = sorted({(place, None) for place, _ in message.locations})  # type: ignore[misc]
    with path.open("wb") as file:
        file.write(header.encode())
        write_po(file, catalog, width=WIDTH, omit_header=True, include_lineno=False, sort_by_file=True)


def _sources() -> Iterator[tuple[str, str]]:
    for pattern, method in SOURCES.items():
        for path in Path(ROOT).glob(pattern):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(LEFT_OUT):
                yield name, method


if __name__ == "__main__":
    for each in sys.argv[1:] or languages():
        found = update(each)
        write(found, FOLDER / each / FILE)
        missing = sum(1 for message in found if message.id and not message.string)
        print(f"{each}: {len(found)} sentences, {missing} to be translated")
