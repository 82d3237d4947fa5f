"""The simulation (bin/simulate): what it must not get wrong, whatever the figures that it reckons with."""

import re
from itertools import product
from pathlib import Path

import pytest

from benchmarks.bench import calibration
from benchmarks.bench.results import Key, Results
from benchmarks.bench.scenarios import costs, servers
from benchmarks.simulation import chat, storm, town
from benchmarks.simulation.chat import at_a_pace, in_flight
from benchmarks.simulation.checked import check, errors, worst
from benchmarks.simulation.costs import BATCHES, Curve, costs_of, read
from benchmarks.simulation.limits import limits, one_each
from benchmarks.simulation.report import written
from benchmarks.simulation.town import Spread, Town, one_of
from chatapp import presence
from chatapp.bus.sqlite import LOOK_SECONDS
from chatapp.journal import SWEEP_SECONDS
from tests.servers import ROOT

CALIBRATION = read()
COSTS = CALIBRATION.costs
CHECKED, GUESSES = check(CALIBRATION)
SCRIPT = Path(ROOT, "static/js/connection.js").read_text()
DOCS = Path(ROOT, "docs/scaling.md").read_text()


@pytest.mark.parametrize("readers", [[100], [70, 30], [50, 0, 900]])
def test_each_message_is_delivered_to_each_reader_once(readers):
    shown, said = at_a_pace(COSTS, readers, rate=50, seconds=10)
    through = [each for each in said if each.shown]
    assert len(through) > 400
    assert all(each.waits_for == 0 and each.shown > each.said for each in through)
    for server in shown.servers:
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
    for count in (1, 8):
        seen = storm.Storm(COSTS, 8000, count, 0.5, how)
        assert len(seen.back) == 8000
        assert seen.back == sorted(seen.back)
        assert seen.attempts >= 8000
        assert seen.when(1) >= 8000 * COSTS.connect / count / 0.5  # no sooner than the servers can
    assert seen.attempts < 1.01 * 8000  # among eight there is no storm


def test_one_seed_gives_one_table():
    def tables(seed):
        seen = storm.Storm(COSTS, 2000, 2, 0.5, storm.CUT, seed)
        shown, said = at_a_pace(COSTS, [100, 100], 100, 5, seed=seed)
        busy = one_of(Town(20_000, 20_000_000), COSTS, 4, 2, seed=seed)
        return seen.back, [each.shown for each in said], shown.cpu(), busy

    assert tables(1) == tables(1)
    assert tables(1) != tables(2)


def test_what_was_measured_is_predicted_as_well_as_the_docs_say():
    stated = dict(re.findall(r"^\| `(\w+)` .*\*\*(\d+) %\*\*", DOCS, re.MULTILINE))
    found = {figure: round(100 * most) for figure, _, most in worst(GUESSES)}
    assert found == {figure: int(percent) for figure, percent in stated.items()}


def test_the_tables_of_the_docs_are_those_of_the_measurement_that_is_checked_in():
    tables = [one_each(CALIBRATION), limits(COSTS), CHECKED, errors(GUESSES)]
    assert written(DOCS, CALIBRATION, tables) == DOCS, "bin/simulate --docs docs/scaling.md"


def test_clients_wait_as_the_page_does():
    def milliseconds(name):
        return int(re.search(rf"const {name} = ([\d_]+);", SCRIPT)[1].replace("_", ""))

    for name in ("OPEN_LIMIT", "FIRST_RETRY", "LAST_RETRY", "RETURN_SPREAD", "REACHABLE_LIMIT"):
        assert getattr(storm, name) == milliseconds(name) / 1000
    assert milliseconds("FAILURES_PER_RUNG") == storm.FAILURES_PER_RUNG
    silent = [milliseconds(name) / 1000 for name in ("HEARTBEAT", "PONG_LIMIT", "LOOK")]
    assert (sum(silent[:2]), sum(silent)) == storm.SILENCE


def test_servers_look_and_tell_as_often_as_the_program_does():
    assert town.LOOKS_PER_SECOND == 1 / SWEEP_SECONDS
    assert town.TELLINGS_PER_SECOND == 1 / presence.GATHER_SECONDS
    assert town.RENEW_SECONDS == presence.RENEW_SECONDS
    assert chat.LOOK_SECONDS == costs.LOOK_SECONDS == LOOK_SECONDS
    assert costs.SWEEP_SECONDS == SWEEP_SECONDS


def test_a_town_has_its_readers_and_says_what_it_is_to_say_in_a_day():
    people = Town(100_000, 100_000_000)
    assert sum(people.sizes) == pytest.approx(100_000, rel=0.02)
    assert people.messages * 86_400 == pytest.approx(100_000_000, rel=1e-6)
    assert max(room.rate for room in people.rooms) <= 5
    everywhere, by_room, together = (people.notices(10, spread) for spread in Spread)
    assert together < by_room < everywhere < people.messages


def test_one_server_carries_its_share_of_all_deliveries():
    people = Town(50_000, 50_000_000)
    seen = one_of(people, COSTS, 10, 20)
    assert seen.deliveries / 20 == pytest.approx(
        people.deliveries / 10, rel=0.15
    )  # it has some large rooms by chance
    assert 0 < seen.delay(0.5) <= seen.delay(0.99)


def test_what_the_bench_has_measured_is_read_as_it_was_written(tmp_path):
    results = Results(tmp_path / "results.jsonl", {})
    for repetition, value in enumerate((4.0, 2.0, 3.0)):
        for lane in set(costs.LANE_OF.values()):
            figures = {name: value for name, where in costs.LANE_OF.items() if where == lane}
            results.add(Key("costs", lane, repetition), figures)
        for count, readers in product(servers.COUNTS, servers.READERS):
            found = dict.fromkeys(servers.FIGURES, value * count)
            results.add(Key("servers", servers.lane(count, readers), repetition), found)
    calibration.write(tmp_path / "calibration.json", results, {"machine": "this one"})
    found = read(tmp_path / "calibration.json")
    assert found.about == {"machine": "this one"}
    assert found.found["connect"]["values"] == [3.0, 2.0, 4.0]
    assert found.costs.connect == pytest.approx(3e-6)
    assert [(each.servers, each.readers) for each in found.measured[-2:]] == [(3, 3000), (3, 9500)]
    assert found.measured[-1].delivery == [9.0, 6.0, 12.0]
    once = Results(tmp_path / "once.jsonl", {})
    for lane in set(costs.LANE_OF.values()):
        once.add(Key("costs", lane, 0), dict.fromkeys(costs.LANE_OF, 3.0))
    for count, readers in product(servers.COUNTS, servers.READERS):
        once.add(Key("servers", servers.lane(count, readers), 0), dict.fromkeys(servers.FIGURES, 3.0))
    calibration.write(tmp_path / "calibration.json", once, {"machine": "this one"})
    assert {row[1] for row in one_each(read(tmp_path / "calibration.json")).rows} == {
        f"3 {unit} (one repetition)" for _, unit in costs.FIGURES.values()
    }
    unmeasured = Results(tmp_path / "nothing.jsonl", {})
    with pytest.raises(ValueError, match="was not measured"):
        calibration.write(tmp_path / "calibration.json", unmeasured, {})


def test_between_two_costs_that_were_measured_lies_the_straight_line():
    cost = Curve([(1, 10), (4, 16), (64, 76)])
    assert [cost(count) for count in (0, 0.5, 1, 2, 4, 34, 64, 128)] == [0, 5, 10, 12, 16, 46, 76, 140]


def test_a_cost_is_what_the_bench_has_measured_of_one():
    found = dict.fromkeys(costs.FIGURES, 3.0) | {"waiting": 5.0, "heard": 9.0, "crowded": 2.0}
    for batch in BATCHES:
        for name in ("message", "delivery", "postgres, message"):
            found[f"{name} {batch}"] = 7.0
        found[f"postgres, message {batch}, database"] = 8.0
    cost = costs_of(found, {"crowd": 10, "notices at a look": 2})
    assert cost.message(4) == pytest.approx(28e-6)
    assert cost.database_message(64) == pytest.approx(512e-6)
    assert cost.waiting == pytest.approx(4.7e-6)  # without the server's own
    assert cost.looked == pytest.approx(14e-6)  # what two notices of one look share
    assert (cost.memory, cost.server) == (3000, 3_000_000)
