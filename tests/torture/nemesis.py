"""The nemesis: breaks what can break. Five troublemakers work side by side, each by its own chance from the seed.

A seed repeats what each of them does and when it means to; when exactly that meets what the servers do is up to
the machine.
"""

import json
import os
import random
import signal
from collections.abc import Collection, Sequence
from contextlib import suppress
from subprocess import CompletedProcess
from typing import Any

import gevent
from gevent import socket

from tests.servers import Server
from tests.torture.databases import Database
from tests.torture.history import Absence, Clear, History, Removal
from tests.torture.proxy import Link, Proxy
from tests.torture.wire import Cut, Http, now
from tests.torture.world import Person

START_LIMIT = 180.0  # seconds; what it needs may be away, too, several times
ANSWER_LIMIT = 60.0  # seconds; a worker that has not answered by then is no more, and will do nothing later
TRIES = 3  # as long as that without trouble, before it is given up: a proxy waits for one that is no more


class Troublemaker:
    """Does one of `deeds` after another, about one each `pause` seconds."""

    deeds: tuple[str, ...] = ()
    pause = 1.0

    def __init__(self, history: History, seed: int) -> None:
        self.history = history
        self.chance = random.Random(f"{type(self).__name__} {seed}")

    def only(self, deeds: Collection[str], pace: float) -> "Troublemaker":
        """Itself, doing no others than `deeds`, with `pace` times the usual pauses."""
        self.deeds = tuple(deed for deed in self.deeds if deed in deeds)
        self.pause *= pace
        return self

    def run(self, until: float) -> None:
        """Until `until` on the run's clock."""
        while now() < until:
            getattr(self, self.chance.choice(self.deeds))()
            gevent.sleep(self.chance.uniform(0, 2 * self.pause))

    def heal(self) -> None:
        """Let everything work again."""

    def _for_a_while(self, shortest: float, longest: float) -> None:
        """Wait, mostly about a second."""
        gevent.sleep(self.chance.uniform(shortest, self.chance.choice((1, longest))))

    def _later(self, shortest: float, longest: float, action: object, *arguments: object) -> None:
        gevent.spawn_later(self.chance.uniform(shortest, longest), action, *arguments)


class Processes(Troublemaker):
    """Kills, stops, restarts and reloads the server."""

    deeds = (*["kill_worker"] * 6, "kill_everything", *["stop_worker"] * 2, "restart", "reload")
    pause = 1.5

    def __init__(self, history: History, seed: int, server: Server) -> None:
        super().__init__(history, seed)
        self._server = server
        self._stopped: set[int] = set()

    def kill_worker(self) -> None:
        """SIGKILL of one worker."""
        pid = self.chance.choice(self._server.worker_pids or [0])
        if pid:
            tell(pid, signal.SIGKILL)
            self.history.count("workers killed")
            self._wait_for_workers({pid})

    def kill_everything(self) -> None:
        """SIGKILL of the master and all workers, and a start."""
        self.history.count("masters killed")
        self.history.count("workers killed", len(self._server.worker_pids))
        self._server.kill()
        self._start()

    def stop_worker(self) -> None:
        """SIGSTOP of one worker for a while."""
        workers = [pid for pid in self._server.worker_pids if pid not in self._stopped]
        if workers:
            pid = self.chance.choice(workers)
            self._stopped.add(pid)
            tell(pid, signal.SIGSTOP)
            self.history.count("workers stopped for a while")
            self._later(0.2, self.chance.choice((1, 3, 10)), self._go_on, pid)

    def restart(self) -> None:
        """SIGTERM of the master, and a start."""
        self.heal()
        self._server.stop(signal.SIGTERM)
        self.history.count("restarts")
        self._start()

    def reload(self) -> None:
        """SIGHUP: new workers take over from the old ones."""
        old = set(self._server.worker_pids)
        tell(self._server.pid, signal.SIGHUP)
        self.history.count("reloads")
        self._wait_for_workers(old)

    def heal(self) -> None:
        for pid in list(self._stopped):
            self._go_on(pid)

    def _start(self) -> None:
        """Until it starts: while the disk is broken or the database locked it says so and ends."""
        deadline = now() + START_LIMIT
        while now() < deadline:
            with suppress(RuntimeError):
                self._server.start()
                gevent.sleep(0.1)  # it may be on its way out
                if not self._server.ended:
                    return
            self.history.count("starts refused")
            gevent.sleep(0.5)
        raise RuntimeError("the server does not start any more")

    def _go_on(self, pid: int) -> None:
        if pid in self._stopped:
            self._stopped.discard(pid)
            tell(pid, signal.SIGCONT)

    def _wait_for_workers(self, old: set[int]) -> None:
        """Mostly until one serves that is not of the `old` ones: what never serves has no promises to break."""
        if self.chance.random() < 0.2:
            return
        deadline = now() + START_LIMIT
        while not (set(self._server.worker_pids) - old) & self._ready and now() < deadline:
            gevent.sleep(0.05)

    @property
    def _ready(self) -> set[int]:
        """The process ids of all workers that have come to serve."""
        return {int(line.split("] [")[1]) for line in self._server.log if line.endswith("] Ready\n")}


class Network(Troublemaker):
    """Cuts, delays, dribbles and stalls connections; sends garbage."""

    deeds = (*["cut"] * 4, *["slow_down"] * 2, "flood")
    pause = 0.4

    def __init__(self, history: History, seed: int, address: tuple[str, int], proxy: Proxy) -> None:
        super().__init__(history, seed)
        self._address, self._proxy = address, proxy

    def cut(self) -> None:
        """Cut some connections, each in one of the ways in which that happens."""
        for link in self._some():
            how = self.chance.choice(("close", "reset", "in a frame", "half"))
            if how == "close":
                link.close()
            elif how == "reset":
                link.reset()
            elif how == "in a frame":
                link.cut_after = self.chance.choice((1, 2, 5, 50, 500))
            else:
                link.half_close(self.chance.random() < 0.5)
            self.history.count("connections cut")

    def slow_down(self) -> None:
        """Delay, dribble or stall some connections for a while."""
        for link in self._some():
            how = self.chance.choice(("delay", "dribble", "stall"))
            if how == "delay":
                link.delay = self.chance.uniform(0.01, 0.3)
            elif how == "dribble":
                link.dribbling = True
            else:
                link.flowing.clear()
            self.history.count("connections slowed or stalled")
            self._later(0.5, 5, link.heal)

    def flood(self) -> None:
        """Connections that say nothing sensible."""
        self.history.count("floods of garbage")
        for _ in range(self.chance.randrange(5, 40)):
            with suppress(OSError):
                sock = socket.create_connection(self._address, timeout=1)
                self._later(0, 2, sock.close)
                sock.sendall(self._garbage())

    def heal(self) -> None:
        self._proxy.heal()

    def _some(self) -> list[Link]:
        links = sorted(self._proxy.links, key=lambda link: link.number)
        return self.chance.sample(links, min(len(links), self.chance.randrange(1, 8)))

    def _garbage(self) -> bytes:
        noise = self.chance.randbytes(self.chance.randrange(1, 3000))
        head = b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        fields = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chatapp.v1\r\n"
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        return self.chance.choice((noise, head + noise, head + fields + key + noise, b""))


class Administrator(Troublemaker):
    """Clears a room and removes a person from another one, now and then, by `flask room`."""

    deeds = ("clear", "remove")
    pause = 6.0

    def __init__(
        self,
        history: History,
        seed: int,
        servers: Sequence[Server],
        database: Database,
        cleared: int,
        removed: tuple[int, Person],
    ) -> None:
        super().__init__(history, seed)
        self._servers, self._database = servers, database
        self._cleared, self._removed = cleared, removed

    def clear(self) -> None:
        before = self._log()
        self._flask("room", "clear", str(self._cleared), "--yes")
        first, epoch = self._log()
        if (first, epoch) != before:  # whatever the command said: it may have been cut off behind the commit
            self.history.clears.append(Clear(self._cleared, first - 1, epoch))
            self.history.count("rooms cleared")

    def remove(self) -> None:
        room, person = self._removed
        begun = now()
        done = self._flask("room", "kick", str(room), person.name)
        if done.returncode == 0:
            newest = "SELECT max(seq) FROM messages WHERE room_id = ? AND kind = 'notice'"
            self.history.removals.append(Removal(room, person.id, self._database.value(newest, room), begun))
            self.history.count("people removed")

    def _flask(self, *arguments: str) -> CompletedProcess[str]:
        return self.chance.choice(self._servers).flask(*arguments)

    def _log(self) -> tuple[int, str]:
        ((first, epoch),) = self._database.rows(
            "SELECT first_seq, epoch FROM rooms WHERE id = ?", self._cleared
        )
        return first, epoch


class Doorkeeper(Troublemaker):
    """Sends `members` out of the private room `room` and takes them in again, each by their own chance; `owner`
    may do so. Everybody is back in when it is over.

    What it asks for is asked of the server itself, and again until there is an answer. A request without one
    died with its worker: it takes no effect later than that.
    """

    deeds = ("send_out", "leave", "ban")
    pause = 1.5

    def __init__(
        self,
        history: History,
        seed: int,
        address: tuple[str, int],
        database: Database,
        room: int,
        owner: Person,
        members: Sequence[Person],
    ) -> None:
        super().__init__(history, seed)
        self._address, self._database, self._seed, self._room = address, database, seed, room
        self._owner, self._members = owner, members
        self._until = 0.0  # there is trouble, in which nobody promises any answer

    def run(self, until: float) -> None:
        self._until = until
        turns = [gevent.spawn(self._turns, member, until) for member in self._members]
        try:
            gevent.joinall(turns, raise_error=True)
        finally:
            gevent.killall(turns)

    def send_out(self, member: Person) -> None:
        """The owner removes a member."""
        self._ask(self._owner, "DELETE", f"/members/{member.id}", None, (200, 400))  # 400: was done before

    def leave(self, member: Person) -> None:
        """A member leaves."""
        self._ask(member, "POST", "/leave", None, (200, 404))  # 404: is out already

    def ban(self, member: Person) -> None:
        """The owner bans a member."""
        self._ask(self._owner, "POST", "/sanctions", {"kind": "ban", "person": member.id}, (201,))

    def _turns(self, member: Person, until: float) -> None:
        chance = random.Random(f"{member.name} {self._seed}")
        gevent.sleep(chance.uniform(0, self.pause))
        while now() < until:
            self._out_and_in(member, chance)
            gevent.sleep(chance.uniform(0, 2 * self.pause))

    def _out_and_in(self, member: Person, chance: random.Random) -> None:
        deed, begun = chance.choice(self.deeds), now()
        getattr(self, deed)(member)
        left = self._notice(member)
        if deed != "leave":
            self.history.removals.append(Removal(self._room, member.id, left, begun))
        self.history.count("members sent out")
        gevent.sleep(chance.choice((0, 0.3, 1, 2)))
        asked = now()
        if deed == "ban":
            self._lift(member)
        # 400: is in already, which the process that was asked has not heard. One that never does keeps them from
        # reading, and that is found there.
        self._ask(self._owner, "PUT", f"/members/{member.id}", {"role": "member"}, (200, 204, 400))
        back = self._notice(member)
        self.history.absences.append(Absence(self._room, member.id, left, back, asked))

    def _lift(self, member: Person) -> None:
        """The ban of the person, and that of their browser: a member whom it met could not read."""
        for sanction in self._ask(self._owner, "GET", "/sanctions", None, (200,))["sanctions"]:
            if sanction["name"] == member.name:
                self._ask(self._owner, "DELETE", f"/sanctions/{sanction['id']}", None, (200, 400))

    def _ask(self, who: Person, method: str, path: str, body: Any, answers: Collection[int]) -> Any:
        """What the server says, when it says one of `answers`."""
        deadline = max(now(), self._until) + TRIES * ANSWER_LIMIT
        said: object = None
        while now() < deadline:
            http = Http(self._address, who.cookie, fresh=True)
            try:
                status, answer = http.ask(method, f"/api/rooms/{self._room}{path}", body, ANSWER_LIMIT)
                if status in answers:
                    return answer
                said = status, answer
            except Cut as cut:
                said = cut
            gevent.sleep(0.05)
        raise RuntimeError(f"{method} {path} by {who.name} comes to nothing: {said}")

    def _notice(self, member: Person) -> int:
        """The newest notice of the room that is about `member`."""
        query = "SELECT seq, detail FROM messages WHERE room_id = ? AND kind = 'notice' ORDER BY seq DESC"
        return next(
            seq for seq, detail in self._database.rows(query, self._room) if _about(detail) == member.id
        )


def _about(detail: Any) -> str | None:
    """Whom a notice is about; one database has its `detail` as a text."""
    told = json.loads(detail) if isinstance(detail, str) else detail or {}
    whom: str | None = told.get("removed") or told.get("member", {}).get("id")
    return whom


def tell(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
