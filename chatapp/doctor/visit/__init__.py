"""`flask doctor --url`: comes in as people do, at the operator's address, and names what breaks on the way.

It runs beside the server and makes a private room and a bot of its own, which are gone again when it leaves.
"""

import http.client

from chatapp.doctor.finding import Findings, warning
from chatapp.doctor.visit import arrival, bodies, privacy, trust, ways
from chatapp.doctor.visit.address import Address, Unreached
from chatapp.doctor.visit.arrival import cut_off, not_reached
from chatapp.doctor.visit.lodging import lodging
from chatapp.hub import Hub

MARGIN = 5  # seconds beyond the server's heartbeat


def visit(hub: Hub, address: Address, patience: float | None, hear: float) -> Findings:
    """`patience`: seconds that nothing is said, to see who loses patience; None: as many as make sure that a
    proxy lets heartbeats arrive. `hear`: until what is said has come to everybody. Raises ChatError.
    """
    public = hub.config.public_url.rstrip("/")
    if public and public != address.origin:
        yield warning(
            "other-public-url",
            f"CHATAPP_PUBLIC_URL is {public}, and this is {address.origin}",
            "links in mails and invitations lead there",
            f"CHATAPP_PUBLIC_URL={address.origin}, if that is where people come in",
        )
    found = list(arrival.examine(address))
    yield from found
    if any(finding.level == "error" for finding in found):
        return
    try:
        with lodging(hub) as lodger:
            yield from trust.examine(hub, address, lodger)
            cached = list(privacy.examine(address, lodger))
            yield from cached
            yield from bodies.examine(hub, address, lodger)
            if not any(finding.level == "error" for finding in cached):  # else nothing that is read is true
                wait = hub.config.heartbeat + MARGIN if patience is None else patience
                yield from ways.examine(address, lodger, wait, hear)
    except Unreached as fault:
        yield cut_off([fault.how]) if fault.timed_out else not_reached(address, str(fault))
    except (OSError, http.client.HTTPException) as fault:
        yield not_reached(address, str(fault) or type(fault).__name__)
