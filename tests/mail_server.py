"""A mail server on this machine, as the chat has one set: what it took is looked at by tests."""

import re
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.addresses import free_port
from tests.clients import eventually

USER, PASSWORD = "chat", "s3cret/@:word"
PUBLIC = "https://chat.example.org"
SETTINGS = {"mail_from": "chat@example.org", "public_url": PUBLIC}


class MailServer:
    """Takes mails from whoever comes, or (`tls`: a folder with a certificate) from who encrypts and has the
    password. `answers`: what it says next to a mail, in place of taking it.
    """

    def __init__(self, tls: Path | None = None, host: str = "127.0.0.1") -> None:
        self.host = host
        self.taken: list[EmailMessage] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.answers: list[str] = []
        self.tried = 0
        self.private: list[bool] = []
        self.port = free_port()
        self._tls = tls
        self._controller: Controller | None = None

    def start(self) -> "MailServer":
        """Listen, at the same port as before."""
        options: dict[str, Any] = {}
        if self._tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._tls / "mail.pem", self._tls / "mail.key")
            options = {
                "tls_context": context,
                "require_starttls": True,
                "auth_required": True,
                "authenticator": self._authenticate,
            }
        self._controller = Controller(self, hostname=self.host, port=self.port, ready_timeout=60, **options)
        self._controller.start()
        return self

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    @property
    def url(self) -> str:
        return f"smtp://{self.host}:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """Of a chat that sends its mail here."""
        return {"mail_url": self.url, **SETTINGS}

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # its name
        self.tried += 1
        if self.answers:
            return self.answers.pop(0)
        message = message_from_bytes(envelope.original_content or envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.private.append(session.ssl is not None)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        self.taken.append(message)
        return "250 OK"

    def _authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any
    ) -> AuthResult:
        right = isinstance(given, LoginPassword) and (given.login, given.password) == (
            USER.encode(),
            PASSWORD.encode(),
        )
        return AuthResult(success=right, handled=False)

    # -- what it took ------------------------------------------------------------------------------

    def to(self, address: str) -> list[EmailMessage]:
        """The mails to `address`, the oldest first."""
        return [mail for mail in list(self.taken) if mail["To"] == address]

    def next_to(self, address: str, seen: int = 0) -> EmailMessage:
        """The mail to `address` after as many as were `seen`; waits for it."""
        return eventually(lambda: self.to(address)[seen:], f"a mail to {address}", seconds=60)[0]


def link_in(mail: EmailMessage) -> str:
    """The path of the one link of a mail."""
    [link] = re.findall(r"https?://\S+", said_in(mail))
    assert link.startswith(PUBLIC + "/")
    return str(link.removeprefix(PUBLIC))


def said_in(mail: EmailMessage) -> str:
    return str(mail.get_content())
