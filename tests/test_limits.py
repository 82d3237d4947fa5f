"""How fast anybody may go, and what is said to those who go faster. What is refused is not kept."""

import json
from collections.abc import Callable
from contextlib import ExitStack, closing

import httpx

from tests.clients import Person, eventually
from tests.raw_socket import RawSocket, problem
from tests.servers import Server

Maker = Callable[..., Server]


def too_fast(answer: httpx.Response) -> bool:
    """Whether the answer is 429; then it says how long to wait."""
    if answer.status_code != 429:
        return False
    assert problem(answer) == "too_fast"
    assert int(answer.headers["Retry-After"]) >= 1
    return True


def post(person: Person, room: int, **fields: object) -> httpx.Response:
    return person.http.post(person.messages(room), json={"body": "hi", **fields})


# -- messages -------------------------------------------------------------------------------------------


def test_a_person_says_so_much_in_a_while_and_what_is_refused_is_not_kept(new_server: Maker) -> None:
    server = new_server(rate_messages="3 per hour").start()
    with closing(Person(server, "ada")) as ada, closing(Person(server, "grace")) as grace:
        cursor = ada.read(1)["cursor"]
        assert [post(ada, 1).status_code for _ in range(3)] == [201] * 3
        assert too_fast(post(ada, 1))
        assert too_fast(post(ada, ada.make_room()))  # all rooms together
        assert too_fast(post(ada, 1, kind="reaction", of=cursor + 1, body="👍"))
        page = ada.http.post("/chats/1/", data={"body": "hi"}, headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["Content-Type"]) == (429, "text/html; charset=utf-8")
        assert too_fast(ada.http.post("/chats/1/http", data={"new_message": "hi"}))
        assert ada.read(1)["cursor"] == cursor + 3
        assert post(grace, 1).status_code == 201  # she has an allowance of her own


def test_a_socket_that_says_too_much_is_told_how_long_to_wait_and_stays_open(new_server: Maker) -> None:
    server = new_server(rate_messages="3 per hour").start()
    with closing(Person(server, "ada")) as ada:
        with closing(ada.socket()) as socket:
            for number in range(5):
                socket.send({"type": "send", "room": 1, "client_id": str(number), "body": "hi"})
            eventually(lambda: len(socket.of("ack")) == 3 and len(socket.of("error")) == 2)
            for number, error in zip((3, 4), socket.of("error"), strict=True):
                assert (error["code"], error["re"], error["room"]) == ("too_fast", "send", 1)
                assert error["client_id"] == str(number)
                assert error["retry_after"] >= 1
            socket.send({"type": "ping"})
            socket.expect(lambda frame: frame["type"] == "pong")
        with closing(ada.socket(path="/chats/1/ws", subprotocols=None)) as line:
            line.send("hi")
            line.expect(lambda text: text.startswith("! "))
        assert too_fast(post(ada, 1))


def test_a_repeat_of_a_known_client_id_counts(new_server: Maker) -> None:
    server = new_server(rate_messages="3 per hour").start()
    with closing(Person(server, "ada")) as ada:
        statuses = [post(ada, 1, client_id="one").status_code for _ in range(4)]
        assert statuses == [201, 200, 200, 429]


def test_guests_of_one_address_together_say_five_times_as_much(new_server: Maker) -> None:
    server = new_server(rate_messages="2 per hour").start()
    with ExitStack() as guests:
        people = [guests.enter_context(closing(Person(server, f"guest {number}"))) for number in range(6)]
        statuses = [post(person, 1).status_code for person in people[:5] for _ in range(2)]
        assert statuses == [201] * 10
        assert too_fast(post(people[5], 1))


def test_visitors_of_one_address_have_one_allowance(new_server: Maker) -> None:
    server = new_server(rate_messages="3 per hour").start()

    def visit() -> httpx.Response:
        return httpx.post(f"{server.url}/chats/1/http", data={"new_message": "hi"})

    assert [visit().status_code for _ in range(3)] == [200] * 3
    assert too_fast(visit())
    with closing(Person(server)) as nobody, closing(nobody.socket(path="/chats/1/ws", subprotocols=None)) as line:
        line.send("hi")
        line.expect(lambda text: text.startswith("! "))
    with closing(Person(server, "ada")) as ada:
        assert post(ada, 1).status_code == 201


# -- connections and guests -----------------------------------------------------------------------------


def test_a_person_opens_so_many_sockets_and_streams_in_a_while_and_polls_do_not_count(new_server: Maker) -> None:
    server = new_server(rate_connections="3 per hour").start()
    with closing(Person(server, "ada")) as ada, closing(Person(server, "grace")) as grace:
        for _ in range(10):
            ada.read(1)
        for path in ("/ws", "/chats/1/ws"):
            with RawSocket(server) as raw:
                assert raw.handshake(path, Cookie=ada.cookie).status == 101
        with ada.http.stream("GET", "/api/rooms/1/stream") as answer:
            assert answer.status_code == 200
        for path in ("/ws", "/chats/1/ws"):
            with RawSocket(server) as raw:
                answer = raw.handshake(path, Cookie=ada.cookie)
                assert (answer.status, answer.code) == (429, "too_fast")
                assert int(answer.headers["retry-after"]) >= 1
        assert too_fast(ada.http.get("/api/rooms/1/stream"))
        ada.read(1)
        with RawSocket(server) as raw:
            assert raw.handshake(Cookie=grace.cookie).status == 101


def test_guests_and_visitors_of_one_address_open_five_times_as_many(new_server: Maker) -> None:
    server = new_server(rate_connections="2 per hour").start()
    with closing(Person(server, "ada")) as ada, closing(Person(server, "grace")) as grace:
        cookies = [ada.cookie] * 2 + [grace.cookie] * 2 + [""] * 6
        for cookie in cookies:
            with RawSocket(server) as raw:
                assert raw.handshake(Cookie=cookie).status == 101
        with RawSocket(server) as raw:
            assert raw.handshake().status == 429
        with closing(Person(server, "newcomer")) as newcomer, RawSocket(server) as raw:
            assert raw.handshake(Cookie=newcomer.cookie).status == 429


def test_so_many_guests_come_from_one_address_in_a_while(new_server: Maker) -> None:
    server = new_server(rate_guests="3 per hour").start()

    def come() -> httpx.Response:
        return httpx.post(f"{server.url}/guests", json={"name": "ada"})

    assert [come().status_code for _ in range(3)] == [201] * 3
    assert too_fast(come())
    page = httpx.post(f"{server.url}/guests", data={"name": "ada"}, headers={"Accept": "text/html"})
    assert (page.status_code, int(page.headers["Retry-After"]) >= 1) == (429, True)
    assert "Set-Cookie" not in page.headers or "person" not in page.headers["Set-Cookie"]


def test_so_many_rooms_are_made_from_one_address_in_a_while(new_server: Maker) -> None:
    server = new_server(rate_guests="4 per hour").start()
    with closing(Person(server, "ada")) as ada:
        made = 0
        while not too_fast(ada.http.post("/api/rooms", json={"name": "board"})):
            made += 1
        assert made in (3, 4)  # ada herself came from there
        assert len(ada.http.get("/api/rooms").json()["rooms"]) == made + 1
        page = ada.http.post("/chats/", data={"name": "board"}, headers={"Accept": "text/html"})
        assert page.status_code == 429


# -- frames ---------------------------------------------------------------------------------------------


def test_a_hundred_frames_in_a_row_over_the_rate_close_the_socket_with_4429(new_server: Maker) -> None:
    server = new_server(rate_messages="30 per 10 seconds").start()
    with closing(Person(server, "ada")) as ada:
        with closing(ada.socket()) as socket:
            for _ in range(299):
                socket.send('{"type":"ping"}')
            eventually(lambda: len(socket.of("pong")) == 200 and len(socket.of("error")) == 99)
            assert socket.closed is None
            for error in socket.of("error"):
                assert (error["code"], error["re"]) == ("too_fast", "ping")
                assert error["retry_after"] >= 1
            socket.send('{"type":"ping"}')
            code, reason = eventually(lambda: socket.closed)
            assert code == 4429
            assert json.loads(reason)["retry_after"] >= 1
        with closing(ada.socket()) as socket:  # each socket has its own allowance
            socket.send('{"type":"ping"}')
            socket.expect(lambda frame: frame["type"] == "pong")


def test_frames_are_allowed_twice_as_often_as_messages_where_that_is_more(new_server: Maker) -> None:
    server = new_server(rate_messages="150 per 10 seconds").start()
    with closing(Person(server, "ada")) as ada, closing(ada.socket()) as socket:
        for _ in range(310):
            socket.send('{"type":"ping"}')
        eventually(lambda: len(socket.of("pong")) + len(socket.of("error")) == 310)
        assert len(socket.of("pong")) == 300
