"""What every answer says to browsers about what may be done with it."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.clients import Person
from tests.hostile.routes import Route, routes
from tests.people import member
from tests.raw_socket import nobody_gets, nobody_streams
from tests.servers import Server

OVER_TLS = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "chat.example",
    "X-Forwarded-For": "203.0.113.7",
}
ERASING = {"messages": "keep", "sure": "1"}


@pytest.fixture
def server(one_worker: Server) -> Server:
    return one_worker


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that believes one proxy, and whose pages another site may frame."""
    folder = tmp_path_factory.mktemp("proxied") / "instance"
    server = Server(folder, trusted_proxies="1", frame_ancestors="https://intranet.example").start()
    yield server
    server.kill()


def policy(headers: Any) -> dict[str, str]:
    parts = headers["Content-Security-Policy"].split("; ")
    return dict(part.split(" ", 1) for part in parts)


def check(headers: Any) -> None:
    said = policy(headers)
    assert said["default-src"] == "'none'"
    assert said["script-src"] == said["style-src"] == said["connect-src"] == said["form-action"] == "'self'"
    assert said["base-uri"] == said["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Cross-Origin-Resource-Policy" in headers
    assert "Strict-Transport-Security" not in headers, "not over plain HTTP"


def reading_first(server: Server) -> list[Route]:
    """The routes that answer: first what only reads, for where a room is empty a poll of it waits."""
    answering = [each for each in routes(server) if not each.websocket and not each.rule.endswith("/stream")]
    return sorted(answering, key=lambda route: route.method != "GET")


def test_every_answer_has_them(server: Server, ada: Person, board: int) -> None:
    ada.say(board, "hello")
    nobody = httpx.Client(verify=False, base_url=server.url, timeout=70)
    for route in reading_first(server):
        for person in (ada.http, nobody):
            answer = person.request(route.method, route.path(board))
            assert answer.status_code < 500, route.name
            check(answer.headers)
    nobody.close()


def test_no_page_stays_in_a_cache_and_the_rooms_only_in_the_tab_that_they_are_in(
    server: Server, ada: Person, board: int
) -> None:
    come_back_to = {"/", "/chats/", "/chats/<room_id:room_id>/", "/chats/long_poll/<room_id:room_id>/"}
    pages = set()
    ada.say(board, "hello")
    for route in reading_first(server):
        answer = ada.http.request(route.method, route.path(board), headers={"Accept": "text/html"})
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            continue
        pages.add(route.rule)
        kept = route.method in ("GET", "HEAD") and route.rule in come_back_to - {"/"}
        assert answer.headers["Cache-Control"] == ("private, no-cache" if kept else "no-store"), route.name
    assert {*come_back_to, "/account/", "/sign-in", "/admin/"} <= pages


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("PUT", "/chats/", 405), ("GET", "/chats/999999/", 404), ("GET", "/chats", 308),
     ("GET", "/static/nothing.js", 404), ("OPTIONS", "/api/rooms", 200), ("HEAD", "/chats/", 200)],
)  # fmt: skip
def test_refusals_and_redirects_have_them_too(
    method: str, path: str, status: int, accept: str, server: Server
) -> None:
    answer = httpx.request(method, server.url + path, headers={"Accept": accept}, verify=False)
    assert answer.status_code == status
    check(answer.headers)


def test_an_event_stream_has_them_too(server: Server, ada: Person, board: int) -> None:
    with nobody_streams("GET", f"{server.url}/api/rooms/{board}/stream") as answer:
        check(answer.headers)


def test_over_tls_a_browser_is_told_to_come_over_tls_only_and_the_cookie_is_for_tls_only(
    proxied: Server,
) -> None:
    for headers, secure in (
        (OVER_TLS, True),
        ({**OVER_TLS, "X-Forwarded-Proto": "http"}, False),
        ({}, False),
    ):
        answer = httpx.post(f"{proxied.url}/guests", json={"name": "ada"}, headers=headers, verify=False)
        assert answer.status_code == 201
        (cookie,) = answer.headers.get_list("Set-Cookie")
        fields = {field.strip().lower() for field in cookie.split(";")[1:]}
        assert ("secure" in fields) is secure
        assert {"httponly", "samesite=lax", "path=/"} <= fields
        assert ("max-age=" in answer.headers.get("Strict-Transport-Security", "")) is secure
        assert answer.headers.get("Cross-Origin-Opener-Policy") == ("same-origin" if secure else None)


def test_who_came_in_without_tls_is_the_same_person_over_tls(proxied: Server) -> None:
    with closing(Person(proxied, "ada")) as ada:
        said = ada.say(1, "hello")
        origin = {"Origin": "https://chat.example"}
        again = ada.http.post(ada.messages(1), json={"body": "again"}, headers={**OVER_TLS, **origin})
        assert again.json()["author"] == said["author"]


def test_a_listed_site_may_show_the_pages_in_a_frame(proxied: Server) -> None:
    answer = nobody_gets(f"{proxied.url}/chats/")
    assert policy(answer.headers)["frame-ancestors"] == "'self' https://intranet.example"


def test_forged_headers_make_no_request_one_over_tls(server: Server) -> None:
    answer = httpx.post(f"{server.url}/guests", json={"name": "ada"}, headers=OVER_TLS, verify=False)
    assert answer.status_code == 201
    assert "Strict-Transport-Security" not in answer.headers
    assert "secure" not in answer.headers["Set-Cookie"].lower()


def test_the_pages_of_who_does_not_leave_for_good_after_all_stay(server: Server) -> None:
    with closing(member(server, "mary")) as mary:
        answer = mary.http.post("/account/leave", data=ERASING | {"sure": ""})
        assert answer.status_code == 400
        assert "Clear-Site-Data" not in answer.headers


@pytest.mark.parametrize("way", ["sign out", "leave as a guest", "leave for good"])
def test_whoever_goes_has_their_browser_forget_the_pages(way: str, server: Server) -> None:
    with closing(Person(server, "ada") if way == "leave as a guest" else member(server, "mary")) as person:
        assert "Clear-Site-Data" not in person.http.get("/chats/").headers
        answer = {
            "sign out": lambda: person.http.post("/sign-out"),
            "leave as a guest": lambda: person.http.post("/guests/leave"),
            "leave for good": lambda: person.http.post("/account/leave", data=ERASING),
        }[way]()
        assert answer.status_code in (302, 303)
        assert answer.headers["Clear-Site-Data"] == '"cache"'
