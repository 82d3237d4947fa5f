"""The language of an answer: as its reader has chosen, else as their browser asks, else CHATAPP_LANGUAGE.

What is chosen goes with the account; of guests, and while nobody is signed in, a cookie of its own says it.
Flask-Babel writes times and numbers by it, and looks words up in the files of languages.py.
"""

from functools import lru_cache

from babel import Locale
from babel.support import NullTranslations
from flask import Flask, Response, g, request
from flask_babel import Babel, Domain
from markupsafe import Markup
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from chatapp import languages
from chatapp.errors import ChatError
from chatapp.globals import get_hub
from chatapp.languages import SOURCE

COOKIE = "chatapp_language"
YEAR = 365 * 24 * 60 * 60  # seconds
WISHES_KEPT = 200  # characters; browsers send some 30, and what nobody sends twice is not kept


class Catalogues(Domain):  # type: ignore[misc]  # it has no types
    """Flask-Babel's own reads compiled files, and has a language for each locale."""

    def get_translations(self) -> NullTranslations:
        return languages.translations(language())


def init_app(app: Flask) -> None:
    """Have the pages of `app` in the language of who reads them."""
    babel = Babel(app, locale_selector=_locale)
    babel.domain_instance = Catalogues()
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    # A page has some fifty sentences, and Flask-Babel and Jinja together take 10 µs for each.
    app.jinja_env.globals["gettext"] = app.jinja_env.globals["_"] = in_template


def language() -> str:
    """The tag of the language in which this request is answered with a page."""
    here = g._get_current_object()  # asked for each sentence, and each look through `g` takes as long as that
    try:
        found: str = here.language
    except AttributeError:
        found = here.language = chosen() or accepted(request.headers.get("Accept-Language", ""), _default())
    return found


def chosen() -> str:
    """What somebody has chosen; empty where they leave it to their browser."""
    identity = g.get("asking")
    wanted = (identity.language if identity else "") or request.cookies.get(COOKIE, "")
    return wanted if wanted in languages.languages() else ""


def language_of_program() -> str:
    """The language in which a program, or a page's script, is told why it is refused: as it asks, and English
    to whom does not ask. `?language=` is for what can send no header (docs/protocol.md).
    """
    wanted = request.args.get("language", "")
    return wanted if wanted in languages.languages() else accepted(request.headers.get("Accept-Language", ""))


def refusal(error: ChatError) -> str:
    """What `error` says, on a page."""
    return languages.refusal(language(), error)


def gettext(sentence: str, **values: object) -> str:
    """`sentence` on a page, with `values` in its places."""
    return languages.say(language(), sentence, values)


def figure(number: int) -> str:
    """A number as people write it."""
    return languages.figure(language(), number)


def duration(seconds: int) -> str:
    """A time as it is said: "10 minutes"."""
    return languages.duration(language(), seconds)


def remember(response: Response, wanted: str) -> Response:
    """Have the browser know what was chosen; empty: nothing any more."""
    if wanted:
        response.set_cookie(
            COOKIE, wanted, max_age=YEAR, secure=request.is_secure, httponly=True, samesite="Lax"
        )
    else:
        response.delete_cookie(COOKIE, secure=request.is_secure, httponly=True, samesite="Lax")
    return response


def of_page() -> dict[str, str]:
    """What an answer that is a page says of its language."""
    return {"Content-Language": language()}


def in_template(sentence: str, **values: object) -> Markup:
    """`gettext` in a template: every sign of `values` that would be markup is escaped."""
    said = _marked(language(), sentence)
    return said % values if values or "%" in said else said


@lru_cache(4096)
def _marked(language: str, sentence: str) -> Markup:
    return Markup(languages.translations(language).gettext(sentence))  # nosec B704  # as translators wrote it


def _locale() -> Locale:
    return languages.locale_of(language())


def accepted(wishes: str, default: str = SOURCE) -> str:
    """The one of ours that a request would have most by its Accept-Language (RFC 9110, 12.5.4)."""
    return (_looked_up if len(wishes) <= WISHES_KEPT else _looked_up.__wrapped__)(wishes, default)


@lru_cache(512)
def _looked_up(wishes: str, default: str) -> str:
    """Each of them is looked up in the order of the wish, and then without its last parts (RFC 4647, 3.4):
    de-AT is de.
    """
    ours = {tag.lower(): tag for tag in languages.languages()}
    for wished, quality in parse_accept_header(wishes, LanguageAccept):
        parts = wished.lower().split("-") if quality > 0 else []
        while parts:
            if "-".join(parts) in ours:
                return ours["-".join(parts)]
            parts.pop()
    return default


def _default() -> str:
    return get_hub().config.language
