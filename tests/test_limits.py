"""How fast anybody may go, and what is said to those who go faster. What is refused is not kept."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import httpx
import pytest

from tests.clients import Person, eventually
from tests.people import administrator, member
from tests.programs import program
from tests.raw_socket import CLOSE, TEXT, RawSocket, nobody_posts, problem
from tests.servers import Server

PAGE = {"Accept": "text/html"}
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with narrow limits, behind a proxy that says who asks: each test has an address of its own."""
    folder = tmp_path_factory.mktemp("slow") / "instance"
    rates = {"rate_messages": "3 per hour", "rate_connections": "3 per hour", "rate_guests": "8 per hour"}
    rates["rate_searches"] = "3 per hour"
    server = Server(folder, trusted_proxies="1", **rates).start()
    yield server
    server.kill()


@pytest.fixture
def server(slow: Server) -> Server:
    return slow


@pytest.fixture
def address() -> dict[str, str]:
    """An address that nobody else has, as a proxy says it."""
    return {"X-Forwarded-For": f"203.0.113.{next(numbers)}"}


Guests = Callable[[str], Person]


@pytest.fixture
def guest(server: Server, address: dict[str, str]) -> Iterator[Guests]:
    """Makes guests at this address."""
    with ExitStack() as guests:

        def come(name: str) -> Person:
            person = guests.enter_context(closing(Person(server)))
            person.http.headers.update(address)
            answer = person.http.post("/guests", json={"name": name})
            assert answer.status_code == 201, answer.text
            person.id, person.name = answer.json()["id"], name
            return person

        yield come


@pytest.fixture
def ada(guest: Guests) -> Person:
    return guest("ada")


@pytest.fixture
def handshake(server: Server, address: dict[str, str]) -> Callable[..., int]:
    """Opens and closes a socket; the status of its handshake."""

    def shake(path: str = "/ws", person: Person | None = None) -> int:
        with RawSocket(server) as raw:
            cookie = {"Cookie": person.cookie} if person else {}
            answer = raw.handshake(path, X_Forwarded_For=address["X-Forwarded-For"], **cookie)
            if answer.status == 429:
                assert answer.code == "too_fast"
                assert int(answer.headers["retry-after"]) >= 1
            return answer.status

    return shake


def post(person: Person, room: int, **fields: object) -> httpx.Response:
    return person.http.post(person.messages(room), json={"body": "hi", **fields})


def too_fast(answer: httpx.Response) -> bool:
    """Whether the answer is 429; then it says how long to wait."""
    if answer.status_code != 429:
        return False
    assert problem(answer) == "too_fast"
    assert int(answer.headers["Retry-After"]) >= 1
    return True


# -- messages -------------------------------------------------------------------------------------------


def test_a_person_says_so_much_in_a_while_and_what_is_refused_is_not_kept(ada: Person, guest: Guests) -> None:
    board, other, grace = ada.make_room(), ada.make_room(), guest("grace")
    assert [post(ada, board).status_code for _ in range(3)] == [201] * 3
    assert too_fast(post(ada, board))
    assert too_fast(post(ada, other))  # all rooms together
    assert too_fast(post(ada, board, kind="reaction", of=1, body="👍"))
    assert too_fast(ada.http.post(f"/chats/{board}/http", data={"new_message": "hi"}))
    page = ada.http.post(f"/chats/{board}/", data={"body": "hi"}, headers=PAGE)
    assert (page.status_code, page.headers["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert (ada.read(board)["cursor"], ada.read(other)["cursor"]) == (3, 0)
    assert post(grace, board).status_code == 201  # she has an allowance of her own


def test_a_socket_that_says_too_much_is_told_how_long_to_wait_and_stays_open(
    ada: Person, address: dict[str, str]
) -> None:
    board = ada.make_room()
    with closing(ada.socket(**address)) as socket:
        for number in range(5):
            socket.send({"type": "send", "room": board, "client_id": str(number), "body": "hi"})
        eventually(lambda: len(socket.of("ack")) == 3 and len(socket.of("error")) == 2)
        for number, error in zip((3, 4), socket.of("error"), strict=True):
            assert (error["code"], error["re"], error["room"]) == ("too_fast", "send", board)
            assert error["client_id"] == str(number)
            assert error["retry_after"] >= 1
        socket.send({"type": "ping"})
        socket.expect(lambda frame: frame["type"] == "pong")
    with closing(ada.socket(path=f"/chats/{board}/ws", subprotocols=None, **address)) as line:
        line.send("hi")
        line.expect(lambda text: text.startswith("! "))
    assert too_fast(post(ada, board))
    assert ada.read(board)["cursor"] == 3


def test_what_a_token_does_not_allow_spends_nothing_of_its_owner(server: Server) -> None:
    boss = administrator(server)
    board, reader = boss.make_room(), program(boss, "read")
    assert [post(reader, board, client_id=str(number)).status_code for number in range(4)] == [403] * 4
    assert post(boss, board).status_code == 201


def test_a_repeat_of_a_known_client_id_counts(ada: Person) -> None:
    board = ada.make_room()
    statuses = [post(ada, board, client_id="one").status_code for _ in range(4)]
    assert statuses == [201, 200, 200, 429]


def test_guests_of_one_address_together_say_five_times_as_much(guest: Guests) -> None:
    people = [guest(f"guest {number}") for number in range(6)]
    board = people[0].make_room()
    statuses = [post(person, board).status_code for person in people[:5] for _ in range(3)]
    assert statuses == [201] * 15
    assert too_fast(post(people[5], board))
    assert people[5].read(board)["cursor"] == 15


def test_visitors_of_one_address_have_one_allowance(
    server: Server, ada: Person, address: dict[str, str]
) -> None:
    board = ada.make_room()

    def visit(address: dict[str, str]) -> httpx.Response:
        return nobody_posts(f"{server.url}/chats/{board}/http", data={"new_message": "hi"}, headers=address)

    assert [visit(address).status_code for _ in range(3)] == [200] * 3
    assert too_fast(visit(address))
    visitor = Person(server)
    with (
        closing(visitor),
        closing(visitor.socket(path=f"/chats/{board}/ws", subprotocols=None, **address)) as line,
    ):
        line.send("hi")
        line.expect(lambda text: text.startswith("! "))
    assert visit({"X-Forwarded-For": f"198.51.100.{board}"}).status_code == 200
    assert post(ada, board).status_code == 201
    assert ada.read(board)["cursor"] == 5


def test_what_is_done_to_a_room_counts_as_a_message_for_everybody_but_the_system(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(rate_messages="3 per hour").start()
    boss, grace = administrator(server), member(server, "grace")
    board = boss.make_room()
    path = f"/api/rooms/{board}"
    for deed in ("join", "leave", "join"):
        assert grace.http.post(f"{path}/{deed}").status_code == 200
    assert too_fast(grace.http.post(f"{path}/leave"))
    assert too_fast(post(grace, board))
    settings = [{"topic": "ships"}, {"slow_seconds": 1}]
    assert [boss.http.patch(path, json=setting).status_code for setting in settings] == [200] * 2
    assert boss.http.delete(f"{path}/members/{grace.id}").status_code == 200
    assert too_fast(boss.http.patch(path, json={"topic": "sails"}))
    assert too_fast(boss.http.post(f"{path}/clear"))
    ban = {"kind": "ban", "person": grace.id}
    assert too_fast(boss.http.post(f"{path}/sanctions", json=ban))
    assert boss.read(board)["cursor"] == 6
    for number in range(4):
        assert server.console("room", "topic", str(board), f"topic {number}").status == 0


def test_of_settings_that_are_too_many_for_the_rate_none_is_made(server: Server) -> None:
    grace = member(server, "grace")
    board = grace.make_room()
    many = {"topic": "ships", "slow_seconds": 1, "guests": False, "closed": True}
    assert too_fast(grace.http.patch(f"/api/rooms/{board}", json=many))
    assert grace.read(board)["cursor"] == 0
    (line,) = [each for each in grace.http.get("/api/rooms").json()["rooms"] if each["id"] == board]
    assert (line["topic"], line["closed"]) == ("", False)


def test_who_sends_out_everybody_of_a_name_sends_out_all_of_them(server: Server, guest: Guests) -> None:
    boss = administrator(server)
    board, spammers = boss.make_room(), [guest("spam") for _ in range(5)]
    for spammer in spammers:
        assert post(spammer, board).status_code == 201
    answer = boss.http.post(f"/api/rooms/{board}/kick", json={"name": "spam"})
    assert (answer.status_code, answer.json()) == (200, {"removed": sorted(each.id for each in spammers)})
    assert boss.read(board)["cursor"] == 10


def test_a_person_changes_their_account_and_makes_tokens_so_often_in_a_while(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(rate_guests="4 per hour").start()
    boss, grace = administrator(server), member(server, "grace")
    token = {"name": "a program", "scopes": ["read"]}
    assert grace.change(grace.id, name="Grace the first").status_code == 200
    assert grace.change(grace.id, status="away").status_code == 200
    made = grace.http.post("/api/tokens", json=token)
    assert made.status_code == 201
    lost = grace.http.post("/api/tokens", json=token)
    assert lost.status_code == 201
    for each in (made, lost):
        assert grace.http.delete(f"/api/tokens/{each.json()['id']}").status_code == 204  # at any time
    assert too_fast(grace.change(grace.id, name="Grace the second"))
    assert too_fast(grace.change(grace.id, status="here"))
    assert too_fast(grace.http.post("/api/tokens", json=token))
    page = grace.http.post("/account/name", data={"name": "Grace the second"}, headers=PAGE)
    assert (page.status_code, int(page.headers["Retry-After"]) >= 1) == (429, True)
    assert (grace.me()["name"], grace.me()["status"]) == ("Grace the first", "away")
    assert boss.change(grace.id, name="Grace the third").status_code == 200  # her own allowance


def test_a_person_searches_so_often_in_a_while_by_either_door(ada: Person, guest: Guests) -> None:
    searches = [
        ada.http.get("/api/search", params={"q": "x"}),
        ada.http.get("/search", params={"q": "x"}),
        ada.http.get("/api/search", params={"q": "?"}),  # also one that is not understood
    ]
    assert [answer.status_code for answer in searches] == [200, 200, 400]
    assert too_fast(ada.http.get("/api/search", params={"q": "x"}))
    page = ada.http.get("/search", params={"q": "x"}, headers=PAGE)
    assert (page.status_code, 'role="alert"' in page.text) == (429, True)
    assert ada.http.get("/search").status_code == 200
    assert guest("grace").http.get("/api/search", params={"q": "x"}).status_code == 200


# -- connections and guests -----------------------------------------------------------------------------


def test_a_person_opens_so_many_sockets_and_streams_in_a_while_and_polls_do_not_count(
    ada: Person, guest: Guests, handshake: Callable[..., int]
) -> None:
    for _ in range(10):
        ada.read(1)
    assert [handshake(path, ada) for path in ("/ws", "/chats/1/ws")] == [101, 101]
    with ada.http.stream("GET", "/api/rooms/1/stream") as answer:
        assert answer.status_code == 200
    assert [handshake(path, ada) for path in ("/ws", "/chats/1/ws")] == [429, 429]
    assert too_fast(ada.http.get("/api/rooms/1/stream"))
    ada.read(1)
    assert handshake("/ws", guest("grace")) == 101


def test_guests_and_visitors_of_one_address_open_five_times_as_many(
    guest: Guests, handshake: Callable[..., int]
) -> None:
    ada, grace = guest("ada"), guest("grace")
    assert [handshake("/ws", person) for person in [ada] * 3 + [grace] * 3 + [None] * 9] == [101] * 15
    assert handshake() == 429
    assert handshake("/ws", guest("newcomer")) == 429


def test_so_many_guests_come_from_one_address_in_a_while(server: Server, address: dict[str, str]) -> None:
    def come(**how: object) -> httpx.Response:
        return nobody_posts(f"{server.url}/guests", **how)  # type: ignore[arg-type]

    assert [come(json={"name": "ada"}, headers=address).status_code for _ in range(8)] == [201] * 8
    refused = come(json={"name": "ada"}, headers=address)
    assert too_fast(refused)
    assert "Set-Cookie" not in refused.headers
    page = come(data={"name": "ada"}, headers={**PAGE, **address})
    assert (page.status_code, int(page.headers["Retry-After"]) >= 1) == (429, True)
    assert come(json={"name": "ada"}, headers={"X-Forwarded-For": "198.51.100.1"}).status_code == 201


def test_so_many_rooms_are_made_from_one_address_in_a_while(ada: Person) -> None:
    rooms = len(ada.http.get("/api/rooms").json()["rooms"])
    made = 0
    while not too_fast(ada.http.post("/api/rooms", json={"name": "board"})):
        made += 1
    assert made == 8
    assert ada.http.post("/chats/", data={"name": "board"}, headers=PAGE).status_code == 429
    assert len(ada.http.get("/api/rooms").json()["rooms"]) == rooms + made


# -- frames ---------------------------------------------------------------------------------------------


def test_a_hundred_frames_in_a_row_over_the_rate_close_the_socket_with_4429(
    server: Server, ada: Person, address: dict[str, str]
) -> None:
    with RawSocket(server) as raw:
        raw.handshake(Cookie=ada.cookie, X_Forwarded_For=address["X-Forwarded-For"])
        raw.send(_pings(299))
        answers = [raw.next_frame() for _ in range(299)]
        assert {opcode for opcode, _ in answers} == {TEXT}
        frames = [json.loads(payload) for _, payload in answers]
        assert frames[:200] == [{"type": "pong"}] * 200
        for error in frames[200:]:
            assert (error["type"], error["code"], error["re"]) == ("error", "too_fast", "ping")
            assert error["retry_after"] >= 1
        raw.send(_pings(1))
        opcode, payload = raw.next_frame()
        while opcode != CLOSE:
            opcode, payload = raw.next_frame()
        assert int.from_bytes(payload[:2], "big") == 4429
        assert json.loads(payload[2:])["retry_after"] >= 1
    with RawSocket(server) as raw:  # each socket has its own allowance
        raw.handshake(Cookie=ada.cookie, X_Forwarded_For=address["X-Forwarded-For"])
        raw.send(_pings(1))
        assert raw.next_frame() == (TEXT, b'{"type":"pong"}')


@pytest.mark.parametrize("path", ["/ws", "/chats/1/ws"])
def test_a_hundred_messages_in_a_row_over_the_rate_close_the_socket_as_well(
    path: str, server: Server, ada: Person, address: dict[str, str]
) -> None:
    words = '{"type":"send","room":1,"body":"hi"}' if path == "/ws" else "hi"
    frame = bytes((0x81, 0x80 | len(words))) + bytes(4) + words.encode()  # masked with zeros
    with RawSocket(server) as raw:
        raw.handshake(path, Cookie=ada.cookie, X_Forwarded_For=address["X-Forwarded-For"])
        raw.send(frame * 103)  # three are within the rate
        assert raw.close_code() == 4429


def test_frames_are_allowed_twice_as_often_as_messages_where_that_is_more(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(rate_messages="150 per 10 seconds").start()
    with RawSocket(server) as raw:
        raw.handshake()
        raw.send(_pings(310))
        answers = [raw.next_frame()[1] for _ in range(310)]
    assert answers.count(b'{"type":"pong"}') == 300


def _pings(count: int) -> bytes:
    """So many masked frames in one piece, so that they arrive within one window."""
    payload = b'{"type":"ping"}'
    return (bytes((0x81, 0x80 | len(payload))) + bytes(4) + payload) * count  # masked with zeros


@pytest.mark.parametrize("path", ["/ws", "/chats/1/ws"])
@pytest.mark.parametrize(
    "frame", [b"\x89\x80\0\0\0\0", b"\x8a\x80\0\0\0\0", b"\x01\x80\0\0\0\0"], ids=["pings", "pongs", "parts"]
)
def test_a_flood_of_frames_without_words_ends_its_socket_and_nobody_elses(
    frame: bytes, path: str, new_server: Callable[..., Server]
) -> None:
    server = new_server(rate_messages="30 per 10 seconds").start()
    ada = Person(server, "ada")
    socket = ada.socket()
    socket.join(1)
    with RawSocket(server) as raw:
        raw.handshake(path)
        continuation = b"\x00" + frame[1:] if frame[0] == 1 else frame
        raw.send(frame + continuation * 1000)
        assert raw.close_code() == 4429
    ada.say(1, "still here")
    socket.expect(lambda frame: frame["type"] == "message")
    socket.close()
    ada.close()
