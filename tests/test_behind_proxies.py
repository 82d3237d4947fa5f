"""Behind nginx and Caddy as deploy/ has them: nothing is held back or cut off, and only the proxy is believed."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from chatapp.config import Config
from chatapp.transports.messages import WAIT_LIMIT
from tests.caddy import CADDY, Caddy
from tests.caddy import DOCUMENTED as CADDYFILE
from tests.clients import UNIT, Person, eventually
from tests.figures import waiting
from tests.nginx import DOCUMENTED, NGINX, Nginx
from tests.raw_socket import CLOSE, PING, PONG, RawSocket
from tests.servers import ROOT, Server
from tests.test_drain import PATIENT, Crowd
from tests.test_event_stream import Stream

HEARTBEAT, PATIENCE = 2, 6  # seconds
MORE = 3 * UNIT
NEWCOMERS = 20  # guests of one address
FORGED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Host": "mallory.example",
    "X-Forwarded-Port": "1",
}

pytestmark = pytest.mark.skipif(None in (NGINX, CADDY), reason="nginx or Caddy is not installed")
Proxy = Nginx | Caddy
NewProxy = Callable[..., Proxy]


@pytest.fixture(scope="module")
def new_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewProxy]:
    """Makes servers with a proxy in front of them: new_proxy("nginx", workers, setting=value)."""
    made: list[Proxy] = []

    def make(kind: str, workers: int = 1, patience: int = PATIENCE, **settings: str) -> Proxy:
        folder = tmp_path_factory.mktemp(kind)
        server = Server(folder / "instance", workers, **settings).start(*PATIENT)
        made.append(Nginx(server, folder, patience) if kind == "nginx" else Caddy(server, folder))
        return made[-1]

    yield make
    for proxy in made:
        proxy.stop()
        proxy.server.kill()


@pytest.fixture(scope="module", params=["nginx", "Caddy"])
def proxy(request: pytest.FixtureRequest, new_proxy: NewProxy) -> Proxy:
    """Set up as it is documented."""
    rate = f"{NEWCOMERS} per hour"
    return new_proxy(request.param, trusted_proxies="1", heartbeat=str(HEARTBEAT), rate_guests=rate)


@pytest.fixture(scope="module")
def forgotten(new_proxy: NewProxy) -> Proxy:
    """In front of a server that was told neither of it nor to send heartbeats in time."""
    return new_proxy("nginx", rate_guests=f"{NEWCOMERS} per hour")


@pytest.fixture(scope="module")
def ada(proxy: Proxy) -> Iterator[Person]:
    with closing(Person(proxy, "ada")) as person:  # type: ignore[arg-type]
        yield person


@pytest.fixture
def board(ada: Person) -> int:
    return ada.make_room()


# -- nothing is held back -------------------------------------------------------------------------------


def test_both_sockets_are_upgraded(ada: Person, board: int) -> None:
    with (
        closing(ada.socket()) as socket,
        closing(ada.socket(path=f"/chats/{board}/ws", subprotocols=None)) as line,
    ):
        assert socket.join(board)["type"] == "joined"
        line.expect(lambda text: text == "connected ....")
        socket.send({"type": "send", "room": board, "client_id": "one", "body": "größer 😀"})
        assert socket.expect(lambda frame: frame["type"] == "ack")["seq"] == 1
        line.expect(lambda text: text == "größer 😀")
        line.send("hi")
        socket.expect(lambda frame: frame.get("body") == "hi")


def test_each_event_of_a_stream_arrives_before_the_next_one_is_said(ada: Person, board: int) -> None:
    with closing(Stream(ada, board, {"after": 0}, {})) as stream:
        for number in range(1, 6):
            ada.say(board, "word")
            assert stream.expect("message", number)["seq"] == number


def test_a_poll_whose_client_leaves_is_over(proxy: Proxy, ada: Person, board: int) -> None:
    with RawSocket(proxy) as raw:  # type: ignore[arg-type]
        raw.request("GET", f"/api/rooms/{board}/messages?after=0&wait=55")
        eventually(lambda: waiting(proxy.server) == 1)
    eventually(lambda: waiting(proxy.server) == 0)


# -- nothing is cut off ---------------------------------------------------------------------------------


def test_the_documented_time_out_leaves_room_for_heartbeats_and_polls() -> None:
    seconds = int(re.findall(r"proxy_read_timeout (\d+)s;", DOCUMENTED)[0])
    assert seconds > WAIT_LIMIT
    assert seconds > 2 * Config().heartbeat


def test_the_caddyfile_is_valid_as_it_is(tmp_path: Path) -> None:
    checked = [
        str(CADDY),
        "validate",
        "--adapter",
        "caddyfile",
        "--config",
        str(ROOT / "deploy" / "Caddyfile"),
    ]
    at_home = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    subprocess.run(checked, env=at_home, check=True, capture_output=True)


def test_both_let_files_through_that_the_server_takes() -> None:
    megabytes = [
        re.findall(r"client_max_body_size (\d+)m;", DOCUMENTED),
        re.findall(r"max_size (\d+)MB", CADDYFILE),
    ]
    assert [int(one) * 1_000_000 > Config().file_limit for (one,) in megabytes] == [True, True]


class Idle(NamedTuple):
    """What is open and says nothing."""

    socket: RawSocket
    plain: RawSocket
    stream: Stream


@pytest.fixture
def idle() -> Iterator[Callable[[Proxy], Idle]]:
    """Opens one of each kind."""
    opened: list[Any] = []

    def open_all(proxy: Proxy) -> Idle:
        nobody = Person(proxy)  # type: ignore[arg-type]
        sockets = [RawSocket(proxy), RawSocket(proxy)]  # type: ignore[arg-type]
        for raw, path in zip(sockets, ("/ws", "/chats/1/ws"), strict=True):
            raw.sock.settimeout(MORE)
            assert raw.handshake(path).status == 101
        stream = Stream(nobody, 1, {"after": -1}, {})
        opened.extend([nobody, stream, *(raw.sock for raw in sockets)])
        return Idle(*sockets, stream)

    yield open_all
    for each in opened:
        each.close()


def test_who_only_listens_outlives_the_patience_of_proxies_by_heartbeats(
    proxy: Proxy, idle: Callable[[Proxy], Idle]
) -> None:
    quiet = idle(proxy)
    for _ in range(PATIENCE // HEARTBEAT + 1):
        for raw in (quiet.socket, quiet.plain):
            opcode, payload = raw.next_frame()
            while opcode != PING:
                assert opcode != CLOSE
                opcode, payload = raw.next_frame()
            raw.frame(payload, PONG)
    assert sum("comment" in record for record in quiet.stream.records) >= PATIENCE // HEARTBEAT
    assert not quiet.stream.ended.is_set()


@pytest.mark.long
def test_without_heartbeats_nginx_would_cut_them(forgotten: Proxy, idle: Callable[[Proxy], Idle]) -> None:
    quiet = idle(forgotten)
    for raw in (quiet.socket, quiet.plain):
        raw.wait_for_end()
    assert quiet.stream.ended.wait(MORE)


@pytest.mark.parametrize("kind", ["nginx", pytest.param("Caddy", marks=pytest.mark.long)])
def test_who_talks_and_reads_through_a_proxy_loses_nothing_by_a_restart(
    kind: str, new_proxy: NewProxy
) -> None:
    proxy = new_proxy(kind, workers=2, patience=90, trusted_proxies="1")
    crowd = Crowd(proxy)  # type: ignore[arg-type]
    crowd.wait_for(10)
    assert proxy.server.stop() == 0
    proxy.server.start(*PATIENT)
    crowd.wait_for(10)
    crowd.fall_silent(1006)  # nginx may cut a socket that is just sending before it has passed the goodbye on
    crowd.check()
    crowd.leave()


# -- who is believed ------------------------------------------------------------------------------------


def _handshake(proxy: Proxy, origin: str) -> int:
    # Not by websockets: refused over TLS it may wait without an end for a socket that it has closed.
    wanted = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Protocol": "chatapp.v1"}
    key = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    headers = {**wanted, **key, "Origin": origin}
    with httpx.stream("GET", f"{proxy.tls_url}/ws", headers=headers, verify=False) as answer:
        return answer.status_code


def _say(proxy: Proxy, origin: str, **headers: str) -> int:
    answer = httpx.post(
        f"{proxy.tls_url}/chats/1/http",
        data={"new_message": "hi"},
        headers={"Origin": origin, **headers},
        verify=False,
    )
    return answer.status_code


def test_a_page_served_over_tls_may_write_and_open_sockets(proxy: Proxy) -> None:
    assert (_say(proxy, proxy.tls_url), _handshake(proxy, proxy.tls_url)) == (200, 101)


@pytest.mark.parametrize("forged", [{}, FORGED], ids=["plainly", "with forged headers"])
def test_a_page_of_another_site_may_not(forged: dict[str, str], proxy: Proxy) -> None:
    for origin in ("https://mallory.example", "gopher://mallory.example:1", f"http://{proxy.tls_host}"):
        assert _say(proxy, origin, **forged) == 403
        assert _handshake(proxy, origin) == 403


def test_where_the_proxy_was_forgotten_the_log_says_why_pages_may_not_write(forgotten: Proxy) -> None:
    assert (_say(forgotten, forgotten.tls_url), _handshake(forgotten, forgotten.tls_url)) == (403, 403)
    refused = f"Origin '{forgotten.tls_url}' does not match 'http://{forgotten.tls_host}' (CHATAPP_TRUSTED_PROXIES?)"
    eventually(lambda: refused in "".join(forgotten.server.log), refused)


def test_over_tls_the_cookie_is_for_tls_only_and_the_browser_is_told_to_stay_there(proxy: Proxy) -> None:
    for url, secure in ((proxy.tls_url, True), (proxy.url, False)):
        for headers in ({}, FORGED):
            answer = httpx.post(f"{url}/guests", json={"name": "grace"}, headers=headers, verify=False)
            fields = {field.strip().lower() for field in answer.headers["Set-Cookie"].split(";")}
            assert ("secure" in fields) is secure
            assert {"httponly", "samesite=lax"} <= fields
            assert ("Strict-Transport-Security" in answer.headers) is secure
            assert "'self'" in answer.headers["Content-Security-Policy"]


def _redirected(url: str, **headers: str) -> str:
    return httpx.get(f"{url}/chats", headers=headers, verify=False).headers["Location"]


def test_redirects_lead_to_where_the_client_is_and_forged_headers_lead_nowhere(proxy: Proxy) -> None:
    for headers in ({}, FORGED):
        assert _redirected(proxy.tls_url, **headers) == f"{proxy.tls_url}/chats/"
        assert _redirected(proxy.url, **headers) == f"{proxy.url}/chats/"


def test_where_the_proxy_was_forgotten_forged_headers_lead_nowhere_either(forgotten: Proxy) -> None:
    for headers in ({}, FORGED):
        assert _redirected(forgotten.server.url, **headers) == f"{forgotten.server.url}/chats/"
        # Of TLS it knows nothing, for it was not told to believe who told it.
        assert _redirected(forgotten.tls_url, **headers) == f"http://{forgotten.tls_host}/chats/"


def _come(url: str, address: str) -> int:
    """Come in as a guest from `address` of this machine, saying that it was another one."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=address, verify=False)) as http:
        return http.post(f"{url}/guests", json={"name": "mallory"}, headers=FORGED).status_code


def _come_too_often(url: str, address: str) -> None:
    statuses = [_come(url, address) for _ in range(NEWCOMERS + 1)]
    assert statuses == [201] * NEWCOMERS + [429]


def test_rates_are_those_of_the_client_s_own_address(proxy: Proxy) -> None:
    _come_too_often(proxy.url, "127.0.0.2")
    assert _come(proxy.url, "127.0.0.3") == 201


def test_where_the_proxy_was_forgotten_rates_are_shared_by_all(forgotten: Proxy) -> None:
    _come_too_often(forgotten.url, "127.0.0.2")
    assert _come(forgotten.url, "127.0.0.3") == 429
