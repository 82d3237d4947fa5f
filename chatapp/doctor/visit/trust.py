"""Whom the server believes about the client: its origin, its address, and whether it came over TLS."""

import json

from chatapp import accounts
from chatapp.doctor.finding import Findings, error
from chatapp.doctor.visit.address import JSON, TIMED_OUT, Address, Answer, Unreached
from chatapp.doctor.visit.lodging import Lodger, erase, new_name
from chatapp.hub import Hub

# What nobody is to believe of a client: an address and a name that nobody has (RFC 5737, RFC 6761).
LIE = "203.0.113.7"
LIES = {"X-Forwarded-Host": "doctor.invalid"}


def examine(hub: Hub, address: Address, lodger: Lodger) -> Findings:
    """The first thing that is wrong hides the rest."""
    trusted = hub.config.trusted_proxies
    if not trusted and _proxied(address):
        yield error(
            "no-trusted-proxy",
            f"there is a proxy in front, and CHATAPP_TRUSTED_PROXIES is {trusted}",
            "everybody seems to come from the proxy, over plain HTTP: they share one rate, bans of "
            "addresses meet all, and pages served over TLS may not write",
            "CHATAPP_TRUSTED_PROXIES=1 (the number of proxies in front), then restart the server",
        )
    elif not _accepted(address, lodger, address.origin):
        plain = address.origin.replace("https:", "http:")
        yield from (
            _no_scheme(trusted) if address.tls and _accepted(address, lodger, plain) else _no_host(address)
        )
    elif not _accepted(address, lodger, address.origin, LIES):
        yield from _gullible("X-Forwarded-Host", "$http_host")
    elif hub.config.guests:
        yield from _as_guest(hub, address)


def _proxied(address: Address) -> bool:
    answer = address.ask("GET", "/healthz")
    return address.tls or "via" in answer.head or "gunicorn" not in answer.head.get("server", "")


def _accepted(address: Address, lodger: Lodger, origin: str, lies: dict[str, str] | None = None) -> bool:
    """Whether a page of `origin` may write."""
    return not _refused(lodger.post(address, "from a page", {**(lies or {}), "Origin": origin}))


def _refused(answer: Answer) -> bool:
    if answer.ours and answer.status == 403:
        return True
    if answer.status != 201:
        who = "the server" if answer.ours else "the proxy"
        said = f"{who} answers {answer.status} to a message"
        raise Unreached(said, "a message", timed_out=answer.status == TIMED_OUT)
    return False


def _no_scheme(trusted: int) -> Findings:
    yield error(
        "scheme-not-forwarded",
        "the server is not told that people come over TLS",
        "pages may not write (403: that came from a page of another site), and cookies go over plain HTTP, "
        "too",
        "nginx: proxy_set_header X-Forwarded-Proto $scheme; Caddy: no header_up X-Forwarded-Proto of its "
        "own, and behind another proxy trusted_proxies static private_ranges in the global option servers. "
        f"And CHATAPP_TRUSTED_PROXIES, which is {trusted}, is to be the number of proxies in front",
    )


def _no_host(address: Address) -> Findings:
    yield error(
        "host-not-forwarded",
        f"the server is not told that it is called {address.netloc}",
        "pages may not write (403: that came from a page of another site), and sockets are refused",
        "nginx: proxy_set_header Host $http_host; and proxy_set_header X-Forwarded-Host $http_host; Caddy: "
        "no header_up Host or X-Forwarded-Host of its own in reverse_proxy",
    )


def _gullible(field: str, variable: str) -> Findings:
    yield error(
        "client-believed",
        f"the server believes what a client says in {field}",
        "anybody may say to be somebody else: rates and bans of addresses do not hold, and links lead "
        "elsewhere",
        f"nginx: proxy_set_header {field} {variable}; Caddy: nothing (trusted_proxies only where another "
        "proxy is in front). And CHATAPP_TRUSTED_PROXIES no larger than the number of proxies; without "
        "any: 0",
    )


def _as_guest(hub: Hub, address: Address) -> Findings:
    guest = {"name": new_name(), "code": hub.config.guest_code}
    fields = {**JSON, "Origin": address.origin, "X-Forwarded-For": LIE}
    answer = address.ask("POST", "/guests", fields, json.dumps(guest).encode())
    if answer.status != 201:
        return  # too many just now, or who is at this address is banned: it tells nothing of the proxy
    person = answer.json["id"]
    try:
        seen = {row["address"] for row in accounts.export(hub, person)["guest"]}
    finally:
        erase(hub, person)
    if LIE in seen:
        yield from _gullible("X-Forwarded-For", "$proxy_add_x_forwarded_for")
    cookie = answer.head.get("set-cookie", "").lower()
    if address.tls and "secure" not in cookie:
        yield error(
            "cookie-without-tls",
            "the cookie goes over plain HTTP as well",
            "who listens there is signed in as somebody else",
            "nginx: no proxy_cookie_flags with nosecure; Caddy: no header_down on Set-Cookie",
        )
