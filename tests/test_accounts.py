"""Who somebody is: the first administrator, invitations, signing in and out, names, and what becomes of sockets."""

import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import httpx
import pytest
from passlib.totp import TOTP

from tests.clients import Person, Socket, eventually
from tests.factors import NewAccount
from tests.figures import figures
from tests.people import PASSWORD, Member, administrator, first_path, is_named, member
from tests.raw_socket import problem
from tests.servers import Server

SIGN_IN, BANNED, COME_BACK = 4401, 4403, 1012


def at_once(count: int, deed: Callable[[int], Any]) -> list[Any]:
    """What `deed(0)`, `deed(1)` … return, all called at the same moment."""
    results: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(index: int) -> None:
        barrier.wait()
        results[index] = deed(index)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


# -- the first administrator -------------------------------------------------------------------------------


def test_who_has_the_code_that_the_server_printed_is_its_administrator_and_nobody_after_that(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(workers=2).start()
    path = first_path(server)
    stranger = Member(server, "mallory")
    assert stranger.sign_up("/first/" + "0" * 32).status_code == 403
    assert not stranger.signed_in()
    contenders = [Member(server, f"ada {number}") for number in range(6)]
    answers = at_once(6, lambda number: contenders[number].sign_up(path).status_code)
    assert sorted(answers) == [303, 403, 403, 403, 403, 403]
    (winner,) = [each for each in contenders if each.signed_in()]
    assert winner.me()["role"] == "administrator"
    lobby = winner.http.get("/api/rooms/1/members").json()["members"]
    assert [(each["id"], each["role"]) for each in lobby] == [(winner.id, "owner")]
    assert stranger.sign_up(path).status_code == 403
    server.log.clear()
    server.restart()
    assert not any("No administrator" in line for line in server.log)
    assert winner.signed_in()  # also after a restart


def test_one_administrator_always_stays(server: Server) -> None:
    ada = administrator(server)
    for change in ({"role": "member"}, {"disabled": True}):
        assert problem(ada.change(ada.id, **change)) == "bad_request"
    grace = member(server, "grace")
    assert problem(grace.change(grace.id, role="administrator")) == "forbidden"
    assert problem(grace.change(ada.id, name="mallory")) == "forbidden"


# -- invitations -------------------------------------------------------------------------------------------


def test_of_a_hundred_people_at_once_on_an_invitation_with_one_use_exactly_one_gets_in(
    three_workers: Server,
) -> None:
    path = administrator(three_workers).invite(uses=1)
    people = [Member(three_workers, f"p{number} {uuid.uuid4().hex[:8]}") for number in range(100)]
    # With passkeys: a hundred hashes would take ten seconds, and hash nothing that matters here.
    begun = [NewAccount(person, path) for person in people]
    answers = at_once(100, lambda number: begun[number].finish().status_code)
    assert sorted(set(answers)) == [201, 403]
    assert answers.count(201) == 1
    assert sum(person.signed_in() for person in people) == 1


def test_an_invitation_ends_with_its_uses_its_time_or_when_it_is_taken_back(server: Server) -> None:
    ada = administrator(server)
    path = ada.invite(uses=2, note="the team")
    for name in ("grace", "joan"):
        assert Member(server, f"{name} {uuid.uuid4().hex[:8]}").sign_up(path).status_code == 303
    assert Member(server, "mary").sign_up(path).status_code == 403
    taken_back = ada.invite(note="nobody")
    (number,) = [
        each["id"]
        for each in ada.http.get("/api/invitations").json()["invitations"]
        if each["note"] == "nobody"
    ]
    assert ada.http.delete(f"/api/invitations/{number}").status_code == 204
    assert Member(server, "mary").sign_up(taken_back).status_code == 403
    late = ada.invite()
    server.ask("UPDATE invitations SET expires_at = 1 WHERE uses > 0")
    assert Member(server, "mary").sign_up(late).status_code == 403
    grace = member(server, "grace")
    assert problem(grace.http.post("/api/invitations", json={})) == "forbidden"
    assert problem(Person(server).http.get("/api/invitations")) == "sign_in"


def test_an_invitation_may_lead_into_a_private_room(server: Server) -> None:
    ada = administrator(server)
    room = ada.http.post("/api/rooms", json={"name": "den", "kind": "private"}).json()["id"]
    grace = Member(server, f"grace {uuid.uuid4().hex[:8]}")
    path = ada.invite(room=room)
    page = grace.http.get(path, headers={"Accept": "text/html"}).text
    assert f"<bdi>{ada.name}</bdi> asks you to join" in page
    assert "den" in page
    answer = grace.sign_up(path)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/chats/{room}/")
    taken_in = grace.read(room)["messages"][-1]
    assert (taken_in["author"]["id"], taken_in["body"]) == (ada.id, f"took {grace.name} in")
    assert grace.say(room, "hello")["author"]["id"] == grace.id
    joan = member(server, "joan")
    assert problem(joan.http.get(f"/api/rooms/{room}/messages")) == "no_such_room"


@pytest.mark.parametrize(("sign_up", "status"), [("open", 303), ("closed", 403)])
def test_who_may_make_an_account_is_a_setting(
    sign_up: str, status: int, new_server: Callable[..., Server]
) -> None:
    """As it is by itself, by invitation, the matrix has it (POST /sign-up)."""
    server = new_server(sign_up=sign_up).start()
    path = administrator(server).invite()
    assert Member(server, "grace").sign_up("/sign-up").status_code == status
    assert Member(server, "joan").sign_up(path).status_code == (403 if sign_up == "closed" else 303)


@pytest.mark.parametrize(
    ("makers", "statuses"), [("members", [403, 201, 201]), ("administrators", [403, 403, 201])]
)
def test_who_may_make_rooms_is_a_setting_at_every_door(
    makers: str, statuses: list[int], new_server: Callable[..., Server]
) -> None:
    server = new_server(room_makers=makers).start()
    people = [Person(server, "mallory"), member(server, "grace"), administrator(server)]
    for person, status in zip(people, statuses, strict=True):
        for kind in ("public", "private"):
            new = {"name": f"{person.name}’s", "kind": kind}
            assert person.http.post("/api/rooms", json=new).status_code == status
            assert person.http.post("/chats/", data=new).status_code == (303 if status == 201 else status)
        offered = status == 201
        assert ('id="new-room"' in person.http.get("/chats/").text) is offered
        assert ("#new-room" in person.http.get("/chats/1/").text) is offered
        person.close()


# -- names -------------------------------------------------------------------------------------------------


def test_who_makes_an_account_where_there_is_one_room_begins_in_it(new_server: Callable[..., Server]) -> None:
    server = new_server(sign_up="open").start()
    boss = Member(server, "ada")
    assert boss.sign_up(first_path(server)).headers["Location"] == "/chats/"  # a server to set up
    den = boss.http.post("/api/rooms", json={"name": "Den", "kind": "private"}).json()["id"]
    for name, path in {"grace": "/sign-up", "joan": boss.invite()}.items():
        assert Member(server, name).sign_up(path).headers["Location"] == "/chats/1/"
    assert Member(server, "wen").sign_up(boss.invite(room=den)).headers["Location"] == f"/chats/{den}/"
    boss.http.patch("/api/rooms/1", json={"guests": False}).raise_for_status()  # a guest would see none
    assert Member(server, "nell").sign_up("/sign-up").headers["Location"] == "/chats/1/"
    boss.make_room("board")
    assert Member(server, "mary").sign_up("/sign-up").headers["Location"] == "/chats/"


def test_a_guest_who_signs_up_keeps_name_id_and_messages(server: Server, board: int) -> None:
    path = administrator(server).invite()
    name = f"grace {uuid.uuid4().hex[:8]}"
    guest = Person(server, name)
    said = guest.say(board, "as a guest", client_id="g1")
    with closing(guest.socket()) as socket:
        socket.join(board)
        grace = Member(server, name)
        grace.http.cookies.update(guest.http.cookies)
        assert grace.sign_up(path, name="").status_code == 303
        # Who was there as the guest comes back as the member.
        assert eventually(lambda: socket.closed)[0] == COME_BACK
    assert (grace.id, grace.me()["name"]) == (guest.id, name)
    edit = grace.http.post(
        f"/api/rooms/{board}/messages", json={"kind": "edit", "of": said["seq"], "body": "as a member"}
    )
    assert edit.status_code == 201
    assert edit.json()["author"] == {"id": guest.id, "name": name}
    assert grace.say(board, "as a guest", client_id="g1")["seq"] == said["seq"]
    # The guest's cookie, kept by another browser, is nobody's any more.
    assert problem(guest.http.post(f"/api/rooms/{board}/messages", json={"body": "hi"})) == "sign_in"


def test_a_guest_whose_name_somebody_took_since_is_still_marked(server: Server, board: int) -> None:
    name = f"joan {uuid.uuid4().hex[:8]}"
    guest, joan = Person(server, name), Member(server, name)
    guest.say(board, "before")
    assert joan.sign_up(administrator(server).invite()).status_code == 303
    guest.say(board, "after")
    joan.say(board, "joan's")
    authors = {each["body"]: each["author"] for each in joan.read(board)["messages"]}
    marked = {"id": guest.id, "name": name, "guest": True}
    assert authors == {"before": marked, "after": marked, "joan's": {"id": joan.id, "name": name}}
    assert problem(guest.http.post("/guests", json={"name": name})) == "bad_request"


@pytest.mark.parametrize(
    "disguise",
    [
        lambda name: name.upper(),
        lambda name: name.replace("a", "а"),  # Cyrillic
        lambda name: name[:3] + "\u200b" + name[3:],
        lambda name: name.replace("l", "I"),
        lambda name: name.replace("m", "rn"),
        lambda name: "".join(chr(ord(char) + 0xFEE0) if char.isalpha() else char for char in name),  # wide
    ],
    ids=["capitals", "cyrillic", "invisible", "I for l", "rn for m", "full width"],
)
def test_nobody_takes_a_name_that_passes_for_a_members(
    server: Server, disguise: Callable[[str], str]
) -> None:
    mallory = member(server, "mallory")
    name = disguise(mallory.name)
    answer = Person(server).http.post("/guests", json={"name": name})
    assert problem(answer) == "bad_request"
    assert Member(server, name).sign_up(administrator(server).invite()).status_code == 400
    joan = member(server, "joan")
    assert problem(joan.change(joan.id, name=name)) == "bad_request"


def test_a_new_name_is_told_to_everybody_and_shows_on_old_messages(server: Server, board: int) -> None:
    grace, reader = member(server, "grace"), Person(server, "reader")
    grace.say(board, "hello")
    assert grace.http.post(f"/api/rooms/{board}/join").status_code == 200
    name = f"Grace H {uuid.uuid4().hex[:8]}"
    with closing(reader.socket()) as socket, closing(grace.socket()) as own:
        socket.join(board)
        own.join(board)
        assert grace.change(grace.id, name=name).status_code == 200
        for each in (socket, own):
            assert each.expect(lambda frame: frame["type"] == "person") == {
                "type": "person",
                "id": grace.id,
                "name": name,
            }
        # Who is connected writes under it from now on.
        own.send({"type": "send", "room": board, "body": "again", "client_id": "n1"})
        said = socket.expect(lambda frame: frame["type"] == "message" and frame["body"] == "again")
        assert said["author"] == {"id": grace.id, "name": name}
    page = reader.http.get(f"/chats/{board}/").text
    assert re.search(r'class="author cut">([^<]*)<', page)[1] == name
    members = grace.http.get(f"/api/rooms/{board}/members").json()["members"]
    assert name in [each["name"] for each in members]
    grace.name = name
    assert grace.elsewhere().me()["name"] == name  # and signs in with it


@pytest.mark.parametrize("server", ["one_worker"], indirect=True)  # of several, one may tell it late
def test_a_new_name_is_told_to_who_was_away_meanwhile(server: Server, board: int) -> None:
    grace, joan, reader = member(server, "grace"), member(server, "joan"), Person(server, "reader")
    cursor = grace.say(board, "hello")["seq"]
    name = f"Grace H {uuid.uuid4().hex[:8]}"
    for person in (grace, joan):
        assert (
            person.change(person.id, name=name if person is grace else f"{name} the other").status_code == 200
        )
    news = {"type": "person", "id": grace.id, "name": name}
    with closing(reader.socket()) as socket:
        socket.join(board, after=cursor)
        reader.say(board, "the first since")
        socket.expect(lambda frame: frame["type"] == "message")
        assert socket.of("person") == [news], "of those who wrote here, and no others"
    with reader.http.stream("GET", f"/api/rooms/{board}/stream?after={cursor}") as stream:
        told = next(line for line in stream.iter_lines() if '"person"' in line)
        assert json.loads(told.removeprefix("data: ")) == news


def test_a_page_tells_the_new_names_of_those_only_whom_it_shows(server: Server, board: int) -> None:
    grace, joan, reader = member(server, "grace"), member(server, "joan"), Person(server, "reader")
    grace.say(board, "the first")
    for number in range(50):
        reader.say(board, f"{number}")
    names = {}
    for person in (grace, joan):
        names[person.id] = f"somebody {uuid.uuid4().hex[:8]}"
        assert person.change(person.id, name=names[person.id]).status_code == 200

    def told(text: str) -> dict[str, str]:
        page = json.loads(re.search(r'<script id="page"[^>]*>(.*?)</script>', text, re.DOTALL)[1])
        return page["names"]

    assert told(reader.http.get(f"/chats/{board}/").text) == {}
    assert not is_named(joan, reader.http.get(f"/chats/{board}/").text)
    older = eventually(lambda: told(reader.http.get(f"/chats/{board}/?before=2").text))
    assert older == {grace.id: names[grace.id]}
    batch = eventually(lambda: "names" in (found := reader.read(board, before=2)) and found)
    assert batch["names"] == {grace.id: names[grace.id]}
    assert batch["messages"][0]["author"]["name"] == grace.name
    assert "names" not in reader.read(board)
    assert joan.http.post(f"/api/rooms/{board}/join").status_code == 200
    eventually(lambda: told(reader.http.get(f"/chats/{board}/").text) == {joan.id: names[joan.id]})


def test_what_somebody_says_of_themselves_shows_where_people_are_listed_and_only_there(
    server: Server, board: int
) -> None:
    grace, joan, reader = member(server, "grace"), member(server, "joan"), Person(server, "reader")
    elsewhere = reader.make_room()
    assert grace.http.post(f"/api/rooms/{board}/join").status_code == 200
    said = "at the <seaside>"

    def present(socket: Socket) -> dict[str, Any]:
        """Grace, as the last frame about her tells of her."""
        told = [each for frame in socket.of("presence") for each in frame.get("here", frame.get("joined"))]
        return next((each for each in reversed(told + socket.of("person")) if each["id"] == grace.id), {})

    with (
        closing(grace.socket()) as own,
        closing(reader.socket()) as beside,
        closing(joan.socket()) as away,
    ):
        own.join(board)
        beside.join(board)
        away.join(elsewhere)
        eventually(lambda: present(beside))
        assert "status" not in present(beside)
        grace.change(grace.id, status=said).raise_for_status()
        frame = beside.expect(lambda frame: frame["type"] == "person")
        assert frame == {"type": "person", "id": grace.id, "name": grace.name, "status": said}
        with closing(Person(server, "late").socket()) as late:
            late.join(board)
            eventually(lambda: present(late).get("status") == said)
        for path, people in (("presence", "here"), ("members", "members")):
            asked = f"/api/rooms/{board}/{path}"
            eventually(
                lambda asked=asked, people=people: (
                    [
                        each.get("status")
                        for each in reader.http.get(asked).json()[people]
                        if each["id"] == grace.id
                    ]
                    == [said]
                )
            )
        for page in (f"/chats/{board}/", f"/chats/{board}/details/"):
            eventually(lambda page=page: "at the &lt;seaside&gt;" in reader.http.get(page).text)
        assert "seaside" not in reader.http.get(f"/chats/{elsewhere}/").text
        away.send({"type": "ping"})
        away.expect(lambda frame: frame["type"] == "pong")
        assert not away.of("person")


# -- signing in --------------------------------------------------------------------------------------------


def test_who_is_unknown_gets_the_same_answer_as_who_says_a_wrong_password(server: Server) -> None:
    grace = member(server, "grace")
    wrong = Member(server, grace.name).sign_in("not the password")
    unknown = Member(server, f"nobody {uuid.uuid4().hex[:8]}").sign_in("not the password")
    assert wrong.status_code == unknown.status_code
    strip = re.compile(r'name="csrf[^>]*>|value="[^"]*"|content="[^"]*"')
    assert strip.sub("", wrong.text) == strip.sub("", unknown.text)
    assert "That name and password do not match" in wrong.text


def test_guessing_a_password_is_slowed_down_by_account_and_by_address(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(rate_sign_ins="3 per minute").start()
    ada = Member(server, "ada")
    assert ada.sign_up(first_path(server)).status_code == 303
    guesses = [Member(server, "ADA").sign_in("wrong password").status_code for _ in range(4)]
    assert guesses == [200, 200, 200, 429]
    assert Member(server, "ada").sign_in().status_code == 429
    others = [Member(server, f"somebody {n}").sign_in("wrong password").status_code for n in range(30)]
    assert others[0] == 200
    assert others[-1] == 429
    assert ada.signed_in()


@pytest.mark.parametrize("password", ["short", "password1", "qwertyuiop", "x" * 129])
def test_a_password_that_is_tried_first_is_refused(server: Server, password: str) -> None:
    person = Member(server, f"grace {uuid.uuid4().hex[:8]}", password)
    assert person.sign_up(administrator(server).invite()).status_code == 400


def test_signing_in_makes_a_new_session_and_a_cookie_that_was_signed_out_is_nobodys(server: Server) -> None:
    grace = member(server, "grace")
    other = Member(server, grace.name)
    other.http.get("/chats/")
    before = other.cookie
    assert other.sign_in().status_code == 302
    assert other.cookie != before
    assert Person(server).http.get("/api/me", headers={"Cookie": before}).status_code == 401
    stolen = other.cookie
    assert other.http.post("/sign-out").status_code == 302
    assert not other.signed_in()
    answer = httpx.get(f"{server.url}/api/me", headers={"Cookie": stolen})
    assert answer.status_code == 401
    assert grace.signed_in()  # the session in the other browser


@pytest.mark.parametrize("where", ["//evil.example/", "https://evil.example/", "/\\evil.example", "/\t/evil"])
def test_signing_in_leads_to_this_site_only(server: Server, where: str) -> None:
    grace = member(server, "grace")
    other = Member(server, grace.name)
    form = {"username": grace.name, "password": PASSWORD, "next": where}
    assert other.http.post("/sign-in", data=form).status_code == 400
    answer = other.http.post("/sign-in", params={"next": where}, data={**form, "next": ""})
    assert answer.status_code == 400
    assert other.http.post("/sign-in", data={**form, "next": "/chats/1/"}).headers["Location"] == "/chats/1/"


def test_another_sites_page_signs_nobody_in_or_out(server: Server) -> None:
    grace = member(server, "grace")
    for path in (
        "/sign-in",
        "/sign-out",
        "/account/name",
        "/account/sessions/end-others",
        "/account/password",
    ):
        answer = grace.http.post(path, data={"name": "mallory"}, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403, path
    del grace.http.headers["Origin"]
    assert grace.http.post("/account/name", data={"name": "mallory"}).status_code == 403
    assert grace.me()["name"] == grace.name


def test_a_new_password_ends_all_other_sessions(server: Server) -> None:
    grace = member(server, "grace")
    other = grace.elsewhere()
    new = "twelve green tractors sing"
    form = {"password": PASSWORD, "new_password": new, "new_password_confirm": new}
    assert grace.http.post("/account/password", data={**form, "password": "wrong"}).status_code == 200
    assert other.signed_in()
    assert grace.http.post("/account/password", data=form).status_code == 302
    assert grace.signed_in()
    eventually(lambda: not other.signed_in())
    assert Member(server, grace.name).sign_in().status_code == 200
    assert Member(server, grace.name, new).sign_in().status_code == 302


def test_a_link_sets_a_new_password_once(server: Server) -> None:
    grace = member(server, "grace")
    made = server.console("user", "reset-password", grace.name)
    assert made.status == 0, made.err
    path = made.out.split()[-1]
    visitor = Person(server)
    assert grace.name in visitor.http.get(path).text
    new = "twelve green tractors sing"
    assert visitor.http.post(path, data={"password": "password"}).status_code == 400
    assert visitor.http.post(path, data={"password": new}).status_code == 303
    assert visitor.http.post(path, data={"password": new}).status_code == 403
    eventually(lambda: not grace.signed_in())
    assert Member(server, grace.name, new).sign_in().status_code == 302


# -- the second factor -------------------------------------------------------------------------------------


def test_with_a_second_factor_the_password_alone_lets_nobody_in(server: Server) -> None:
    grace = member(server, "grace")
    page = grace.http.post("/account/second-factor", data={"setup": "authenticator"}).text
    key = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page)[1]
    finish = re.search(r'action="(/account/second-factor/[^"]+)"', page)[1]
    codes = TOTP(key)
    assert grace.http.post(finish, data={"code": codes.generate().token}).status_code == 302
    shown = grace.http.post("/account/recovery-codes", data={"generate_new_codes": "1"}).text
    recovery = re.findall(r"[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}", shown)
    assert len(recovery) == 8

    other = Member(server, grace.name)
    asked = other.sign_in().headers["Location"]
    assert asked == "/sign-in/code?next=/chats/"
    assert 'name="code"' in other.http.get(asked).text
    assert not other.signed_in()
    assert other.http.post("/sign-in/code", data={"code": "000000"}).status_code == 200
    assert not other.signed_in()
    assert other.http.post("/sign-in/recovery", data={"code": recovery[0]}).status_code == 302
    assert other.signed_in()

    third = Member(server, grace.name)
    third.sign_in()
    assert third.http.post("/sign-in/recovery", data={"code": recovery[0]}).status_code == 200  # good once
    assert not third.signed_in()
    in_half_a_minute = codes.generate(time=time.time() + 30).token  # the last one was used
    answer = third.http.post("/sign-in/code", data={"code": in_half_a_minute})
    if answer.status_code == 200:  # a clock that is ahead is not believed: wait for the next code
        eventually(
            lambda: (
                third.http.post("/sign-in/code", data={"code": codes.generate().token}).status_code == 302
            ),
            seconds=40,
        )
    assert third.signed_in()


def test_a_wrong_code_while_a_second_factor_is_set_up_leaves_the_key_as_it_is(server: Server) -> None:
    def key_and_form(page: str) -> tuple[str, str]:
        key = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page)
        form = re.search(r'action="(/account/second-factor/[^"]+)"', page)
        return key[1] if key else "", form[1] if form else ""

    grace = member(server, "grace")
    start = {"setup": "authenticator"}
    key, form = key_and_form(grace.http.post("/account/second-factor", data=start).text)
    assert grace.http.post(form, data={"code": "none"}).status_code == 302
    page = grace.http.get("/account/second-factor").text
    again, form = key_and_form(page)
    assert again == key
    refusal = '<p class="refusal" role="alert">That code is not good'
    assert page.index(form) < page.index(refusal) < page.index('name="code"')  # beside its field
    assert page.count('<p class="said"') == 0
    assert key_and_form(grace.http.get("/account/second-factor").text) == ("", "")  # later it begins anew
    assert grace.http.post(form, data={"code": TOTP(key).generate().token}).status_code == 302
    assert Member(server, grace.name).sign_in().headers["Location"].startswith("/sign-in/code")


def test_who_has_no_recovery_codes_is_told_so_and_offered_to_make_them(server: Server) -> None:
    grace = member(server, "grace")
    page = grace.http.post("/account/second-factor", data={"setup": "authenticator"}).text
    key = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page)[1]
    form = re.search(r'action="(/account/second-factor/[^"]+)"', page)[1]
    assert grace.http.post(form, data={"code": TOTP(key).generate().token}).status_code == 302
    page = grace.http.get("/account/recovery-codes").text
    assert ("Your second factor is on." in page, "You have none yet" in page) == (True, True)
    assert "Show them" not in page
    assert "No recovery codes" in grace.http.get("/account/").text
    assert (
        "Make new ones" in grace.http.post("/account/recovery-codes", data={"generate_new_codes": "1"}).text
    )
    page = grace.http.get("/account/recovery-codes").text
    assert ("Show them" in page, "You have none yet" in page) == (True, False)
    assert "No recovery codes" not in grace.http.get("/account/").text


# -- sessions ----------------------------------------------------------------------------------------------


def test_signing_out_everywhere_else_ends_the_sockets_in_all_workers(three_workers: Server) -> None:
    grace = member(three_workers, "grace")
    others = [grace.elsewhere() for _ in range(4)]
    sockets = [other.socket() for other in others for _ in range(3)]
    own = grace.socket()
    for socket in [*sockets, own]:
        socket.join(1)
    page = grace.http.get("/account/").text
    assert page.count("python-httpx") >= 5
    assert grace.http.post("/account/sessions/end-others").status_code == 303
    for socket in sockets:
        assert eventually(lambda socket=socket: socket.closed)[0] == SIGN_IN
    assert not any(other.signed_in() for other in others)
    assert own.closed is None
    assert grace.signed_in()
    own.close()


def test_a_session_is_ended_singly(server: Server) -> None:
    grace = member(server, "grace")
    one, other = grace.elsewhere(), grace.elsewhere()
    with closing(one.socket()) as line, closing(other.socket()) as kept:
        line.join(1)
        kept.join(1)
        keys = re.findall(r'name="key" value="([0-9a-f]{64})"', one.http.get("/account/").text)
        mine = re.findall(r'name="key" value="([0-9a-f]{64})"', other.http.get("/account/").text)
        (key,) = set(mine) - set(keys)  # that of `one`, whom its own page does not offer to end
        joan = member(server, "joan")
        joan.http.post("/account/sessions/end", data={"key": key})  # not hers
        assert one.signed_in()
        assert other.http.post("/account/sessions/end", data={"key": key}).status_code == 303
        assert eventually(lambda: line.closed)[0] == SIGN_IN
        eventually(lambda: not one.signed_in())  # in whichever worker
        assert other.signed_in()
        assert kept.closed is None


def test_who_was_signed_out_or_disabled_is_found_also_when_nobody_tells_of_it(three_workers: Server) -> None:
    """The notice of it is lost with its process: the sweep finds what the database says."""
    grace, joan = member(three_workers, "grace"), member(three_workers, "joan")
    with closing(grace.socket()) as line, closing(joan.socket()) as other:
        line.join(1)
        other.join(1)
        change = "changed = (SELECT people + 1 FROM server)"
        three_workers.ask(
            f"UPDATE sessions SET ended_at = 1, {change} "
            "WHERE user_id = (SELECT id FROM users WHERE person_id = ?)",
            grace.id,
        )
        three_workers.ask(f"UPDATE users SET disabled = true, {change} WHERE person_id = ?", joan.id)
        three_workers.ask("UPDATE server SET people = people + 1")  # last: from now on it is looked for
        assert eventually(lambda: line.closed)[0] == SIGN_IN
        assert eventually(lambda: other.closed)[0] == SIGN_IN
    eventually(lambda: not grace.signed_in())
    eventually(lambda: not joan.signed_in())


def test_who_is_signed_out_gets_nothing_more_over_any_door(server: Server, board: int, ada: Person) -> None:
    grace = member(server, "grace")
    got: list[int] = []

    def poll() -> None:
        with suppress(httpx.HTTPError):
            got.append(grace.http.get(f"/api/rooms/{board}/messages?after=0&wait=20").status_code)

    waiting = threading.Thread(target=poll)
    waiting.start()
    eventually(lambda: figures(server)["waiting_polls"], "the poll waits, in whichever worker")
    stream: dict[str, Any] = {}

    def follow() -> None:
        with (
            suppress(httpx.HTTPError),
            httpx.stream(
                "GET", f"{server.url}/api/rooms/{board}/stream", headers={"Cookie": grace.cookie}, timeout=30
            ) as answer,
        ):
            stream["text"] = ""
            for chunk in answer.iter_text():
                stream["text"] += chunk
            stream["over"] = True

    following = threading.Thread(target=follow)
    following.start()
    eventually(lambda: "retry" in stream.get("text", ""))
    boss = administrator(server)
    assert boss.http.post(f"/api/people/{grace.id}/sign-out").json()["ended"] == 1
    eventually(lambda: stream.get("over"))
    assert '"code":4401' in stream["text"]
    said = f"a secret {uuid.uuid4().hex}"
    ada.say(board, said)
    waiting.join(30)
    following.join(30)
    assert got == [401]  # what ended its wait is not for it
    assert said not in stream["text"]
    assert problem(grace.http.post(f"/api/rooms/{board}/messages", json={"body": "hi"})) == "sign_in"


def test_who_is_disabled_is_out_and_cannot_come_back_until_enabled(server: Server) -> None:
    boss, grace = administrator(server), member(server, "grace")
    with closing(grace.socket()) as line:
        line.join(1)
        assert boss.change(grace.id, disabled=True).json()["disabled"] is True
        assert eventually(lambda: line.closed)[0] == SIGN_IN
    eventually(lambda: not grace.signed_in())  # in whichever worker
    assert Member(server, grace.name).sign_in().status_code == 200
    assert boss.change(grace.id, disabled=False).status_code == 200
    assert Member(server, grace.name).sign_in().status_code == 302


# -- bans from the server ----------------------------------------------------------------------------------


def test_who_is_banned_from_the_server_is_led_in_no_circle(one_worker: Server) -> None:
    boss, grace = administrator(one_worker), member(one_worker, "grace")
    assert boss.http.post("/api/bans", json={"person": grace.id}).status_code == 204
    for page in ("password", "passkeys", "recovery-codes", "second-factor"):
        headers = {"Accept": "text/html"}
        answer = grace.http.get(
            f"/account/{page}", headers=headers, follow_redirects=True
        )  # raises after twenty
        assert answer.status_code in (200, 403), page


def test_a_guest_who_is_banned_is_out_also_under_another_name_until_it_is_lifted(server: Server) -> None:
    boss, mallory = administrator(server), Person(server, "mallory q")
    with closing(mallory.socket()) as line:
        line.join(1)
        assert boss.http.post("/api/bans", json={"person": mallory.id, "why": "spam"}).status_code == 204
        assert eventually(lambda: line.closed)[0] == BANNED
    eventually(lambda: problem(mallory.http.get("/api/rooms/1/messages")) == "forbidden")
    with closing(mallory.socket()) as again:
        assert eventually(lambda: again.closed)[0] == BANNED
    assert problem(mallory.http.post("/guests", json={"name": "innocent q"})) == "forbidden"
    mine = [each for each in boss.http.get("/api/bans").json()["bans"] if each["name"] == "mallory q"]
    (ban,) = mine  # of the guest and of the browser
    assert (ban["person"], bool(ban["device"])) == (mallory.id, True)
    assert boss.http.delete(f"/api/bans/{ban['id']}").status_code == 204
    eventually(lambda: mallory.http.get("/api/rooms/1/messages").status_code == 200)
    assert boss.http.delete(f"/api/bans/{ban['id']}").status_code == 400
    newest = boss.http.get("/api/audit", params={"limit": 1}).json()["entries"][0]
    assert (newest["what"], newest["whom"]) == ("let mallory q into the server again", mallory.id)


# -- people, as others see them ----------------------------------------------------------------------------


def test_members_look_people_up_and_guests_do_not(server: Server) -> None:
    grace, joan = member(server, "grace"), member(server, "joan")
    assert joan.change(joan.id, status="at the seaside").status_code == 200
    found = grace.http.get("/api/people", params={"q": joan.name[:9].upper()}).json()["people"]
    assert {"id": joan.id, "name": joan.name, "role": "member", "status": "at the seaside"} in found
    assert problem(Person(server, "guest x").http.get("/api/people")) == "forbidden"
    assert problem(Person(server).http.get("/api/people")) == "sign_in"
    assert problem(grace.change(grace.id, status="two\nlines")) == "bad_request"


def test_people_are_run_from_a_terminal(server: Server) -> None:
    administrator(server)  # one has to stay

    def flask(*arguments: str) -> str:
        done = server.console("user", *arguments)
        assert done.status == 0, done.out + done.err
        return done.out

    name = f"joan {uuid.uuid4().hex[:8]}"
    made = flask("create", name, "--password", PASSWORD, "--json")
    assert '"role": "member"' in made
    joan = Member(server, name)
    assert joan.sign_in().status_code == 302
    assert name in flask("list")
    assert "python-httpx" in flask("show", name)
    flask("role", name, "administrator")
    eventually(lambda: joan.me()["role"] == "administrator")
    flask("role", name, "member")
    assert "Ended 1 session" in flask("sign-out", name)
    eventually(lambda: not joan.signed_in())
    flask("disable", name)
    assert joan.sign_in().status_code == 200
    flask("enable", name)
    assert joan.sign_in().status_code == 302
    flask("ban", name, "--why", "spam", "--yes")
    (line,) = [line for line in flask("bans").splitlines() if name in line]
    assert line.endswith("for good, by system: spam")
    flask("lift", line.split()[0])
    path = flask("invite", "--uses", "2").split()[-1]
    assert Member(server, f"mary {uuid.uuid4().hex[:8]}").sign_up(path).status_code == 303
    refused = server.console("user", "create", name.upper())
    assert refused.status == 1
    assert refused.err.startswith("Error: That name is taken")


def test_links_in_a_terminal_are_whole_where_the_server_knows_its_address(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(public_url="https://chat.example/")
    invited = server.console("user", "invite").out
    assert re.fullmatch(r"https://chat\.example/invitations/\S+\n", invited)
    made = server.console("user", "create", "joan").out.splitlines()
    assert made[1] == "A page on which they set a password, within a day."
    reset = r"https://chat\.example/reset/\S+"
    assert re.fullmatch(reset, made[2])
    assert re.fullmatch(reset, server.console("user", "reset-password", "joan", "--json").json["link"])
    assert re.search(
        r"\nhttps://chat\.example/hooks/1/\S+\n", server.console("room", "hook", "create", "1", "CI").out
    )


def test_the_first_administrator_owns_the_first_room_also_when_made_in_a_terminal(
    new_server: Callable[..., Server],
) -> None:
    server = new_server()
    for name in ("ada", "mary"):
        made = server.console("user", "create", name, "--role", "administrator")
        assert made.status == 0, made.err
    (owner,) = server.console("room", "members", "Lobby").out.splitlines()
    assert ("owner" in owner, "ada" in owner) == (True, True)


def test_without_its_address_a_terminal_says_what_to_put_in_front(server: Server) -> None:
    said, link = server.console("user", "invite").out.splitlines()
    assert said == "Put your server's address in front, or set CHATAPP_PUBLIC_URL:"
    assert link.startswith("/invitations/")


# -- doors that lead nowhere -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sign-in/code", 302),
        ("/sign-in/choose", 302),
        ("/sign-in/recovery", 302),
        ("/sign-in/rescue", 404),
        ("/sign-in/passkey/1", 302),
        ("/account/verify", 302),
        ("/account/verify/passkey", 302),
        ("/account/verify/passkey/1", 302),
        ("/account/password", 302),
        ("/account/second-factor", 302),
        ("/account/second-factor/1", 302),
        ("/account/recovery-codes", 302),
        ("/account/passkeys", 302),
        ("/account/passkeys/1", 302),
        ("/account/passkeys/delete", 302),
        ("/account/name", 401),
        ("/account/status", 401),
        ("/account/sessions/end", 401),
        ("/invitations/1", 403),
        ("/first/1", 403),
        ("/reset/1", 403),
        ("/sign-up", 403),
        ("/api/people/1", 400),
        ("/api/people/1/sign-out", 401),
        ("/api/invitations/1", 401),
        ("/api/bans/1", 401),
    ],
)
def test_nobody_in_particular_comes_through_a_door_for_people(server: Server, path: str, status: int) -> None:
    nobody = Person(server)
    if path.startswith("/api/") and not path.endswith("sign-out"):
        method = "PATCH" if "people" in path else "DELETE"
        assert nobody.http.request(method, path).status_code == status
    else:
        answer = nobody.http.post(path, data={"code": "1", "key": "1"})
        assert answer.status_code == status, answer.text
        if status == 302:
            assert answer.headers["Location"].startswith(("/sign-in", server.url + "/sign-in"))
