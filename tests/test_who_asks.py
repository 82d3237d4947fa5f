"""Who asks: cookies, origins, CSRF tokens, guests and proxies; docs/protocol.md, "Who asks"."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from chatapp import create_app
from tests.clients import Person, eventually
from tests.raw_socket import RawSocket, nobody_gets, nobody_posts, nobody_streams, problem
from tests.servers import Server

LISTED, FOREIGN = "http://tutorial.example:3000", "http://mallory.example"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def server(one_worker: Server) -> Server:
    """One worker: cookies in every worker have a test of their own."""
    return one_worker


@pytest.fixture(scope="module")
def make_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Makes servers that all tests of this file share."""
    made: list[Server] = []

    def make(**settings: str) -> Server:
        folder = tmp_path_factory.mktemp("who") / "instance"
        made.append(Server(folder, **settings).start())
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="module")
def friendly(make_server: Callable[..., Server]) -> Server:
    """A server that lists another origin."""
    return make_server(origins=f"{LISTED}, https://second.example")


@pytest.fixture(scope="module")
def strict(make_server: Callable[..., Server]) -> Iterator[tuple[Server, Person]]:
    """A server without guests, and somebody who was one before that was decided."""
    server = make_server()
    with closing(Person(server, "ada")) as ada:
        ada.say(1, "hello")
        server.kill()
        server.settings["CHATAPP_GUESTS"] = "no"
        server.start()
        yield server, ada


@pytest.fixture(scope="module")
def coded(make_server: Callable[..., Server]) -> Server:
    """A server that asks guests for a word."""
    return make_server(guest_code="open sesame")


# -- writes: cookie, Origin and CSRF token --------------------------------------------------------------

WRITES: list[tuple[str, dict[str, Any], int]] = [
    ("/api/rooms/{}/messages", {"json": {"body": "hi"}}, 201),
    ("/api/rooms/{}/typing", {}, 204),
    ("/api/rooms/{}/read", {"json": {"seq": 0}}, 204),
    ("/api/rooms", {"json": {"name": "room"}}, 201),
    ("/guests", {"json": {"name": "somebody"}}, 201),
    ("/chats/{}/http", {"data": {"new_message": "hi"}}, 200),
    ("/chats/{}/", {"data": {"body": "hi"}}, 303),
    ("/chats/", {"data": {"name": "room"}}, 303),
    ("/guests", {"data": {"name": "somebody"}}, 303),
]
every_write = pytest.mark.parametrize(
    ("path", "body", "status"), WRITES, ids=[f"{path} {next(iter(body), '')}" for path, body, _ in WRITES]
)


def write(person: Person, room: int, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    """A write with ada's cookie and nothing else but `headers`."""
    fields = {"Cookie": person.cookie, **{name.replace("_", "-"): value for name, value in headers.items()}}
    with httpx.Client(verify=False, base_url=person.server.url) as http:  # without its own cookies and Origin
        return http.post(path.format(room), **body, headers=fields)


@every_write
def test_a_cookies_write_is_taken_with_a_matching_origin(
    path: str, body: dict[str, Any], status: int, ada: Person, board: int
) -> None:
    assert write(ada, board, path, body, Origin=ada.server.url).status_code == status


@every_write
def test_a_cookies_write_is_taken_with_the_csrf_token_of_any_page(
    path: str, body: dict[str, Any], status: int, ada: Person, board: int
) -> None:
    token = _csrf_token(ada)
    assert write(ada, board, path, body, X_CSRF_Token=token).status_code == status
    if "data" in body:
        form = {"data": {**body["data"], "csrf_token": token}}
        assert write(ada, board, path, form).status_code == status


@every_write
@pytest.mark.parametrize(
    "headers",
    [{}, {"X_CSRF_Token": ""}, {"X_CSRF_Token": "wrong"}, {"Origin": FOREIGN}, {"Origin": "null"}, {"Origin": ""},
     {"Referer": "{url}/chats/"}],
    ids=str,
)  # fmt: skip
def test_a_cookies_write_without_either_is_forbidden_and_changes_nothing(
    path: str, body: dict[str, Any], status: int, headers: dict[str, str], ada: Person, board: int
) -> None:
    before, rooms = ada.read(board, after=0), len(ada.http.get("/api/rooms").json()["rooms"])
    fields = {name: value.format(url=ada.server.url) for name, value in headers.items()}
    assert problem(write(ada, board, path, body, **fields)) == "forbidden"
    assert ada.read(board, after=0) == before
    assert len(ada.http.get("/api/rooms").json()["rooms"]) == rooms


@every_write
def test_a_foreign_origin_is_refused_even_with_a_token_and_even_without_a_cookie(
    path: str, body: dict[str, Any], status: int, ada: Person, board: int
) -> None:
    token = _csrf_token(ada)
    assert problem(write(ada, board, path, body, Origin=FOREIGN, X_CSRF_Token=token)) == "forbidden"
    answer = nobody_posts(ada.server.url + path.format(board), **body, headers={"Origin": FOREIGN})
    assert problem(answer) == "forbidden"


def test_the_token_of_somebody_else_is_none(ada: Person, grace: Person, board: int) -> None:
    body = {"json": {"body": "hi"}}
    assert (
        problem(write(ada, board, "/api/rooms/{}/messages", body, X_CSRF_Token=_csrf_token(grace)))
        == "forbidden"
    )


@pytest.mark.parametrize(
    ("origin", "matches"),
    [("http://{host}", True), ("HTTP://{host}", True), ("https://{host}", False), ("http://127.0.0.1", False),
     ("http://127.0.0.1:1", False), ("http://localhost:{port}", False), ("http://{host}.mallory.example", False),
     ("http://mallory.example:{port}", False), ("http://{host}@mallory.example", False), ("file://", False),
     ("{host}", False)],
)  # fmt: skip
def test_an_origin_matches_by_scheme_host_and_port(
    origin: str, matches: bool, ada: Person, board: int
) -> None:
    origin = origin.format(host=ada.server.host, port=ada.server.port)
    answer = write(ada, board, "/api/rooms/{}/messages", {"json": {"body": "hi"}}, Origin=origin)
    assert answer.status_code == (201 if matches else 403)
    with RawSocket(ada.server) as raw:
        assert raw.handshake(Origin=origin).status == (101 if matches else 403)


@pytest.mark.parametrize("host", ["127.0.0.1:99999", "127.0.0.1:x", "[", ""])
def test_a_host_that_makes_no_sense_matches_no_origin(host: str, ada: Person, board: int) -> None:
    with RawSocket(ada.server) as raw:
        path, body = f"/api/rooms/{board}/messages", b'{"body":"hi"}'
        headers = {"Cookie": ada.cookie, "Content_Type": "application/json", "Origin": "null", "Host": host}
        raw.request("POST", path, body, **headers)
        assert raw.answer().status in (400, 403)
    assert ada.read(board, after=0)["messages"] == []


def test_a_refused_origin_is_logged_with_both_values(ada: Person, board: int) -> None:
    origin = f"http://room{board}.example"
    assert (
        write(ada, board, "/api/rooms/{}/messages", {"json": {"body": "hi"}}, Origin=origin).status_code
        == 403
    )
    eventually(lambda: any(origin in line and ada.server.host in line for line in ada.server.log))


def test_a_write_without_an_identity_is_asked_to_sign_in(server: Server, ada: Person, board: int) -> None:
    for path, body in (
        ("/api/rooms/{}/messages", {"json": {"body": "hi"}}),
        ("/api/rooms/{}/typing", {}),
        ("/api/rooms/{}/read", {"json": {"seq": 1}}),
        ("/api/rooms", {"json": {"name": "room"}}),
    ):
        assert problem(nobody_posts(server.url + path.format(board), **body)) == "sign_in"
    for path, data in ((f"/chats/{board}/", {"body": "hi"}), ("/chats/", {"name": "room"})):
        assert nobody_posts(server.url + path, data=data, headers=PAGE).status_code == 401
    assert ada.read(board, after=0)["messages"] == []


def test_somebody_without_an_identity_reads_public_rooms(server: Server, ada: Person, board: int) -> None:
    ada.say(board, "hello")
    with closing(Person(server)) as nobody:
        assert [message["body"] for message in nobody.read(board)["messages"]] == ["hello"]
        assert nobody.http.get("/api/rooms").status_code == 200
        assert nobody.http.get(f"/api/rooms/{board}/presence").status_code == 200
        assert "hello" in nobody.http.get(f"/chats/{board}/").text


@pytest.mark.parametrize("header", ["X-CSRF-Token", "X-CSRFToken"])
def test_the_token_may_come_under_the_name_that_other_frameworks_have(
    header: str, ada: Person, board: int
) -> None:
    token = _csrf_token(ada)
    headers = {"Cookie": ada.cookie, header: token}
    answer = nobody_posts(f"{ada.server.url}{ada.messages(board)}", json={"body": "hi"}, headers=headers)
    assert answer.status_code == 201


# -- cookies and tokens ---------------------------------------------------------------------------------


def test_the_cookie_is_called_chatapp_and_no_script_and_no_other_site_gets_it(server: Server) -> None:
    answer = nobody_posts(server.url + "/guests", json={"name": "ada"})
    (cookie,) = answer.headers.get_list("Set-Cookie")
    assert cookie.startswith("chatapp=")
    fields = {field.strip().lower() for field in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= fields
    assert any(field.startswith(("expires=", "max-age=")) for field in fields)  # it outlives the browser


def test_a_cookie_is_good_in_every_worker_and_after_a_restart(new_server: Callable[..., Server]) -> None:
    server = new_server(workers=2).start()
    ada = Person(server, "ada")
    token = _csrf_token(ada)
    for start in range(2):
        for number in range(6):  # each on a connection of its own
            headers = {"Cookie": ada.cookie, "X-CSRF-Token": token}
            answer = nobody_posts(f"{server.url}/api/rooms/1/messages", json={"body": "hi"}, headers=headers)
            assert answer.json()["author"] == {"id": ada.id, "name": "ada", "guest": True}, (start, number)
        if not start:
            server.restart()
    ada.close()


@pytest.mark.parametrize("change", ["cut", "changed", "somebody else's name"])
def test_a_cookie_that_was_tampered_with_is_nobodys(change: str, ada: Person, board: int) -> None:
    value = ada.http.cookies["chatapp"]
    wrong = {"cut": value[:-5], "changed": value[::-1], "somebody else's name": "x" + value}[change]
    headers = {"Cookie": f"chatapp={wrong}"}
    answer = nobody_posts(ada.server.url + ada.messages(board), json={"body": "hi"}, headers=headers)
    assert problem(answer) == "sign_in"


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Basic YWRhOmFkYQ==", "nonsense"])
def test_a_token_that_is_not_valid_is_asked_to_sign_in_whatever_the_cookie(
    header: str, ada: Person, board: int
) -> None:
    fields = {"Authorization": header}
    for answer in (
        ada.http.get(ada.messages(board), headers=fields),
        ada.http.post(ada.messages(board), json={"body": "hi"}, headers=fields),
        ada.http.get(f"/api/rooms/{board}/stream", headers=fields),
        ada.http.get("/api/rooms", headers=fields),
    ):
        assert problem(answer) == "sign_in"


@pytest.mark.parametrize("path", ["/ws", "/chats/{}/ws"])
def test_a_socket_with_a_token_that_is_not_valid_is_accepted_and_closed_with_4401(
    path: str, ada: Person, board: int
) -> None:
    with RawSocket(ada.server) as raw:
        assert raw.handshake(path.format(board), Authorization="Bearer wrong").status == 101
        assert raw.close_code() == 4401


@pytest.mark.parametrize("name", ["system", "guest", "System", "GUEST", "  guest ", "ｓｙｓｔｅｍ"])
def test_the_names_of_nobody_in_particular_are_reserved(name: str, server: Server) -> None:
    assert problem(nobody_posts(server.url + "/guests", json={"name": name})) == "bad_request"
    assert nobody_posts(server.url + "/guests", data={"name": name}, headers=PAGE).status_code == 400


def test_each_guest_is_somebody_else_even_under_the_same_name(server: Server, board: int) -> None:
    with closing(Person(server, "ada")) as one, closing(Person(server, "ada")) as two:
        assert one.id != two.id
        assert one.say(board, "hi", client_id="one")["seq"] != two.say(board, "hi", client_id="one")["seq"]


def test_a_guest_may_take_another_name_and_is_then_somebody_else(ada: Person, board: int) -> None:
    said = ada.say(board, "hello")
    answer = ada.http.post("/guests", json={"name": "countess"})
    assert answer.status_code == 201
    again = ada.say(board, "hello again")
    assert again["author"] == {"id": answer.json()["id"], "name": "countess", "guest": True}
    assert again["author"]["id"] != said["author"]["id"]


# -- coming in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/chats/1/", "/chats/long_poll/1/", "/chats/", "/chats/1/?before=3"])
def test_a_form_leads_to_where_it_was(path: str, server: Server) -> None:
    answer = nobody_posts(server.url + "/guests", data={"name": "ada", "next": path})
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert "chatapp=" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "path",
    ["http://mallory.example/", "//mallory.example", "///mallory.example", "/\\mallory.example", "\\\\mallory.example",
     "/\t/mallory.example", "\t//mallory.example", " //mallory.example", "/\n/mallory.example", "javascript:alert(1)",
     "https:mallory.example", "mallory.example", "/\r\nSet-Cookie: x=y", "//[", "http://[", ""],
    ids=repr,
)  # fmt: skip
def test_a_form_leads_to_no_other_site(path: str, server: Server) -> None:
    answer = nobody_posts(server.url + "/guests", data={"name": "ada", "next": path})
    assert answer.status_code == 303
    # A browser drops tabs and line breaks, takes a backslash for a slash, and trims.
    location = re.sub(r"[\t\r\n]", "", answer.headers["Location"]).strip().replace("\\", "/")
    assert urlsplit(urljoin(server.url, location)).netloc == server.host
    assert answer.headers.get("Set-Cookie", "").startswith("chatapp=")


def test_a_page_without_scripts_lets_somebody_in_and_say_something(server: Server, board: int) -> None:
    with httpx.Client(verify=False, base_url=server.url, headers=PAGE, follow_redirects=True) as browser:
        page = browser.get(f"/chats/{board}/")
        fields = {"name": "ada", "next": f"/chats/{board}/", "csrf_token": _token_of(page.text)}
        page = browser.post("/guests", data=fields)
        assert (page.status_code, page.url.path) == (200, f"/chats/{board}/")
        page = browser.post(f"/chats/{board}/", data={"body": "hello", "csrf_token": _token_of(page.text)})
        assert (page.status_code, page.url.path) == (200, f"/chats/{board}/")
        assert "hello" in page.text
        assert "ada" in page.text


# -- CHATAPP_ORIGINS ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "listed"),
    [(LISTED, True), ("https://second.example", True), (FOREIGN, False), ("http://tutorial.example", False),
     ("https://tutorial.example:3000", False), ("null", False)],
)  # fmt: skip
@pytest.mark.parametrize(
    "path",
    ["/api/rooms", "/api/rooms/1/messages", "/api/rooms/1/messages?after=x", "/api/rooms/1/presence",
     "/chats/1/http?lastupdate=-1", "/api/rooms/1/stream"],
)  # fmt: skip
def test_a_page_of_a_listed_origin_may_read_the_answers(
    path: str, origin: str, listed: bool, friendly: Server
) -> None:
    with nobody_streams("GET", friendly.url + path, headers={"Origin": origin}) as answer:
        assert answer.headers.get("Access-Control-Allow-Origin") == (origin if listed else None)
        assert "Access-Control-Allow-Credentials" not in answer.headers
        if listed:
            assert "Origin" in answer.headers["Vary"]


def test_a_page_of_a_listed_origin_may_resume_a_stream_by_its_header(friendly: Server) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "last-event-id"}
    for origin, allowed in ((LISTED, True), ("https://other.example", False)):
        answer = httpx.options(
            f"{friendly.url}/api/rooms/1/stream", headers={**asked, "Origin": origin}, verify=False
        )
        said = answer.headers.get("Access-Control-Allow-Headers", "").lower()
        assert ("last-event-id" in said) is allowed


def test_a_listed_origin_posts_through_the_tutorials_door_without_the_cookies_identity(
    friendly: Server,
) -> None:
    with closing(Person(friendly, "ada")) as ada:
        room = ada.make_room()
        answer = write(ada, room, "/chats/{}/http", {"data": {"new_message": "hello"}}, Origin=LISTED)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == LISTED
        (message,) = ada.read(room, after=0)["messages"]
        assert (message["author"]["name"], message["author"]["guest"]) == ("guest", True)
        assert message["author"]["id"] != ada.id


@pytest.mark.parametrize(("path", "body", "status"), [each for each in WRITES if "http" not in each[0]])
def test_a_listed_origin_writes_through_no_other_door(
    path: str, body: dict[str, Any], status: int, friendly: Server
) -> None:
    with closing(Person(friendly, "ada")) as ada:
        token = _csrf_token(ada)
        assert problem(write(ada, 1, path, body, Origin=LISTED, X_CSRF_Token=token)) in (
            "forbidden",
            "sign_in",
        )


def test_a_listed_origin_opens_sockets_without_the_cookies_identity(friendly: Server) -> None:
    with closing(Person(friendly, "ada")) as ada:
        room = ada.make_room()
        with closing(ada.socket(Origin=LISTED)) as socket:
            assert socket.join(room)["type"] == "joined"
            socket.send({"type": "send", "room": room, "body": "hi"})
            assert socket.expect(lambda frame: frame["type"] == "error")["code"] == "sign_in"
        with closing(ada.socket(path=f"/chats/{room}/ws", subprotocols=None, Origin=LISTED)) as line:
            line.expect(lambda text: text == "connected ....")
            line.send("hello")
            line.expect(lambda text: text == "hello")
        (message,) = ada.read(room, after=0)["messages"]
        assert message["author"]["name"] == "guest"
    with RawSocket(friendly) as raw:
        assert raw.handshake(Origin=FOREIGN).status == 403


def test_a_listed_origin_reads_without_the_cookies_identity(friendly: Server) -> None:
    with closing(Person(friendly, "ada")) as ada, closing(Person(friendly, "grace")) as grace:
        room = ada.make_room()
        grace.say(room, "hello")
        headers = {"Origin": LISTED, "Cookie": ada.cookie}
        nobody_gets(f"{friendly.url}/api/rooms/{room}/messages", headers=headers)
        rooms = nobody_gets(f"{friendly.url}/api/rooms", headers=headers).json()["rooms"]
        assert next(each["unread"] for each in rooms if each["id"] == room) == 0
        assert next(each["here"] for each in rooms if each["id"] == room) == 0


# -- without guests -------------------------------------------------------------------------------------


def refuse_strangers(server: Server) -> None:
    """Everything that a server does not do for somebody whom it does not know."""
    room = f"{server.url}/api/rooms/1"
    for answer in (
        nobody_gets(server.url + "/api/rooms"),
        nobody_gets(room + "/messages"),
        nobody_gets(room + "/messages?before=5"),
        nobody_gets(room + "/presence"),
        nobody_gets(room + "/stream"),
        nobody_gets(server.url + "/chats/1/http?lastupdate=-1"),
        nobody_posts(room + "/messages", json={"body": "hi"}),
        nobody_posts(room + "/typing"),
        nobody_posts(room + "/read", json={"seq": 1}),
        nobody_posts(server.url + "/api/rooms", json={"name": "room"}),
        nobody_posts(server.url + "/chats/1/http", data={"new_message": "hi"}),
    ):
        assert problem(answer) == "sign_in"
    for path in ("/ws", "/chats/1/ws"):
        with RawSocket(server) as raw:
            assert raw.handshake(path).status == 101
            assert raw.close_code() == 4401
    for path in ("/chats/1/", "/chats/long_poll/1/"):
        page = nobody_gets(server.url + path, headers=PAGE, follow_redirects=True)
        assert (page.status_code, page.url.path) == (200, "/chats/")
        assert "Lobby" not in page.text
    assert nobody_posts(server.url + "/guests", json={"name": "mallory"}).status_code == 403
    assert nobody_gets(server.url + "/healthz").status_code == 200


def test_where_guests_are_not_allowed_nobody_reads_or_writes_without_an_identity(
    strict: tuple[Server, Person],
) -> None:
    refuse_strangers(strict[0])


def test_a_guests_cookie_is_good_for_nothing_once_guests_are_not_allowed(
    strict: tuple[Server, Person],
) -> None:
    server, ada = strict
    assert problem(ada.http.get(ada.messages(1))) == "sign_in"
    assert problem(ada.http.post(ada.messages(1), json={"body": "hi"})) == "sign_in"
    with RawSocket(server) as raw:
        assert raw.handshake(Cookie=ada.cookie).status == 101
        assert raw.close_code() == 4401


def test_where_a_word_is_asked_of_guests_nobody_reads_or_writes_without_it(coded: Server) -> None:
    refuse_strangers(coded)
    assert (
        "rooms.js" not in nobody_gets(coded.url + "/chats/", headers=PAGE).text
    )  # it would ask, and be refused


@pytest.mark.parametrize("code", [None, "", "wrong", "Open Sesame", 7, ["open sesame"]], ids=repr)
def test_a_guest_without_the_word_is_refused(code: object, coded: Server) -> None:
    answer = nobody_posts(coded.url + "/guests", json={"name": "mallory", "code": code})
    assert problem(answer) == "forbidden"
    assert "Set-Cookie" not in answer.headers


def test_jsonp_is_the_same_for_everybody_so_a_guests_cookie_opens_nothing(coded: Server) -> None:
    with httpx.Client(verify=False, base_url=coded.url, headers={"Origin": coded.url}) as ada:
        assert ada.post("/guests", json={"name": "ada", "code": "open sesame"}).status_code == 201
        poll = {"lastupdate": "-1"}
        assert ada.get("/chats/1/http", params=poll).status_code == 200
        assert problem(ada.get("/chats/1/http", params={**poll, "callback": "cb"})) == "sign_in"


def test_a_guest_with_the_word_comes_in(coded: Server) -> None:
    with httpx.Client(verify=False, base_url=coded.url, headers={"Origin": coded.url}) as ada:
        assert ada.post("/guests", json={"name": "ada", "code": "open sesame"}).status_code == 201
        assert ada.post("/api/rooms/1/messages", json={"body": "hi"}).status_code == 201
        assert ada.get("/chats/1/").status_code == 200


@pytest.mark.parametrize("path", ["/chats/1/", "/chats/long_poll/1/", "/chats/1/?before=3"])
def test_a_link_to_a_room_leads_there_once_the_word_was_said(path: str, coded: Server) -> None:
    with httpx.Client(verify=False, base_url=coded.url, headers=PAGE, follow_redirects=True) as browser:
        page = browser.get(path)
        fields = {"name": "grace", "code": "open barley"}
        page = browser.post("/guests", data={**fields, **_hidden_fields(page.text)})
        assert (page.status_code, page.url.path) == (403, "/guests"), "the wrong word"
        page = browser.post("/guests", data={**fields, "code": "open sesame", **_hidden_fields(page.text)})
        assert (page.status_code, page.url.raw_path.decode()) == (200, path)


def test_the_address_of_a_refused_form_leads_back_to_the_form(coded: Server) -> None:
    page = nobody_gets(coded.url + "/guests", headers=PAGE, follow_redirects=True)
    assert (page.status_code, page.url.path) == (200, "/chats/")
    assert 'name="code"' in page.text


@pytest.mark.parametrize("path", ["//mallory.example", "javascript:alert(1)", "//["])
def test_a_link_to_the_form_leads_to_no_other_site(path: str, coded: Server) -> None:
    page = nobody_gets(coded.url + "/chats/", params={"next": path}, headers=PAGE)
    assert page.status_code == 200
    assert _hidden_fields(page.text)["next"] == "/chats/"


# -- behind a proxy -------------------------------------------------------------------------------------

FORWARDED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "chat.example",
    "X-Forwarded-For": "203.0.113.7",
}


@pytest.mark.parametrize(("proxies", "trusted"), [("1", True), ("0", False)])
def test_what_a_proxy_says_counts_only_where_proxies_are_trusted(
    proxies: str, trusted: bool, make_server: Callable[..., Server]
) -> None:
    server = make_server(trusted_proxies=proxies, rate_guests="2 per hour")
    origin = {"Origin": "https://chat.example"}
    with RawSocket(server) as raw:
        fields = {name.replace("-", "_"): value for name, value in {**FORWARDED, **origin}.items()}
        assert raw.handshake(**fields).status == (101 if trusted else 403)
    answer = nobody_posts(server.url + "/guests", json={"name": "ada"}, headers={**FORWARDED, **origin})
    assert answer.status_code == (201 if trusted else 403)
    # Limits by address: of the client where the proxy is believed, of the proxy where it is not.
    statuses = [
        nobody_posts(
            server.url + "/guests", json={"name": "ada"}, headers={"X-Forwarded-For": address}
        ).status_code
        for address in ("203.0.113.8", "203.0.113.8", "203.0.113.9", "198.51.100.1, 203.0.113.8")
    ]
    assert statuses == ([201, 201, 201, 429] if trusted else [201, 201, 429, 429])


# -- within ---------------------------------------------------------------------------------------------


def _token_of(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page) or re.search(
        r'name="csrf-token" content="([^"]+)"', page
    )
    assert found, page
    return found[1]


def _hidden_fields(page: str) -> dict[str, str]:
    """What the form on `page` carries along, as a browser would send it."""
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))


def _csrf_token(person: Person) -> str:
    return _token_of(person.http.get("/chats/").text)


def test_who_came_in_before_there_was_a_word_or_with_another_one_has_to_say_the_new_one(
    new_server: Callable[..., Server],
) -> None:
    server = new_server().start()
    ada = Person(server, "ada")
    assert ada.http.get(ada.messages(1)).status_code == 200
    for word in ("sesame", "barley"):
        server.kill()
        server.settings["CHATAPP_GUEST_CODE"] = word
        server.start()
        assert problem(ada.http.get(ada.messages(1))) == "sign_in"
        answer = ada.http.post("/guests", json={"name": "ada", "code": word})
        assert answer.status_code == 201
        assert answer.json()["id"] == ada.id
        assert ada.http.get(ada.messages(1)).status_code == 200
    ada.close()


def test_who_says_another_name_or_is_in_already_becomes_another_person(
    new_server: Callable[..., Server],
) -> None:
    server = new_server().start()
    ada = Person(server, "ada")
    again = ada.http.post("/guests", json={"name": "ada"}).json()
    server.kill()
    server.settings["CHATAPP_GUEST_CODE"] = "sesame"
    server.start()
    grace = ada.http.post("/guests", json={"name": "grace", "code": "sesame"}).json()
    assert len({ada.id, again["id"], grace["id"]}) == 3
    ada.close()


def test_what_a_request_changes_in_what_its_cookie_holds_the_next_with_the_same_one_does_not_see() -> None:
    app = create_app()
    with app.test_request_context("/"):
        cookie = app.session_interface.get_signing_serializer(app).dumps({"_flashes": ["one"], "name": "ada"})  # type: ignore[attr-defined]
        for _ in range(2):
            session = app.session_interface.read(app, cookie)  # type: ignore[attr-defined]
            assert session == {"_flashes": ["one"], "name": "ada"}
            session["_flashes"].append("two")
            session["name"] = "grace"
