"""All that is looked at on this machine, in order."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct
from sqlalchemy import make_url

from chatapp import config as settings
from chatapp import keys
from chatapp.config import INSTANCE, Config
from chatapp.doctor import (
    bus,
    database,
    disk,
    folder,
    libraries,
    machine,
    mail_server,
    postgres,
    secret_keys,
    servers,
    sqlite,
)
from chatapp.doctor import settings as own_settings
from chatapp.doctor.finding import Finding, error
from chatapp.errors import SetupError
from chatapp.journal.databases import engine_options

PROC = Path("/proc")


class Examination(Struct):
    """`of`: what this installation is, in a line. `ready`: there is all that its first start makes, of this
    version, so that the application may be started beside a server and makes nothing.
    """

    of: str
    looked_at: list[str]
    findings: list[Finding]
    ready: bool = False

    def look(self, what: str, found: Iterable[Finding]) -> None:
        self.looked_at.append(what)
        self.findings += found


def examine(environ: Mapping[str, str] = os.environ, proc: Path = PROC) -> Examination:
    """Look at everything, as far as one thing does not keep from the next."""
    done = Examination("", [], [])
    done.look("settings", own_settings.examine(environ))
    done.look("libraries", libraries.examine())
    try:
        config = settings.load(str(INSTANCE), environ)
        engine_options(config.database_url, config.busy_seconds)
    except SetupError as refusal:
        done.findings.append(
            error(
                "setting",
                str(refusal),
                "the server does not start",
                "correct it; docs/settings.md has them all",
            )
        )
        return done
    done.of = config.instance_path
    if not os.path.isdir(config.instance_path):
        done.of += ", which the first start makes"
        _look_at_services(done, config, _by_default(environ))
        return done
    stranger = folder.strangers(config)
    if stranger is not None:
        done.look("instance folder", [stranger])
        return done
    _look_inside(done, config, environ, proc)
    return done


def _look_inside(done: Examination, config: Config, environ: Mapping[str, str], proc: Path) -> None:
    running = servers.running(config, proc)
    workers = sum(each.workers for each in running) or _by_default(environ)
    done.of += f" ({', '.join(map(_told, running)) or 'no server of this user runs on it'})"
    done.look("instance folder", folder.examine(config))
    done.look("keys", secret_keys.examine(config))
    done.look("disk", disk.examine(config, proc))
    done.look("open files and connections", machine.examine(running, proc))
    done.look("servers", servers.examine(running, config, proc))
    is_up = _look_at_services(done, config, workers)
    writable = all(finding.name != "not-writable" for finding in done.findings)
    done.ready = is_up and writable and os.path.exists(config.path(keys.NAME))


def _look_at_services(done: Examination, config: Config, workers: int) -> bool:
    """Whether the database is up."""
    is_up = _look_at_database(done, config, workers)
    done.look("bus", bus.examine(config))
    if config.mail_server is not None:
        done.look("mail server", mail_server.examine(config, config.mail_server))
    return is_up


def _look_at_database(done: Examination, config: Config, workers: int) -> bool:
    url = make_url(config.database_url)
    path = url.database or ""
    if url.get_backend_name() == "postgresql":
        what, engine = "PostgreSQL, clock, files", postgres.open_server(config)
    elif os.path.exists(path):
        what, engine = "database, clock, files", sqlite.open_file(path, config.busy_seconds)
    else:
        return False
    done.look(what, database.examine(engine, config, workers))
    return database.is_up(engine)


def _by_default(environ: Mapping[str, str]) -> int:
    """How many workers gunicorn starts where nobody says so."""
    given = environ.get("WEB_CONCURRENCY", "")
    return int(given) if given.isdecimal() else 1


def _told(server: servers.Running) -> str:
    return f"server {server.master} with {server.workers} worker{'' if server.workers == 1 else 's'}"
