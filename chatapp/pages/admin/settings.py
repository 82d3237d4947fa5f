"""`/admin/settings`: every setting with its value, its default and what it means. Secrets are not shown."""

from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

from flask import Response

from chatapp.config import PREFIX, Config
from chatapp.errors import Term
from chatapp.globals import get_hub
from chatapp.localized import gettext
from chatapp.pages.admin.section import bp, page

HIDDEN = Term("set, not shown here")


@bp.get("/settings", endpoint="settings")
def in_force() -> Response:
    """They are changed in the environment or in config.py, and take effect with a restart."""
    config = get_hub().config
    listed = [
        {
            "name": PREFIX + item.name.upper(),
            "value": _said(shown(item.metadata, getattr(config, item.name))),
            "default": _said(item.metadata["found"] or _written(item.default)),
            "changed": getattr(config, item.name) != item.default and not item.metadata["found"],
            "meaning": gettext(item.metadata["meaning"]),
        }
        for item in fields(Config)
    ]
    return page("settings", settings=listed)


def _said(value: str) -> dict[str, Any]:
    """`ours`: words, which are in the reader's language; else it stands as in the environment."""
    ours = isinstance(value, Term)
    return {"text": gettext(value) if ours else value, "ours": ours}


def shown(metadata: Any, value: Any) -> str:
    """A setting's value as it may be shown."""
    if metadata["secret"]:
        return HIDDEN if value else ""
    return _without_secrets(value) if isinstance(value, str) and "://" in value else _written(value)


def _without_secrets(url: str) -> str:
    """Of a database's or a bus's URL what is no password, whether it stands before the host or behind `?`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _written(value: Any) -> str:
    """As it is written in the environment."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
