"""Mails on their way out: written and handed over to a mail server one after the other, by a greenlet of
their own, so that no answer waits for them and none tells by its time whether there was one.

They wait in memory, and not for long: what could not be sent when the process ends is lost, and whoever
missed it asks again. `smtplib` is Python's own; gevent has patched the sockets that it uses (wsgi.py), so
that the hub goes on while a mail server takes its time.
"""

import logging
import smtplib
import ssl
from collections.abc import Callable
from contextlib import closing, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import NamedTuple
from urllib.parse import urlsplit

import gevent
from gevent.event import Event
from gevent.queue import Queue

from chatapp.config import Config, MailServer
from chatapp.errors import ChatError
from chatapp.threads import in_thread
from chatapp.trouble import Trouble

LIMIT = 500  # mails that wait; what is more is not sent
PAUSES = (1, 10, 60, 300)  # seconds before each further attempt; after the last one a mail is given up
WORD_SECONDS = 20  # for one answer of the mail server
MAIL_SECONDS = 60  # for a whole mail
HERE = ("localhost", "127.0.0.1", "::1")

log = logging.getLogger(__name__)


class Mail(NamedTuple):
    """A plain text to one address."""

    to: str
    subject: str
    body: str


class NotPrivate(OSError):
    """The password for the mail server would be readable on the way."""


class Outbox:
    """Of one process. Where no mail server is set, nothing is sent and nobody is asked to write."""

    def __init__(self, config: Config) -> None:
        self._server = config.mail_server
        self._sender, self._site = config.mail_from, " ".join(config.site_name.split())
        self._local = urlsplit(config.public_url).hostname
        self._queue: Queue[tuple[Callable[[], Mail | None], int]] = Queue()
        self._worker: gevent.Greenlet[[], None] | None = None
        self._held = 0  # in the queue, with the worker, or in a pause
        self._idle = Event()
        self._idle.set()
        self._tls: ssl.SSLContext | None = None
        self._full = Trouble(log, "mails are not sent")
        self._not_sent = Trouble(log, "mails are not sent")
        self._refused = Trouble(log, "a mail is refused for its address")

    @property
    def open(self) -> bool:
        """Whether this server sends mail."""
        return self._server is not None

    def send(self, write: Callable[[], Mail | None]) -> None:
        """Have `write()` called in a moment, and the mail sent that it returns, if any. Never switches.

        `write` may switch, and may raise ChatError: then there is no mail.
        """
        if self._server is None:
            return
        if self._held >= LIMIT:
            self._full.tell(f"{LIMIT} wait already")
            return
        self._held += 1
        self._put(write, 0)

    def flush(self, seconds: float) -> None:
        """Wait until every mail was tried, at most so long. Switches."""
        self._idle.wait(seconds)
        if self._held:
            log.warning("mails that could not be sent yet: %d", self._held)

    def greet(self) -> None:
        """Go as far as a mail would, without one. Switches. Raises OSError where mails are not taken."""
        with (
            gevent.Timeout(MAIL_SECONDS, TimeoutError("the mail server takes too long")),
            closing(self._connected()) as connection,
        ):
            connection.noop()

    def _put(self, write: Callable[[], Mail | None], tried: int) -> None:
        self._idle.clear()
        self._queue.put((write, tried))
        if self._worker is None:
            self._worker = gevent.spawn(self._work)

    def _work(self) -> None:
        # Between the last look at the queue and `_worker = None` nothing switches: no mail is stranded.
        while not self._queue.empty():
            write, tried = self._queue.get()
            if self._tried(write, tried):
                self._held -= 1
        self._worker = None
        self._idle.set()

    def _tried(self, write: Callable[[], Mail | None], tried: int) -> bool:
        """Whether that is the end of it: sent, or given up."""
        try:
            mail = write()
        except ChatError as error:
            self._not_sent.tell(f"they cannot be written ({error.code})")
            return True
        except Exception:
            log.exception("a mail could not be written")
            return True
        if mail is None:
            return True
        try:
            self._deliver(mail)
        except OSError as error:  # smtplib's own are, too
            return self._failed(mail, error, tried)
        except Exception as error:  # not its words: they may have the address
            log.error("a mail could not be sent: %s", type(error).__name__)
            return True
        self._full.over()
        self._not_sent.over()
        return True

    def _failed(self, mail: Mail, error: OSError, tried: int) -> bool:
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            code = max((code for code, _ in error.recipients.values()), default=0)
            self._refused.tell(f"code {code}")
            lasts = code >= 500
        else:
            self._not_sent.tell(cause(error))
            lasts = isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500
        if lasts or tried == len(PAUSES):
            return True
        gevent.spawn_later(PAUSES[tried], self._again, mail, tried + 1)
        return False

    def _again(self, mail: Mail, tried: int) -> None:
        self._put(lambda: mail, tried)

    def _deliver(self, mail: Mail) -> None:
        with (
            gevent.Timeout(MAIL_SECONDS, TimeoutError("the mail server takes too long")),
            closing(self._connected()) as connection,
        ):
            connection.send_message(self._message(mail), self._sender, [mail.to])
            with suppress(OSError):  # it is sent, however they part
                connection.quit()

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        if server is None:
            raise OSError("no mail server is set")
        if self._tls is None:
            self._tls = in_thread(ssl.create_default_context)  # reads all certificates
        host, port, local = server.host, server.port, self._local
        if server.scheme == "smtps":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, local_hostname=local, timeout=WORD_SECONDS, context=self._tls
            )
        else:
            connection = smtplib.SMTP(host, port, local_hostname=local, timeout=WORD_SECONDS)
        try:
            self._begin(connection, server, self._tls)
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin(self, connection: smtplib.SMTP, server: MailServer, tls: ssl.SSLContext) -> None:
        """Encrypt, where that can be, and sign in."""
        connection.ehlo_or_helo_if_needed()
        private = server.scheme == "smtps"
        if not private and connection.has_extn("starttls"):
            connection.starttls(context=tls)
            private = True
        if server.user:
            # Else whoever sits between the two takes STARTTLS out of what the server offers, and has it.
            if not private and server.host not in HERE:
                raise NotPrivate(
                    "the mail server offers no STARTTLS, and the password is not sent without it"
                )
            connection.login(server.user, server.password)

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        name, _, domain = self._sender.rpartition("@")
        message["From"] = Address(self._site, name, domain)
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=domain)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic answer is wanted
        message.set_content(mail.body)
        return message


def cause(error: OSError) -> str:
    """What went wrong, without what the mail server said of it: that may have the address."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__}, code {error.smtp_code}"
    if isinstance(error, smtplib.SMTPException):
        return type(error).__name__
    return error.strerror or str(error) or type(error).__name__
