"""Each server of several machines says on the bus which keys it has, for `flask doctor` (test_doctor.py)."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import gevent
import pytest

from chatapp import keys, same_keys
from chatapp.bus import Bus, Notice, PresenceChanged, open_bus
from chatapp.config import Config
from chatapp.presence import SERVERS, Presence
from tests.test_bus import soon


@pytest.fixture
def buses(tmp_path: Path) -> Iterator[list[Bus]]:
    """Of two processes."""
    url = f"sqlite:///{tmp_path / 'bus.db'}"
    with closing(open_bus(url)) as ours, closing(open_bus(url)) as theirs:
        yield [ours, theirs]


def test_what_is_said_of_keys_changes_with_them_and_is_no_help_to_guess_them(
    buses: list[Bus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(same_keys, "LOOK_SECONDS", 0.01)
    theirs = buses[1]
    config = Config(instance_path=str(tmp_path))
    presence, there = (
        Presence(bus, lambda *_: None, lambda person: "", lambda: False, lambda *_: None) for bus in buses
    )

    def said() -> list[str]:
        presence.gather()
        return [lease.who.name for lease in theirs.held(SERVERS)]

    saying = gevent.spawn(same_keys.run, config, presence)
    soon(lambda: said() == [f"{keys.NO_KEY} {keys.NO_KEY}"], "there are none")
    keys.Keys(config)
    keys.factor_key(config)
    first = " ".join(keys.fingerprints(config))
    soon(lambda: said() == [first], "there are some")
    keys.rotate(config)
    soon(lambda: said() not in ([], [first]), "another one signs")
    (second,) = said()
    assert second.split()[1] == first.split()[1], "the other one is the same"
    found = "".join(key for some in keys.kept(config).values() for key in some)
    assert not any(part in found for part in (*first.split(), *second.split()))
    assert there.everywhere() == presence.everywhere() == {}, "a server is nobody who is here"
    saying.kill()


def test_a_server_whose_keys_stay_as_they_are_says_them_once(
    buses: list[Bus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, rung = list[Config](), list[Notice]()
    fingerprints = keys.fingerprints
    monkeypatch.setattr(same_keys, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(keys, "fingerprints", lambda config: looks.append(config) or fingerprints(config))
    monkeypatch.setattr(buses[0], "publish", rung.append)
    presence = Presence(buses[0], lambda *_: None, lambda person: "", lambda: False, lambda *_: None)

    def looked(times: int) -> bool:
        presence.gather()
        return len(looks) >= times

    saying = gevent.spawn(same_keys.run, Config(instance_path=str(tmp_path)), presence)
    soon(lambda: looked(5))
    assert rung == [PresenceChanged(SERVERS)]
    saying.kill()
