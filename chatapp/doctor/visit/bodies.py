"""Whether a file may be as large as the settings say. Its end is never sent, so that nothing is kept."""

from chatapp.doctor.finding import Findings, error
from chatapp.doctor.visit.address import Address
from chatapp.doctor.visit.lodging import Lodger
from chatapp.hub import Hub

TOO_LARGE = {413, 502}  # the second is Caddy's (2.6): it counts while it passes them on
MIB = 2**20


def examine(hub: Hub, address: Address, lodger: Lodger) -> Findings:
    largest = max(hub.config.file_limit, hub.config.request_limit)
    path = f"/api/rooms/{lodger.room}/files?name=doctor" if hub.config.file_limit else lodger.messages
    fields = {**lodger.fields, "Content-Type": "application/octet-stream"}
    if address.answered_early(path, fields, largest) in TOO_LARGE:
        size = largest // MIB + 2
        yield error(
            "body-too-small",
            f"the proxy refuses bodies of {largest} bytes, which CHATAPP_FILE_LIMIT and "
            "CHATAPP_REQUEST_LIMIT allow",
            "who sends a file is told that it is too large, by a page that is none of ours",
            f"nginx: client_max_body_size {size}m; Caddy: request_body {{ max_size {size}MiB }}, or none. "
            "Or a smaller CHATAPP_FILE_LIMIT",
        )
