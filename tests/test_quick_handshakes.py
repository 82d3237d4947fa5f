"""A plain handshake of `/ws` takes a shorter way (transports/quick_handshake.py). Nobody can tell but by the time.

What sockets do is told by the suites that run over every transport, which take that way; here is when it is
taken, that it answers as the plain one does, and that everything else goes the plain one.
"""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.clients import Person
from tests.figures import figures
from tests.people import member
from tests.raw_socket import Answer, RawSocket
from tests.servers import Server


@pytest.fixture(scope="module")
def quick_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker, whose counts are all that there are."""
    server = Server(tmp_path_factory.mktemp("quick") / "instance").start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("plain") / "instance", quick_handshakes="no").start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def proxied_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that believes one proxy, and lets three connections a minute from an address in."""
    instance = tmp_path_factory.mktemp("proxied") / "instance"
    server = Server(instance, trusted_proxies="1", rate_connections="1 per minute").start()
    yield server
    server.kill()


def quick(server: Server) -> float:
    """Handshakes that took the short way."""
    return figures(server)["quick_handshakes_total"]


def shake(server: Server, path: str = "/ws", **headers: str) -> Answer:
    with RawSocket(server) as raw:
        return raw.handshake(path, **headers)


PLAIN: dict[str, dict[str, str]] = {
    "a program's": {},
    "a browser's": {"Origin": "{url}", "Accept_Language": "de-AT,de;q=0.9", "User_Agent": "Mozilla/5.0"},
    "Firefox's": {"Connection": "keep-alive, Upgrade", "Sec_WebSocket_Extensions": "permessage-deflate"},
    "with a cookie that is not UTF-8": {"Cookie": "elsewhere=\xff; chatapp=x"},
    "with a forged cookie": {"Cookie": "chatapp=eyJwZXJzb24iOnsiaWQiOiIxIn19.aaaa.bbbb"},
}


@pytest.mark.parametrize("kind", PLAIN)
def test_a_plain_handshake_takes_the_short_way_and_is_answered_the_same(
    kind: str, quick_server: Server, plain_server: Server
) -> None:
    answers = []
    for server in (quick_server, plain_server):
        before = quick(server)
        given = {name: value.format(url=server.url) for name, value in PLAIN[kind].items()}
        answers.append(shake(server, **given))
        assert quick(server) == before + (server is quick_server)
    short, plain = answers
    assert short.status == plain.status == 101
    own = ("date", "x-request-id")
    assert list(short.headers) == list(plain.headers), "the same headers in the same order"
    same = [{name: value for name, value in each.headers.items() if name not in own} for each in answers]
    assert same[0] == same[1]


OTHERS: dict[str, tuple[str, dict[str, str], int]] = {
    "with a query": ("/ws?language=de", {"Sec_WebSocket_Protocol": "chatapp.v1"}, 101),
    "another door": ("/chats/1/ws", {}, 101),
    "with a token": ("/ws", {"Authorization": "Bearer nothing"}, 101),
    "of another site": ("/ws", {"Origin": "http://elsewhere.example"}, 403),
    "whose origin says the host's name otherwise": ("/ws", {"Origin": "HTTP://127.0.0.1:{port}"}, 101),
    "with an Origin of no site": ("/ws", {"Origin": "null"}, 403),
    "spelt otherwise": ("/ws", {"Connection": "Upgrade, keep-alive"}, 101),
    "of two protocols": ("/ws", {"Sec_WebSocket_Protocol": "chatapp.v1, chatapp.v0"}, 101),
    "of no protocol": ("/ws", {"Sec_WebSocket_Protocol": ""}, 400),
    "in other letters": ("/ws", {"Sec_WebSocket_Protocol": "CHATAPP.V1"}, 400),
    "of another version": ("/ws", {"Sec_WebSocket_Version": "12"}, 400),
    "with a short key": ("/ws", {"Sec_WebSocket_Key": "AAAA"}, 400),
    "with a key that is no base64": ("/ws", {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZR=="}, 101),
    "with the length of a body": ("/ws", {"Content_Length": "0"}, 101),
    "to a host that is none": ("/ws", {"Host": "a/b"}, 101),
    "for something else": ("/ws", {"Upgrade": "telnet"}, 400),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_every_other_one_takes_the_plain_way(kind: str, quick_server: Server, plain_server: Server) -> None:
    path, headers, _ = OTHERS[kind]
    before, answers = quick(quick_server), []
    for server in (quick_server, plain_server):
        given = {name: value.format(port=server.port) for name, value in headers.items()}
        answers.append(shake(server, path, **given).status)
    assert quick(quick_server) == before
    assert answers == [OTHERS[kind][2]] * 2


def test_a_header_that_comes_twice_is_not_plain(quick_server: Server, plain_server: Server) -> None:
    before = quick(quick_server)
    for server in (quick_server, plain_server):
        with RawSocket(server) as raw:
            raw.send(
                f"GET /ws HTTP/1.1\r\nHost: {server.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Protocol: chatapp.v1\r\n\r\n".encode()
            )
            assert raw.answer().status == 400
    assert quick(quick_server) == before


@pytest.mark.parametrize("who", ["a guest", "a member", "nobody"])
def test_who_asks_is_who_the_cookie_says(who: str, quick_server: Server) -> None:
    asking = Person(quick_server, "ada") if who == "a guest" else None
    asking = member(quick_server, "grace") if who == "a member" else asking
    before = quick(quick_server)
    with RawSocket(quick_server) as raw:
        raw.handshake(**({"Cookie": asking.cookie} if asking else {}))
        assert quick(quick_server) == before + 1
        raw.frame('{"type": "join", "room": 1}')
        raw.texts_until('"joined"')
        raw.frame('{"type": "send", "room": 1, "body": "hello", "client_id": "x"}')
        if asking is None:
            assert '"sign_in"' in raw.texts_until('"error"')[-1]
        else:
            acked = json.loads(raw.texts_until('"ack"')[-1])
            batch = asking.http.get(asking.messages(1), params={"after": acked["seq"] - 1}).json()
            assert [said["author"]["id"] for said in batch["messages"]] == [asking.id]
    if asking:
        asking.close()


def test_who_was_signed_out_meanwhile_is_nobody(quick_server: Server) -> None:
    grace = member(quick_server, "hopper")
    cookie = grace.cookie
    assert grace.http.post("/sign-out").status_code == 302
    with RawSocket(quick_server) as raw:
        raw.handshake(Cookie=cookie)
        raw.frame('{"type": "join", "room": 1}')
        raw.frame('{"type": "send", "room": 1, "body": "hello", "client_id": "x"}')
        assert '"sign_in"' in raw.texts_until('"error"')[-1]
    grace.close()


def test_behind_a_proxy_address_scheme_and_host_are_those_that_it_tells(proxied_server: Server) -> None:
    told = {
        "X_Forwarded_For": "192.0.2.7",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "chat.example",
        "Origin": "https://chat.example",
        "X_Request_ID": "of-the-proxy",
    }
    before = quick(proxied_server)
    first = shake(proxied_server, **told)
    assert (first.status, first.headers["x-request-id"]) == (101, "of-the-proxy")
    statuses = [shake(proxied_server, **told).status for _ in range(40)]
    assert quick(proxied_server) == before + 1 + statuses.count(101)
    assert statuses[-1] == 429, "that address came too often, and is told so by the plain way"
    assert shake(proxied_server, **told | {"X_Forwarded_For": "192.0.2.8"}).status == 101


def test_a_refused_one_is_one_refusal_and_spends_nothing_of_who_came_with_it(proxied_server: Server) -> None:
    ada = Person(proxied_server, "ada")
    crowded, free = {"X_Forwarded_For": "192.0.2.9"}, {"X_Forwarded_For": "192.0.2.10"}
    while shake(proxied_server, **crowded).status == 101:
        pass
    before = figures(proxied_server)["refusals_total/too_fast"]
    assert shake(proxied_server, **crowded, Cookie=ada.cookie).status == 429
    assert figures(proxied_server)["refusals_total/too_fast"] == before + 1
    assert shake(proxied_server, **free, Cookie=ada.cookie).status == 101, "it is her first one"
    assert shake(proxied_server, **free, Cookie=ada.cookie).status == 429
    ada.close()


def test_with_the_switch_off_no_handshake_takes_it(plain_server: Server) -> None:
    assert shake(plain_server).status == 101
    assert quick(plain_server) == 0


def test_where_requests_are_logged_no_handshake_takes_it(new_server: Callable[..., Server]) -> None:
    server = new_server().start("--access-logfile", "-")
    assert shake(server).status == 101
    assert quick(server) == 0
