"""Searching: what one may read is found, by its words and by what else is known of it, and nothing else ever is."""

import os
import signal
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatapp.search.query import with_beginning
from tests.clients import Person, eventually
from tests.conftest import new_server_of_each_store, server_of_each_store
from tests.people import Member, administrator, member
from tests.servers import Server

server = server_of_each_store


def word() -> str:
    """One that nobody else says."""
    return "w" + uuid.uuid4().hex[:12]


def ask(who: Person, line: str, **query: Any) -> dict[str, Any]:
    answer = who.http.get("/api/search", params={"q": line, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def found(who: Person, line: str, **query: Any) -> list[str]:
    """The texts that are found, the newest first."""
    return [message["body"] for message in ask(who, line, **query)["messages"]]


def soon(who: Person, line: str, *bodies: str) -> None:
    """Wait until that is found, and just that."""
    eventually(lambda: found(who, line) == list(bodies), f"{bodies}, not {found(who, line)}, by {line}")


def refused(who: Person, line: str, **query: Any) -> str:
    answer = who.http.get("/api/search", params={"q": line, **query})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), answer.text
    return answer.json()["detail"]


def test_what_was_said_is_found_by_its_words_the_newest_first_with_its_place(ada: Person, board: int) -> None:
    one, other = word(), word()
    said = [
        ada.say(board, body)
        for body in (f"the {one} of {other}", f"{other.upper()}, again!", f"{one}{other}")
    ]
    soon(ada, other, f"{other.upper()}, again!", f"the {one} of {other}")
    assert found(ada, f"{other} {one}") == [f"the {one} of {other}"]
    [message] = ask(ada, one)["messages"]
    assert message == said[0]
    assert found(ada, f'"of {other}"') == [f"the {one} of {other}"]
    assert found(ada, f'"{other} of"') == []
    assert found(ada, f"“the {one}” {other[:5]}*") == [f"the {one} of {other}"]
    soon(ada, f"{one[:9]}*", f"{one}{other}", f"the {one} of {other}")
    assert found(ada, one[:9]) == []


def test_by_whom_where_when_and_with_what_it_was_said(
    server: Server, board: int, ada: Person, grace: Person
) -> None:
    mark, den = word(), ada.make_room(f"den {word()}")
    name = next(room["name"] for room in ada.http.get("/api/rooms").json()["rooms"] if room["id"] == den)
    here = ada.say(board, f"{mark} see https://example.org/x")["at"][:10]
    grace.say(board, f"{mark} hers")
    grace.say(den, f"{mark} in the den")
    ada.say(den, f"{mark} mine")
    texts = [f"{mark} mine", f"{mark} in the den", f"{mark} hers", f"{mark} see https://example.org/x"]
    soon(ada, mark, *texts)
    for line, those in {
        "from:grace": texts[1:3],
        "FROM:me": [texts[0], texts[3]],
        "from:grace from:ada": texts,
        "from:nobody": [],
        f"in:{board}": texts[2:],
        f'in:"{name}"': texts[:2],
        f"in:{den} in:#{board} from:grace": texts[1:3],
        "has:link": texts[3:],
        "has:file": [],
        f"after:{here}": texts,
        f"before:{here}": [],
        "after:1999-12-31 before:2000-01-01": [],
    }.items():
        assert found(ada, f"{mark} {line}") == those, line
    assert found(ada, f"in:{den} from:grace") == texts[1:2], "without a word"
    boss = member(server, "mary")
    file = boss.http.post(f"/api/rooms/{board}/files?name={mark}.txt", content=b"a plan")
    sent = {"body": f"{mark} with a plan", "files": [file.json()["id"]]}
    boss.http.post(boss.messages(board), json=sent).raise_for_status()
    soon(ada, f"{mark} has:file", sent["body"])
    boss.say(board, f"{mark} by mary")
    soon(ada, f'{mark} from:"{boss.name}"', f"{mark} by mary", sent["body"])
    new = f"rose {word()}"
    assert boss.change(boss.id, name=new).status_code == 200
    assert found(ada, f'{mark} from:"{new}"') == [f"{mark} by mary", sent["body"]], "under the new name"
    # Under that of then as well; each worker hears by itself what they are called now.
    eventually(lambda: ask(ada, f'{mark} from:"{boss.name}"').get("names") == {boss.id: new})


def test_in_any_language(ada: Person, board: int) -> None:
    mark = word()
    texts = [
        f"{mark} 我们明天去东京塔看看",
        f"{mark} お寿司が食べたいタワー",
        f"{mark} 내일 도서관에서 만나요",
        f"{mark} พรุ่งนี้ไปตลาดกัน",
        f"{mark} مُحَمَّدٌ في المكتبة",
        f"{mark} Grüße von der STRASSE, Michael",
        f"{mark} कल पुस्तकालय में",
        f"{mark} une re\u0301sume\u0301 \ufb01nie",
        f"{mark} done 🎉",
    ]
    for text in texts:
        ada.say(board, text)
    soon(ada, mark, *reversed(texts))
    for line, at in {
        "东京": 0, "京塔": 0, "明天去东京": 0, "塔": 0, "看": 0, "寿司": 1, "食べたい": 1, "ﾀﾜｰ": 1, "도서관": 2, "ตลาด": 3,
        "محمد": 4, "المكتبه*": None, "المكتبة": 4, "straße": 5, "GRUSSE": 5, "grüße": 5, "पुस्तकालय": 6, "पस्तकालय": None,
        "résumé": 7, "resume": 7, "finie": 7, "🎉": 8, "东塔": None, "京东": None,
    }.items():  # fmt: skip
        assert found(ada, f"{mark} {line}") == ([] if at is None else [texts[at]]), line
    assert found(ada, f'"{mark} 我们"') == [texts[0]]


def test_pages_go_on_with_a_cursor_and_miss_nothing(ada: Person, board: int) -> None:
    mark = word()
    said = [ada.say(board, f"{mark} {number}")["body"] for number in range(7)][::-1]
    soon(ada, mark, *said)
    pages, cursor = [], None
    while True:
        page = ask(ada, mark, limit=3, **({"before": cursor} if cursor else {}))
        pages.append([message["body"] for message in page["messages"]])
        if (cursor := page["cursor"]) is None:
            break
    assert pages == [said[:3], said[3:6], said[6:]]
    assert ask(ada, mark, limit=7)["cursor"] is None
    for query in ({"limit": 0}, {"limit": 51}, {"limit": "x"}, {"before": "x"}):
        refused(ada, mark, **query)


def test_nobody_finds_what_they_may_not_read_from_the_moment_on(
    server: Server, board: int, grace: Person
) -> None:
    mark = word()
    boss, mary, stranger = (member(server, name) for name in ("boss", "mary", "joan"))
    den = boss.http.post("/api/rooms", json={"name": f"den {mark}", "kind": "private"}).json()["id"]
    for person in (mary, stranger):
        assert server.console("room", "take-in", den, person.id).status == 0
    boss.say(den, f"{mark} in the den")
    talk = boss.http.post("/api/direct", json={"people": [mary.id]}).json()["id"]
    boss.say(talk, f"{mark} between us")
    own = boss.make_room(f"own {mark}")
    boss.say(own, f"{mark} for all")
    everything = [f"{mark} for all", f"{mark} between us", f"{mark} in the den"]
    soon(mary, mark, *everything)
    soon(mary, f'{mark} in:"{boss.name}"', f"{mark} between us")
    assert found(stranger, mark) == [everything[0], everything[2]]
    for who in (grace, Person(server), administrator(server)):
        assert found(who, mark) == everything[:1]
        assert refused(who, f"{mark} in:{den}") == f"There is no room “{den}” that you may read"
        assert refused(who, f'{mark} in:"den {mark}"').startswith("There is no room")
    token = mary.http.post("/api/tokens", json={"name": "t", "scopes": ["read"], "rooms": [talk]}).json()[
        "token"
    ]
    program = Person(server)
    program.http.headers["Authorization"] = f"Bearer {token}"
    assert found(program, mark) == everything[1:2]
    assert boss.http.delete(f"/api/rooms/{den}/members/{mary.id}").status_code == 200
    assert found(mary, mark) == everything[:2]
    ban = {"kind": "ban", "person": stranger.id, "seconds": 600}
    assert boss.http.post(f"/api/rooms/{own}/sanctions", json=ban).status_code == 201
    assert found(stranger, mark) == [everything[2]]
    assert boss.http.patch(f"/api/rooms/{own}", json={"guests": False}).status_code == 200
    assert found(grace, mark) == []
    assert found(mary, mark) == everything[:2]
    assert boss.http.patch(f"/api/rooms/{own}", json={"kind": "private"}).status_code == 200
    assert found(mary, mark) == [everything[1]]
    assert found(boss, mark) == everything


def in_the_index(server: Server, *words: str) -> list[str]:
    """Those of `words` that stand anywhere in the index's files, byte for byte."""
    parts = [server.instance / f"search.db{end}" for end in ("", "-wal")]
    data = b"".join(part.read_bytes() for part in parts if part.exists())
    # FTS5 keeps words in order, and of each only what it does not share with the one before.
    return [each for each in words if each[3:].encode() in data]


@new_server_of_each_store
def test_what_was_changed_or_removed_is_not_found_any_more_and_leaves_the_file(
    new_server: Callable[..., Server],
) -> None:
    server = new_server().start()
    boss = administrator(server)
    mary = Member(server, "Kunigunde")
    assert mary.sign_up(boss.invite()).status_code == 303
    board, other, gone = (boss.make_room(name) for name in ("board", "other", "gone"))
    old, new, deleted, cleared, dropped, erased = words = [word() for _ in range(6)]
    seqs = [mary.say(board, body)["seq"] for body in (f"first {old}", f"second {deleted}")]
    boss.say(board, f"the boss: {new}")
    boss.say(other, cleared)
    boss.say(gone, dropped)
    mary.say(other, f"hers {erased}")
    for each in words:
        eventually(lambda: len(found(boss, each)) == 1, each)
    assert in_the_index(server, *words) == words
    for change in (
        {"kind": "edit", "of": seqs[0], "body": f"first {new}"},
        {"kind": "delete", "of": seqs[1]},
    ):
        mary.http.post(mary.messages(board), json=change).raise_for_status()
    assert found(boss, old) == found(boss, deleted) == []
    soon(boss, new, f"the boss: {new}", f"first {new}")
    for kind, those in (("restore", (f"second {deleted}",)), ("delete", ())):
        mary.http.post(mary.messages(board), json={"kind": kind, "of": seqs[1]}).raise_for_status()
        soon(boss, deleted, *those)
    kept = boss.make_room("kept")
    for body in (pruned := word(), word()):
        boss.say(kept, body)
    soon(boss, pruned, pruned)
    assert boss.http.patch(f"/api/rooms/{kept}", json={"keep_messages": 1}).status_code == 200
    assert server.console("room", "prune").status == 0
    assert found(boss, pruned) == []
    boss.http.post(f"/api/rooms/{other}/clear").raise_for_status()
    boss.http.delete(f"/api/rooms/{gone}").raise_for_status()
    assert found(boss, cleared) == found(boss, dropped) == found(boss, erased) == []
    boss.say(other, f"new again {cleared}")
    soon(boss, cleared, f"new again {cleared}")
    boss.http.post(f"/api/rooms/{other}/clear").raise_for_status()
    done = server.console("user", "erase", mary.name, "--messages", "remove", "--yes")
    assert done.status == 0, done.err
    assert found(boss, "first") == []
    eventually(lambda: in_the_index(server, *words, pruned) == [new], "the boss's alone")

    # Beside a server that does not run, too.
    guest, secret = Person(server, "grace"), word()
    guest.say(board, secret)
    soon(boss, secret, secret)
    server.stop()
    assert in_the_index(server, secret)
    done = server.console("user", "erase", guest.id, "--messages", "remove", "--yes")
    assert done.status == 0, done.err
    assert in_the_index(server, secret, new) == [new]


def test_an_index_that_is_missing_damaged_or_old_is_made_anew_whichever_worker_lives(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(workers=2).start()
    ada, mark = Person(server, "ada"), word()
    board, path = ada.make_room(), server.instance / "search.db"
    said: list[str] = []

    def say() -> None:
        said.insert(0, ada.say(board, f"{mark} {len(said)}")["body"])
        soon(ada, mark, *said)

    say()
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    eventually(path.exists)
    say()
    with closing(sqlite3.connect(path)) as index:
        index.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:  # while it is in use
        file.write(b"no database at all" * 1000)
    damaged = path.stat().st_ino
    say()
    assert path.stat().st_ino != damaged
    killed = following(server)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: following(server) not in (0, killed), "another one follows")
    say()
    server.stop()
    with closing(sqlite3.connect(path)) as index:
        index.execute("PRAGMA user_version = 999")
    server.start()
    say()


def following(server: Server) -> int:
    """The process id of who holds the index's lock; 0 where nobody does."""
    inode = (server.instance / "search.db.lock").stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
            return int(fields[4])
    return 0


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "Give a word"),
        ("  ", "Give a word"),
        ("!? -- *", "Give a word"),
        ("before:2026-01-01", "Give a word"),
        ("x from:", "from: wants something behind it, as in from:ada"),
        ('x in:" "', "in: wants something"),
        ("x has:money", "has:money is nothing to look for: write has:link or has:file"),
        ("x before:yesterday", "before:yesterday is no day: write before:2026-11-30"),
        ("x after:2026-02-30", "is no day"),
        ("x after:２０２６-01-01", "is no day"),
        ("x after:2026-02-02 before:2026-02-02", "No day is"),
        ('a "phrase', "A quotation mark has no other end"),
        ("x in:nowhere", "There is no room “nowhere” that you may read"),
        ("ab*", "at least 3 letters"),
        ("abc* " * 6, "at most 5 beginnings of words"),
        ("x" * 301, "at most 300 characters"),
        ("x " * 21, "at most 20 words"),
    ],
)
def test_what_cannot_be_looked_for_is_said(line: str, says: str, ada: Person) -> None:
    assert says in refused(ada, line)


def test_nothing_that_is_typed_reaches_the_language_of_the_index(ada: Person, board: int) -> None:
    mark = word()
    ada.say(board, f"{mark} and OR not near")
    soon(ada, mark, f"{mark} and OR not near")
    for line in (
        f"{mark} AND OR NOT", f"NOT {mark}", f"{mark} NEAR", f"({mark})", f"^{mark}", f"+{mark}", f"{{words}}:{mark}", f"{mark};--",
        f"{mark} 'or'", f"- {mark}", f"{mark}\x00", f'""{mark}""', f"{mark} \ue000{board}", f"\ue001{mark}",
    ):  # fmt: skip
        assert found(ada, line) in ([f"{mark} and OR not near"], []), line
    assert found(ada, f"NEAR({mark} and, 5)") == []
    assert found(ada, f"text:{mark}") == []
    assert found(ada, f"{mark} OR nothing{mark}") == []
    assert found(ada, "\ue0002 \ue001 x" + mark) == []


@pytest.mark.parametrize(
    ("line", "wider"),
    [
        ("hell", "hell*"),
        ("from:ada  hell ", "from:ada  hell* "),
        ("hell*", None),
        ("he", None),
        ('"hell"', None),
        ("hell from:ada", None),
        ("东京", None),
        ("…", None),
        ("", None),
    ],
)
def test_who_typed_half_a_word_is_offered_what_begins_so(line: str, wider: str | None) -> None:
    assert with_beginning(line) == wider


def test_a_page_that_finds_nothing_offers_what_begins_so(ada: Person, board: int) -> None:
    word = uuid.uuid4().hex
    ada.say(board, word)
    eventually(lambda: ada.http.get("/search", params={"q": word}).text.count("<mark>") == 1)
    page = ada.http.get("/search", params={"q": word[:20], "in": str(board)}).text
    assert f"q={word[:20]}*&amp;in={board}" in page.replace("%2A", "*")
