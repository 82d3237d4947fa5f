"""The mail server: whether it takes mails from here."""

from chatapp.config import Config, MailServer
from chatapp.doctor.finding import Findings, error
from chatapp.mail import Outbox, cause


def examine(config: Config, server: MailServer) -> Findings:
    try:
        Outbox(config).greet()
    except OSError as fault:  # smtplib's own are, too
        yield error(
            "mail-server",
            f"the mail server {server.host}:{server.port} takes no mail from here: {cause(fault)}",
            "links for new passwords, confirmations and invitations by mail do not arrive",
            "correct CHATAPP_MAIL_URL (smtp://user:password@host:587, smtps://…:465), or let this machine "
            f"through the firewall: openssl s_client -connect {server.host}:{server.port}"
            + ("" if server.scheme == "smtps" else " -starttls smtp"),
        )
