"""The lines of the log, as text or as JSON, each with the request that it belongs to.

A request is known by an id: a proxy that is trusted gave it one (`X-Request-ID`), or it gets one here. The
answer says it, and what is logged on its behalf does, also hours later on the socket that it opened.

gunicorn's master runs this file without the rest of the application, which must not be imported there
(gunicorn.conf.py): it may import nothing of it.
"""

import json
import logging
import re
import secrets
import time
from contextvars import ContextVar

HEADER = "X-Request-ID"
FORMATS = ("text", "json")
# What a line and a header may hold without any doubt where it ends.
GIVEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,64}")

# Of this greenlet: gevent's begin without what the one knew that spawned them.
REQUEST: ContextVar[str] = ContextVar("request", default="")


def begin(given: str) -> None:
    """From here on this greenlet serves another request; `given`: the id that it has already, or ""."""
    REQUEST.set(given if GIVEN.fullmatch(given) else secrets.token_hex(8))


def dress(kind: str) -> logging.Formatter:
    """Have gunicorn write its lines as `kind`, one of FORMATS; returns what writes them. Not what goes to the
    system's log, nor what somebody set up by themselves; as text the lines of requests have a format of their
    own.
    """
    lines = _Json() if kind == "json" else _Text()
    for name in ("gunicorn.error", "gunicorn.access") if kind == "json" else ("gunicorn.error",):
        for handler in logging.getLogger(name).handlers:
            if getattr(handler, "_gunicorn", False) and isinstance(handler, logging.StreamHandler):
                handler.setFormatter(lines)
    return lines


class _Text(logging.Formatter):
    """As gunicorn has it, and the request's id."""

    def __init__(self) -> None:
        super().__init__(
            "[%(asctime)s] [%(process)d] [%(levelname)s] %(of)s%(message)s", "%Y-%m-%d %H:%M:%S %z"
        )

    def format(self, record: logging.LogRecord) -> str:
        request = _request(record)
        record.of = f"[{request}] " if request else ""
        return super().format(record)


class _Json(logging.Formatter):
    """An object a line, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if request := _request(record):
            line["request"] = request
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _request(record: logging.LogRecord) -> str:
    """`extra={"request": …}` says of which one a line is that another greenlet writes."""
    return getattr(record, "request", "") or REQUEST.get()
