"""Pages made of templates, which are compiled once for each language.

Most of what `{{ … }}` says in a template is a sentence as it stands or a drawing. Both are put into the text
before it is compiled: to look each up costs a page more than all else that is written into it.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

from flask import Flask, current_app
from jinja2 import Environment
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import Markup

from chatapp import localized

BEFORE, AFTER = ("variable_begin", "name", "lparen", "string"), ("rparen", "variable_end")
WITH_SIZE = (*BEFORE, "comma", "integer", *AFTER)


def init_app(app: Flask) -> None:
    app.add_template_global(icon)


def render_template(name: str, /, **values: Any) -> bytes:
    """The page of the template `name`, in the language of who reads it."""
    app = cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined]  # a proxy's
    app.update_template_context(values)
    template = _environment(app, localized.language()).get_template(name)
    # Piece by piece: one emoji would have each sign of the whole page take four bytes.
    return b"".join(map(str.encode, template.generate(values)))


def macro(template: str, name: str) -> Callable[..., Markup]:
    """A macro of `template`, in that language."""
    environment = _environment(current_app, localized.language())
    found: Callable[..., Markup] = getattr(environment.get_template(template).module, name)
    return found


def icon(name: str, size: int = 20) -> Markup:
    """A drawing, as wide and high in pixels."""
    return macro("_icons.html", "icon")(name, size)


def _environment(app: Flask, language: str) -> Environment:
    made: dict[str, Environment] = app.extensions.setdefault("chatapp_templates", {})
    if language not in made:
        made[language] = app.jinja_env.overlay(extensions=[_Constants])
    return made[language]


class _Constants(Extension):
    """`{{ _('Search') }}` and `{{ icon('search', 16) }}` as what they say in the language of this request;
    that is the environment's: templates are compiled when the first who reads it asks for them.
    """

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        tokens = list(stream)
        place = 0
        while place < len(tokens):
            said, length = self._constant(tokens[place : place + len(WITH_SIZE)])
            if length:
                yield Token(tokens[place].lineno, "data", said)
                place += length
            else:
                yield tokens[place]
                place += 1

    def _constant(self, tokens: list[Token]) -> tuple[str, int]:
        """What an expression at the start of `tokens` says, and of how many it is; 0: it is none of these."""
        kinds = tuple(token.type for token in tokens)
        plain = kinds[: len(BEFORE + AFTER)] == BEFORE + AFTER
        called = tokens[1].value if len(tokens) > 1 else ""
        if called == "_" and plain:
            return localized.in_template(tokens[3].value), len(BEFORE + AFTER)
        if called == "icon" and plain:
            return icon(tokens[3].value), len(BEFORE + AFTER)
        if called == "icon" and kinds == WITH_SIZE:
            return icon(tokens[3].value, int(tokens[5].value)), len(WITH_SIZE)
        return "", 0
