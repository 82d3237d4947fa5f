"""Behind nginx, as docs/running.md has it: nothing is held back or cut off, and only the proxy is believed."""

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from chatapp.config import Config
from chatapp.transports.messages import WAIT_LIMIT
from tests.clients import UNIT, Person, eventually
from tests.figures import waiting
from tests.nginx import DOCUMENTED, NGINX, Nginx
from tests.raw_socket import CLOSE, PING, PONG, RawSocket
from tests.servers import Server
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

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
NewNginx = Callable[..., Nginx]


@pytest.fixture(scope="module")
def new_nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewNginx]:
    """Makes servers with nginx in front of them: new_nginx(workers, setting=value)."""
    made: list[Nginx] = []

    def make(workers: int = 1, patience: int = PATIENCE, **settings: str) -> Nginx:
        folder = tmp_path_factory.mktemp("nginx")
        server = Server(folder / "instance", workers, **settings).start(*PATIENT)
        made.append(Nginx(server, folder, patience))
        return made[-1]

    yield make
    for nginx in made:
        nginx.stop()
        nginx.server.kill()


@pytest.fixture(scope="module")
def nginx(new_nginx: NewNginx) -> Nginx:
    """Set up as it is documented."""
    return new_nginx(trusted_proxies="1", heartbeat=str(HEARTBEAT), rate_guests=f"{NEWCOMERS} per hour")


@pytest.fixture(scope="module")
def forgotten(new_nginx: NewNginx) -> Nginx:
    """In front of a server that was told neither of it nor to send heartbeats in time."""
    return new_nginx(rate_guests=f"{NEWCOMERS} per hour")


@pytest.fixture(scope="module")
def ada(nginx: Nginx) -> Iterator[Person]:
    with closing(Person(nginx, "ada")) as person:  # type: ignore[arg-type]
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


def test_a_poll_whose_client_leaves_is_over(nginx: Nginx, ada: Person, board: int) -> None:
    with RawSocket(nginx) as raw:  # type: ignore[arg-type]
        raw.request("GET", f"/api/rooms/{board}/messages?after=0&wait=55")
        eventually(lambda: waiting(nginx.server) == 1)
    eventually(lambda: waiting(nginx.server) == 0)


# -- nothing is cut off ---------------------------------------------------------------------------------


def test_the_documented_time_out_leaves_room_for_heartbeats_and_polls() -> None:
    seconds = int(re.findall(r"proxy_read_timeout (\d+)s;", DOCUMENTED)[0])
    assert seconds > WAIT_LIMIT
    assert seconds > 2 * Config().heartbeat


class Idle(NamedTuple):
    """What is open and says nothing."""

    socket: RawSocket
    plain: RawSocket
    stream: Stream


@pytest.fixture
def idle() -> Iterator[Callable[[Nginx], Idle]]:
    """Opens one of each kind."""
    opened: list[Any] = []

    def open_all(nginx: Nginx) -> Idle:
        nobody = Person(nginx)  # type: ignore[arg-type]
        sockets = [RawSocket(nginx), RawSocket(nginx)]  # type: ignore[arg-type]
        for raw, path in zip(sockets, ("/ws", "/chats/1/ws"), strict=True):
            raw.sock.settimeout(MORE)
            assert raw.handshake(path).status == 101
        stream = Stream(nobody, 1, {"after": -1}, {})
        opened.extend([nobody, stream, *(raw.sock for raw in sockets)])
        return Idle(*sockets, stream)

    yield open_all
    for each in opened:
        each.close()


def test_who_only_listens_outlives_the_patience_of_nginx_by_heartbeats(
    nginx: Nginx, idle: Callable[[Nginx], Idle]
) -> None:
    quiet = idle(nginx)
    for _ in range(2 * PATIENCE // HEARTBEAT):
        for raw in (quiet.socket, quiet.plain):
            opcode, payload = raw.next_frame()
            while opcode != PING:
                assert opcode != CLOSE
                opcode, payload = raw.next_frame()
            raw.frame(payload, PONG)
    assert sum("comment" in record for record in quiet.stream.records) >= PATIENCE // HEARTBEAT
    assert not quiet.stream.ended.is_set()


@pytest.mark.long
def test_without_heartbeats_nginx_would_cut_them(forgotten: Nginx, idle: Callable[[Nginx], Idle]) -> None:
    quiet = idle(forgotten)
    for raw in (quiet.socket, quiet.plain):
        raw.wait_for_end()
    assert quiet.stream.ended.wait(MORE)


def test_who_talks_and_reads_through_nginx_loses_nothing_by_a_restart(new_nginx: NewNginx) -> None:
    nginx = new_nginx(workers=2, patience=90, trusted_proxies="1")
    crowd = Crowd(nginx)  # type: ignore[arg-type]
    crowd.wait_for(10)
    assert nginx.server.stop() == 0
    nginx.server.start(*PATIENT)
    crowd.wait_for(10)
    crowd.fall_silent(1006)  # nginx may cut a socket that is just sending before it has passed the goodbye on
    crowd.check()
    crowd.leave()


# -- who is believed ------------------------------------------------------------------------------------


def _handshake(nginx: Nginx, origin: str) -> int:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    url, protocols = f"wss://{nginx.tls_host}/ws", [Subprotocol("chatapp.v1")]
    try:
        connect(url, ssl=context, subprotocols=protocols, origin=Origin(origin), legacy=True).close()
    except InvalidStatus as refused:
        return refused.response.status_code
    return 101


def _say(nginx: Nginx, origin: str, **headers: str) -> int:
    answer = httpx.post(
        f"{nginx.tls_url}/chats/1/http",
        data={"new_message": "hi"},
        headers={"Origin": origin, **headers},
        verify=False,
    )
    return answer.status_code


def test_a_page_served_over_tls_may_write_and_open_sockets(nginx: Nginx) -> None:
    assert (_say(nginx, nginx.tls_url), _handshake(nginx, nginx.tls_url)) == (200, 101)


@pytest.mark.parametrize("forged", [{}, FORGED], ids=["plainly", "with forged headers"])
def test_a_page_of_another_site_may_not(forged: dict[str, str], nginx: Nginx) -> None:
    for origin in ("https://mallory.example", "gopher://mallory.example:1", f"http://{nginx.tls_host}"):
        assert _say(nginx, origin, **forged) == 403
        assert _handshake(nginx, origin) == 403


def test_where_the_proxy_was_forgotten_the_log_says_why_pages_may_not_write(forgotten: Nginx) -> None:
    assert (_say(forgotten, forgotten.tls_url), _handshake(forgotten, forgotten.tls_url)) == (403, 403)
    refused = f"Origin '{forgotten.tls_url}' does not match 'http://{forgotten.tls_host}' (CHATAPP_TRUSTED_PROXIES?)"
    eventually(lambda: refused in "".join(forgotten.server.log), refused)


def test_over_tls_the_cookie_is_for_tls_only_and_the_browser_is_told_to_stay_there(nginx: Nginx) -> None:
    for url, secure in ((nginx.tls_url, True), (nginx.url, False)):
        for headers in ({}, FORGED):
            answer = httpx.post(f"{url}/guests", json={"name": "grace"}, headers=headers, verify=False)
            fields = {field.strip().lower() for field in answer.headers["Set-Cookie"].split(";")}
            assert ("secure" in fields) is secure
            assert {"httponly", "samesite=lax"} <= fields
            assert ("Strict-Transport-Security" in answer.headers) is secure
            assert "'self'" in answer.headers["Content-Security-Policy"]


def _redirected(url: str, **headers: str) -> str:
    return httpx.get(f"{url}/chats", headers=headers, verify=False).headers["Location"]


def test_redirects_lead_to_where_the_client_is_and_forged_headers_lead_nowhere(
    nginx: Nginx, forgotten: Nginx
) -> None:
    for headers in ({}, FORGED):
        assert _redirected(nginx.tls_url, **headers) == f"{nginx.tls_url}/chats/"
        assert _redirected(nginx.url, **headers) == f"{nginx.url}/chats/"
        assert _redirected(forgotten.server.url, **headers) == f"{forgotten.server.url}/chats/"
        # Of TLS it knows nothing, for it was not told to believe who told it.
        assert _redirected(forgotten.tls_url, **headers) == f"http://{forgotten.tls_host}/chats/"


def _come(url: str, address: str) -> int:
    """Come in as a guest from `address` of this machine, saying that it was another one."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=address, verify=False)) as http:
        return http.post(f"{url}/guests", json={"name": "mallory"}, headers=FORGED).status_code


def test_rates_are_those_of_the_client_s_own_address(nginx: Nginx, forgotten: Nginx) -> None:
    for each, others in ((nginx, 201), (forgotten, 429)):
        statuses = [_come(each.url, "127.0.0.2") for _ in range(NEWCOMERS + 1)]
        assert statuses == [201] * NEWCOMERS + [429]
        assert _come(each.url, "127.0.0.3") == others
