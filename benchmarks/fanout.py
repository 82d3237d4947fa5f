"""One message to many readers: our server against the plain loop, in turns, in the same run.

The client offers compression as every browser does. The loop's library accepts and then compresses each
message for each reader; ours declines. A third contestant is the loop with a client that offers none.

Exit status: 0, the aim is met; 1, it is not; 2, deliveries were lost or out of order, or it cannot be run.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rig

AIM = 6.0
CLIENT_AT_ITS_LIMIT = 0.9  # share of a core: above it the client would be what is measured
Result = dict[str, Any]


@dataclass
class Contestant:
    name: str
    serve: Callable[[int], AbstractContextManager[rig.Running]]
    speak: Callable[[rig.Running, str], list[str]]
    offer: bool = True  # whether the client offers permessage-deflate


def our_words(server: rig.Running, text: str) -> list[str]:
    """How the load client talks to our server: chatapp.v1, as a guest, each message to be sent only once."""
    join = {"type": "join", "room": rig.ROOM, "after": -1}
    send = {"type": "send", "room": rig.ROOM, "client_id": "bench-%d", "body": text}
    cookie = rig.guest(server, "bench")
    talk = ["--path", "/ws", "--subprotocol", "chatapp.v1", "--header", f"Cookie: {cookie}"]
    return [*talk, "--hello", json.dumps(join), "--ready", '"joined"', "--send", json.dumps(send)]


def plain_words(server: rig.Running, text: str) -> list[str]:
    return ["--path", "/ws", "--ready", "connected", "--send", text]


OURS = Contestant("chatapp", rig.chatapp, our_words)
PEER = Contestant("plain loop", rig.plain_loop, plain_words)
BARE = Contestant("loop, no offer", rig.plain_loop, plain_words, offer=False)
CONTESTANTS = (OURS, PEER, BARE)


def measure(contestant: Contestant, program: Path, core: int, options: argparse.Namespace) -> Result:
    """One round of one contestant, on a server of its own."""
    load = ["--readers", options.readers, "--in-flight", options.in_flight, "--seconds", options.seconds]
    with contestant.serve(core) as server:
        words = contestant.speak(server, rig.body(options.size))
        offer = ["--deflate"] if contestant.offer else []
        return rig.run_load(program, server, *map(str, load), *offer, *words)


def main() -> int:
    options = read_options()
    core, _ = rig.prepare()
    rig.check_readers(options.readers)
    results: dict[str, list[Result]] = {contestant.name: [] for contestant in CONTESTANTS}
    with rig.built_load_client() as program:
        for number in range(1, options.rounds + 1):
            for contestant in CONTESTANTS:
                result = measure(contestant, program, core, options)
                results[contestant.name].append(result)
                said = f"{result['deliveries_per_s']:,.0f} deliveries/s"
                print(f"round {number}/{options.rounds}  {contestant.name}: {said}", file=sys.stderr)
    return report(results, options)


def microseconds(result: Result) -> float:
    """The server's CPU time for one delivery: hardly moved by whoever else uses the machine."""
    return float(1e6 * max(result["server_cpu"], 0.01) / max(result["deliveries_per_s"], 1.0))


def compare(results: dict[str, list[Result]], peer: Contestant) -> tuple[list[float], list[float]]:
    """How many times the deliveries of `peer` ours are, round by round; and how many times cheaper in CPU."""
    rounds = list(zip(results[OURS.name], results[peer.name], strict=True))
    ratios = [ours["deliveries_per_s"] / max(theirs["deliveries_per_s"], 1) for ours, theirs in rounds]
    return ratios, [microseconds(theirs) / microseconds(ours) for ours, theirs in rounds]


def report(results: dict[str, list[Result]], options: argparse.Namespace) -> int:
    ratios, by_cpu = compare(results, PEER)
    ratio = statistics.median(ratios)
    everything = [result for each in results.values() for result in each]
    wrong = sum(result["lost"] + result["disordered"] for result in everything)
    busiest = max(result["client_cpu"] for result in everything)

    print(
        f"\n{options.readers:,} WebSocket readers in one room, {options.in_flight} messages in flight, "
        f"{options.size} characters each,\none gunicorn worker, {options.rounds} rounds of "
        f"{options.seconds:g} s in turns; medians (lowest – highest)\n"
    )
    heads = ("messages/s", "p50 ms", "p99 ms", "client", "server", "µs each")
    print(f"{'':<15} {'deliveries/s':<28}" + "".join(f"{head:>11}" for head in heads))
    for name, rows in results.items():
        rate = rig.spread([row["deliveries_per_s"] for row in rows])
        columns = ("messages_per_s", "p50_ms", "p99_ms", "client_cpu", "server_cpu")
        middle = [statistics.median(row[column] for row in rows) for column in columns]
        forms = (",.0f", ".1f", ".1f", ".0%", ".0%", ".1f")
        values = zip([*middle, statistics.median(map(microseconds, rows))], forms, strict=True)
        print(f"{name:<15} {rate:<28}" + "".join(f"{value:11{form}}" for value, form in values))
    verdict = "met" if ratio >= AIM else "NOT met"
    print(f"\nchatapp ÷ plain loop: {rig.spread(ratios, '.1f')}   aim: at least {AIM:g} ×: {verdict}")
    print(f"the same by the server's CPU for each delivery: {rig.spread(by_cpu, '.1f')}")
    bare, bare_by_cpu = (rig.spread(each, ".1f") for each in compare(results, BARE))
    print(f"chatapp ÷ plain loop whose client offers no compression: {bare}, by CPU {bare_by_cpu}")
    complete = f"NO, {wrong:,} were lost or out of order" if wrong else "yes"
    print(f"every reader got every message, in order: {complete}")
    if busiest > CLIENT_AT_ITS_LIMIT:
        print(f"NOT SOUND: the load client was at its limit ({busiest:.0%} of a core)")
    print(
        f"""
client, server: share of a core; µs each: the server's CPU time for one delivery. A server well below 100 %
shared its core with something else, or waited for the disk.
Our server numbers each message, commits it to the disk (one bare fsync takes {rig.fsync_ms():.2f} ms here),
acknowledges it and sends it as JSON with author, number and time; the plain loop keeps and acknowledges
nothing and sends the bare text. It compresses where the client offers that, as every browser does.
{rig.versions()}"""
    )
    return 2 if wrong else 0 if ratio >= AIM else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", type=int, default=1000, help="WebSockets in the room (1000)")
    parser.add_argument("--in-flight", type=int, default=4, help="messages on their way at once (4)")
    parser.add_argument("--seconds", type=float, default=5, help="length of a round (5)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds for each server (5)")
    parser.add_argument("--size", type=int, default=50, help="characters of a message, 20 to 1000 (50)")
    options = parser.parse_args()
    if options.rounds < 1 or not 20 <= options.size <= 1000:
        parser.error("--rounds is at least 1, --size 20 to 1000")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except rig.RigError as error:
        print(f"fanout: {error}", file=sys.stderr)
        sys.exit(2)
