"""`/language`: choose one. `/languages/<language>.<version>.js`: what scripts say in it; pages name it."""

import hashlib
from functools import cache
from typing import Any

import msgspec
from flask import Blueprint, Response, abort, request, url_for

from chatapp import accounts, auth, languages, localized
from chatapp.acts import NOTICES
from chatapp.errors import BadRequest
from chatapp.globals import get_hub, get_identity
from chatapp.languages import SOURCE
from chatapp.pages.responses import only_looks, see_other

VERSION_LENGTH = 12

bp = Blueprint("languages", __name__)


@bp.post("/language")
def choose() -> Response:
    """Read in `language` from now on (empty: in that of the browser), and go back to `back`."""
    auth.guard_write()
    form = auth.checked_form("language", "back")
    wanted, identity = form["language"], get_identity()
    if wanted and wanted not in languages.languages():
        raise BadRequest("That language is not among those here")
    if identity.session and identity.role != "banned":
        accounts.set_language(get_hub(), identity, accounts.person(get_hub(), identity.id), wanted)
    return localized.remember(see_other(auth.local_path(form["back"])), wanted)


@bp.get("/languages/<language>.<version>.js")
def words(language: str, version: str) -> Response:
    """A module: sentences, notices, and which form a number takes. Its address changes with what is in it."""
    if language not in languages.languages() or version != _version(language):
        abort(404)
    response = Response(_module(language), mimetype="text/javascript")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def for_every_page() -> dict[str, Any]:
    """What templates know of the language. `script_words`: where scripts find theirs; empty in English, which
    they have themselves. `languages` to choose from, and the one that is `chosen`, if any; `this_page`, to be
    come back to.
    """
    language = localized.language()
    return {
        "language": language,
        "direction": languages.direction(language),
        "script_words": "" if language == SOURCE else _address(language),
        "languages": languages.languages(),
        "chosen": localized.chosen(),
        "this_page": request.full_path.rstrip("?") if only_looks() else url_for("rooms.index"),
    }


def _address(language: str) -> str:
    return url_for("languages.words", language=language, version=_version(language))


@cache
def _module(language: str) -> bytes:
    gettext = languages.translations(language).gettext
    notices = [(str(said), meant) for said in NOTICES if (meant := gettext(said)) != said]
    return (
        b"export const words = %s;\nexport const notices = %s;\nexport const form = (n) => Number(%s);\n"
        % (
            msgspec.json.encode(languages.of_scripts(language)),
            msgspec.json.encode(notices),
            languages.plural_forms(language).encode(),
        )
    )


@cache
def _version(language: str) -> str:
    return hashlib.sha256(_module(language)).hexdigest()[:VERSION_LENGTH]
