"""How passwords are kept; and what looks at them leaves threads to the database."""

from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from chatapp.security import passwords
from tests.people import member
from tests.servers import Server


def test_a_password_is_kept_as_a_hash_that_is_dear_to_guess_at_and_each_is_another(
    one_worker: Server,
) -> None:
    people = [member(one_worker, "grace").id, member(one_worker, "joan").id]
    kept = one_worker.ask("SELECT password FROM users WHERE person_id IN (?, ?)", *people)
    hashes = [row[0] for row in kept]
    # OWASP's least for argon2id: 19 MiB, two passes, one thread.
    assert all(each.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for each in hashes)
    assert len(set(hashes)) == 2, "of the same password"


def test_no_more_estimates_and_hashes_than_a_few_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0

    def in_thread(job: object) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        gevent.sleep(0)
        gevent.sleep(0)
        running -= 1
        return {"score": 4}

    monkeypatch.setattr(passwords, "in_thread", in_thread)
    monkeypatch.setattr(passwords, "current_app", SimpleNamespace(config={"SECURITY_TOTP_ISSUER": "chat"}))
    monkeypatch.setattr(passwords.PasswordUtil, "validate", lambda self, password, *_, **__: (None, password))
    looker = passwords.Passwords.__new__(passwords.Passwords)
    hasher = passwords.HashesInThreads(None)  # type: ignore[arg-type]  # nothing is hashed
    asked = [gevent.spawn(looker.validate, "eleven brown wagons", True) for _ in range(4)]
    asked += [gevent.spawn(hasher.hash, "eleven brown wagons") for _ in range(4)]
    gevent.joinall(asked, raise_error=True)
    assert most == passwords.AT_ONCE
