"""Pages made of templates, whose code each language has with its own words in it.

Most of what `{{ … }}` says in a template is a sentence as it stands or a drawing. Both are put into its code
before it runs: to look each up costs a page more than all else that is written into it.
"""

import re
from collections.abc import Callable
from types import CodeType
from typing import Any, cast

from flask import Flask, current_app
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from markupsafe import Markup

from chatapp import localized, prepared

MARK = re.compile(f"{prepared.BEGIN}([^{prepared.END}]*){prepared.END}")


def init_app(app: Flask) -> None:
    """Have templates of `app` rendered here, those of Flask-Security's pages as well."""
    app.add_template_global(icon)
    app.extensions["security"].render_template = render_template


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
        made[language] = app.jinja_env.overlay(bytecode_cache=_Filled())
    return made[language]


class _Filled(BytecodeCache):
    """Templates with what they say in the language of this request, which is the environment's: each is
    filled when the first who reads it asks for it.
    """

    def get_bucket(self, environment: Environment, name: str, filename: str | None, source: str) -> Bucket:
        bucket = Bucket(environment, name, "")
        bucket.code = _filled(prepared.template(name, source), filename or name)
        return bucket


def _filled(code: CodeType, path: str) -> CodeType:
    constants = tuple(_constant(value, path) for value in code.co_consts)
    return code.replace(co_consts=constants, co_filename=path)


def _constant(value: object, path: str) -> object:
    if isinstance(value, CodeType):
        return _filled(value, path)
    return MARK.sub(_said, value) if isinstance(value, str) else value


def _said(mark: re.Match[str]) -> str:
    called, value, *size = mark[1].split(prepared.BETWEEN)
    return localized.in_template(value) if called == "_" else icon(value, *map(int, size))
