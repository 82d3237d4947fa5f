"""What a proxy keeps, or makes smaller, of answers that are for one person."""

from chatapp.doctor.finding import Findings, error, warning
from chatapp.doctor.visit.address import Address
from chatapp.doctor.visit.lodging import Lodger

SAID = "for one person"


def examine(address: Address, lodger: Lodger) -> Findings:
    lodger.post(address, SAID)
    path = f"{lodger.messages}?after=0&limit=100"
    address.ask("GET", path, lodger.fields)
    if SAID.encode() in address.ask("GET", path).body:  # by nobody in particular
        yield error(
            "cached",
            "the proxy gives answers of private rooms to whoever asks next",
            "everybody reads them, and readers get what is old",
            "nginx: no proxy_cache for this server (proxy_cache off;). Caddy: no cache in front of "
            "reverse_proxy. A CDN: it is to keep nothing but /static/",
        )
    compressed = address.ask("GET", "/chats/", {**lodger.fields, "Accept-Encoding": "gzip, br, zstd"})
    if "content-encoding" in compressed.head:
        yield warning(
            "compressed",
            f"the proxy compresses pages ({compressed.head['content-encoding']})",
            "they have secrets beside what others may choose, and the length tells of them (BREACH)",
            "nginx: gzip off; in this server (what may be is compressed already). Caddy: no encode",
        )
