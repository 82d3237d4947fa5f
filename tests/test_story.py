"""One story, told over every transport: what one door sends, all others deliver, once, in order."""

import random
import threading
from collections.abc import Callable

import httpx
import pytest

from tests.clients import READERS, RESUMING, Person, Reader, WebSocketReader, eventually
from tests.servers import Server


@pytest.fixture(params=["one_worker", "three_workers", "on_postgres"])
def server(request: pytest.FixtureRequest) -> Server:
    """The story is told on all."""
    return request.getfixturevalue(request.param)


every_reader = pytest.mark.parametrize("transport", READERS, ids=lambda kind: kind.name)
every_resuming = pytest.mark.parametrize("transport", RESUMING, ids=lambda kind: kind.name)


@every_reader
def test_what_is_said_arrives_live_once_and_in_order(
    transport: type[Reader], ada: Person, grace: Person, board: int
) -> None:
    reader = transport(grace, board, after=-1)
    said = [ada.say(board, f"word {number}")["body"] for number in range(20)]
    reader.wait_for(20)
    reader.close()
    assert reader.bodies == said


@every_resuming
@pytest.mark.parametrize("then", RESUMING, ids=lambda kind: kind.name)
def test_a_reader_who_was_away_gets_what_was_said_meanwhile_once_in_order_over_another_transport(
    transport: type[Reader], then: type[Reader], ada: Person, grace: Person, board: int
) -> None:
    first = transport(grace, board, after=0)
    ada.say(board, "before")
    first.wait_for(1)
    cursor, epoch = first.close()
    for number in range(5):
        ada.say(board, f"meanwhile {number}")
    second = then(grace, board, after=cursor, epoch=epoch)
    second.wait_for(5)
    ada.say(board, "after")
    second.wait_for(6)
    second.close()
    assert [*first.seqs, *second.seqs] == list(range(1, 8))
    assert second.resets == 0


@every_resuming
def test_a_reader_without_a_cursor_gets_the_last_fifty(
    transport: type[Reader], ada: Person, board: int
) -> None:
    ada.say_all(board, [f"word {number}" for number in range(60)])
    reader = transport(ada, board)
    reader.wait_for(50)
    reader.close()
    assert reader.seqs == list(range(11, 61))


@every_resuming
def test_a_cursor_far_back_is_served_from_the_log(transport: type[Reader], ada: Person, board: int) -> None:
    ada.say_all(board, [f"word {number}" for number in range(700)])  # more than the backlog holds
    reader = transport(ada, board, after=3)
    reader.wait_for(697)
    reader.close()
    assert reader.seqs == list(range(4, 701))


@every_resuming
@pytest.mark.parametrize(("after", "epoch"), [(1000, None), (2, "elsewhere")], ids=["ahead", "other epoch"])
def test_a_cursor_that_the_room_cannot_have_gets_a_reset(
    transport: type[Reader], after: int, epoch: str | None, ada: Person, board: int
) -> None:
    ada.say_all(board, [f"word {number}" for number in range(60)])
    reader = transport(ada, board, after=after, epoch=epoch)
    reader.wait_for(50)
    reader.close()
    assert reader.resets == 1
    assert reader.seqs == list(range(11, 61))


@every_resuming
def test_clearing_a_room_resets_its_readers_and_numbers_go_on(
    transport: type[Reader], server: Server, ada: Person, board: int
) -> None:
    for number in range(3):
        ada.say(board, f"word {number}")
    reader = transport(ada, board, after=0)
    reader.wait_for(3)
    assert server.console("room", "clear", str(board), "--yes").status == 0
    eventually(lambda: reader.resets == 1 and not reader.messages, "a reset")
    assert ada.say(board, "anew")["seq"] == 4
    reader.wait_for(1)
    reader.close()
    assert reader.seqs == [4]


def test_forty_messages_through_five_doors_reach_six_readers_in_one_order_across_a_restart(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(workers=2).start()
    ada = Person(server, "ada")
    board = ada.make_room("board")

    def readers(cursors: list[int | None]) -> list[Reader]:
        kinds: list[type[Reader]] = [WebSocketReader] * 4 + RESUMING[1:]
        return [kind(ada, board, after=cursor) for kind, cursor in zip(kinds, cursors, strict=True)]

    seen: list[list[int]] = [[] for _ in range(6)]
    first = readers([0] * 6)
    say_through_every_door(ada, board, range(20))
    for reader, numbers in zip(first, seen, strict=True):
        reader.wait_for(20)
        reader.close()
        numbers.extend(reader.seqs)
    server.restart()
    second = readers([numbers[-1] for numbers in seen])
    say_through_every_door(ada, board, range(20, 40))
    for reader, numbers in zip(second, seen, strict=True):
        reader.wait_for(20)
        reader.close()
        numbers.extend(reader.seqs)
    assert seen == [list(range(1, 41))] * 6
    kept = ada.read(board, after=0)["messages"]
    assert sorted(message["body"] for message in kept) == sorted(f"word {number}" for number in range(40))


def say_through_every_door(person: Person, room: int, numbers: range) -> None:
    """Each number once, through the doors in turn, from several threads at once."""
    with Sockets(person) as socket, Sockets(person, path=f"/chats/{room}/ws", subprotocols=None) as plain:
        doors: list[Callable[[str], object]] = [
            lambda body: person.say(room, body),
            lambda body: socket.send({"type": "send", "room": room, "body": body}),
            plain.send,
            lambda body: person.http.post(
                f"/chats/{room}/http", data={"new_message": body}
            ).raise_for_status(),
            lambda body: person.http.post(f"/chats/{room}/", data={"body": body}),
        ]
        threads = [
            threading.Thread(
                target=lambda door=door, part=numbers[index :: len(doors)]: [door(f"word {n}") for n in part]
            )
            for index, door in enumerate(doors)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        eventually(lambda: person.read(room, after=-1)["cursor"] >= numbers.stop, "all are kept")


class Sockets:
    """`with Sockets(person) as socket`: a socket that is closed in the end."""

    def __init__(self, person: Person, **arguments: object) -> None:
        self._socket = person.socket(**arguments)

    def __enter__(self):  # type: ignore[no-untyped-def]
        return self._socket

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def test_six_hundred_messages_in_a_burst_are_read_one_by_one_through_lastupdate(
    server: Server, ada: Person, board: int
) -> None:
    said = [str(number) for number in range(600)]  # more than the backlog holds
    ada.say_all(board, said)
    read, last = [], 0.0
    with httpx.Client(base_url=server.url, verify=False) as http:
        while len(read) < 600:
            answer = http.get(f"/chats/{board}/http", params={"lastupdate": repr(last)}).json()
            read.append(answer["data"])
            last = answer["timestamp"]
    assert read == said


def test_senders_on_all_workers_are_numbered_without_a_gap(server: Server, ada: Person, board: int) -> None:
    people = [Person(server, f"guest {number}") for number in range(6)]
    kept: list[int] = []
    threads = [
        threading.Thread(target=lambda who=who: kept.extend(who.say(board, "word")["seq"] for _ in range(20)))
        for who in people
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kept) == list(range(1, 121))
    for who in people:
        who.close()


@pytest.mark.parametrize("door", ["post", "socket"])
def test_sending_again_with_the_same_client_id_never_makes_a_second_message(
    door: str, ada: Person, board: int
) -> None:
    first = ada.say(board, "once", client_id="one")
    if door == "post":
        answer = ada.http.post(ada.messages(board), json={"body": "again", "client_id": "one"})
        assert answer.status_code == 200
        assert answer.json() == first
    else:
        with Sockets(ada) as socket:
            socket.send({"type": "send", "room": board, "body": "again", "client_id": "one"})
            assert socket.expect(lambda frame: frame["type"] == "ack")["seq"] == first["seq"]
    assert len(ada.read(board, after=0)["messages"]) == 1


def test_a_client_id_is_remembered_across_a_restart_and_in_every_worker(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(workers=2).start()
    ada = Person(server, "ada")
    board = ada.make_room()
    first = ada.say(board, "once", client_id="one")
    server.restart()
    answers = []
    for _ in range(6):  # new connections reach either worker
        ada.http.close()
        ada.http = httpx.Client(
            base_url=server.url, cookies=ada.http.cookies, headers={"Origin": server.url}, verify=False
        )
        answers.append(ada.http.post(ada.messages(board), json={"body": "once", "client_id": "one"}))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["seq"] for answer in answers} == {first["seq"]}


def test_readers_that_come_and_go_while_much_is_said_miss_nothing(
    server: Server, ada: Person, board: int
) -> None:
    total, chance = 300, random.Random(1)
    sender = threading.Thread(target=lambda: [ada.say(board, str(number)) for number in range(total)])
    sender.start()
    seqs: list[int] = []
    cursor, epoch = 0, None
    while len(seqs) < total:
        reader = chance.choice(RESUMING)(ada, board, after=cursor, epoch=epoch)
        reader.wait_for(min(chance.randrange(1, 60), total - len(seqs)))
        cursor, epoch = reader.close()
        seqs.extend(reader.seqs)
        assert reader.resets == 0
    sender.join()
    assert seqs == list(range(1, total + 1))
