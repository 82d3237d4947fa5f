"""Every setting: its name, default, unit and meaning. Nothing else reads the environment.

A setting `guest_code` is the environment variable `CHATAPP_GUEST_CODE` or, weaker, the name
`CHATAPP_GUEST_CODE` in `instance/config.py`. `docs/settings.md` is the table for people.
"""

import difflib
import os
import re
import runpy
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from limits import RateLimitItem, parse

from chatapp.errors import SetupError, Term
from chatapp.languages import languages
from chatapp.log_lines import FORMATS
from chatapp.permissions import MAKING

_BESIDE = Path(__file__).parent.parent
_INSTALLED = _BESIDE / "chatapp_home"  # command.py says what it is; in a checkout there is none
# Where templates/, static/, wsgi.py and gunicorn.conf.py are, and where instance/ is unless somebody says so.
HOME = _INSTALLED if _INSTALLED.is_dir() else _BESIDE
INSTANCE = (Path.cwd() if HOME is _INSTALLED else HOME) / "instance"
PREFIX = "CHATAPP_"
SIGN_UP = ("open", "invitation", "closed")
# Bytes that a code point takes at most: a pair of JSON's escapes (RFC 8259 section 7), or four of a form's.
CODE_POINT = 12
ENVELOPE = 1024  # bytes beside the body in a frame or a request that sends a message
# Scheme, host and port, and nothing with which it would be more than one word in a header.
ORIGIN = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


# Nothing with which it would be more than one word in a header.
MAIL_ADDRESS = re.compile(r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
METRICS_WORD = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")  # that nobody guesses; RFC 6750 section 2.1
MAIL_PORTS = {"smtp": 587, "smtps": 465}


class MailServer(NamedTuple):
    """Where mails are handed over. `scheme`: smtps is TLS from the first byte on. `user`: "" for nobody."""

    scheme: Literal["smtp", "smtps"]
    host: str
    port: int
    user: str
    password: str


def setting(default: Any, meaning: str, *, secret: bool = False, found: str = "") -> Any:
    """`secret`: its value is never shown. `found`: what it is where it is not given."""
    return field(default=default, metadata={"meaning": meaning, "secret": secret, "found": found})


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings in force, as typed values. Empty URLs mean a file in `instance_path`."""

    instance_path: str = setting(
        "",
        "folder of the database, the secret key and config.py",
        found=Term("instance in the checkout, or in the current folder"),
    )
    database_url: str = setting(
        "",
        "SQLAlchemy URL of the journal (default: chat.db in the instance folder)",
        found="sqlite:///…/chat.db",
    )
    bus_url: str = setting(
        "",
        "URL of the bus between processes (default: bus.db in the instance folder)",
        found="sqlite:///…/bus.db",
    )
    site_name: str = setting("Chat", "the installation’s name, shown on every page")
    language: str = setting("en", "the language of pages for whom none of those here was chosen or asked for")
    guests: bool = setting(True, "whether people without an account may come in as guests")
    guest_code: str = setting("", "one shared word asked of guests; empty: none", secret=True)
    room_makers: str = setting(
        "everybody", "who may make rooms: everybody, members (who has an account) or administrators"
    )
    origins: tuple[str, ...] = setting((), "other origins whose pages may read public rooms, comma-separated")
    frame_ancestors: tuple[str, ...] = setting((), "other origins whose pages may show ours in a frame")
    trusted_proxies: int = setting(0, "how many proxies in front may say who the client is (X-Forwarded-*)")
    rate_messages: str = setting("30 per 10 seconds", "messages of one identity, in all rooms together")
    rate_connections: str = setting(
        "20 per 10 seconds", "WebSocket handshakes and event streams of one identity"
    )
    rate_guests: str = setting("10 per minute", "new guests and new rooms from one address")
    rate_sign_ins: str = setting(
        "10 per 5 minutes", "attempts to sign in to one account, or ten times as many from one address"
    )
    rate_searches: str = setting("20 per 10 seconds", "searches of one identity")
    public_url: str = setting(
        "", "the server’s address for links that go to others, as https://chat.example.org"
    )
    mail_url: str = setting(
        "", "the mail server, as smtp://user:password@host:587; empty: no mail is sent", secret=True
    )
    mail_from: str = setting("", "the address from which mails come")
    sign_up: str = setting("invitation", "who may make an account: open, invitation or closed")
    file_limit: int = setting(25_000_000, "largest file, in bytes; 0: no files")
    files_total: int = setting(10_000_000_000, "all files together, in bytes")
    guest_files: bool = setting(False, "whether guests may send files, too")
    rate_files: str = setting("60 per 10 minutes", "files of one identity, in all rooms together")
    body_limit: int = setting(4000, "longest message, in Unicode code points")
    undo_seconds: int = setting(
        3600, "how long a deleted message can be brought back, in seconds; 0: its text is gone at once"
    )
    frame_limit: int = setting(65_536, "largest WebSocket message from a client, in bytes")
    request_limit: int = setting(1_048_576, "largest HTTP body, in bytes")
    request_seconds: int = setting(20, "how long the body of a request may take to arrive, in seconds")
    rooms_per_socket: int = setting(50, "rooms that one WebSocket may follow")
    backlog: int = setting(500, "newest messages of a room kept in memory")
    unsent_limit: int = setting(
        65_536, "unsent bytes held for one reader before it is served at its own pace"
    )
    queue_limit: int = setting(10_000, "messages waiting for the journal before senders are told too_fast")
    busy_seconds: int = setting(5, "how long a commit waits for another process’s lock, in seconds")
    quick_polls: bool = setting(
        True, "whether the next poll of a connection, if it is the last one again, takes a shorter way"
    )
    quick_handshakes: bool = setting(
        True, "whether a WebSocket’s handshake, if it is a plain one, takes a shorter way"
    )
    quick_frames: bool = setting(
        True, "whether texts from a WebSocket, if they are not long, are read without the library for them"
    )
    quick_sends: bool = setting(
        True,
        "whether readers are sent what is new at once, and only those who lag get it by their own greenlet",
    )
    quick_looks: bool = setting(
        True, "whether the database is read anew only once something was written to it"
    )
    quick_commits: bool = setting(
        True, "whether all else waits for what is kept in SQLite, where that takes but a moment"
    )
    quick_log: bool = setting(
        True,
        "whether SQLite’s write-ahead log gets its length soon after the start, not as it is written",
    )
    heartbeat: int = setting(
        25, "seconds between two heartbeats to a reader; twice that without a sign: gone"
    )
    log_format: str = setting("text", "how the log is written: text, or json, an object a line")
    metrics: str = setting(
        "", "the word with which /metrics is read, as a bearer token; empty: it is not there", secret=True
    )
    room_idle_seconds: int = setting(60, "seconds that a room without readers stays in memory")

    def __post_init__(self) -> None:
        for item in fields(self):
            value, least = getattr(self, item.name), LEAST.get(item.name, 0)
            if isinstance(value, int) and value < least:
                raise SetupError(f"{PREFIX}{item.name.upper()}={value} is too small: give at least {least}")
            most = MOST.get(item.name)
            if most is not None and value > most:
                raise SetupError(f"{PREFIX}{item.name.upper()}={value} is too large: give at most {most}")
        self._check_sizes()
        for name in (
            "rate_messages",
            "rate_connections",
            "rate_guests",
            "rate_sign_ins",
            "rate_files",
            "rate_searches",
        ):
            self.rate(name)
        for name in ("origins", "frame_ancestors"):
            for origin in getattr(self, name):
                if not ORIGIN.fullmatch(origin):
                    raise SetupError(
                        f"{PREFIX}{name.upper()}: {origin!r} is no origin; write https://example.org"
                    )
        if self.sign_up not in SIGN_UP:
            raise SetupError(f"{PREFIX}SIGN_UP={self.sign_up!r}: write one of {', '.join(SIGN_UP)}")
        if self.room_makers not in MAKING:
            raise SetupError(f"{PREFIX}ROOM_MAKERS={self.room_makers!r}: write one of {', '.join(MAKING)}")
        if self.language not in languages():
            raise SetupError(f"{PREFIX}LANGUAGE={self.language!r}: write one of {', '.join(languages())}")
        if self.log_format not in FORMATS:
            raise SetupError(f"{PREFIX}LOG_FORMAT={self.log_format!r}: write one of {', '.join(FORMATS)}")
        if self.metrics and not METRICS_WORD.fullmatch(self.metrics):
            raise SetupError(
                f"{PREFIX}METRICS is too easily guessed, or no word: give at least 16 letters and digits, "
                "as of openssl rand -hex 16"
            )
        self._check_mail()

    def _check_mail(self) -> None:
        if self.public_url and not ORIGIN.fullmatch(self.public_url.rstrip("/")):
            raise SetupError(
                f"{PREFIX}PUBLIC_URL={self.public_url!r} is no address of a server: "
                "write https://chat.example.org"
            )
        if self.mail_from and not MAIL_ADDRESS.fullmatch(self.mail_from):
            raise SetupError(
                f"{PREFIX}MAIL_FROM={self.mail_from!r} is no address: write chat@example.org, without a name"
            )
        if self.mail_server is None:
            return
        for name, sample in (("mail_from", "chat@example.org"), ("public_url", "https://chat.example.org")):
            if not getattr(self, name):
                raise SetupError(
                    f"{PREFIX}MAIL_URL needs {PREFIX}{name.upper()} as well: give one like {sample}"
                )

    def link(self, path: str) -> str:
        """The address of `path` on this server, as it is set: never as somebody's request says that it is.
        Where it is not set, the path alone.
        """
        return self.public_url.rstrip("/") + path

    @property
    def mail_server(self) -> MailServer | None:
        """Where mails are handed over, None where none are sent. SetupError, without what is given (there is
        a password in it), where that reads wrong.
        """
        if not self.mail_url:
            return None
        try:
            parts = urlsplit(self.mail_url)
            scheme, host, port = parts.scheme, parts.hostname or "", parts.port
        except ValueError:
            scheme = host = ""
        plain = host.isascii() and host.isprintable() and " " not in host
        if (
            scheme not in MAIL_PORTS
            or not (host and plain)
            or port == 0
            or parts.path not in ("", "/")
            or parts.query
            or parts.fragment
            or bool(parts.username) != bool(parts.password)
        ):
            raise SetupError(
                f"{PREFIX}MAIL_URL is no address of a mail server: write smtp://user:password@host:587, or "
                "smtps://…; what is special in a password is written as %XX"
            )
        return MailServer(
            "smtps" if scheme == "smtps" else "smtp",
            host,
            port or MAIL_PORTS[scheme],
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )

    def _check_sizes(self) -> None:
        """The longest message has to fit through every door: who sent it again would never learn why."""
        least = CODE_POINT * self.body_limit + ENVELOPE
        for name in ("frame_limit", "request_limit"):
            if getattr(self, name) < least:
                raise SetupError(
                    f"{PREFIX}{name.upper()}={getattr(self, name)} is too small for messages of "
                    f"{PREFIX}BODY_LIMIT={self.body_limit}: give at least {least}"
                )

    def rate(self, name: str) -> RateLimitItem:
        """The rate limit `name` as the `limits` library knows it; SetupError where it reads wrong."""
        try:
            return parse(getattr(self, name))
        except ValueError:
            given = f"{PREFIX}{name.upper()}={getattr(self, name)!r}"
            raise SetupError(f"{given} is no rate: write it like '30 per 10 seconds'") from None

    def path(self, name: str) -> str:
        """The path of the file `name` in the instance folder."""
        return os.path.join(self.instance_path, name)

    @property
    def doors_open(self) -> bool:
        """Whether a caller without identity may read and use the tutorial's doors."""
        return self.guests and not self.guest_code


LEAST = {
    "body_limit": 1,
    "frame_limit": 1024,
    "request_limit": 1024,
    "request_seconds": 1,
    "rooms_per_socket": 1,
    "backlog": 1,
    "unsent_limit": 1024,
    "queue_limit": 1,
    "busy_seconds": 1,
    "heartbeat": 1,
    "room_idle_seconds": 1,
}
MOST = {"undo_seconds": 366 * 86_400}  # what is to be kept for good is not deleted


def load(default_instance_path: str, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the settings from `environ` and, below it, from `config.py` in the instance folder.

    Raises SetupError for a value that cannot be understood and for a misspelt name in config.py.
    """
    instance_path = os.path.abspath(environ.get(PREFIX + "INSTANCE_PATH") or default_instance_path)
    names = {PREFIX + item.name.upper(): item for item in fields(Config)}
    given: dict[str, Any] = _read_file(Path(instance_path, "config.py"), names.keys())
    given.update({name: environ[name] for name, item in names.items() if _given(environ.get(name), item)})
    given.pop(PREFIX + "INSTANCE_PATH", None)
    values = {names[name].name: _typed(name, value, names[name]) for name, value in given.items()}
    config = Config(**values, instance_path=instance_path)
    defaults = {
        "database_url": _in(config.database_url, config) or f"sqlite:///{config.path('chat.db')}",
        "bus_url": _in(config.bus_url, config) or f"sqlite:///{config.path('bus.db')}",
    }
    return Config(**{**values, **defaults, "instance_path": instance_path})


def file_in(url: str) -> str:
    """The path of the file that a URL of SQLite's names; "" where it names none."""
    scheme, _, path = url.partition(":///")
    path = path.partition("?")[0]
    is_file = scheme in ("sqlite", "sqlite+pysqlite") and not path.startswith((":memory:", "file:"))
    return path if is_file else ""


def _in(url: str, config: Config) -> str:
    """`url` with a whole path: one without a folder is of a file in the instance folder, whoever asks."""
    scheme, slashes, path = url.partition(":///")
    return scheme + slashes + config.path(path) if file_in(url) else url


def unknown(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The names in `environ` that look like settings and are none: misspelt, or of another version."""
    known = {PREFIX + item.name.upper() for item in fields(Config)}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def near(name: str) -> str:
    """The setting that was probably meant by `name`, or ""."""
    known = [PREFIX + item.name.upper() for item in fields(Config)]
    return next(iter(difflib.get_close_matches(name, known, 1, 0.75)), "")


def _given(value: str | None, item: Any) -> bool:
    """Whether the environment sets it. What is found where it is not given cannot be empty: `NAME=` is what
    a compose file or an EnvironmentFile makes of a variable that nobody has set, and config.py counts.
    """
    return value is not None and bool(value.strip() or not item.metadata["found"])


def _read_file(path: Path, known: Any) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        found = {name: value for name, value in runpy.run_path(str(path)).items() if name.startswith(PREFIX)}
    except Exception as error:
        raise SetupError(f"{path} cannot be read: {type(error).__name__}: {error}") from None
    for name in found:
        if name not in known:
            meant = near(name)
            rather = f"write {meant}" if meant else "see docs/settings.md"
            raise SetupError(f"{path}: there is no setting {name}; {rather}")
    return found


def _typed(name: str, value: Any, item: Any) -> Any:
    """`value` as the type of the setting's default."""
    default = item.default
    try:
        if type(value) is type(default):
            return _trimmed(value)
        if isinstance(default, bool):
            return _boolean(value)
        if isinstance(default, int) and isinstance(value, str):
            return int(value)
        if isinstance(default, tuple) and isinstance(value, str | list):
            parts = value.split(",") if isinstance(value, str) else value
            return _trimmed(tuple(parts))
    except ValueError:
        pass
    kind = {bool: "yes or no", int: "a whole number", tuple: "a comma-separated list", str: "a text"}
    raise SetupError(f"{name}={value!r} cannot be understood: give {kind[type(default)]}")


def _trimmed(value: Any) -> Any:
    if isinstance(value, tuple):
        if not all(isinstance(part, str) for part in value):
            raise ValueError(value)
        return tuple(part.strip().rstrip("/") for part in value if part.strip())
    return value.strip() if isinstance(value, str) else value


def _boolean(value: Any) -> bool:
    word = str(value).strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off", ""):
        return False
    raise ValueError(word)
