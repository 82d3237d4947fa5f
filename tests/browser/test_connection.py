"""When the connection comes back and over what: the module itself, on transports that do as they are told."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenBrowser
from tests.clients import eventually

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

STAGE = """async () => {
    const { Connection } = await import("/static/js/connection.js");
    class Actor {
        manyRooms = true;
        sent = [];
        constructor() { stage.actors.push(this) }
        open() {}
        send(frame) { this.sent.push(frame.type) }
        close() { this.closed = true }
        joins() { this.onmessage({ type: "joined", room: 1, cursor: 0, epoch: "e" }) }
    }
    globalThis.stage = { actors: [], get last() { return this.actors.at(-1) } };
    class Best extends Actor { static title = "the best" }
    class Worse extends Actor { static title = "worse" }
    stage.connection = new Connection({ room: 1, cursor: 0, epoch: "e", transport: Best, others: [async () => Worse], roomsLimit: 3 });
    stage.connection.start();
}"""
WAIT = """([code, random]) => {
    Math.random = () => random;
    stage.last.onclose({ code });
    const wait = stage.connection.nextTry - Date.now();
    stage.connection.tryNow();
    return wait;
}"""


@pytest.fixture
def page(visitor: OpenBrowser) -> Page:
    """A page with a connection on its stage; its clock stands still unless it is moved."""
    page = visitor()
    page.goto("/chats/")
    page.clock.install(time=NOON - timedelta(minutes=1))
    page.clock.pause_at(NOON)
    page.evaluate(STAGE)
    return page


def test_the_readers_of_a_restarted_server_come_back_spread_over_five_seconds(page: Page) -> None:
    going, restarting = 1001, 1012
    for code in (going, restarting):
        waits = [page.evaluate(WAIT, [code, random]) for random in (0, 0.25, 0.5, 0.75, 1)]
        assert waits == [0, 1_250, 2_500, 3_750, 5_000]


def test_no_more_rooms_are_followed_than_the_server_allows_on_one_line(page: Page) -> None:
    follow = "ids => stage.connection.follow(ids.map((id) => ({ id, cursor: 0, epoch: 'e' })))"
    page.evaluate("stage.last.joins()")
    assert page.evaluate(follow, [2]) is True
    assert page.evaluate(follow, [2, 3, 4, 5]) is False
    assert page.evaluate(follow, [2, 3]) is True
    assert page.evaluate("stage.last.sent") == ["join", "join"]
    page.evaluate("stage.connection.leave(2)")
    assert page.evaluate(follow, [2, 3, 4]) is True
    assert page.evaluate("stage.last.sent") == ["join", "join", "join"]


def test_a_line_that_breaks_again_and_again_is_tried_ever_more_seldom(page: Page) -> None:
    lost = 1006
    longest = [page.evaluate(WAIT, [lost, 1]) for _ in range(8)]
    assert longest == [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
    shortest = page.evaluate(WAIT, [lost, 0])
    assert shortest == 15_000


def test_another_network_is_tried_at_once_and_with_the_best_transport(page: Page) -> None:
    page.evaluate("() => { stage.last.onclose({ code: 1006 }); stage.connection.tryNow() }")
    page.evaluate("() => stage.last.onclose({ code: 1006 })")
    eventually(lambda: page.evaluate("stage.last.constructor.name") == "Worse", "stepped down")
    page.evaluate("() => { dispatchEvent(new Event('online')) }")
    assert page.evaluate("stage.last.constructor.name") == "Best"
    assert page.evaluate("stage.connection.transportTitle") == "the best"


@pytest.mark.parametrize("hours", [8, -1], ids=["a night later", "set back"])
def test_when_the_clock_has_jumped_the_line_is_asked_whether_it_is_alive(page: Page, hours: int) -> None:
    page.evaluate("() => stage.last.joins()")
    page.clock.run_for(20_000)
    assert page.evaluate("stage.last.sent") == []
    page.clock.set_system_time(NOON + timedelta(hours=hours))
    page.clock.run_for(5_000)
    assert page.evaluate("stage.last.sent") == ["ping"]
    page.clock.run_for(5_000)
    assert page.evaluate("stage.connection.state") == "waiting"


@pytest.mark.parametrize("code", ["too_fast", "draining"])
def test_a_better_transport_that_is_refused_the_room_leaves_the_present_one_alone(
    page: Page, code: str
) -> None:
    page.evaluate("() => { stage.last.onclose({ code: 1006 }); stage.connection.tryNow() }")
    page.evaluate("() => stage.last.onclose({ code: 1006 })")
    eventually(lambda: page.evaluate("stage.last.constructor.name") == "Worse", "stepped down")
    page.evaluate("() => { stage.present = stage.last; stage.present.joins() }")
    _run_with_a_word_now_and_then(page, 60)
    assert page.evaluate("stage.last.constructor.name") == "Best"
    page.evaluate("code => stage.last.onmessage({ type: 'error', re: 'join', room: 1, code })", code)
    assert page.evaluate("[stage.last.closed, stage.present.closed]") == [True, None]
    page.evaluate("() => stage.connection.send({ type: 'send' })")
    assert page.evaluate("stage.present.sent.at(-1)") == "send"
    assert page.evaluate("[stage.connection.state, stage.connection.transportTitle]") == ["live", "worse"]
    tries = page.evaluate("stage.actors.length")
    _run_with_a_word_now_and_then(page, 110)
    assert page.evaluate("stage.actors.length") == tries
    _run_with_a_word_now_and_then(page, 10)
    page.evaluate("stage.last.joins()")
    assert page.evaluate("[stage.connection.state, stage.connection.transportTitle]") == ["live", "the best"]


def _run_with_a_word_now_and_then(page: Page, seconds: int) -> None:
    for _ in range(seconds // 10):
        page.clock.run_for(10_000)
        page.evaluate("stage.present.onmessage({ type: 'pong' })")
