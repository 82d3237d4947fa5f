"""Whom to believe about where a request came from, by which scheme and under which name."""

from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix


def believe(application: Any, proxies: int) -> Any:
    """The WSGI `application` behind so many `proxies`, each of which adds to the X-Forwarded-… of the one
    before; behind none those say nothing.
    """
    if not proxies:
        return application
    return ProxyFix(application, x_for=proxies, x_proto=proxies, x_host=proxies)
