"""Links that somebody makes on a page or by the API, and hands on."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import url_for

from chatapp.globals import get_hub


def link_to(endpoint: str, **values: Any) -> str:
    """The whole address of an endpoint: at CHATAPP_PUBLIC_URL, or, where that is not set, as this request
    calls the server, which behind a proxy may be a name that nobody else knows.
    """
    config = get_hub().config
    if config.public_url:
        return config.link(url_for(endpoint, **values))
    return url_for(endpoint, **values, _external=True)


def leads_only_here(link: str) -> bool:
    """Whether the address is one of this machine itself, which leads everybody else to their own."""
    host = urlsplit(link).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
