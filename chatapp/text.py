"""What people may write: message bodies, names, topics, numbers. Each rule in one place.

The rules are those of docs/protocol.md. All lengths are Unicode code points.
"""

import re
import unicodedata
from ipaddress import ip_network

from email_validator import EmailNotValidError, validate_email

from chatapp import names
from chatapp.errors import BadRequest, Term, TooLong

NAME_LIMIT = 40
ROOM_NAME_LIMIT = 80
TOPIC_LIMIT = 250
CLIENT_ID_LIMIT = 64
REACTION_LIMIT = 16
STATUS_LIMIT = 100
REASON_LIMIT = 250
FILE_NAME_LIMIT = 120
ENDING_LIMIT = 16  # of a file's name, behind its last dot: that is left whole
DESCRIPTION_LIMIT = 300
ADDRESS_LIMIT = 254  # RFC 5321, 4.5.3.1.3, as corrected by erratum 1690 of RFC 3696

# General category Cc but newline and tab; surrogates cannot be encoded as UTF-8.
_FORBIDDEN_IN_BODY = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Also what breaks a line or turns the direction of the text around it (UAX #9, 2.1 to 2.6).
_FORBIDDEN_IN_NAME = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def body(value: object, limit: int) -> str:
    """`value` if it may be a message of at most `limit` code points.

    Raises BadRequest (no string, empty, only whitespace, control characters) or TooLong.
    """
    if not isinstance(value, str):
        raise BadRequest("A message is a string")
    if len(value) > limit:
        raise TooLong(
            "A message has at most %(limit)s characters; this one has %(length)s",
            limit=limit,
            length=len(value),
        )
    if not value.strip():
        raise BadRequest("A message is not empty")
    if _FORBIDDEN_IN_BODY.search(value):
        raise BadRequest("A message has no control characters but newline and tab")
    return value


def reaction(value: object) -> str:
    """`value` if it may be a reaction: a few characters without a space. Raises BadRequest, TooLong."""
    word = body(value, REACTION_LIMIT)
    if re.search(r"\s", word):
        raise BadRequest("A reaction has no spaces")
    return word


def client_id(value: str | None) -> str | None:
    """`value` if a sender may use it to recognise its own message. Raises BadRequest."""
    if value is None:
        return None
    if not 1 <= len(value) <= CLIENT_ID_LIMIT or _FORBIDDEN_IN_NAME.search(value):
        raise BadRequest(
            "A client_id has 1 to %(limit)s characters and no control characters",
            limit=CLIENT_ID_LIMIT,
        )
    return value


def person_name(value: object, *, administrator: bool = False) -> str:
    """`value` trimmed, if somebody may be called so. Raises BadRequest.

    `administrator`: whether it is for one, who may be called that.
    """
    name = _line(value, NAME_LIMIT, Term("A name"))
    if names.is_reserved(name, offices=not administrator):
        raise BadRequest("The name %(name)s is reserved; choose another one", name=name)
    return name


def room_name(value: object) -> str:
    """`value` trimmed, if a room may be called so. Raises BadRequest."""
    return _line(value, ROOM_NAME_LIMIT, Term("A room’s name"))


def topic(value: object) -> str:
    """`value` trimmed, if it may be a room's topic; it may be empty. Raises BadRequest."""
    return "" if value in (None, "") else _line(value, TOPIC_LIMIT, Term("A topic"), least=0)


def status(value: object) -> str:
    """`value` trimmed, if it may be a person's status line; it may be empty. Raises BadRequest."""
    return "" if value in (None, "") else _line(value, STATUS_LIMIT, Term("A status line"), least=0)


def reason(value: object) -> str:
    """`value` trimmed, if it may be why somebody did something; it may be empty. Raises BadRequest."""
    return "" if value in (None, "") else _line(value, REASON_LIMIT, Term("A reason"), least=0)


def told(seconds: int) -> str:
    """A time as notices and the audit log keep it: "10 minutes"."""
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} seconds"


def note(value: object) -> str:
    """`value` trimmed, if it may be what something is for; it may be empty. Raises BadRequest."""
    return "" if value in (None, "") else _line(value, REASON_LIMIT, Term("A note"), least=0)


def file_name(value: str | None) -> str:
    """`value` as a file here may be called: one line without a path. What cannot stand in it is left out."""
    name = unicodedata.normalize("NFC", value or "").replace("\\", "/").rpartition("/")[2]
    name = _FORBIDDEN_IN_NAME.sub("", name).strip()
    if not name.strip(".") or _is_invisible(name):
        return "file"
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending) > ENDING_LIMIT:
        stem, dot, ending = name, "", ""
    return stem[: FILE_NAME_LIMIT - len(dot + ending)] + dot + ending


def description(value: object) -> str:
    """`value` trimmed, if it may say what is on a picture; it may be empty. Raises BadRequest, TooLong."""
    if value in (None, ""):
        return ""
    if not isinstance(value, str) or _FORBIDDEN_IN_BODY.search(value):
        raise BadRequest("A description is a text without control characters")
    if len(value) > DESCRIPTION_LIMIT:
        raise TooLong(
            "A description has at most %(limit)s characters; this one has %(length)s",
            limit=DESCRIPTION_LIMIT,
            length=len(value),
        )
    return " ".join(value.split())


def mail_address(value: object) -> str:
    """`value` trimmed, if it may be somebody's e-mail address; its domain as DNS has it. Raises BadRequest.

    What stands before the @ is ASCII: not every mail server takes more. No network is asked.
    """
    try:
        found = validate_email(
            value.strip() if isinstance(value, str) else "",
            allow_smtputf8=False,
            check_deliverability=False,
            globally_deliverable=False,  # within one's own network there are names without a dot
        )
    except EmailNotValidError:
        raise BadRequest("That is no e-mail address") from None
    if found.ascii_email is None or len(found.ascii_email) > ADDRESS_LIMIT:
        raise BadRequest("That is no e-mail address")
    return found.ascii_email


def escaped(words: str) -> str:
    """`words` for a terminal: what would move its cursor or turn its text is shown instead of done."""
    return _FORBIDDEN_IN_NAME.sub(lambda found: found[0].encode("unicode_escape").decode(), words)


def network(value: str) -> str:
    """A network or an address, as it is kept. Raises BadRequest."""
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise BadRequest("A network is written 192.0.2.0/24 or 2001:db8::/48") from None


def check_between(value: object, least: int, most: int, what: Term) -> None:
    """Raises BadRequest for what is no whole number from `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadRequest(
            "%(what)s: a whole number from %(least)s to %(most)s", what=what, least=least, most=most
        )


def _line(value: object, limit: int, what: Term, least: int = 1) -> str:
    if not isinstance(value, str):
        raise BadRequest("%(what)s is a string", what=what)
    line = value.strip()
    if not least <= len(line) <= limit:
        raise BadRequest(
            "%(what)s has %(least)s to %(limit)s characters", what=what, least=least, limit=limit
        )
    if _FORBIDDEN_IN_NAME.search(line) or _is_invisible(line):
        raise BadRequest(
            "%(what)s is one line of visible characters without marks that turn its direction", what=what
        )
    return line


def _is_invisible(line: str) -> bool:
    # A name made only of marks, or of these, would show as nothing.
    return bool(line) and all(unicodedata.category(char)[0] in "CM" for char in names.visible(line))
