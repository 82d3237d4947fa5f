"""`/admin/`: who gets there, what is seen there, and what its forms do, without JavaScript."""

import html
import re
import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import pytest

from chatapp.pages.admin.section import FEW_ROOMS
from tests.clients import Person, eventually
from tests.people import PASSWORD, Member, administrator, is_named, member
from tests.programs import Program, make_token
from tests.raw_socket import problem
from tests.servers import Server

PAGES = ["", "people", "rooms", "invitations", "bans", "tokens", "reports", "audit", "settings"]
BANNED = 4403


@pytest.fixture
def boss(server: Server) -> Member:
    return administrator(server)


def shown(who: Person, path: str, status: int = 200, **query: Any) -> str:
    """What a page says, without its markup."""
    answer = who.http.get(path, params=query or None)
    assert answer.status_code == status, answer.text
    return plain(answer)


def plain(answer: httpx.Response) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", answer.text).split()))


def row(who: Person, path: str, words: str) -> str:
    """The row of a page's table in which `words` stand, as its markup."""
    found = [each for each in who.http.get(path).text.split("<tr")[1:] if words in each]
    assert len(found) == 1, (words, len(found))
    return found[0]


def refused(answer: httpx.Response) -> str:
    """What a page says above its form."""
    found = re.search(r'class="refusal" role="alert">([^<]*)<', answer.text)
    assert found, answer.text
    assert 400 <= answer.status_code < 500
    return html.unescape(found[1])


def link_in(answer: httpx.Response) -> str:
    """The path of the link that a page shows once."""
    assert answer.status_code == 200, answer.text
    found = re.search(r'class="key"[^>]*>([^<]*)<', answer.text)
    assert found, answer.text
    return httpx.URL(html.unescape(found[1])).path


# -- who gets there ------------------------------------------------------------------------------------


def test_for_everybody_but_administrators_there_is_no_such_page(server: Server, boss: Member) -> None:
    people = [Person(server), Person(server, "guest q"), member(server, "grace")]
    for who in people:
        who.http.headers["Accept"] = "text/html"
        nowhere = who.http.get("/no-such-page")
        assert nowhere.status_code == 404
        for path in ["/admin", *(f"/admin/{page}" for page in PAGES), f"/admin/people/{boss.id}", "/admin/x"]:
            for method in ("GET", "POST", "OPTIONS", "DELETE"):
                answer = who.http.request(method, path)
                assert answer.status_code == 404, (method, path)
                assert strip(answer) == strip(nowhere), (method, path)


def test_a_page_is_found_also_with_a_slash_behind_its_address(server: Server, boss: Member) -> None:
    grace = member(server, "grace")
    for page in [*PAGES[1:], f"people/{grace.id}"]:
        path = f"/admin/{page}"
        led = boss.http.get(f"{path}/?q=x")
        assert (led.status_code, led.headers["Location"]) == (302, f"{path}?q=x")
        assert boss.http.get(f"{path}/", follow_redirects=True).status_code == 200
        assert grace.http.get(f"{path}/").status_code == 404
    # Not to another site, however many slashes there are.
    led = boss.http.get(f"{server.url}//admin/people/")
    assert led.headers["Location"].removeprefix(server.url) == "/admin/people"
    assert boss.http.post("/admin/people/").status_code == 404


def strip(answer: httpx.Response) -> tuple[str, object]:
    text = re.sub(r'content="[^"]*"', "", answer.text)
    return text, answer.headers.get("Allow")


def test_who_is_no_administrator_any_more_is_out_at_the_next_page(server: Server, boss: Member) -> None:
    grace = member(server, "grace")
    assert grace.http.get("/admin/").status_code == 404
    assert boss.http.post(
        f"/admin/people/{grace.id}", data={"do": "role", "role": "administrator"}
    ).is_redirect
    eventually(lambda: grace.http.get("/admin/").status_code == 200)
    assert 'href="/admin/"' in grace.http.get("/chats/").text
    assert boss.http.post(f"/admin/people/{grace.id}", data={"do": "role", "role": "member"}).is_redirect
    eventually(lambda: grace.http.get("/admin/").status_code == 404)
    assert 'href="/admin/"' not in grace.http.get("/chats/").text


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/admin/people/{grace}", {"do": "disable"}),
        ("/admin/people/{grace}", {"do": "reset"}),
        ("/admin/rooms/1/enter", {"why": "curious"}),
        ("/admin/invitations", {"do": "invite", "uses": "1", "days": "1"}),
        ("/admin/bans", {"do": "ban", "person": "{grace}"}),
        ("/admin/tokens", {"do": "make", "bot": "builds", "name": "builds", "read": "yes"}),
        ("/admin/reports/1", {"room": "1", "outcome": "dismissed"}),
    ],
)
def test_another_sites_page_administers_nothing(
    path: str, form: dict[str, str], server: Server, boss: Member
) -> None:
    grace = member(server, "grace")
    path = path.format(grace=grace.id)
    form = {name: value.format(grace=grace.id) for name, value in form.items()}
    entries = len(boss.http.get("/api/audit", params={"limit": 1000}).json()["entries"])
    assert boss.http.post(path, data=form, headers={"Origin": "https://evil.example"}).status_code == 403
    with closing(
        httpx.Client(base_url=server.url, cookies=boss.http.cookies, verify=False)
    ) as without_origin:
        assert without_origin.post(path, data=form).status_code == 403
    assert len(boss.http.get("/api/audit", params={"limit": 1000}).json()["entries"]) == entries
    assert grace.signed_in()


# -- people --------------------------------------------------------------------------------------------


def test_people_are_found_by_the_beginning_of_their_name_and_guests_by_when_they_came(
    server: Server, boss: Member
) -> None:
    grace, guest = member(server, "grace"), Person(server, f"guest {uuid.uuid4().hex[:8]}")
    assert grace.change(grace.id, status="at the <seaside>").status_code == 200
    page = boss.http.get("/admin/people", params={"q": grace.name.upper()[:10]}).text
    assert f'href="/admin/people/{grace.id}"' in page
    assert f'href="/admin/people/{boss.id}"' not in page
    assert f'href="/admin/people/{grace.id}"' in boss.http.get("/admin/people").text
    assert f'href="/admin/bans?person={guest.id}"' in row(boss, "/admin/people", guest.name)
    one = shown(boss, f"/admin/people/{grace.id}")
    assert "at the <seaside>" in one
    assert "python-httpx" in one
    assert boss.http.get("/admin/people/u999999").status_code == 404
    assert boss.http.get(f"/admin/people/{guest.id}").status_code == 404  # has no account


def test_an_account_is_renamed_signed_out_disabled_and_enabled_by_forms(server: Server, boss: Member) -> None:
    grace = member(server, "grace")
    page = f"/admin/people/{grace.id}"

    def do(what: str, **fields: str) -> httpx.Response:
        return boss.http.post(page, data={"do": what, **fields})

    name = f"Grace H {uuid.uuid4().hex[:8]}"
    answer = do("rename", name=name)
    assert (answer.status_code, answer.headers["Location"]) == (303, page)
    eventually(lambda: grace.me()["name"] == name)
    answer = do("rename", name=boss.name.upper())
    assert "That name is taken" in refused(answer)
    assert f'value="{boss.name.upper()}"' in answer.text  # the form as it was
    assert "one first" in refused(
        boss.http.post(f"/admin/people/{boss.id}", data={"do": "role", "role": "member"})
    )
    assert "There is no role" in refused(do("role", role="king"))
    assert "not known" in refused(do("abolish"))
    assert do("sign-out").status_code == 303
    eventually(lambda: not grace.signed_in())
    grace.name = name
    assert grace.sign_in().status_code == 302
    assert do("disable").status_code == 303
    eventually(lambda: not grace.signed_in())
    assert "disabled" in shown(boss, page)
    assert do("enable").status_code == 303
    assert grace.sign_in().status_code == 302
    told = shown(boss, "/admin/audit", about=grace.id)
    for act in (f"is called {name} now", f"signed {name} out", f"disabled {name}", f"enabled {name}"):
        assert act in told


def test_a_link_for_a_new_password_is_shown_once(server: Server, boss: Member) -> None:
    grace = member(server, "grace")
    page = f"/admin/people/{grace.id}"
    path = link_in(boss.http.post(page, data={"do": "reset"}))
    assert path not in boss.http.get(page).text
    assert path.rpartition("/")[2] not in boss.http.get("/admin/audit").text
    new = "twelve green tractors sing"
    assert Person(server).http.post(path, data={"password": new}).status_code == 303
    assert Member(server, grace.name, new).sign_in().status_code == 302


# -- rooms ---------------------------------------------------------------------------------------------


def test_an_administrator_comes_into_a_private_room_only_by_an_act_that_is_told_and_noted(
    server: Server, boss: Member
) -> None:
    grace, name = member(server, "grace"), f"den {uuid.uuid4().hex[:8]}"
    den = grace.http.post("/api/rooms", json={"name": name, "kind": "private"}).json()["id"]
    grace.say(den, "between us")
    line = row(boss, "/admin/rooms", name)
    assert f'data-label="Number">{den}<' in line
    assert "private" in line
    assert f'href="/chats/{den}/"' not in line
    assert "between us" not in boss.http.get("/admin/rooms").text
    for path in (f"/chats/{den}/", f"/api/rooms/{den}/messages", f"/api/rooms/{den}/members"):
        assert boss.http.get(path).status_code == 404
    enter = f"/admin/rooms/{den}/enter"
    assert "A reason has" in refused(boss.http.post(enter, data={"why": "x" * 251}))
    assert boss.http.get(f"/chats/{den}/").status_code == 404
    answer = boss.http.post(enter, data={"why": "a complaint of 24 November"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/chats/{den}/")
    assert [message["body"] for message in boss.read(den, after=0)["messages"]] == [
        "between us",
        "came in as an administrator of this server",
    ]
    assert grace.read(den)["messages"][-1]["author"]["id"] == boss.id
    assert f'href="/chats/{den}/"' in row(boss, "/admin/rooms", name)
    told = shown(boss, "/admin/audit", room=den)
    assert "came in as an administrator of this server" in told
    assert "a complaint of 24 November" in told
    assert boss.http.post(enter, data={"why": "again"}).status_code == 303  # is in already
    assert boss.read(den)["cursor"] == 2


def test_of_a_room_the_messages_are_counted_that_stand(server: Server, boss: Member) -> None:
    """Not what was done about them, and not the deleted."""
    grace, name = member(server, "grace"), f"den {uuid.uuid4().hex[:8]}"
    room = grace.http.post("/api/rooms", json={"name": name}).json()["id"]
    first, second, _third = (grace.say(room, words)["seq"] for words in ("one", "two", "three"))
    for change in (
        {"kind": "reaction", "of": first, "body": "👍"},
        {"kind": "edit", "of": first, "body": "One"},
        {"kind": "delete", "of": second},
    ):
        grace.http.post(grace.messages(room), json=change).raise_for_status()
    assert 'data-label="Messages">2<' in row(boss, "/admin/rooms", name)


def test_nobody_comes_into_a_public_room_a_conversation_or_one_that_is_not_by_that_door(
    server: Server, boss: Member
) -> None:
    grace = member(server, "grace")
    room = grace.make_room()
    assert "That room is public" in refused(boss.http.post(f"/admin/rooms/{room}/enter", data={"why": "x"}))
    assert "no such room" in refused(boss.http.post("/admin/rooms/99999999/enter", data={"why": "x"}))
    talk = conversation(grace, member(server, "joan"))
    answer = boss.http.post(f"/admin/rooms/{talk}/enter", data={"why": "x"})
    assert "A conversation is for those who are in it" in refused(answer)
    listed = [each for each in boss.http.get("/admin/rooms").text.split("<tr") if f">{talk}<" in each]
    assert len(listed) == 1
    assert grace.name not in listed[0]


def conversation(who: Member, other: Member) -> int:
    """The direct room of two people."""
    answer = who.http.post("/api/direct", json={"people": [other.id]})
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["id"]
    return number


def test_in_a_conversation_administrators_settle_what_is_reported_and_nobody_else(
    server: Server, boss: Member
) -> None:
    grace, joan = member(server, "grace"), member(server, "joan")
    talk = conversation(grace, joan)
    said = joan.say(talk, "boo")
    answer = grace.http.post(f"/api/rooms/{talk}/messages/{said['seq']}/report", json={"why": "rude"})
    assert answer.status_code == 204
    assert problem(grace.http.get(f"/api/rooms/{talk}/reports")) == "forbidden"
    (report,) = [each for each in boss.http.get("/api/reports").json()["reports"] if each["room"] == talk]
    settle = f"/admin/reports/{report['id']}"
    answer = boss.http.post(settle, data={"room": str(talk), "outcome": "banned"})
    assert "Nobody is banned from a conversation" in refused(answer)
    answer = boss.http.post(settle, data={"room": str(talk), "outcome": "deleted", "why": "rude"})
    assert answer.status_code == 303
    assert grace.read(talk, after=0)["messages"][0]["body"] == ""
    assert problem(boss.http.get(f"/api/rooms/{talk}/messages")) == "no_such_room"


# -- rooms to choose from ------------------------------------------------------------------------------


def test_rooms_are_chosen_and_told_by_name_but_those_that_the_administrator_is_not_in(
    new_server: Callable[..., Server],
) -> None:
    server = new_server().start()
    boss, grace, joan = administrator(server), member(server, "grace"), member(server, "joan")

    def room(owner: Member, name: str, kind: str) -> int:
        return owner.http.post("/api/rooms", json={"name": name, "kind": kind}).json()["id"]

    board, twin = room(grace, "A board", "public"), room(grace, "A board", "public")
    own, hers = room(boss, "Staff <i>", "private"), room(grace, "Hers alone", "private")
    talk = grace.http.post("/api/direct", json={"people": [joan.id]}).json()["id"]
    bodies = [
        html.unescape(boss.http.get(f"/admin/{name}").text) for name in ("invitations", "tokens", "audit")
    ]
    invitations, tokens, audit = bodies
    for number, name in {
        1: "Lobby",
        board: f"A board ({board})",
        twin: f"A board ({twin})",
        own: "Staff <i>",
    }.items():
        assert f'<option value="{number}" dir="auto">{name}</option>' in invitations
        assert re.search(rf'name="room" value="{number}"> <span><bdi>{re.escape(name)}</bdi>', tokens)
        assert f'<option value="{number}" dir="auto">{name}</option>' in audit
    for number in (hers, talk):
        assert f'value="{number}"' not in invitations + tokens
        assert f'<option value="{number}" dir="auto">room {number}</option>' in audit
    for form in (body.partition("<table")[0] for body in bodies):  # what was done in them the log tells
        assert "Hers alone" not in form
        assert joan.name not in form

    form = {"uses": "1", "days": "1"}
    new = {"do": "invite", "room": str(own), **form}
    assert link_in(boss.http.post("/admin/invitations", data=new, follow_redirects=True))
    assert 'data-label="Room"><bdi>Staff &lt;i&gt;</bdi>' in row(boss, "/admin/invitations", 'Uses left">1<')
    made = {
        "do": "make",
        "bot": "Builds",
        "name": "nightly",
        "read": "yes",
        "days": "",
        "room": ["1", str(own)],
    }
    assert boss.http.post("/admin/tokens", data={**made, "days": "soon"}).text.count(" checked") == 3
    assert boss.http.post("/admin/tokens", data=made).status_code == 200
    line = row(boss, "/admin/tokens", "nightly")
    assert 'data-label="Rooms"><bdi>Lobby</bdi>, <bdi>Staff &lt;i&gt;</bdi>' in line
    chosen = boss.http.get("/admin/audit", params={"room": own}).text
    assert f'<option value="{own}" selected dir="auto">' in chosen
    assert f'room={own}"><bdi>Staff &lt;i&gt;</bdi></a>' in chosen
    assert '<option value="99" selected>room 99</option>' in boss.http.get("/admin/audit?room=99").text


def test_where_rooms_are_many_they_are_given_by_number(server: Server, boss: Member, grace: Person) -> None:
    while len(boss.http.get("/api/rooms").json()["rooms"]) <= FEW_ROOMS:
        grace.make_room()
    for name in ("invitations", "tokens", "audit"):
        page = boss.http.get(f"/admin/{name}").text
        assert "by number" in page
        assert '<option value="1"' not in page
        assert 'type="checkbox" name="room"' not in page


# -- invitations, bans, reports ------------------------------------------------------------------------


def test_an_invitation_is_made_shown_once_used_and_taken_back_by_forms(server: Server, boss: Member) -> None:
    note = f"team {uuid.uuid4().hex[:8]}"
    form = {"do": "invite", "uses": "2", "days": "3", "note": note}
    path = link_in(boss.http.post("/admin/invitations", data=form, follow_redirects=True))
    assert path not in boss.http.get("/admin/invitations").text
    assert Member(server, f"mary {uuid.uuid4().hex[:8]}").sign_up(path).status_code == 303
    line = row(boss, "/admin/invitations", note)
    assert 'data-label="Uses left">1<' in line
    number = re.search(r'name="number" value="(\d+)"', line)[1]
    answer = boss.http.post("/admin/invitations", data={"do": "take-back", "number": number})
    assert answer.status_code == 303
    assert note not in boss.http.get("/admin/invitations").text
    assert Member(server, "nobody").sign_up(path).status_code == 403
    for wrong in ({"uses": "0"}, {"days": "many"}, {"room": "99999999"}, {"note": "x" * 251}):
        answer = boss.http.post("/admin/invitations", data={**form, **wrong})
        assert refused(answer)
        assert "kept" not in answer.text
    answer = boss.http.post("/admin/invitations", data={"do": "take-back", "number": number})
    assert "no such invitation" in refused(answer)


def test_links_to_hand_on_lead_where_others_reach_the_server(new_server: Callable[..., Server]) -> None:
    here, invite = "from this computer only", {"do": "invite", "uses": "1", "days": "3"}
    server = new_server().start()
    boss = administrator(server)
    for page in ("/admin/", "/chats/"):  # the second is where one lands
        assert "Nobody but you has an account yet" in shown(boss, page)
    page = boss.http.post("/admin/invitations", data=invite, follow_redirects=True)
    assert here in plain(page)
    assert "Nobody but you" not in shown(boss, "/admin/")
    grace = member(server, "grace")
    assert ("Nobody but you" in shown(boss, "/chats/"), "Invite somebody" in shown(boss, "/chats/")) == (
        False,
        True,
    )
    assert "Invite somebody" not in shown(grace, "/chats/")
    for page in ("/chats/", "/chats/1/"):
        assert 'action="/sign-out"' in grace.http.get(page).text
    other = administrator(new_server(public_url="https://chat.example").start())
    page = other.http.post("/admin/invitations", data=invite, follow_redirects=True)
    assert (here in plain(page), "https://chat.example/invitations/" in page.text) == (False, True)
    link = other.http.post("/api/invitations", json={}).json()["link"]
    assert link.startswith("https://chat.example/invitations/")


def test_a_guest_is_banned_from_the_server_and_let_in_again_by_forms(server: Server, boss: Member) -> None:
    mallory = Person(server, f"mallory {uuid.uuid4().hex[:8]}")
    with closing(mallory.socket()) as line:
        line.join(1)
        form = {"do": "ban", "person": mallory.id, "minutes": "60", "why": "spam"}
        page = {"Accept": "text/html"}
        answer = boss.http.post("/admin/bans", data=form, headers=page, follow_redirects=True)
        assert f"{mallory.name} (guest) is banned from the server." in plain(answer)
        assert eventually(lambda: line.closed)[0] == BANNED
    assert f"banned {mallory.name} from the server for 1 hour" in shown(boss, "/admin/audit")
    bans = [each for each in boss.http.get("/admin/bans").text.split("<tr") if mallory.name in each]
    (ban,) = bans  # of the guest and of the browser
    assert all(words in ban for words in ("spam", "until", f"<code>{mallory.id}</code>, their browser"))
    until = re.search(r'datetime="([^"]{16})', ban.partition("until")[2])
    page = mallory.http.get("/chats/", headers={"Accept": "text/html"})
    assert page.status_code == 403
    assert until
    assert f'until <time datetime="{until[1]}' in page.text
    number = re.search(r'name="number" value="(\d+)"', ban)[1]
    assert boss.http.post("/admin/bans", data={"do": "lift", "number": number}).status_code == 303
    eventually(lambda: mallory.http.get("/api/rooms/1/messages").status_code == 200)
    for wrong in ({"person": "nobody at all"}, {"person": boss.id}, {"minutes": "x"}, {"network": "there"}):
        answer = boss.http.post("/admin/bans", data={**form, **wrong})
        assert refused(answer)
    assert f'value="{mallory.id}"' in boss.http.get("/admin/bans", params={"person": mallory.id}).text


def test_tokens_of_everybody_are_seen_and_revoked_and_those_of_bots_made_by_forms(
    server: Server, boss: Member
) -> None:
    grace = member(server, "grace")
    hers = make_token(grace, "read", "write", name=f"backup <i> {uuid.uuid4().hex}", rooms=[1])
    line = row(boss, "/admin/tokens", grace.name)
    assert "backup &lt;i&gt;" in line
    assert 'data-label="May">read, write<' in line
    assert 'data-label="Rooms"><bdi>Lobby' in line
    assert 'data-label="Used">never<' in line
    assert f'href="/admin/people/{grace.id}"' in line
    program = Program(server, hers["token"])
    assert program.http.get("/api/me").status_code == 200
    eventually(lambda: 'data-label="Used">never<' not in row(boss, "/admin/tokens", grace.name))
    answer = boss.http.post("/admin/tokens", data={"do": "revoke", "number": hers["id"]})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/tokens")
    eventually(lambda: program.http.get("/api/me").status_code == 401)
    assert grace.name not in boss.http.get("/admin/tokens").text
    assert "no such token" in refused(
        boss.http.post("/admin/tokens", data={"do": "revoke", "number": hers["id"]})
    )

    name, use = f"Builds {uuid.uuid4().hex[:8]}", f"the nightly one {uuid.uuid4().hex}"
    form = {"do": "make", "bot": name, "name": use, "read": "yes", "write": "yes", "rooms": "1", "days": ""}
    for wrong in (
        {"read": "", "write": ""},
        {"name": " "},
        {"bot": ""},
        {"days": "soon"},
        {"rooms": "1, x"},
    ):
        answer = boss.http.post("/admin/tokens", data={**form, **wrong})
        assert refused(answer)
        assert f'value="{wrong.get("name", use)}"' in answer.text  # the form as it was
    assert boss.http.get("/api/people", params={"q": name}).json() == {"people": []}  # and no bot that stays
    assert "is no bot" in refused(boss.http.post("/admin/tokens", data={**form, "bot": grace.name}))
    counted = re.compile(r"People with an account (\d+)")
    before = counted.findall(shown(boss, "/admin/"))
    answer = boss.http.post("/admin/tokens", data=form)
    assert answer.status_code == 200
    assert counted.findall(shown(boss, "/admin/")) == before
    assert (
        ">bot<" in row(boss, "/admin/people", name),
        ">bot<" in row(boss, "/admin/people", grace.name),
    ) == (True, False)
    (made,) = re.findall(r"chat_[\w-]{43}", answer.text)
    assert made not in boss.http.get("/admin/tokens").text
    line = row(boss, "/admin/tokens", use)
    assert name in line
    assert 'data-label="Until">for ever<' in line
    bot = Program(server, made)
    assert bot.say(1, "built")["author"]["name"] == name
    told = shown(boss, "/admin/audit", about=name)
    assert f"for {name}: read, write" in told
    assert f"revoked token {hers['id']}" in shown(boss, "/admin/audit", about=grace.id)


def test_reports_of_all_rooms_are_settled_by_forms(server: Server, boss: Member, grace: Person) -> None:
    mallory = Person(server, f"mallory {uuid.uuid4().hex[:8]}")
    room = grace.make_room(f"board {uuid.uuid4().hex[:8]}")
    said = mallory.say(room, f"buy <i>boots</i> {uuid.uuid4().hex}")
    grace.http.post(f"/api/rooms/{room}/messages/{said['seq']}/report", json={"why": "<u>spam</u>"})
    page = boss.http.get("/admin/reports").text
    assert html.escape(said["body"]) in page
    assert "&lt;u&gt;spam" in page
    assert "wait" in shown(boss, "/admin/")
    number = re.search(rf'id="r(\d+)">(?:(?!id="r).)*{html.escape(said["body"])}', page, re.DOTALL)[1]
    settle = f"/admin/reports/{number}"
    assert "There is no outcome" in refused(boss.http.post(settle, data={"room": str(room), "outcome": "x"}))
    assert refused(boss.http.post(settle, data={"room": "", "outcome": "dismissed"}))
    assert refused(boss.http.post(settle, data={"room": "99999999", "outcome": "dismissed"}))
    answer = boss.http.post(settle, data={"room": str(room), "outcome": "deleted", "why": "spam"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/reports")
    assert html.escape(said["body"]) not in boss.http.get("/admin/reports").text
    assert grace.read(room, after=0)["messages"][-1]["kind"] == "delete"


def test_an_administrator_who_is_reported_sees_it_in_no_count(
    server: Server, boss: Member, grace: Person
) -> None:
    with closing(member(server, "joan")) as joan:
        name = f"board {uuid.uuid4().hex[:8]}"
        room = grace.make_room(name)
        boss.change(joan.id, role="administrator").raise_for_status()
        waiting = re.compile(r"Reports that wait (\d+)")

        def counted(who: Member) -> tuple[int, bool]:
            return int(waiting.findall(shown(who, "/admin/"))[0]), "report" in row(who, "/admin/rooms", name)

        eventually(lambda: waiting.search(plain(joan.http.get("/admin/"))))
        to_joan, to_boss = counted(joan), counted(boss)
        assert not to_joan[1]
        said = joan.say(room, "I rule here")
        path = f"/api/rooms/{room}/messages/{said['seq']}/report"
        grace.http.post(path, json={"why": "no"}).raise_for_status()
        assert counted(boss) == (to_boss[0] + 1, True)
        assert counted(joan) == to_joan
        boss.change(joan.id, role="member").raise_for_status()


# -- the audit log and the settings --------------------------------------------------------------------


def test_the_audit_log_is_read_in_pages_and_filtered(server: Server, boss: Member, grace: Person) -> None:
    room, word = grace.make_room(), uuid.uuid4().hex
    owner = member(server, "olive")
    room = owner.make_room()
    for number in range(53):
        topic = f"{word} <b>{number}</b>."
        owner.http.patch(f"/api/rooms/{room}", json={"topic": topic}).raise_for_status()
    first = boss.http.get("/admin/audit", params={"about": word, "room": room})
    assert "<b>" not in first.text
    assert f"{word} <b>52</b>." in plain(first)
    older = re.search(r'href="(/admin/audit\?[^"]*before=\d+[^"]*)">Older', first.text)[1]
    last = shown(boss, html.unescape(older))
    assert [number for number in range(53) if f"<b>{number}</b>." in last] == [0, 1, 2]
    assert "Older" not in last
    assert "Newest" in last
    assert "Nothing matches" in shown(boss, "/admin/audit", about=word, room=room + 1)
    for wrong in ({"room": "x"}, {"before": "x"}, {"about": "x" * 101}):
        assert refused(boss.http.get("/admin/audit", params=wrong))


def test_the_audit_log_says_by_name_to_whom_something_was_done(server: Server, boss: Member) -> None:
    owner = member(server, "olive")
    room = owner.make_room()
    mallory = Person(server, f"mallory {uuid.uuid4().hex[:8]}")
    joan = Member(server, f"joan {uuid.uuid4().hex[:8]}")
    joan.http.post("/guests", json={"name": joan.name}).raise_for_status()
    joan.sign_up(boss.invite())  # and keeps the guest's id
    for who in (mallory, joan):
        who.say(room, "here")
        said = {"kind": "timeout", "person": who.id, "seconds": 600}
        owner.http.post(f"/api/rooms/{room}/sanctions", json=said).raise_for_status()
    log = shown(boss, "/admin/audit", room=room)
    for who in (mallory, joan):
        assert not is_named(who, log)
    table = boss.http.get("/admin/audit", params={"room": room}).text
    assert f'<a href="/admin/people/{joan.id}"><bdi>{joan.name}</bdi></a>' in table
    assert f'<bdi title="{mallory.id}">{mallory.name}</bdi>' in table


@pytest.mark.sqlite
def test_settings_are_shown_with_value_and_default_but_never_a_secret(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(guest_code="open sesame", heartbeat="17", site_name="Harbour <i>").start()
    boss = administrator(server)
    page = boss.http.get("/admin/settings").text
    assert "sesame" not in page
    assert "set, not shown here" in row(boss, "/admin/settings", "CHATAPP_GUEST_CODE")
    line = row(boss, "/admin/settings", "CHATAPP_HEARTBEAT")
    assert ("17" in line, "25" in line, "changed" in line) == (True, True, True)
    assert "Harbour &lt;i&gt;" in row(boss, "/admin/settings", "CHATAPP_SITE_NAME")
    database = row(boss, "/admin/settings", "CHATAPP_DATABASE_URL")
    assert f"sqlite:///{server.instance}/chat.db" in database.replace("<wbr>", "")
    assert "changed" not in database
    for name, default in (
        ("INSTANCE_PATH", "<bdi>instance in the checkout, or in the current folder<"),
        ("BUS_URL", '<bdi dir="ltr">sqlite:///…/bus.db<'),
    ):
        line = row(boss, "/admin/settings", f"<code>CHATAPP_{name}<").replace("<wbr>", "")
        assert f'data-label="Default">{default}' in line
    key = (server.instance / "secret_key").read_text().strip()
    for name in PAGES:
        text = boss.http.get(f"/admin/{name}").text.replace("<wbr>", "")
        assert key not in text
        assert PASSWORD not in text


def test_of_an_address_with_a_password_the_rest_is_shown() -> None:
    from chatapp.pages.admin.settings import shown as as_shown

    plain_text = {"secret": False}
    assert as_shown(plain_text, "postgresql://ada:pw@db:5432/chat?password=pw") == "postgresql://db:5432/chat"
    assert as_shown(plain_text, "redis://:pw@[bad/0") == "set, not shown here"
    assert (
        as_shown(plain_text, ("https://a.example", "https://b.example"))
        == "https://a.example, https://b.example"
    )
    assert as_shown({"secret": True}, "") == ""
