"""One run: servers, people, troublemakers; in the end everything is mended and everybody gets what is missing."""

import http.client
import json
import random
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from gevent.pool import Group

from tests.people import administrator
from tests.servers import ROOT
from tests.torture.checker import Violation, check
from tests.torture.cluster import Bus, Cluster, Front, OneOfMany, Partitions
from tests.torture.databases import ChatFile
from tests.torture.history import History
from tests.torture.nemesis import Administrator, Doorkeeper, Network, Processes, Troublemaker
from tests.torture.nets import ANY
from tests.torture.proxy import Proxy
from tests.torture.readers import LineReader, Reader, TextReader
from tests.torture.sites import OneMachine, Site
from tests.torture.spell import waits
from tests.torture.stores import FileStore, PostgresStore, Store
from tests.torture.versions import checkout
from tests.torture.wire import Http, now
from tests.torture.world import Person, World
from tests.torture.writers import (
    HastyWriter,
    LineWriter,
    Partner,
    PipeliningWriter,
    Poster,
    SocketWriter,
    TutorialWriter,
    Writer,
)

EVERYWHERE = ("websocket", "stream", "poll", "polls_anywhere")
QUIET = 1.0  # seconds in which nothing more may come
SYNC_PROBES = 20
LOG_LINES = 60  # of the server's log, where a run comes to no end
# By what they are called; which of them there are is up to what is tortured.
TROUBLE: dict[str, list[type[Troublemaker]]] = {
    "processes": [Processes, OneOfMany, Front],
    "network": [Network, Partitions],
    "store": [Store, FileStore, PostgresStore, Bus],
    "administrator": [Administrator],
    "doorkeeper": [Doorkeeper],
}
DEEDS = {deed for makers in TROUBLE.values() for maker in makers for deed in maker.deeds}
# Every fast path that has a switch (docs/design.md) is off.
QUICK = ("commits", "frames", "handshakes", "log", "looks", "polls", "sends")
NO_FAST_PATHS = {f"quick_{what}": "no" for what in QUICK}


@dataclass
class Plan:
    """`least`: messages that are still said in each phase after its trouble, however long that takes (up to the
    `patience` anew). `workers`: a phase of the run for each. `trouble`: which of TROUBLE, or of DEEDS alone, are let loose;
    `pace`: with how much of the usual pauses. `stay`: seconds that a reader stays with one transport, at most.
    `patience`: seconds for the last answers, and again for the last deliveries, once all faults are over.
    `code`: the checkout that is served. `settings`: of the server, beside SETTINGS. `database`: where it keeps
    messages, "sqlite" or "postgresql". `cluster`: on several machines, whatever that says, whose servers also are of
    earlier `versions`, with that `bus`, and that kind of a `net` between them (nets.KINDS)."""

    seed: int
    seconds: float = 60
    least: int = 0
    workers: tuple[int, ...] = (1, 3)
    trouble: tuple[str, ...] = tuple(TROUBLE)
    pace: float = 1
    stay: float = 15
    patience: float = 60
    code: Path = ROOT
    database: str = "sqlite"
    cluster: bool = False
    versions: tuple[str, ...] = ()
    bus: str = "redis"
    net: str = ANY
    settings: dict[str, str] = field(default_factory=dict)


@dataclass
class Result:
    history: History
    violations: list[Violation]


def run(plan: Plan) -> Result:
    """Carry out `plan`. Raises RuntimeError where a server does not start."""
    with tempfile.TemporaryDirectory(prefix="chat-torture-") as folder:
        return _Run(plan, _site(plan, Path(folder))).carry_out()


def _site(plan: Plan, folder: Path) -> Site:
    if plan.cluster:
        earlier = [checkout(revision, folder / "earlier") for revision in plan.versions]
        return Cluster(folder, [plan.code, *earlier], plan.bus, plan.net, plan.workers[0], plan.settings)
    postgres = plan.database == "postgresql"
    return OneMachine(folder, plan.code, plan.workers[0], plan.settings, postgres)


class _Run:
    def __init__(self, plan: Plan, site: Site) -> None:
        self.plan, self.site, self.database = plan, site, site.database
        self.history = History()
        self.running = Group()  # who would go on when the run is given up
        self.proxy = proxy = Proxy(lambda: site.address)
        self.world = World(plan.seed, proxy.address, proxy.narrow, plan.stay, self.history, self._look)

    def carry_out(self) -> Result:
        try:
            self.site.start()
            self._carry_out()
            return Result(self.history, check(self.history) + self.database.damage())
        finally:
            self.proxy.stop()
            self.site.close()

    def _carry_out(self) -> None:
        try:
            self._set_the_scene()
            self._probe_syncs()
            clients = [self.running.spawn(client.run) for client in [*self.writers, *self.readers]]
            self._wait_until_all_are_in()
            for number, workers in enumerate(self.plan.workers):
                if number:
                    self.site.restart(workers)
                self._phase(self.plan.seconds / len(self.plan.workers), workers)
            self._finish(clients)
        except BaseException:
            for server in self.site.servers:  # why there is one no more
                print("".join(server.log[-LOG_LINES:]), file=sys.stderr)
            print("".join(self.database.log), file=sys.stderr)
            self.running.kill()
            raise

    # -- the scene -------------------------------------------------------------------------------------------

    def _set_the_scene(self) -> None:
        """Six rooms: one with the plain doors, one whose texts are changed, one that is cleared now and then,
        one from which somebody is removed, one in which a word is waited for before the next is said, and a
        private one, whose members come and go."""
        self.lobby, self.board = 1, self._make_room("board")
        self.yard, self.hall = self._make_room("yard"), self._make_room("hall")
        self.porch = self._make_room("porch")
        self.owner = self._sign_up()
        self.den = self._make_room("den", self.owner, kind="private")
        self.strollers = [self._member(name) for name in ("nora", "otto", "paul", "rosa")]
        self.world.changing.add(self.board)
        self.world.reacting.add(self.lobby)
        self.mallory = self._guest("mallory")
        self.writers = self._make_writers()
        self.readers = self._make_readers()
        partner = Partner(self.world, self._guest("ada"), self.porch, 0)
        partner.listeners = [reader for reader in self.readers if reader.room == self.porch]
        self.writers.append(partner)

    def _make_writers(self) -> list[Writer]:
        ada, grace = self._guest("ada"), self._guest("grace")
        nora, otto, paul, rosa = self.strollers
        kinds: list[tuple[type[Writer], Person, int, float]] = [
            (Poster, ada, self.lobby, 0.2),
            (TutorialWriter, ada, self.lobby, 0.3),
            (LineWriter, grace, self.lobby, 0.2),
            (SocketWriter, grace, self.lobby, 0.2),
            (PipeliningWriter, ada, self.board, 0.04),
            (PipeliningWriter, grace, self.board, 0.04),
            (PipeliningWriter, self._guest("emmy"), self.board, 0.04),
            (SocketWriter, ada, self.board, 0.02),
            (Poster, grace, self.board, 0.05),
            (SocketWriter, ada, self.yard, 0.05),
            (Poster, grace, self.yard, 0.1),
            (SocketWriter, grace, self.hall, 0.03),
            (Poster, ada, self.hall, 0.1),
            (HastyWriter, nora, self.den, 0.02),
            (SocketWriter, otto, self.den, 0.01),
            (LineWriter, otto, self.den, 0.2),
            (Poster, paul, self.den, 0.02),
            (TutorialWriter, rosa, self.den, 0.2),
            (SocketWriter, self._member("saul"), self.den, 0.03),
            (Poster, self._member("tess"), self.den, 0.1),
        ]
        return [kind(self.world, person, room, pause) for kind, person, room, pause in kinds]

    def _make_readers(self) -> list[Any]:
        def reader(name: str, room: int, transports: tuple[str, ...] = EVERYWHERE, **how: Any) -> Reader:
            return Reader(self.world, self._guest(name), room, transports, **how)

        nora, otto, paul, rosa = self.strollers
        return [
            reader("anna", self.board, ("websocket",), looks=True),
            reader("bert", self.board),
            reader("carl", self.board, slow=True),
            reader("dora", self.board, ("websocket", "stream"), slow=True),
            reader("emil", self.board, ("polls_anywhere",)),
            reader("fred", self.yard),
            reader("gina", self.yard, ("stream",)),
            reader("hans", self.hall),
            Reader(self.world, self.mallory, self.hall, ("websocket", "stream")),
            reader("iris", self.lobby),
            TextReader(self.world, self._guest("jack"), self.lobby),
            LineReader(self.world, self._guest("kate"), self.lobby),
            reader("lena", self.porch, ("poll",), rests=0.02),
            reader("mike", self.porch, ("polls_anywhere",), rests=0.02),
            Reader(self.world, nora, self.den, EVERYWHERE),
            Reader(self.world, otto, self.den, ("websocket", "stream")),
            Reader(self.world, paul, self.den, ("poll", "polls_anywhere")),
            Reader(self.world, rosa, self.den, ("websocket", "stream"), slow=True),
            LineReader(self.world, paul, self.den),
            Reader(self.world, self._member("udo"), self.den, EVERYWHERE),
        ]

    def _guest(self, name: str) -> Person:
        status, answer, cookie = _become(self.site, name)
        assert status == 201, answer
        return Person(name, answer["id"], cookie)

    def _sign_up(self) -> Person:
        """Somebody with an account."""
        owner = administrator(self.site.servers[0])
        cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in owner.http.cookies.jar)
        owner.close()
        return Person(owner.name, owner.id, cookie)

    def _member(self, name: str) -> Person:
        """A guest who is a member of the den."""
        person = self._guest(name)
        status, answer = self._ask_as(self.owner, "PUT", f"/{self.den}/members/{person.id}", {})
        assert status == 200, answer
        return person

    def _make_room(self, name: str, maker: Person | None = None, kind: str = "public") -> int:
        who = maker or self._guest("maker")
        status, answer = self._ask_as(who, "POST", "", {"name": name, "kind": kind})
        assert status == 201, answer
        room: int = answer["id"]
        return room

    def _ask_as(self, who: Person, method: str, path: str, body: Any) -> tuple[int, Any]:
        http = Http(self.site.address, who.cookie, fresh=True)
        return http.ask(method, f"/api/rooms{path}", body)

    def _probe_syncs(self) -> None:
        """While nothing else happens: an acknowledged message has made the database reach the disk, if it is ours."""
        if not isinstance(self.database, ChatFile):
            return
        (disk,) = self.site.disks
        prober = Poster(self.world, self._guest("prober"), self.lobby, 0)
        for _ in range(SYNC_PROBES):
            before = disk.syncs
            prober.write()
            self.history.unsynced += disk.syncs == before
        prober.close()

    def _wait_until_all_are_in(self) -> None:
        deadline = now() + self.plan.patience
        readers = [reader for reader in self.readers if isinstance(reader, Reader)]
        while not all(reader.epoch for reader in readers) and now() < deadline:
            gevent.sleep(0.01)

    # -- trouble ---------------------------------------------------------------------------------------------

    def _phase(self, seconds: float, workers: int) -> None:
        until = now() + seconds
        makers = self._troublemakers(self.plan.seed + workers)
        gevent.joinall([self.running.spawn(maker.run, until) for maker in makers], raise_error=True)
        gevent.sleep(max(0, until - now()))
        enough, deadline = self._said() + self.plan.least, now() + self.plan.patience
        while self._said() < enough and now() < deadline:
            gevent.sleep(0.02)
        for maker in makers:
            maker.heal()
        self._quiet_spell()

    def _quiet_spell(self) -> None:
        """Writers go on, nobody makes trouble, no reader changes its transport: each gets what was newest then."""
        if not self._answers_again():
            return  # _finish says who got no answer
        self.world.calm = True
        readers = [reader for reader in self.readers if isinstance(reader, Reader)]
        self.history.waits += waits(readers, self._lasts())
        self.world.calm = False

    def _answers_again(self) -> bool:
        """Wait until something is acknowledged that was sent after the trouble."""
        sends, deadline = len(self.history.sends), now() + self.plan.patience
        while now() < deadline:
            if any(send.answers for send in self.history.sends[sends:]):
                return True
            gevent.sleep(0.05)
        return False

    def _said(self) -> int:
        return sum(bool(send.answers) for send in self.history.sends)

    def _troublemakers(self, seed: int) -> list[Troublemaker]:
        site, history = self.site, self.history
        people = {
            "network": [Network(history, seed, site.address, self.proxy)],
            "administrator": [
                Administrator(
                    history, seed, site.servers, self.database, self.yard, (self.hall, self.mallory)
                )
            ],
            "doorkeeper": [
                Doorkeeper(history, seed, site.address, self.database, self.den, self.owner, self.strollers)
            ],
        }
        let_loose = []
        for group, makers in [*site.trouble(history, seed).items(), *people.items()]:
            for maker in makers:
                deeds = maker.deeds if group in self.plan.trouble else self.plan.trouble
                if set(deeds) & set(maker.deeds):
                    let_loose.append(maker.only(deeds, self.plan.pace))
        return let_loose

    # -- the end ---------------------------------------------------------------------------------------------

    def _finish(self, clients: list[Any]) -> None:
        self.world.writing, self.world.calm = False, True
        writing, reading = clients[: len(self.writers)], clients[len(self.writers) :]
        gevent.joinall(writing, timeout=self.plan.patience)
        self.world.patient = False
        gevent.joinall(writing, timeout=self.plan.patience, raise_error=True)
        self.history.unfinished += [
            f"{writer.name}, without an answer"
            for writer, greenlet in zip(self.writers, writing, strict=True)
            if not greenlet.ready()
        ]
        self._wait_for_readers()
        gevent.sleep(QUIET)
        for greenlet in reading:
            if greenlet.ready() and not greenlet.successful():
                greenlet.get()
        gevent.killall(reading)  # they wait for what does not come any more
        self.site.stop()
        self.history.logs = self.database.logs()

    def _wait_for_readers(self) -> None:
        deadline = now() + self.plan.patience
        while (missing := self._missing()) and now() < deadline:
            gevent.sleep(0.05)
        self.history.unfinished += missing

    def _missing(self) -> list[str]:
        lasts = self._lasts()
        missing = []
        for reader in self.readers:
            if isinstance(reader, Reader) and not reader.has(lasts[reader.room]):
                missing.append(f"{reader.name} is at #{reader.cursor} of #{lasts[reader.room]}")
            if isinstance(reader, TextReader) and reader.count < (texts := self._texts(reader.room)):
                missing.append(f"{reader.name} has {reader.count} of {texts} texts")
        return missing

    def _lasts(self) -> dict[int, int]:
        return {room: self._newest(room) for room in {reader.room for reader in self.readers}}

    # -- the database ----------------------------------------------------------------------------------------

    def _look(self, room: int) -> int:
        """The room's last number on the disk, as another process sees it."""
        return int(self.database.value("SELECT last_seq FROM rooms WHERE id = ?", room))

    def _newest(self, room: int) -> int:
        """The newest message that is there; 0 where the room was cleared and nothing was said since."""
        return int(self.database.value("SELECT coalesce(max(seq), 0) FROM messages WHERE room_id = ?", room))

    def _texts(self, room: int) -> int:
        query = "SELECT count(*) FROM messages WHERE room_id = ? AND kind = 'text'"
        return int(self.database.value(query, room))


def _become(site: Site, name: str) -> tuple[int, Any, str]:
    """Status, answer and cookie of `POST /guests`."""
    connection = http.client.HTTPConnection(*site.address, timeout=30)
    origin = "http://{}:{}".format(*site.address)
    fields = {"Content-Type": "application/json", "Origin": origin}
    connection.request("POST", "/guests", json.dumps({"name": name}), fields)
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    return answer.status, said, (answer.getheader("Set-Cookie") or "").partition(";")[0]


def random_seed() -> int:
    """A seed that nobody chose."""
    return random.SystemRandom().randrange(1_000_000)
