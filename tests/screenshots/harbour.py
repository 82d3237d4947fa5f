"""What is seen on the pictures: an installation called Harbour, its people, its rooms and what they said.

All of it is done over the API on a server whose clock shows that morning; then messages are moved to the times at
which they were said, so that pictures of another day differ only where the pages do.
"""

import io
import re
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from tests.clients import Person, Socket
from tests.factors import Authenticator
from tests.faults import Faults
from tests.people import Member, first_path
from tests.servers import Server

NOW = datetime(2026, 11, 23, 9, 44, tzinfo=UTC)  # what the pages, and the server, take the time to be
# What people read with, one after the other.
BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 Version/26.0 Mobile Safari/604.1",
)
CROWD = 500
LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff-Feat"
LONG_WORD = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"
LONG_LINK = (
    "https://files.example.org/archive/2026/11/23/a-very-long-path-that-nobody-reads/"
    "but-everybody-copies?and=parameters&more=of-them#section-12"
)
NGINX = """Behind nginx the event stream wants one line more:

```nginx
location /chats/ {
    proxy_buffering off;  # each event leaves at once
}
```"""
MARKS = "👍🎉❤😂👀🚀🙏💡🔥✅🥳🐛⛵🌊🍀🎯"


class Harbour:
    """`people` by their first name, `rooms` by a word, `seqs`: the messages that pictures lead to, and `links`: paths
    that only who was given them knows.
    """

    def __init__(self, server: Server) -> None:
        """Starts the server."""
        self.server = server
        self._clock = Faults(server.instance)
        server.settings.update(self._clock.environ)
        self.links: dict[str, str] = {}
        self.people: dict[str, Person] = {}
        self.rooms: dict[str, int] = {}
        self.seqs: dict[str, int] = {}
        self._times: dict[tuple[int, int], datetime] = {}
        self._sockets: list[Socket] = []
        self.set_clock(NOW.replace(day=20, hour=8))
        server.start()
        self._sign_up()
        self.set_clock(NOW.replace(minute=31))
        self._talk()
        self._talk_arabic()
        self._strain()
        self._direct()
        self._moderate()
        self._read()
        self._move_times()
        self.set_clock(NOW)
        self._come_in()

    def set_clock(self, to: datetime) -> None:
        """Have it be so late on the server."""
        self._ahead = int(to.timestamp() - time.time())
        self._clock.set_clock(self._ahead)

    def crowd(self) -> None:
        """Many guests look into the lobby: for a minute they are there."""
        with closing(Person(self.server)) as guest:
            for number in range(CROWD):
                guest.http.cookies.clear()
                guest.http.post("/guests", json={"name": f"Visitor {number + 1}"}).raise_for_status()
                guest.read(self.rooms["lobby"], after=-1)

    def close(self) -> None:
        for each in (*self._sockets, *self.people.values()):
            each.close()

    def _sign_up(self) -> None:
        ada = self._browser("Ada Okafor", 0)
        ada.sign_up(first_path(self.server))
        self.people["ada"] = ada
        for key, name in {
            "grace": "Grace Lindqvist",
            "tomas": "Tomás Rivera",
            "wen": "Wen Zhang",
            "jonas": "Jonas Weber",
            "noor": "نور حداد",
            "omar": "عمر",
            "li": "李",
            "long": LONG_NAME,
        }.items():
            member = self._browser(name, len(self.people))
            self.links["used"] = ada.invite()
            assert member.sign_up(self.links["used"]).status_code == 303, name
            self.people[key] = member
        assert self._browser(ada.name, 2).sign_in().status_code == 302
        Authenticator(self._member("tomas"), lambda: time.time() + self._ahead)
        self.people["mallory"] = Person(self.server, "Mallory")
        self._member("grace").change(self.people["grace"].id, status="back at ten").raise_for_status()
        self._member("long").change(
            self.people["long"].id, status="on the train, then in a meeting, then on the train again"
        ).raise_for_status()

    def _talk(self) -> None:
        """The room of the first picture, and its neighbours at the side."""
        lobby = self.rooms["lobby"] = 1
        room = self._room(
            "release", "Release 2.4", "Ships on Thursday. Still open: upload limits, Arabic dates"
        )
        for key in ("grace", "tomas", "wen", "jonas"):
            self._put("ada", f"/{room}/members/{self.people[key].id}", role="member")
        self._post("ada", f"/{room}/hooks", name="CI")
        self._say(
            lobby, "grace", "Good morning, harbour. On Thursday the office is closed from noon.", day=20
        )
        self._say(lobby, "mallory", "Hello! Is this where one asks about boats?", day=20)
        say = self._say
        say(room, "grace", "The notes are on the wiki; **please read them** before noon.", "16:02", day=22)
        say(
            room,
            "jonas",
            "> please read them\n\nDone. Two small things:\n\n1. `limit` is in bytes\n2. the screenshots are old",
            "16:20",
            day=22,
        )
        said = say(room, "tomas", NGINX, "09:12")
        self.seqs["code"] = said
        picture = self._send(room, "tomas", "latency.png", chart())
        shown = say(
            room, "tomas", "And this is what it does to the 95th percentile:", "09:13", files=[picture]
        )
        for key, mark in (("ada", "👍"), ("grace", "👍"), ("wen", "👍"), ("grace", "🎉"), ("jonas", "🎉")):
            say(room, key, mark, kind="reaction", of=shown)
        asked = say(room, "wen", "Caddy needs nothing. @Ada Okafor, could both go in?", "09:20", of=said)
        say(
            room,
            "wen",
            "Caddy needs nothing. @Ada Okafor, could both go into the guide?",
            kind="edit",
            of=asked,
        )
        gone = say(room, "ada", "Thursday is fine by me.", "09:22")
        say(room, "ada", "", kind="delete", of=gone)
        self._post("ada", f"/{room}/read", seq=gone + 1)
        say(room, "mallory", "Can I read along without an account?", "09:41")
        say(room, "grace", "Of course. Writing needs a name, no more.", "09:42")
        for word, name, private in (
            ("board", "Board", True),
            ("support", "Support", False),
            ("random", "Random", False),
            ("empty", "Design", False),
        ):
            self._room(word, name, kind="private" if private else "public", maker="ada")
            for key in ("grace", "wen", "tomas") if word != "empty" else ():
                self._put("ada", f"/{self.rooms[word]}/members/{self.people[key].id}", role="member")
        say(self.rooms["board"], "grace", "@Ada Okafor the minutes are ready to sign.", "09:31")
        # Before what was said later: what is found stands by the order in which it came.
        say(self.rooms["random"], "jonas", "Cake on Thursday, as always after a release.", "17:10", day=22)
        for number in range(40):
            say(
                self.rooms["support"], "wen", f"Ticket {4180 + number} is answered.", "08:4%d" % (number % 10)
            )
        say(self.rooms["support"], "grace", "Calls on Thursday go to Jonas: I am at the quay.", "08:52")
        say(self.rooms["random"], "tomas", "Lunch at the quay?", "09:40")
        self._post("ada", f"/{self.rooms['random']}/mute", muted=True)

    def _talk_arabic(self) -> None:
        room = self._room(
            "arabic", "الإصدار ٢٫٤", "الإطلاق يوم الخميس. ما بقي: حدود الرفع والتواريخ", maker="noor"
        )
        for key in ("ada", "omar", "tomas"):
            self._put("noor", f"/{room}/members/{self.people[key].id}", role="member")
        say = self._say
        said = say(
            room,
            "noor",
            "أحداث الخادم خلف nginx تحتاج إلى سطر إضافي:\n\n```nginx\nproxy_buffering off;\n```",
            "09:12",
        )
        picture = self._send(room, "noor", "latency.png", chart())
        shown = say(room, "noor", "وهذا أثره على المئين الخامس والتسعين:", "09:13", files=[picture])
        for key, mark in (("ada", "👍"), ("omar", "👍"), ("tomas", "🎉")):
            say(room, key, mark, kind="reaction", of=shown)
        say(room, "omar", "شكرًا! @Ada Okafor هل نضيفه إلى الدليل؟", "09:20", of=said)
        gone = say(room, "ada", "نعم", "09:22")
        say(room, "ada", "", kind="delete", of=gone)
        self._post("ada", f"/{room}/read", seq=gone + 1)
        say(room, "tomas", "Thursday stands, then.", "09:41")
        say(room, "noor", "اتفقنا، يوم الخميس.", "09:42")

    def _strain(self) -> None:
        """What does not fit."""
        room = self._room(
            "stress",
            "Q4 planning: budget, hiring, offices, travel and everything else",
            "A topic that goes on and on, because somebody wrote down all that is to be talked about in it",
            maker="long",
        )
        for key in ("ada", "li", "grace"):
            self._put("long", f"/{room}/members/{self.people[key].id}", role="member")
        say = self._say
        said = say(room, "long", LONG_WORD * 2, "09:12")
        linked = say(room, "ada", LONG_LINK, "09:14", of=said)
        for number, mark in enumerate(MARKS):
            for key in ("ada", "grace", "li")[: 1 + (number % 3)]:
                say(room, key, mark, kind="reaction", of=linked)
        say(
            room,
            "li",
            "今日の午後、リリースノートの翻訳を確認します。遅くとも金曜日までには終わる予定です。何か気づいたことがあれば、この部屋に書いてください。",
            "09:20",
        )
        line = "ERROR 2026-11-23T09:00:00.123456Z worker=3 room=418 outlet=late unsent=65536 peer=192.0.2.7"
        say(room, "li", f"One line of output, wider than any window:\n\n```\n{line}\n```", "09:20")
        card = self._send(room, "li", f"{LONG_WORD}-minutes.pdf", b"%PDF-1.7 minutes\n" * 2400)
        say(room, "li", "", "09:31", files=[card])
        say(room, "ada", "👍", "09:43")

    def _direct(self) -> None:
        for key, *bodies in (
            ("grace", "Have you a minute?"),
            ("tomas",),
            ("wen",),
            ("long", "The budget, once more."),
        ):
            room = self._post("ada", "/../direct", people=[self.people[key].id])["id"]
            self.rooms[f"to {key}"] = room
            for body in bodies:
                self._say(room, key, body, "09:38")

    def _moderate(self) -> None:
        room = self.rooms["lobby"]
        said = self._say(room, "mallory", "Cheap boats! Cheap boats! boats.example", "09:05")
        self._post("grace", f"/{room}/messages/{said}/report", why="The third time today")
        self.seqs["reported"] = said
        gone = self.rooms["removed"] = self._room(
            "removed", "Regatta 2027", "Who sails with whom", maker="tomas"
        )
        self._put("tomas", f"/{gone}/members/{self.people['ada'].id}", role="member")
        self._say(gone, "tomas", "Places are taken until Friday.", "09:30")
        ada = self._member("ada")
        for path, fields in (
            ("bans", {"person": self.people["mallory"].id, "seconds": 86400, "why": "spam"}),
            ("tokens", {"name": "Builds", "scopes": ["read", "write"], "rooms": [room], "days": 90}),
            ("tokens", {"name": "Harbour master", "scopes": ["read"], "bot": "Harbour master"}),
        ):
            ada.http.post(f"/api/{path}", json=fields).raise_for_status()
        self.links["invitation"] = ada.invite(note="for the new crew", uses=5, days=7, room=room)
        page = ada.http.post(f"/admin/people/{self.people['wen'].id}", data={"do": "reset"}).text
        found = re.search(r"/reset/[^<\s]+", page)
        assert found, page
        self.links["reset"] = found[0]

    def _read(self) -> None:
        """Ada has read some rooms to their end."""
        for each in self.people["ada"].http.get("/api/rooms").json()["rooms"]:
            if each["id"] in [self.rooms[word] for word in ("lobby", "empty", "stress", "removed")]:
                self._post("ada", f"/{each['id']}/read", seq=each["cursor"])

    def _come_in(self) -> None:
        """Who is here, on the pages, and who has just given their password once more."""
        for key in ("ada", "tomas"):
            member = self._member(key)
            assert member.http.post("/account/verify", data={"password": member.password}).is_redirect
            member.http.get("/account/")  # which says so
        for key in ("grace", "tomas", "jonas", "noor", "li", "long"):
            socket = self.people[key].socket()
            self._sockets.append(socket)
            for word in ("lobby", "release", "arabic", "stress"):
                socket.join(self.rooms[word])

    def _browser(self, name: str, number: int) -> Member:
        member = Member(self.server, name)
        member.http.headers["User-Agent"] = BROWSERS[number % len(BROWSERS)]
        return member

    def _member(self, key: str) -> Member:
        member = self.people[key]
        assert isinstance(member, Member)
        return member

    def _room(self, word: str, name: str, topic: str = "", kind: str = "public", maker: str = "grace") -> int:
        room: int = self._post(maker, "", name=name, topic=topic, kind=kind)["id"]
        self.rooms[word] = room
        return room

    def _post(self, key: str, path: str, **json: Any) -> Any:
        return self._ask(key, "POST", path, json)

    def _put(self, key: str, path: str, **json: Any) -> Any:
        return self._ask(key, "PUT", path, json)

    def _ask(self, key: str, method: str, path: str, json: dict[str, Any]) -> Any:
        path = "/api/direct" if path == "/../direct" else f"/api/rooms{path}"
        answer = self.people[key].http.request(method, path, json=json)
        assert answer.status_code < 300, (path, answer.text)
        return answer.json() if answer.content else None

    def _say(self, room: int, key: str, body: str, clock: str = "", day: int = 23, **fields: Any) -> int:
        seq: int = self._post(key, f"/{room}/messages", body=body, **fields)["seq"]
        if clock:
            hour, minute = map(int, clock.split(":"))
            self._times[room, seq] = NOW.replace(day=day, hour=hour, minute=minute)
        return seq

    def _send(self, room: int, key: str, name: str, content: bytes) -> str:
        answer = self.people[key].http.post(
            f"/api/rooms/{room}/files", params={"name": name}, content=content
        )
        assert answer.status_code == 201, answer.text
        number: str = answer.json()["id"]
        return number

    def _move_times(self) -> None:
        """What has no time of its own stands right behind what comes before it."""
        self.server.stop()
        with closing(sqlite3.connect(Path(self.server.instance, "chat.db"))) as database:
            at, before = 0, None
            for room, seq in database.execute("SELECT room_id, seq FROM messages ORDER BY 1, 2").fetchall():
                if room != before:
                    at, before = int(NOW.replace(day=20, hour=8).timestamp()) * 1_000_000, room
                if found := self._times.get((room, seq)):
                    at = max(at, int(found.timestamp()) * 1_000_000)
                at += 1
                database.execute(
                    "UPDATE messages SET at = ?1, edited_at = iif(edited_at, ?1, NULL) WHERE room_id = ?2 AND seq = ?3",
                    (at, room, seq),
                )
            database.execute(
                "UPDATE rooms SET last_at = (SELECT max(at) FROM messages WHERE room_id = rooms.id) WHERE last_seq > 0"
            )
            database.commit()
        # It may have some of them by the time at which they were really said.
        for path in Path(self.server.instance).glob("search.db*"):
            path.unlink()
        self.server.start()


def chart() -> bytes:
    """A curve that falls at a deployment, as a PNG."""
    wide, high, falls = 960, 420, 560
    picture = Image.new("RGB", (wide, high), "#ffffff")
    draw = ImageDraw.Draw(picture)
    for y in (60, 200, 340):
        draw.line((80, y, wide - 40, y), "#e1e6e5", 2)
    draw.line((falls, 30, falls, 370), "#7c8885", 2)
    before = [(80 + 60 * n, 110 + (17 * n * n) % 40) for n in range(9)]
    after = [(falls + 15 + 60 * n, 300 + (23 * n * n) % 30) for n in range(6)]
    draw.line(before, "#7c8885", 6, joint="curve")
    draw.line([before[-1], *after], "#0a6a5f", 6, joint="curve")
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()
