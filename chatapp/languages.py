"""The languages that people read here. Each is one file, `translations/<language>/LC_MESSAGES/messages.po`,
beside English, which stands in the code; what is in that folder is there to be chosen.

A catalogue is read as translators write it: nothing has to be compiled before.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.numbers import format_decimal
from babel.support import NullTranslations
from babel.units import format_unit

from chatapp import prepared
from chatapp.errors import ChatError, Term

SOURCE = "en"
FOLDER = prepared.CATALOGUES
FILE = "LC_MESSAGES/messages.po"
SCRIPTS = "static/js/"  # where a sentence stands that scripts say
# FIRST STRONG ISOLATE, POP DIRECTIONAL ISOLATE (UAX 9): a value does not turn the sentence around it.
ISOLATE = "\u2068{}\u2069"

PLACE = re.compile(r"%\((\w+)\)s")


class Verbatim(str):
    """A value that stands by itself, as a link: marks of direction around it would become a part of it."""


@cache
def languages() -> dict[str, str]:
    """What each language calls itself (CLDR), by its tag (BCP 47), in the order of the tags."""
    found = {SOURCE} | {path.parent.parent.name.replace("_", "-") for path in FOLDER.glob(f"*/{FILE}")}
    return {tag: _own_name(tag) for tag in sorted(found)}


def locale_of(language: str) -> Locale:
    """The locale of a language, by which times and numbers are written."""
    # Of English the one without a country: it has the day before the month, as most of the world.
    return Locale.parse("en-001" if language == SOURCE else language, sep="-")


@cache
def direction(language: str) -> str:
    """As `dir` of HTML has it."""
    return "rtl" if locale_of(language).character_order == "right-to-left" else "ltr"


def catalogue(language: str) -> Catalog:
    """The file of a language, which `languages` has, as it is."""
    return _words(language).catalogue


@cache
def translations(language: str) -> NullTranslations:
    """Where `gettext` and its siblings look words up in `language`; of English, and of a language that is not
    there, they are as they are.
    """
    if language == SOURCE or language not in languages():
        return NullTranslations()
    return _words(language).translations


def say(language: str, sentence: str, values: Mapping[str, Any] | None = None) -> str:
    """`sentence` in `language`, with `values` in its places."""
    return filled(language, translations(language).gettext(sentence), values or {})


def filled(language: str, sentence: str, values: Mapping[str, Any]) -> str:
    """`sentence`, which is in `language`, with `values` in its places, each of which keeps its direction."""
    if not values:
        return str(sentence)  # no Term: what encodes JSON takes no kind of str but that
    return PLACE.sub(lambda place: _placed(language, values[place[1]]), sentence)


def plural(language: str, one: str, many: str, count: int) -> str:
    """The form of a sentence that goes with `count`, which it calls `num`."""
    return filled(language, translations(language).ngettext(one, many, count), {"num": count})


def refusal(language: str, error: ChatError) -> str:
    """What `error` says, in `language`."""
    return str(error) if language == SOURCE else say(language, error.sentence, error.values)


@lru_cache(1024)
def figure(language: str, number: int) -> str:
    """A number as people write it."""
    return format_decimal(number, locale=locale_of(language))


def listed(language: str, words: Sequence[str]) -> str:
    """ada, grace"""
    # Not by CLDR's patterns: of many languages Babel has those for lists of two alone.
    return say(language, Term(", ")).join(words)


def duration(language: str, seconds: int) -> str:
    """A time as it is said: "10 minutes"."""
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return time(language, seconds // size, unit)
    return time(language, seconds, "second")


def time(language: str, count: int, unit: str) -> str:
    """The same of a `unit`: day, hour, minute or second."""
    return format_unit(count, f"duration-{unit}", locale=locale_of(language))


def of_scripts(language: str) -> dict[str, Any]:
    """What scripts say in `language`, by what they say in English: a sentence, or its plural forms."""
    if language == SOURCE:
        return {}
    return {
        (each.id if isinstance(each.id, str) else each.id[0]): list(each.string)
        if each.pluralizable
        else each.string
        for each in catalogue(language)
        if each.id and each.string and any(path.startswith(SCRIPTS) for path, _ in each.locations)
    }


def plural_forms(language: str) -> str:
    """Which plural form a number has, as gettext writes it: a term of C over `n`."""
    return catalogue(language).plural_expr


@cache
def _words(language: str) -> prepared.Words:
    folder = language.replace("-", "_")
    return prepared.words(folder, (FOLDER / folder / FILE).read_bytes())


def _placed(language: str, value: object) -> str:
    said = _said(language, value)
    plain = isinstance(value, Term | Verbatim | int) or direction(language) == "ltr"
    return said if plain else ISOLATE.format(said)


def _said(language: str, value: object) -> str:
    if isinstance(value, Term):
        return translations(language).gettext(value)
    return figure(language, value) if isinstance(value, int) else str(value)


def _own_name(tag: str) -> str:
    try:
        locale = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return tag
    name = locale.get_display_name(locale) or tag
    return name[0].upper() + name[1:]
