"""The simulation (bin/simulate): what it must not get wrong, whatever the figures that it reckons with."""

import re
from pathlib import Path

import pytest

from benchmarks import simulate
from benchmarks.simulation import storm
from benchmarks.simulation.chat import at_a_pace, in_flight
from benchmarks.simulation.costs import BATCHES, Curve, costs_of, read
from benchmarks.simulation.town import Spread, Town, one_of
from tests.servers import ROOT

CALIBRATION = read()
COSTS = CALIBRATION.costs
SCRIPT = Path(ROOT, "static/js/connection.js").read_text()
DOCS = Path(ROOT, "docs/scaling.md").read_text()


@pytest.mark.parametrize("readers", [[100], [70, 30], [50, 0, 900]])
def test_each_message_is_delivered_to_each_reader_once(readers):
    chat, said = at_a_pace(COSTS, readers, rate=50, seconds=10)
    through = [each for each in said if each.shown]
    assert len(through) > 400
    assert all(each.waits_for == 0 and each.shown > each.said for each in through)
    for server in chat.servers:
        under_way = len(said) - server.delivered / server.readers if server.readers else 0
        assert 0 <= under_way <= len(said) - len(through)
    closed = in_flight(COSTS, readers, [0] * len(readers), window=4, messages=200)
    assert [server.delivered for server in closed.servers] == [
        pytest.approx(200 * server.readers, abs=3 * server.readers) for server in closed.servers
    ]


def test_what_a_server_cannot_carry_waits_ever_longer_and_what_it_can_does_not():
    most = 1 / (COSTS.message(1) + 1000 * COSTS.delivery(1))  # messages a second, each by itself

    def waits(rate, seconds):
        _, said = at_a_pace(COSTS, [1000], rate, seconds)
        return sum(not each.shown for each in said)

    assert waits(most / 2, 40) <= 5
    together = 1 / (
        COSTS.message(1e6) / 1e6 + 1000 * COSTS.delivery(1e6) / 1e6
    )  # as many in a group as there are
    assert waits(2 * together, 2) > 1.8 * waits(2 * together, 1) > 100


@pytest.mark.parametrize("how", [storm.CUT, storm.GOING, storm.VANISHED], ids=lambda how: how.name)
def test_a_storm_ends_with_everybody_back_once(how):
    for servers in (1, 8):
        seen = storm.Storm(COSTS, 8000, servers, 0.5, how)
        assert len(seen.back) == 8000
        assert seen.back == sorted(seen.back)
        assert seen.attempts >= 8000
        assert seen.when(1) >= 8000 * COSTS.connect / servers / 0.5  # no sooner than the servers can
    assert seen.attempts < 1.01 * 8000  # among eight there is no storm


def test_one_seed_gives_one_table():
    def tables(seed):
        seen = storm.Storm(COSTS, 2000, 2, 0.5, storm.CUT, seed)
        chat, said = at_a_pace(COSTS, [100, 100], 100, 5, seed=seed)
        busy = one_of(Town(20_000, 20_000_000), COSTS, 4, 2, seed=seed)
        return seen.back, [each.shown for each in said], chat.cpu(), busy

    assert tables(1) == tables(1)
    assert tables(1) != tables(2)
    assert str(simulate.check(CALIBRATION)[0]) == str(simulate.check(CALIBRATION)[0])


def test_what_was_measured_is_predicted_as_well_as_the_docs_say():
    errors = {figure: most for figure, _, most in simulate.worst(simulate.check(CALIBRATION)[1])}
    stated = dict(re.findall(r"^\| `(\w+)` .*\*\*(\d+) %\*\*", DOCS, re.MULTILINE))
    assert stated.keys() == errors.keys()
    assert {figure: round(100 * error) for figure, error in errors.items()} == {
        figure: int(percent) for figure, percent in stated.items()
    }


def test_clients_wait_as_the_page_does():
    def milliseconds(name):
        return int(re.search(rf"const {name} = ([\d_]+);", SCRIPT)[1].replace("_", ""))

    for name in ("OPEN_LIMIT", "FIRST_RETRY", "LAST_RETRY", "RETURN_SPREAD", "REACHABLE_LIMIT"):
        assert getattr(storm, name) == milliseconds(name) / 1000
    assert milliseconds("FAILURES_PER_RUNG") == storm.FAILURES_PER_RUNG
    silent = [milliseconds(name) / 1000 for name in ("HEARTBEAT", "PONG_LIMIT", "LOOK")]
    assert (sum(silent[:2]), sum(silent)) == storm.SILENCE


def test_a_town_has_its_readers_and_says_what_it_is_to_say_in_a_day():
    town = Town(100_000, 100_000_000)
    assert sum(town.sizes) == pytest.approx(100_000, rel=0.02)
    assert town.messages * 86_400 == pytest.approx(100_000_000, rel=1e-6)
    assert max(room.rate for room in town.rooms) <= 5
    everywhere, by_room, together = (town.notices(10, spread) for spread in Spread)
    assert together < by_room < everywhere < town.messages


def test_one_server_carries_its_share_of_all_deliveries():
    town = Town(50_000, 50_000_000)
    seen = one_of(town, COSTS, 10, 20)
    assert seen.deliveries / 20 == pytest.approx(
        town.deliveries / 10, rel=0.15
    )  # it has some large rooms by chance
    assert 0 < seen.delay(0.5) <= seen.delay(0.99)


def test_between_two_costs_that_were_measured_lies_the_straight_line():
    cost = Curve([(1, 10), (4, 16), (64, 76)])
    assert [cost(count) for count in (0, 0.5, 1, 2, 4, 34, 64, 128)] == [0, 5, 10, 12, 16, 46, 76, 140]


def test_a_cost_is_what_the_bench_has_measured_of_one():
    names = ("connect", "memory", "server", "alone", "poll", "page", "look", "lease", "telling")
    found = dict.fromkeys(names, 3.0) | {"waiting": 5.0, "heard": 9.0, "crowded": 2.0}
    found |= {"postgres, look": 1.0, "postgres, look, database": 1.0}
    for batch in BATCHES:
        for name in ("message", "delivery", "postgres, message"):
            found[f"{name} {batch}"] = 7.0
        found[f"postgres, message {batch}, database"] = 8.0
    costs = costs_of(found, {"crowd": 10, "notices at a look": 2})
    assert costs.message(4) == pytest.approx(28e-6)
    assert costs.database_message(64) == pytest.approx(512e-6)
    assert costs.waiting == pytest.approx(4.7e-6)  # without the server's own
    assert costs.looked == pytest.approx(14e-6)  # what two notices of one look share
    assert costs.memory == 3000
