"""One message to many readers: in a private room, against a public one of the same server, in turns.

Rights are looked at when somebody comes and when they change, never for a delivery: it costs nothing.

Exit status: 0, the aim is met; 1, it is not; 2, deliveries were lost or out of order, or it cannot be run.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import rig

AIM = 0.95
Result = dict[str, Any]


def measure(
    program: Path, server: rig.Running, room: int, number: int, cookie: str, options: argparse.Namespace
) -> Result:
    """Round `number` in one room."""
    load = ["--readers", options.readers, "--in-flight", options.in_flight, "--seconds", options.seconds]
    join = {"type": "join", "room": room, "after": -1}
    mark = f"bench-{number}-%d"  # each message is sent only once
    send = {"type": "send", "room": room, "client_id": mark, "body": rig.body(50)}
    talk = ["--path", "/ws", "--subprotocol", "chatapp.v1", "--header", f"Cookie: {cookie}"]
    words = [*talk, "--hello", json.dumps(join), "--ready", '"joined"', "--send", json.dumps(send)]
    return rig.run_load(program, server, *map(str, load), *words)


def main() -> int:
    options = read_options()
    core, _ = rig.prepare()
    rig.check_readers(options.readers)
    results: dict[str, list[Result]] = {"public": [], "private": []}
    with rig.built_load_client() as program, rig.chatapp(core) as server:
        person, cookie = rig.become(server, "bench")
        den = json.loads(rig.flask(server, "room", "create", "den", "--json"))["id"]
        rig.flask(server, "room", "set", str(den), "--kind", "private")
        rig.flask(server, "room", "take-in", str(den), person)
        for number in range(1, options.rounds + 1):
            pair = [("public", rig.ROOM), ("private", den)]
            # Which comes first changes from round to round: what drifts meanwhile is for nobody.
            for name, room in pair if number % 2 else reversed(pair):
                result = measure(program, server, room, number, cookie, options)
                results[name].append(result)
                said = f"{result['deliveries_per_s']:,.0f} deliveries/s"
                print(f"round {number}/{options.rounds}  {name}: {said}", file=sys.stderr)
    return report(results, options)


def report(results: dict[str, list[Result]], options: argparse.Namespace) -> int:
    rounds = zip(results["private"], results["public"], strict=True)
    ratios = [private["deliveries_per_s"] / max(public["deliveries_per_s"], 1) for private, public in rounds]
    everything = [result for each in results.values() for result in each]
    wrong = sum(result["lost"] + result["disordered"] for result in everything)
    print(
        f"\n{options.readers:,} WebSocket readers in one room, {options.in_flight} messages in flight,\n"
        f"one gunicorn worker, {options.rounds} rounds of {options.seconds:g} s in turns; medians "
        "(lowest – highest)\n"
    )
    for name, rows in results.items():
        print(f"{name:<8} {rig.spread([row['deliveries_per_s'] for row in rows])} deliveries/s")
    ratio = statistics.median(ratios)
    verdict = "met" if ratio >= AIM else "NOT met"
    print(f"\nprivate ÷ public: {rig.spread(ratios, '.2f')}   aim: at least {AIM}: {verdict}")
    print(f"every reader got every message, in order: {f'NO, {wrong:,} not' if wrong else 'yes'}")
    print(rig.versions())
    return 2 if wrong else 0 if ratio >= AIM else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", type=int, default=1000, help="WebSockets in the room (1000)")
    parser.add_argument("--in-flight", type=int, default=4, help="messages on their way at once (4)")
    parser.add_argument("--seconds", type=float, default=5, help="length of a round (5)")
    parser.add_argument("--rounds", type=int, default=20, help="rounds for each room (20)")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except rig.RigError as error:
        print(f"private_room: {error}", file=sys.stderr)
        sys.exit(2)
