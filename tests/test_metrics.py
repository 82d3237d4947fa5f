"""What `/metrics` says is true of all workers together, also of those that are gone, and only for who has the word."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack, closing

import pytest

from chatapp import scoreboard
from chatapp.scoreboard import Scoreboard
from tests.clients import Person, eventually
from tests.conftest import every_server
from tests.figures import BEARER, figures, scrape
from tests.people import administrator
from tests.raw_socket import RawSocket, nobody_gets
from tests.servers import METRICS, Server

LONG = "x" * 4000
CROWD = 9


# -- who reads them -------------------------------------------------------------------------------------


def test_the_figures_are_for_who_has_the_word_alone(server: Server) -> None:
    boss = administrator(server)
    for headers in (
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": f"Basic {METRICS}"},
        {"Accept": "text/html"},
    ):
        refused = boss.http.get("/metrics", headers=headers)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer"), headers
        assert "chatapp_" not in refused.text
    answer = scrape(server)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "Set-Cookie" not in answer.headers


# -- what they say --------------------------------------------------------------------------------------


@every_server
def test_a_scrape_has_the_connections_of_all_workers_by_transport(
    server: Server, ada: Person, board: int
) -> None:
    before = figures(server)
    assert before["workers"] == server.workers
    with ExitStack() as stack:
        for _ in range(CROWD):
            stack.enter_context(closing(ada.socket())).join(board)
        plain = stack.enter_context(closing(ada.socket(path=f"/chats/{board}/ws", subprotocols=None)))
        eventually(lambda: plain.frames, "the line is greeted")
        stream = stack.enter_context(RawSocket(server))
        stream.request("GET", f"/api/rooms/{board}/stream", Cookie=ada.cookie)
        poll = stack.enter_context(RawSocket(server))
        poll.request("GET", f"/api/rooms/{board}/messages?after=0&wait=50", Cookie=ada.cookie)
        wanted = {
            "connections/websocket": CROWD,
            "connections/plain_socket": 1,
            "connections/event_stream": 1,
            "waiting_polls": 1,
            "subscriptions": CROWD + 2,
        }
        eventually(lambda: more(before, server, *wanted) == wanted)
        ada.say(board, "hello")
        eventually(lambda: more(before, server, "deliveries_total/live", "deliveries_total/poll") == {
            "deliveries_total/live": CROWD + 2, "deliveries_total/poll": 1})  # fmt: skip
    eventually(lambda: not any(more(before, server, *wanted).values()), "all are gone")


@pytest.mark.parametrize("server", ["one_worker"], indirect=True)
def test_a_reader_that_reads_slowly_is_late_and_gets_the_rest_at_its_own_pace(
    server: Server, grace: Person
) -> None:
    board = grace.make_room("board")
    before = figures(server)
    with closing(grace.socket()) as writer, RawSocket(server) as slow:
        writer.join(board)
        slow.take_little()
        slow.handshake(Cookie=grace.cookie)
        slow.frame(json.dumps({"type": "join", "room": board}))
        eventually(lambda: more(before, server, "subscriptions") == {"subscriptions": 2})
        said = 0
        while not figures(server)["late_subscriptions"]:
            writer.send({"type": "send", "room": board, "body": LONG})
            said += 1
        writer.expect(lambda frame: frame["type"] == "message" and frame["seq"] == said)
        assert more(before, server, "fell_behind_total") == {"fell_behind_total": 1}
        live = more(before, server, "deliveries_total/live")["deliveries_total/live"]
        assert (
            said <= live <= 2 * said
        )  # the last one, of which it took a part, is the one that it is late by
        slow.texts_until(f'"seq":{said},')
        everything = {"deliveries_total": 2 * said, "deliveries_total/late": 2 * said - live}
        eventually(lambda: more(before, server, *everything) == everything, "each message came to both")


def test_what_is_refused_is_counted_by_its_reason_whichever_door_refused_it(
    server: Server, ada: Person, board: int
) -> None:
    before = figures(server)
    with closing(ada.socket()) as line:
        line.join(board)
        line.send({"type": "send", "room": board, "body": ""})
        line.expect(lambda frame: frame["type"] == "error")
    assert ada.http.post(ada.messages(board), json={"body": ""}).status_code == 400
    assert ada.http.post(ada.messages(board), json={"body": "x" * 4001}).status_code == 413
    assert ada.http.get("/api/nothing").status_code == 404
    wanted = {"bad_request": 2, "too_long": 1, "not_found": 1}
    eventually(lambda: more(before, server, *(f"refusals_total/{code}" for code in wanted)) == {
        f"refusals_total/{code}": count for code, count in wanted.items()})  # fmt: skip


def test_groups_of_the_journal_and_the_lag_of_the_bus_are_told(
    server: Server, ada: Person, board: int
) -> None:
    before = figures(server)
    for _ in range(CROWD):
        ada.say(board, "hello")
    names = (
        "journal_group_size_count",
        "journal_group_size_sum",
        "journal_commit_seconds_count",
        "messages_kept_total",
    )
    eventually(lambda: all(value >= CROWD for value in more(before, server, *names).values()))
    now = eventually(
        lambda: (
            (now := figures(server))["bus_lag_seconds_count"] - before["bus_lag_seconds_count"] >= 2 * CROWD
            and now
        )
    )
    assert now["bus_lag_seconds_sum"] > before["bus_lag_seconds_sum"]
    assert now["journal_commit_seconds_bucket/+Inf"] == now["journal_commit_seconds_count"]


def test_what_a_worker_counted_stays_when_it_is_killed_or_replaced_and_what_it_held_goes(
    new_server: Callable[..., Server],
) -> None:
    """And without a word there is no such page."""
    server = new_server(workers=2, metrics="").start()
    assert nobody_gets(server.url + "/metrics", headers=BEARER).status_code == 404
    server.kill()
    server.settings["CHATAPP_METRICS"] = METRICS
    server.start()
    ada = Person(server, "ada")
    board = ada.make_room("board")
    for _ in range(CROWD):
        ada.say(board, "hello")
    with ExitStack() as stack:
        for _ in range(CROWD):
            stack.enter_context(closing(ada.socket())).join(board)
        eventually(lambda: figures(server)["connections"] == CROWD)
        kept = eventually(lambda: (now := figures(server)["messages_kept_total"]) >= CROWD and now)
        for _ in range(2):
            server.kill_worker()
            eventually(lambda: figures(server)["workers"] == 2, "another one is there")
        eventually(lambda: figures(server)["connections"] == 0, "nobody came back")
        assert figures(server)["messages_kept_total"] == kept
    before = set(server.worker_pids)
    os.kill(server.pid, signal.SIGHUP)
    eventually(
        lambda: len(server.worker_pids) == 2 and not before & set(server.worker_pids), "they are replaced"
    )
    ada.say(board, "and last")
    eventually(lambda: figures(server)["messages_kept_total"] == kept + 1)
    ada.close()


# -- the scoreboard -------------------------------------------------------------------------------------


@pytest.fixture
def board_of() -> Scoreboard:
    return Scoreboard(places=4)


def one(value: float) -> dict[str, dict[str, float]]:
    return {"it": {"": value}}


def test_all_who_tell_are_added_up_by_label(board_of: Scoreboard) -> None:
    board_of.tell(1, 11, {"said": {"a": 1, "b": 2}}, one(5))
    board_of.tell(2, 12, {"said": {"b": 3}}, one(6))
    board_of.tell(2, 12, {"said": {"b": 4}}, one(7))
    assert board_of.total() == ({"said": {"a": 1, "b": 6}}, one(12), 2)


def test_places_of_the_dead_are_given_again_and_nobodys_counts_are_lost_or_counted_twice(
    board_of: Scoreboard,
) -> None:
    taken: list[int] = []
    for worker in range(20):
        place = board_of.free(taken)
        assert place is not None
        board_of.tell(place, worker, one(1), one(1))
        taken = [*taken, place][-2:]
        assert board_of.total()[0] == one(worker + 1)
    board_of.settle([])
    assert board_of.total() == (one(20), {}, 0)
    assert board_of.free([1, 2, 3]) is None


def test_who_scrapes_while_the_dead_are_added_up_counts_each_of_them_once(
    board_of: Scoreboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two writes of the master."""
    for worker in (1, 2, 3):
        board_of.tell(worker, worker, one(1), one(1))
    write, seen = board_of._write, []

    def watched(place: int, value: object) -> None:
        write(place, value)
        seen.append(board_of.total()[0])

    monkeypatch.setattr(board_of, "_write", watched)
    board_of.settle([])
    assert seen == [one(3)] * 6


def test_all_that_a_worker_tells_has_room_in_its_place(one_worker: Server) -> None:
    text = scrape(one_worker).text
    assert len([line for line in text.splitlines() if not line.startswith("#")]) * 60 < scoreboard.SIZE // 2


# -- within ---------------------------------------------------------------------------------------------


def more(before: dict[str, float], server: Server, *names: str) -> dict[str, float]:
    """By how much figures have grown since `before`."""
    now = figures(server)
    return {name: now.get(name, 0) - before.get(name, 0) for name in names}
