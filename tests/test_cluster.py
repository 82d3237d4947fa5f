"""What `bin/torture --cluster` is made of: which versions its servers change between, and what gets lost on the way
from one machine to another where there are no network namespaces.
"""

import select
import subprocess
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import gevent
import pytest
from gevent import socket
from gevent.server import StreamServer

from tests import far_machine
from tests.addresses import free_port
from tests.clients import UNIT, eventually
from tests.far_machine import Machine, NoMachines
from tests.torture import versions
from tests.torture.nets import ANY, NAMESPACES, How, Loopback, net
from tests.torture.versions import NoVersion, checkout, earlier_versions, itinerary

THIS, OLD, NEW = Path("this"), Path("v0.1"), Path("v0.9")


# -- versions ------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With four commits, of which the first stands for v0.1."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "--quiet")
    for number in range(4):
        (root / "version").write_text(str(number))
        git(root, "add", "version")
        git(root, "commit", "--quiet", "--message", f"number {number}")
    monkeypatch.setattr(versions, "FIRST_COMMIT", git(root, "rev-parse", "HEAD~3"))
    return root


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=ada", "-c", "user.email=ada@example.org", "-c", "protocol.file.allow=always"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_without_tags_servers_change_to_the_commit_that_stands_for_the_first_version(
    repository: Path, tmp_path: Path
) -> None:
    (first,) = earlier_versions(repository)
    assert (checkout(first, tmp_path, repository) / "version").read_text() == "0"


def test_with_tags_they_change_to_the_first_and_the_newest_version(repository: Path, tmp_path: Path) -> None:
    for name, commit in (("v0.1", "HEAD~2"), ("v0.9", "HEAD~1"), ("v0.10", "HEAD")):
        git(repository, "tag", name, commit)
    assert earlier_versions(repository) == ["v0.1", "v0.10"]
    assert (checkout("v0.1", tmp_path, repository) / "version").read_text() == "1"
    assert (checkout("v0.10", tmp_path, repository) / "version").read_text() == "3"


def test_a_version_with_two_names_is_one(repository: Path) -> None:
    git(repository, "tag", "v0.1", "HEAD~2")
    assert earlier_versions(repository) == ["v0.1"]
    git(repository, "tag", "v0.2", "v0.1")
    assert earlier_versions(repository) == ["v0.1"]


def test_a_tag_that_comes_later_does_not_replace_the_first_version(repository: Path) -> None:
    git(repository, "tag", "v0.2", "HEAD")
    first, newest = earlier_versions(repository)
    assert (versions.FIRST_COMMIT.startswith(first), newest) == (True, "v0.2")


def test_a_clone_that_lacks_the_first_version_says_how_to_get_it(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{repository}", "shallow")
    with pytest.raises(NoVersion, match="git fetch --unshallow"):
        earlier_versions(tmp_path / "shallow")
    with pytest.raises(NoVersion, match="v7 and back, which is not in this repository"):
        checkout("v7", tmp_path / "code", repository)


def test_where_there_is_no_repository_there_are_no_earlier_versions(tmp_path: Path) -> None:
    assert earlier_versions(tmp_path) == []


@pytest.mark.parametrize("number", range(3))
def test_each_server_is_upgraded_from_and_downgraded_to_every_earlier_version(number: int) -> None:
    steps = list(islice(itinerary(THIS, [OLD, NEW], number), 6))
    assert set(pairwise(steps)) == {(THIS, OLD), (OLD, THIS), (THIS, NEW), (NEW, THIS)}


def test_servers_start_as_different_versions() -> None:
    assert [next(itinerary(THIS, [OLD, NEW], number)) for number in range(3)] == [THIS, OLD, NEW]
    assert [next(itinerary(THIS, [OLD], number)) for number in range(3)] == [THIS, OLD, THIS]
    assert [next(itinerary(THIS, [], number)) for number in range(3)] == [THIS] * 3


# -- ways ----------------------------------------------------------------------------------------------------


class Island:
    """Three machines, of which two repeat what they are told by the first one."""

    def __init__(self) -> None:
        self.net = Loopback(3)
        self.here, self.there, self.elsewhere = self.net.machines
        self.port = free_port()
        self.heard = dict.fromkeys(self.net.machines, b"")
        self._servers = [self._serve(machine) for machine in (self.there, self.elsewhere)]

    def call(self, whom: Machine) -> socket.socket:
        """A connection to it from here."""
        return socket.create_connection((self.net.address(whom, self.here, self.port), self.port), UNIT)

    def let_it_pass(self) -> None:
        """Time enough for all that is under way, and not lost: another way there and back."""
        with self.call(self.elsewhere) as sock:
            for _ in range(20):
                assert said(sock, b"."), "nothing is wrong there"

    def close(self) -> None:
        self.net.close()
        for server in self._servers:
            server.stop()

    def _serve(self, machine: Machine) -> StreamServer:
        def repeat(sock: socket.socket, _address: object) -> None:
            while data := sock.recv(100):
                self.heard[machine] += data
                sock.sendall(data)

        server = StreamServer((machine.own, self.port), repeat)
        server.start()
        return server


@pytest.fixture
def island() -> Iterator[Island]:
    made = Island()
    yield made
    made.close()


def said(sock: socket.socket, what: bytes) -> bytes:
    """What comes back."""
    sock.sendall(what)
    return sock.recv(100)


def ready(sock: socket.socket) -> bool:
    """Whether something has come."""
    return bool(select.select([sock], [], [], 0)[0])


@pytest.mark.parametrize("how", ["blackhole", "unreachable"])
def test_what_one_machine_sends_to_another_that_it_cannot_reach_comes_when_it_can_again(
    island: Island, how: How
) -> None:
    with island.call(island.there) as sock:
        assert said(sock, b"a") == b"a"
        island.net.cut(island.here, island.there, how)
        sock.sendall(b"b")
        island.let_it_pass()
        assert island.heard[island.there] == b"a"
        island.net.mend(island.here, island.there, how)
        assert sock.recv(100) == b"b"


def test_what_the_other_one_answers_can_get_lost_alone(island: Island) -> None:
    with island.call(island.there) as sock:
        assert said(sock, b"a") == b"a"
        island.net.cut(island.there, island.here, "blackhole")
        sock.sendall(b"b")
        eventually(lambda: gevent.sleep(0.01) or island.heard[island.there] == b"ab")
        island.let_it_pass()
        assert not ready(sock)
        island.net.mend(island.there, island.here, "blackhole")
        assert sock.recv(100) == b"b"


def test_that_the_other_end_is_gone_comes_as_late(island: Island) -> None:
    with island.call(island.there) as sock:
        assert said(sock, b"a") == b"a"
        island.net.cut(island.there, island.here, "blackhole")
        sock.shutdown(socket.SHUT_WR)  # on which the other one hangs up
        island.let_it_pass()
        assert not ready(sock)
        island.net.mend(island.there, island.here, "blackhole")
        assert sock.recv(100) == b""


@pytest.mark.parametrize("back", [False, True])
def test_who_connects_meanwhile_gets_no_answer_before_there_are_both_ways(island: Island, back: bool) -> None:
    way = (island.there, island.here) if back else (island.here, island.there)
    island.net.address(island.there, island.here, island.port)  # there is one
    island.net.cut(*way, "blackhole")
    with island.call(island.there) as sock:
        sock.sendall(b"a")
        island.let_it_pass()
        assert island.heard[island.there] == b""
        island.net.mend(*way, "blackhole")
        assert sock.recv(100) == b"a"


def test_or_is_told_that_nobody_can_be_reached(island: Island) -> None:
    island.net.address(island.there, island.here, island.port)
    island.net.cut(island.here, island.there, "unreachable")
    with island.call(island.there) as sock:
        assert sock.recv(100) == b""
    island.net.mend(island.here, island.there, "unreachable")
    with island.call(island.there) as sock:
        assert said(sock, b"a") == b"a"


def test_the_database_is_found_at_one_address_wherever_it_is(island: Island) -> None:
    address = island.net.address(island.net.database, island.here, island.port), island.port
    for machine in (island.there, island.elsewhere):
        island.net.move(machine)
        with socket.create_connection(address, UNIT) as sock:
            assert said(sock, b"a") == b"a"
        assert island.heard[machine] == b"a"


def test_where_network_namespaces_are_refused_loopback_addresses_take_their_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(name: str, *arguments: int) -> None:
        raise PermissionError("not permitted")

    monkeypatch.setattr(far_machine, "_libc", refuse)
    with net(2, ANY) as made:
        assert isinstance(made, Loopback)
    assert "no network namespaces here: not permitted; loopback" in capsys.readouterr().out
    with pytest.raises(NoMachines), net(2, NAMESPACES):
        pass
