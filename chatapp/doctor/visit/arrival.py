"""Whether one arrives at the server at all: its name, its certificate, redirects."""

import http.client
import ssl
import time
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from chatapp.doctor.finding import Finding, Findings, error, warning
from chatapp.doctor.visit.address import TIMED_OUT, Address

PATH, ALIVE = "/healthz", b"ok\n"
REDIRECTS = range(300, 400)
NEARLY_OVER = 0.1  # of a certificate's life: whoever renews them has done so by then


def examine(address: Address) -> Findings:
    """With an error there is no use in going on."""
    try:
        answer = address.ask("GET", PATH)
    except ssl.SSLCertVerificationError as fault:
        yield error(
            "certificate",
            f"the certificate of {address.netloc} is not valid: {fault.verify_message}",
            "browsers warn of it, and no program comes in",
            f"nginx: ssl_certificate with the whole chain of a certificate for {address.host} (certbot "
            f"--nginx -d {address.host}), then nginx -s reload. Caddy: the site's address is "
            f"{address.host}, without tls internal",
        )
        return
    except (OSError, http.client.HTTPException) as fault:
        yield not_reached(address, getattr(fault, "strerror", None) or str(fault) or type(fault).__name__)
        return
    if answer.status in REDIRECTS:
        yield _redirected(address, answer.head.get("location", ""))
    elif answer.status == TIMED_OUT:
        yield cut_off([PATH])
    elif answer.status in (401, 403):
        yield refused([f"{PATH} ({answer.status})"])
    elif (answer.status, answer.body) != (200, ALIVE):
        yield not_reached(address, f"{PATH} is answered {answer.status}, and not by this server")
    elif not address.tls and not address.here:
        yield warning(
            "no-tls",
            f"{address.origin} is without TLS",
            "passwords, cookies and all that is said can be read on the way, and there are no passkeys",
            "a certificate: certbot --nginx, or Caddy, which fetches one by itself; then --url https://…",
        )
    else:
        yield from _nearly_over(address)


def _redirected(address: Address, location: str) -> Finding:
    parts = urlsplit(location)
    to = f"{parts.scheme}://{parts.netloc}" if parts.netloc else location
    if to == address.origin.replace("https:", "http:") and address.tls:
        do = "nginx: no return 301 http://… in the server with listen 443; Caddy: no redir to http://…"
    else:
        do = f"flask doctor --url {to}, and CHATAPP_PUBLIC_URL={to}"
    return error(
        "redirected",
        f"{address.origin} sends one to {to}",
        "programs and sockets do not follow, and what is posted is lost on the way",
        do,
    )


def not_reached(address: Address, why: str) -> Finding:
    return error(
        "not-reached",
        f"this server is not reached at {address.origin}: {why}",
        "nobody comes in",
        "start the server (bin/serve), and have the proxy lead to it. nginx: proxy_pass "
        "http://127.0.0.1:8000; (its error.log says more). Caddy: reverse_proxy 127.0.0.1:8000",
    )


def cut_off(what: list[str]) -> Finding:
    """`what`: over which transports, or to which request."""
    return error(
        "cut-off",
        f"who waits is cut off before the server's next word: {', '.join(what)}",
        "readers come back again and again, each time with a new connection, and what is said meanwhile is "
        "late",
        "nginx: proxy_read_timeout 90s; (and send_timeout, where it is set). Caddy: no read_timeout below "
        "90s in reverse_proxy's transport http, and no timeouts of its server below that. A load balancer "
        "in front: its idle time-out above 60 s",
    )


def refused(what: list[str]) -> Finding:
    """`what`: over which transports, or to which request, and with which status."""
    return error(
        "refused",
        f"one is not let in: {', '.join(what)}",
        "who comes so does not come in",
        "401, 403: the proxy asks for a password, keeps addresses out, or takes Authorization away. nginx: "
        "no auth_basic, no deny, no proxy_set_header Authorization; Caddy: no basic_auth, no respond 403, "
        "no header_up -Authorization. 429: a rate of the proxy's, or of the server's "
        "(CHATAPP_RATE_CONNECTIONS). 502: the proxy's error.log",
    )


def _nearly_over(address: Address) -> Findings:
    if not address.tls:
        return
    with closing(address.connect(None)) as connection:
        connection.connect()
        shown: Any = connection.sock
        certificate = shown.getpeercert()
    begins, ends = (ssl.cert_time_to_seconds(certificate[name]) for name in ("notBefore", "notAfter"))
    yield from judge_certificate(begins, ends, time.time())


def judge_certificate(begins: float, ends: float, now: float) -> Findings:
    if ends - now < NEARLY_OVER * (ends - begins):
        yield warning(
            "certificate-ends",
            f"the certificate ends in {(ends - now) / 3600:.0f} h",
            "nobody comes in from then on",
            "certbot renew, and see why it was not renewed: systemctl list-timers. Caddy renews by itself: "
            "its log",
        )
