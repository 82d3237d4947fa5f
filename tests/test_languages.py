"""Languages: every sentence has its words in each of them, a reader has theirs, and one file adds another."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from chatapp import acts
from chatapp import languages as words
from chatapp.errors import TooLong
from chatapp.languages import FILE, FOLDER, languages, say
from tests import catalogues
from tests.clients import Person
from tests.mail_server import MailServer, link_in, said_in
from tests.people import Member, administrator, member
from tests.raw_socket import nobody_gets
from tests.servers import ROOT, Server

HTML = {"Accept": "text/html"}
NEW = "seven blue lorries hum"
PLACE = re.compile(r"%\((\w+)\)s")
TAG = re.compile(r"</?[a-z]+")
each_language = pytest.mark.parametrize("language", catalogues.languages())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("languages") / "instance").start()
    yield server
    server.kill()


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Callable[[str, str], Server]]:
    """Starts a server with one file more: the catalogue of a language."""
    made: list[Server] = []

    def make(language: str, file: str) -> Server:
        program = tmp_path / "program"
        for folder in ("chatapp", "templates", "static"):
            shutil.copytree(ROOT / folder, program / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "wsgi.py", program)
        shutil.copy(ROOT / "gunicorn.conf.py", program)
        path = program / "chatapp" / "translations" / language / FILE
        path.parent.mkdir(parents=True)
        path.write_text(file)
        made.append(Server(tmp_path / "instance"))
        made[-1].root, made[-1].under = program, []  # not forked from what knows the original
        return made[-1].start()

    yield make
    for server in made:
        server.kill()


def page(server: Server, path: str = "/chats/", **headers: str) -> httpx.Response:
    return nobody_gets(server.url + path, headers={**HTML, **headers})


def language_of(answer: httpx.Response) -> str:
    found = re.search(r'<html lang="([^"]+)" dir="(ltr|rtl)"', answer.text)
    assert found, answer.text[:200]
    assert answer.headers["Content-Language"] == found[1]
    assert (found[2] == "rtl") == (found[1] == "ar")
    return found[1]


# -- the catalogues ------------------------------------------------------------------------------------------


@each_language
def test_every_sentence_is_translated_and_none_is_left_that_nobody_says(language: str) -> None:
    """Who adds a sentence runs bin/translations, and writes what it says in each language."""
    kept = catalogues.catalogue(language)
    wanted = {message.id for message in catalogues.template() if message.id}
    assert len(wanted) > 1000
    assert {message.id for message in kept if message.id} == wanted
    empty = [message.id for message in kept if message.id and not _is_whole(message.string)]
    assert empty == []
    assert [message.id for message in kept if message.fuzzy and message.id] == []


def _is_whole(string: Any) -> bool:
    return all(string) if isinstance(string, tuple) else bool(string)


@each_language
def test_translations_have_the_places_and_the_markup_of_their_sentence(language: str) -> None:
    wrong = []
    for message in catalogues.catalogue(language):
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        if not message.id:
            continue
        named = {place for each in ids for place in PLACE.findall(each)}
        for string in strings:
            found = set(PLACE.findall(string))
            # A form for one or two need not say the number.
            lacks = named - found if len(strings) == 1 else set()
            if found - named or lacks or sorted(TAG.findall(string)) != sorted(TAG.findall(ids[0])):
                wrong.append((ids, string))
            if "%" in PLACE.sub("", string):
                wrong.append((ids, string))
    assert wrong == []


def test_samples_in_arabic_letters_run_as_arabic_does() -> None:
    """Code runs from the left, so that the star of "a word that begins so" would stand before it."""
    samples = [
        found
        for message in catalogues.catalogue("ar")
        for string in (message.string if isinstance(message.string, tuple) else (message.string,))
        for found in re.findall(r"(<code[^>]*>)([^<]*[\u0600-\u06ff][^<]*)</code>", string)
    ]
    assert len(samples) >= 3
    assert {tag for tag, _ in samples} == {'<code dir="rtl">'}


@each_language
def test_a_language_has_as_many_forms_of_a_plural_as_it_needs(language: str) -> None:
    catalog = catalogues.catalogue(language)
    plurals = [message for message in catalog if message.pluralizable]
    assert len(plurals) > 10
    assert {len(message.string) for message in plurals} == {catalog.num_plurals}


@each_language
def test_the_file_is_as_the_command_writes_it(language: str, tmp_path: Path) -> None:
    written = tmp_path / "messages.po"
    catalogues.write(catalogues.update(language), written)
    assert written.read_text() == (FOLDER / language / FILE).read_text()


# -- who reads what ------------------------------------------------------------------------------------------


def test_a_browser_is_answered_in_the_language_that_it_asks_for(server: Server) -> None:
    asked = {
        "de": "de",
        "de-AT, en;q=0.8": "de",
        "ar-EG": "ar",
        "nl, ar;q=0.5, en;q=0.4": "ar",
        "nl": "en",
        "": "en",
    }
    for accepts, language in asked.items():
        answer = page(server, **{"Accept-Language": accepts})
        assert language_of(answer) == language, accepts
        assert {"Accept-Language", "Cookie"} <= set(re.split(", *", answer.headers["Vary"]))
    assert "Lies mit" in page(server, **{"Accept-Language": "de"}).text
    assert language_of(page(server, "/nowhere", **{"Accept-Language": "ar"})) == "ar"


def test_the_server_has_a_language_for_whom_none_of_its_own_was_asked_for(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(language="de").start()
    assert language_of(page(server)) == "de"
    assert language_of(page(server, **{"Accept-Language": "en-GB"})) == "en"


def test_a_language_that_is_not_here_stops_the_start(new_server: Callable[..., Server]) -> None:
    with pytest.raises(RuntimeError, match=r"CHATAPP_LANGUAGE='tlh': write one of ar, de, en"):
        new_server(language="tlh").start()


def choose(person: Person, language: str) -> httpx.Response:
    return person.http.post("/language", data={"language": language, "back": "/about"})


def test_a_guest_chooses_a_language_for_this_browser_and_leaves_it_to_the_browser_again(
    server: Server,
) -> None:
    with closing(Person(server, "grace")) as grace:
        answer = choose(grace, "ar")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/about")
        asks = {**HTML, "Accept-Language": "de"}
        assert language_of(grace.http.get("/chats/", headers=asks)) == "ar"
        choose(grace, "")
        assert language_of(grace.http.get("/chats/", headers=asks)) == "de"
        assert choose(grace, "tlh").status_code == 400
        elsewhere = grace.http.post("/language", data={"language": "de", "back": "https://example.org/"})
        assert elsewhere.headers["Location"] == "/chats/"


def test_who_has_an_account_reads_in_the_chosen_language_wherever_they_are_signed_in(server: Server) -> None:
    with closing(member(server, "mary")) as mary, closing(mary.elsewhere()) as other:
        assert choose(mary, "de").status_code == 303
        for browser in (mary, other):
            assert language_of(browser.http.get("/account/", headers=HTML)) == "de"
        choose(other, "ar")
        assert language_of(mary.http.get("/account/", headers=HTML)) == "ar"
        assert (
            '<option value="ar" lang="ar" dir="auto" selected>العربية</option>'
            in mary.http.get("/account/").text
        )
        assert server.ask("SELECT language FROM users WHERE person_id = ?", mary.id) == [("ar",)]
        exported = server.flask("user", "export", mary.name).stdout
        assert '"language": "ar"' in exported


def test_a_visitor_finds_the_languages_by_their_own_names(server: Server) -> None:
    text = page(server, "/sign-in").text
    assert re.findall(r'<option value="\w+" lang="\w+"[^>]*>([^<]+)<', text) == [
        "العربية",
        "Deutsch",
        "English",
    ]


# -- numbers, times, plurals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["1 passkey", "2 passkeys"]),
        ("de", ["1 Passkey", "2 Passkeys"]),
        (
            "ar",
            ["مفتاح مرور واحد", "مفتاحا مرور", "3 مفاتيح مرور", "11 مفتاح مرور", "100 مفتاح مرور"],
        ),
    ],
)
def test_a_number_has_the_plural_that_its_language_gives_it(language: str, said: list[str]) -> None:
    look_up = words.translations(language).ngettext
    numbers = (1, 2, 3, 11, 100)[: len(said)]
    assert [
        look_up("%(num)s passkey", "%(num)s passkeys", number) % {"num": number} for number in numbers
    ] == said


def test_numbers_times_and_sizes_are_written_as_the_language_does(server: Server) -> None:
    assert [words.figure(language, 1234567) for language in ("en", "de", "ar")] == [
        "1,234,567",
        "1.234.567",
        "1,234,567",
    ]
    assert [words.duration(language, 7200) for language in ("en", "de", "ar")] == [
        "2 hours",
        "2 Stunden",
        "ساعتان",
    ]
    names = ["ada", "grace", "mary"]
    assert [
        words.listed(language, names[:number]) for language in ("en", "ar") for number in (0, 1, 2, 3)
    ] == [
        *("", "ada", "ada, grace", "ada, grace, mary"),
        *("", "ada", "ada، grace", "ada، grace، mary"),
    ]
    refusal = TooLong(
        "A message has at most %(limit)s characters; this one has %(length)s", limit=4000, length=5000
    )
    assert words.refusal("de", refusal) == "Eine Nachricht hat höchstens 4.000 Zeichen; diese hat 5.000"
    assert str(refusal) == "A message has at most 4000 characters; this one has 5000"
    with closing(Person(server, "ada")) as ada:
        room = ada.make_room("times")
        ada.say(room, "hello")
        for language, day in (
            ("en", r"\d{1,2} \w+ 20\d\d"),
            ("de", r"\d{1,2}\. \w+ 20\d\d"),
            ("ar", r"\d{1,2} \w+ 20\d\d"),
        ):
            shown = ada.http.get(f"/chats/{room}/", headers={**HTML, "Accept-Language": language}).text
            assert re.search(rf'<li class="day"><time datetime="[-\d]+">{day}</time>', shown), language


def test_a_name_does_not_turn_the_sentence_around_it() -> None:
    assert say("ar", "removed %(name)s", {"name": "Ada"}) == "أخرج \u2068Ada\u2069"
    assert say("de", "removed %(name)s", {"name": "Ada"}) == "hat Ada entfernt"


# -- what the server says ------------------------------------------------------------------------------------


def test_a_program_is_refused_in_english_unless_it_asks_for_another_language(server: Server) -> None:
    with closing(Person(server, "ada")) as ada:
        room = ada.make_room("refusing")
        choose(ada, "ar")  # of pages: a program has no page
        path, body = ada.messages(room), {"body": "x" * 5000}
        plain = ada.http.post(path, json=body).json()
        german = ada.http.post(path, json=body, headers={"Accept-Language": "de"}).json()
        asked = ada.http.post(f"{path}?language=de", json=body).json()
        assert (plain["code"], plain["title"]) == ("too_long", "That is too long")
        assert plain["detail"] == "A message has at most 4000 characters; this one has 5000"
        assert (german["code"], german["title"]) == ("too_long", "Das ist zu lang")
        assert german["detail"] == "Eine Nachricht hat höchstens 4.000 Zeichen; diese hat 5.000"
        assert asked == german


@pytest.mark.parametrize(
    ("query", "message"), [("", "Join the room first"), ("?language=de", "Tritt dem Raum zuerst bei")]
)
def test_a_socket_is_refused_in_the_language_that_it_asks_for(
    server: Server, query: str, message: str
) -> None:
    with (
        closing(Person(server, "ada")) as ada,
        connect(
            f"ws://{server.host}/ws{query}",
            subprotocols=["chatapp.v1"],
            additional_headers={"Cookie": ada.cookie},  # type: ignore[list-item]
        ) as ws,
    ):
        ws.send('{"type":"typing","room":1}')
        assert f'"message":"{message}"' in str(ws.recv())


def test_what_a_form_was_refused_for_is_said_in_the_readers_language(server: Server) -> None:
    with closing(Person(server)) as nobody:
        answer = nobody.http.post(
            "/guests", data={"name": "system", "next": "/chats/"}, headers={**HTML, "Accept-Language": "de"}
        )
        assert answer.status_code == 400
        assert "Der Name system ist reserviert; wähl einen anderen" in answer.text


def test_the_login_library_speaks_the_readers_language(server: Server) -> None:
    with closing(member(server, "mary")) as mary:
        choose(mary, "de")
        for again, said in (
            ("other", "Die Passwörter sind nicht gleich"),
            (NEW, "Das Passwort stimmt nicht"),
        ):
            form = {"password": "not hers", "new_password": NEW, "new_password_confirm": again}
            assert said in mary.http.post("/account/password", data=form, headers=HTML).text


# -- notices and the audit log -------------------------------------------------------------------------------


def test_every_sentence_of_a_notice_is_found_by_its_own_pattern() -> None:
    values = {
        "name": "made Ada a member",
        "time": "3 days",
        "number": "7",
        "count": "5",
        "uses": "2",
        "scopes": "read",
        "network": "10.0.0.0/8",
    }
    for sentence in (*acts.NOTICES, *acts.ACTS):
        said = PLACE.sub(lambda place: values[place[1]], sentence)
        read = acts.audited("de", said)
        assert read not in (said, sentence), said
        assert "%(" not in read


def test_numbers_and_lists_in_the_audit_log_are_said_in_full() -> None:
    for language, kept, shown in (
        ("en", "made invitation 9 for 1", "made invitation 9 for 1 use"),
        ("en", "made invitation 9 for 5", "made invitation 9 for 5 uses"),
        ("de", "made invitation 9 for 5", "hat die Einladung 9 für 5 Verwendungen erstellt"),
        ("en", "made token 3 for Ada: read, write", "made token 3 for Ada: read, write"),
        ("ar", "made token 3 for Ada: read, write", "قراءة، كتابة"),
    ):
        assert shown in acts.audited(language, kept)


def test_what_was_done_is_told_in_the_readers_language(server: Server) -> None:
    ada = administrator(server)
    with closing(member(server, "mary")) as mary, closing(Person(server, "grace")) as grace:
        room = ada.make_room("done")
        _do_everything(ada, mary, grace, room)
        entries = ada.http.get("/api/audit", params={"limit": 500}).json()["entries"]
        notices = [
            message["body"]
            for message in ada.http.get(ada.messages(room) + "?after=0").json()["messages"]
            if message["kind"] == "notice"
        ]
        assert len(notices) > 20
        assert len({entry["what"].split()[0] for entry in entries}) > 10
        assert [said for said in notices if acts.noticed("de", said) == said] == []
        assert [
            entry["what"] for entry in entries if acts.audited("de", entry["what"]) == entry["what"]
        ] == []
        shown = ada.http.get(f"/chats/{room}/", headers={**HTML, "Accept-Language": "de"}).text
        assert '<span class="words">hat diesen Raum privat gemacht</span>' in shown
        audit = ada.http.get("/admin/audit", headers={**HTML, "Accept-Language": "ar"}).text
        assert "جعل هذه الغرفة خاصة" in audit


def _do_everything(ada: Member, mary: Member, grace: Person, room: int) -> None:
    """Deeds of every kind, in a room and on the server."""

    def do(method: str, path: str, **fields: Any) -> httpx.Response:
        answer = ada.http.request(method, path, json=fields or None)
        assert answer.is_success, (path, fields, answer.text)
        return answer

    here = f"/api/rooms/{room}"
    seq = grace.say(room, "hello")["seq"]
    assert (
        grace.http.post(f"{here}/messages/{seq}/report", json={"why": "spam"}).is_success is False
    )  # one's own
    for fields in (
        {"topic": "ships"},
        {"topic": ""},
        {"name": "quay"},
        {"closed": True},
        {"closed": False},
        {"guests": False},
        {"guests": True},
        {"posting": "members"},
        {"posting": "moderators"},
        {"posting": "everyone"},
        {"slow_seconds": 60},
        {"slow_seconds": 0},
        {"keep_days": 90, "keep_messages": 1000},
        {"keep_days": 90, "keep_messages": None},
        {"keep_days": None, "keep_messages": 1000},
        {"keep_days": None, "keep_messages": None},
        {"kind": "private"},
        {"kind": "public"},
        {"kind": "private"},
    ):
        do("PATCH", here, **fields)
    for role in ("member", "moderator", "owner", "member"):
        do("PUT", f"{here}/members/{mary.id}", role=role)
    do("DELETE", f"{here}/members/{mary.id}")
    hook = do("POST", f"{here}/hooks", name="CI").json()["id"]
    do("DELETE", f"{here}/hooks/{hook}")
    do("PATCH", here, kind="public")
    for fields in (
        {"kind": "timeout", "seconds": 600},
        {"kind": "timeout", "seconds": 0},
        {"kind": "ban", "seconds": 86400},
    ):
        do("POST", f"{here}/sanctions", person=mary.id, **fields)
        sanction = do("GET", f"{here}/sanctions").json()["sanctions"][0]["id"]
        do("DELETE", f"{here}/sanctions/{sanction}")
    do("POST", f"{here}/sanctions", person=mary.id, kind="ban", seconds=0)
    do("POST", f"{here}/kick", name="grace")
    do("POST", f"{here}/messages", kind="delete", of=seq)
    do("POST", f"{here}/messages", kind="restore", of=seq)
    do("PATCH", f"/api/people/{mary.id}", disabled=True)
    do("PATCH", f"/api/people/{mary.id}", disabled=False)
    do("PATCH", f"/api/people/{mary.id}", role="administrator")
    do("PATCH", f"/api/people/{mary.id}", role="member")
    do("POST", "/api/bans", person=mary.id, why="")
    do("DELETE", f"/api/bans/{do('GET', '/api/bans').json()['bans'][0]['id']}")
    do("POST", "/api/invitations", uses=2)
    do("DELETE", f"/api/invitations/{do('GET', '/api/invitations').json()['invitations'][0]['id']}")
    token = do("POST", "/api/tokens", name="backup", scopes=["read"]).json()
    do("DELETE", f"/api/tokens/{token['id']}")


def test_mails_are_in_the_language_that_their_person_has_chosen(
    new_server: Callable[..., Server], post: MailServer
) -> None:
    server = new_server(**post.settings).start()
    with closing(member(server, "mary")) as mary:
        choose(mary, "de")
        answer = mary.http.post("/account/email", data={"email": "mary@example.org"})
        assert answer.status_code == 303, answer.text
        mail = post.next_to("mary@example.org")
        assert mail["Subject"] == "Deine E-Mail-Adresse auf Chat"
        assert "Wenn du das warst, bestätige sie" in said_in(mail)
        assert mary.name in said_in(mail)
        assert link_in(mail).startswith("/email/")


# -- one more language ---------------------------------------------------------------------------------------

FRENCH = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: fr\\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\\n"

#: templates/rooms.html
msgid "Your name"
msgstr "Votre nom"

#: static/js/room.js
msgid "%(num)s new"
msgid_plural "%(num)s new"
msgstr[0] "%(num)s nouveau"
msgstr[1] "%(num)s nouveaux"
"""


def test_one_file_adds_a_language(another: Callable[[str, str], Server]) -> None:
    server = another("fr", FRENCH)
    answer = page(server, **{"Accept-Language": "fr-CA, de;q=0.5"})
    assert language_of(answer) == "fr"
    assert "Votre nom" in answer.text
    assert "Come in" in answer.text  # what it lacks is English
    assert ">Français</option>" in answer.text
    found = re.search(r'data-words="(/languages/fr\.[0-9a-f]+\.js)"', answer.text)
    assert found
    module = nobody_gets(server.url + found[1])
    assert module.headers["Content-Type"].startswith("text/javascript")
    assert '"%(num)s new":["%(num)s nouveau","%(num)s nouveaux"]' in module.text
    assert "Number((n > 1))" in module.text


# -- the words of scripts ------------------------------------------------------------------------------------


def test_the_words_of_scripts_are_one_small_file_that_browsers_keep(server: Server) -> None:
    assert "data-words" not in page(server).text
    for language in ("de", "ar"):
        found = re.search(r'data-words="([^"]+)"', page(server, **{"Accept-Language": language}).text)
        assert found
        answer = nobody_gets(server.url + found[1], headers={"Accept-Encoding": "gzip"})
        assert int(answer.headers["Content-Length"]) < 5_000
        assert "immutable" in answer.headers["Cache-Control"]
        assert "Set-Cookie" not in answer.headers
        assert nobody_gets(f"{server.url}/languages/{language}.{'0' * 12}.js").status_code == 404
        assert nobody_gets(f"{server.url}/languages/tlh.000000000000.js").status_code == 404
    assert set(languages()) == {"ar", "de", "en"}
