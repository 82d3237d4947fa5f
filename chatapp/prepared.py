"""What is made of a file alone and takes long to make: the code of a template, the words of a language.

gunicorn's master makes all of it before it forks, or each worker would, while everybody waits. It is found
again by what it was made of: what has changed since, a worker makes itself. The master runs this file alone:
nothing of the application may be imported here.

Code of templates is the same in all languages: what a template always says in one of them (most of what
`{{ … }}` has in it is a sentence as it stands, or a drawing) has a mark where it goes: pages/rendering.py.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple, NoReturn, cast

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from jinja2 import Environment
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

CATALOGUES = Path(__file__).parent / "translations"

# Around what a template always says: `_` and a sentence, or `icon` with its name and perhaps its size.
BEGIN, BETWEEN, END = "\x02", "\x1f", "\x03"
BEFORE, AFTER = ("variable_begin", "name", "lparen", "string"), ("rparen", "variable_end")
WITH_SIZE = (*BEFORE, "comma", "integer", *AFTER)

_made: dict[tuple[object, ...], Any] = {}


class Words(NamedTuple):
    """A language's file, and what looks words up in it."""

    catalogue: Catalog
    translations: Translations


def prepare(templates: Path) -> dict[tuple[object, ...], Any]:
    """All that there is, for `take`; `templates`: their folder. What cannot be made is left to the worker
    that needs it: it says why.
    """
    for path in templates.rglob("*.html"):
        with contextlib.suppress(Exception):
            template(path.relative_to(templates).as_posix(), path.read_text("utf-8"))
    for path in CATALOGUES.glob("*/LC_MESSAGES/messages.po"):
        locale = path.parent.parent.name
        with contextlib.suppress(Exception):
            words(locale, path.read_bytes())
            Locale.parse(locale).get_display_name()  # Babel keeps what it has read of it
    return _made


def take(made: dict[tuple[object, ...], Any]) -> None:
    """Have what another process has made."""
    _made.update(made)


def template(name: str, source: str) -> CodeType:
    """The code of a template. Raises TemplateSyntaxError."""
    return cast(CodeType, _kept(("template", name, source), lambda: _environment().compile(source, name)))


def words(locale: str, text: bytes) -> Words:
    """Those of `locale`, as its folder has it, from its file."""
    return cast(Words, _kept(("words", locale, text), lambda: _words(locale, text)))


def _kept(key: tuple[object, ...], make: Callable[[], object]) -> object:
    if key not in _made:
        _made[key] = make()
    return _made[key]


def _words(locale: str, text: bytes) -> Words:
    catalogue, compiled = read_po(BytesIO(text), locale=locale), BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Words(catalogue, Translations(compiled))


@cache
def _environment() -> Environment:
    """Compiles as the application's own, which knows what its filters do (tests/test_rendering.py)."""
    environment = Environment(autoescape=True, extensions=["jinja2.ext.i18n", _Constants])
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # of its extension
    environment.filters = _WithOurs(environment.filters)
    environment.tests = _WithOurs(environment.tests)
    return environment


class _WithOurs(dict[str, Any]):
    """Jinja's filters or tests; every other name is taken for one of the application's."""

    def get(self, name: str, default: object = None) -> Any:
        return super().get(name, _not_here)


def _not_here(*_values: object) -> NoReturn:
    raise NotImplementedError  # then it is not done while compiling


class _Constants(Extension):
    """`{{ _('Search') }}` and `{{ icon('search', 16) }}` as marks."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        tokens = list(stream)
        place = 0
        while place < len(tokens):
            mark, length = _mark(tokens[place : place + len(WITH_SIZE)])
            if length:
                yield Token(tokens[place].lineno, "data", mark)
                place += length
            else:
                yield tokens[place]
                place += 1


def _mark(tokens: list[Token]) -> tuple[str, int]:
    """The mark for an expression at the start of `tokens`, and of how many it is; 0: it is none of these."""
    kinds = tuple(token.type for token in tokens)
    plain = kinds[: len(BEFORE + AFTER)] == BEFORE + AFTER
    called = tokens[1].value if len(tokens) > 1 else ""
    if plain and called in ("_", "icon"):
        return f"{BEGIN}{called}{BETWEEN}{tokens[3].value}{END}", len(BEFORE + AFTER)
    if called == "icon" and kinds == WITH_SIZE:
        return f"{BEGIN}{called}{BETWEEN}{tokens[3].value}{BETWEEN}{tokens[5].value}{END}", len(WITH_SIZE)
    return "", 0
