"""What people have beside a password, as the tests have it: an authenticator's codes, recovery codes, a passkey."""

import base64
import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from typing import Any, Literal

import cbor2
import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from passlib.totp import TOTP

from tests.people import Member

PRESENT, VERIFIED, WITH_KEY = 0x01, 0x04, 0x40  # flags of WebAuthn's authenticator data
STEP = 30  # seconds of a code


class Authenticator:
    """The second factor of `person`, set up with the code of two minutes ago; others are good until used."""

    def __init__(self, person: Member, clock: Callable[[], float] = time.time) -> None:
        """`clock`: that of the server, where its is not ours."""
        self._clock = clock
        page = person.http.post("/account/second-factor", data={"setup": "authenticator"}).text
        self._codes = TOTP(found(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page))
        path = found(r'action="(/account/second-factor/[^"]+)"', page)
        self.first = self.code(-3)
        answer = person.http.post(path, data={"code": self.first})
        assert answer.status_code == 302, answer.text
        shown = person.http.post("/account/recovery-codes", data={"generate_new_codes": "1"}).text
        self.recovery = re.findall(r"[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}", shown)
        assert len(self.recovery) == 8

    def code(self, step: int = 0) -> str:
        """The code of so many steps from now; the server takes those of three steps before and after."""
        return str(self._codes.generate(time=self._clock() + step * STEP).token)


class Passkey:
    """A passkey of `person`, made now, or one of nobody yet. It does not count how often it is used, as many do not."""

    def __init__(
        self,
        person: Member | None = None,
        name: str = "a key",
        usage: Literal["first", "secondary"] = "first",
    ) -> None:
        self.id, self._key, self._user = os.urandom(16), ec.generate_private_key(ec.SECP256R1()), ""
        if person is not None:
            answer = person.http.post("/account/passkeys", json={"name": name, "usage": usage})
            made = answer.json()["response"]
            credential = self.made(made["credential_options"], person.server.url)
            path = f"/account/passkeys/{made['wan_state']}"
            answer = person.http.post(path, json={"credential": credential})
            assert answer.status_code == 200, answer.text

    def made(self, options: dict[str, Any], site: str, **changed: Any) -> str:
        """What a browser sends that was asked to make it. `changed`: as in `answer`."""
        self._user = options["user"]["id"]
        numbers = self._key.public_key().public_numbers()
        key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}  # COSE, ES256
        data = self._data(
            changed.get("rp", options["rp"]["id"]), changed.get("flags", PRESENT | VERIFIED) | WITH_KEY
        )
        data += bytes(16) + len(self.id).to_bytes(2) + self.id + cbor2.dumps(key)
        kind, challenge = (
            changed.get("type", "webauthn.create"),
            changed.get("challenge", options["challenge"]),
        )
        return self._credential(
            clientDataJSON=self._client(kind, challenge, changed.get("origin", site)),
            attestationObject=cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data}),
        )

    def answer(self, options: dict[str, Any], site: str, **changed: Any) -> str:
        """What a browser sends for `options` of `site`. `changed`: what another site, or a thief, would make of it."""
        kind, challenge = changed.get("type", "webauthn.get"), changed.get("challenge", options["challenge"])
        client = self._client(kind, challenge, changed.get("origin", site))
        data = self._data(changed.get("rp", options["rpId"]), changed.get("flags", PRESENT | VERIFIED))
        signed = data + hashlib.sha256(client).digest()
        key = changed.get("key", self._key)
        return self._credential(
            clientDataJSON=client,
            authenticatorData=data,
            signature=key.sign(signed, ec.ECDSA(hashes.SHA256())),
            userHandle=unbase64(changed.get("user", self._user)),
        )

    def offered(self, browser: Member, door: str = "/sign-in/passkey", **changed: Any) -> tuple[str, str]:
        """The address and the credential with which this passkey signs in in `browser`."""
        asked = browser.http.post(door, json={}).json()["response"]
        answer = self.answer(asked["credential_options"], browser.server.url, **changed)
        return f"{door}/{asked['wan_state']}", answer

    def _data(self, rp: str, flags: int) -> bytes:
        return hashlib.sha256(rp.encode()).digest() + bytes([flags]) + bytes(4)

    @staticmethod
    def _client(kind: str, challenge: str, origin: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin}).encode()

    def _credential(self, **response: bytes) -> str:
        own = base64url(self.id)
        fields = {name: base64url(value) for name, value in response.items()}
        return json.dumps({"id": own, "rawId": own, "type": "public-key", "response": fields})


class NewAccount:
    """An account with a passkey that `person` has begun to make at `path`: what their browser was asked."""

    def __init__(self, person: Member, path: str) -> None:
        self.person, self.key = person, Passkey()
        self.begun = person.http.post(f"{path}/passkey", json={"name": person.name})
        if self.begun.status_code == 200:
            asked = self.begun.json()["response"]
            self.options, self.path = asked["credential_options"], f"{path}/passkey/{asked['wan_state']}"

    def answer(self, **changed: Any) -> str:
        return self.key.made(self.options, self.person.server.url, **changed)

    def finish(
        self, browser: Member | None = None, path: str | None = None, **changed: Any
    ) -> httpx.Response:
        """Send the answer, from `browser`, to `path`. `changed`: as in `Passkey.answer`."""
        sent = {"credential": self.answer(**changed)}
        return (browser or self.person).http.post(path or self.path, json=sent)


def sign_up_with_passkey(person: Member, path: str) -> httpx.Response:
    """Make the account at `path`: 201, or what refused it."""
    account = NewAccount(person, path)
    answer = account.finish() if account.begun.status_code == 200 else account.begun
    if answer.status_code == 201:
        person.id = person.me()["id"]
    return answer


def half_way(person: Member, leads_to: str = "/sign-in/code") -> Member:
    """Another browser, where the password of `person` was said, and the second factor was not yet."""
    other = Member(person.server, person.name, person.password)
    assert other.sign_in().headers["Location"].startswith(leads_to)
    return other


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match[1]


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
