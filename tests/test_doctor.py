"""`flask doctor`: what is planted in an installation is found by its own name and by no other; a sane one has nothing."""

import json
import math
import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec import structs

from chatapp import config, keys
from chatapp.doctor import clock, disk, examine, folder, libraries, postgres
from chatapp.doctor.finding import Finding
from chatapp.doctor.visit import arrival
from chatapp.doctor.visit.address import Address
from tests import caddy
from tests.addresses import free_port, make_certificate
from tests.clients import UNIT, eventually
from tests.mail_server import SETTINGS, MailServer
from tests.nginx import MAP, NGINX, Program, block
from tests.postgres import Postgres, programs
from tests.redis_server import RedisServer
from tests.servers import Server

DAY = 86_400  # seconds
HEARTBEAT, SHORT, LONG = (
    3,
    2,
    4,
)  # seconds: a proxy that waits for less than a heartbeat, one who waits for one
PATIENCE = 3 * UNIT  # seconds until what was said is held back
SMALL = {"CHATAPP_FILES_TOTAL": "1000000"}  # for which there is room on any disk
# What is said of the machine on which the tests run, whatever was planted.
OF_THE_MACHINE = {"disk-full", "network-disk", "open-files", "short-queue", "slow-disk"}
FILE_LIMIT = 2_000_000  # bytes; what nginx takes without being told is less
BELIEVING = {"trusted_proxies": "1", "heartbeat": str(HEARTBEAT), "file_limit": str(FILE_LIMIT)}
NEEDS_CADDY = pytest.mark.skipif(caddy.CADDY is None, reason="Caddy is not installed")
NEEDS_NGINX = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

# What is changed in the documented server block, by what is to be found, and what is to be set.
PROXIES: dict[str, tuple[dict[str, str], str]] = {
    "held-back": (
        {"proxy_buffering off;": "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;"},
        "proxy_buffering off;",
    ),
    "cut-off": ({"proxy_read_timeout 90s;": f"proxy_read_timeout {SHORT}s;"}, "proxy_read_timeout 90s;"),
    "no-upgrade": (
        {
            "proxy_set_header Upgrade $http_upgrade;": "",
            "proxy_set_header Connection $connection_upgrade;": "",
        },
        "proxy_set_header Upgrade $http_upgrade;",
    ),
    "host-not-forwarded": (
        {"proxy_set_header Host $http_host;": "", "proxy_set_header X-Forwarded-Host $http_host;": ""},
        "proxy_set_header Host $http_host;",
    ),
    "scheme-not-forwarded": (
        {"proxy_set_header X-Forwarded-Proto $scheme;": ""},
        "proxy_set_header X-Forwarded-Proto $scheme;",
    ),
    "client-believed": (
        {"proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;": ""},
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    ),
    "body-too-small": ({"client_max_body_size 30m;": ""}, "client_max_body_size"),
    "compressed": ({"gzip off;": "gzip on;"}, "gzip off;"),
    "cached": (
        {
            "proxy_buffering off;": "proxy_cache chat; proxy_cache_valid any 1m; "
            "proxy_ignore_headers Cache-Control Vary Set-Cookie X-Accel-Buffering;"
        },
        "proxy_cache off;",
    ),
    "redirected": (
        {"location / {": "return 301 https://chat.example; location / {"},
        "flask doctor --url https://chat.example",
    ),
    "cookie-without-tls": ({"gzip off;": "gzip off; proxy_cookie_flags ~ nosecure;"}, "proxy_cookie_flags"),
    "refused": ({"gzip off;": "gzip off; deny all;"}, "no deny"),
    "not-reached": ({"proxy_pass ": "proxy_pass http://127.0.0.1:1; #"}, "proxy_pass http://127.0.0.1:8000;"),
}


def encode(kind: str) -> str:
    """Whatever comes first: by default nothing is encoded whose first piece is short, as chance has it of a stream."""
    return f"encode gzip {{\nminimum_length 1\nmatch {{\nheader Content-Type {kind}*\n}}\n}}"


HERE = f"reverse_proxy {caddy.BEHIND}"
# The same of the documented Caddyfile.
CADDYS: dict[str, tuple[dict[str, str], str]] = {
    "cut-off": ({HERE: f"{HERE} {{\ntransport http {{\nread_timeout {SHORT}s\n}}\n}}"}, "read_timeout"),
    "no-upgrade": ({HERE: f"{HERE} {{\nheader_up -Upgrade\nheader_up -Connection\n}}"}, "no header_up"),
    "host-not-forwarded": (
        {HERE: f"{HERE} {{\nheader_up Host chat\nheader_up X-Forwarded-Host chat\n}}"},
        "no header_up Host",
    ),
    "scheme-not-forwarded": (
        {HERE: f"{HERE} {{\nheader_up X-Forwarded-Proto http\n}}"},
        "no header_up X-Forwarded-Proto",
    ),
    "client-believed": (
        {HERE: f"{HERE} {{\nheader_up X-Forwarded-For {{header.X-Forwarded-For}}\n}}"},
        "trusted_proxies",
    ),
    "body-too-small": ({"max_size 30MB": "max_size 1MB"}, "max_size"),
    "compressed": ({HERE: f"{encode('text/html')}\n{HERE}"}, "no encode"),
    "held-back": ({HERE: f"{encode('text/event-stream')}\n{HERE}"}, "no encode for text/event-stream"),
    "refused": ({HERE: f"respond 403\n{HERE}"}, "no respond 403"),
    "not-reached": ({HERE: f"reverse_proxy 127.0.0.1:1 # {caddy.BEHIND}"}, "reverse_proxy 127.0.0.1:8000"),
}


class Proxies(NamedTuple):
    """A proxy with one server for each way of being wrong, and a sane one, all with a certificate for 127.0.0.1."""

    server: Server
    hasty: Server
    certificate: Path
    ports: dict[str, int]

    def visit(self, which: str, patience: int = 0, host: str = "127.0.0.1") -> list[dict[str, str]]:
        server = self.server if which == "body-too-small" else self.hasty
        # Where something is held back all of that time goes by; elsewhere a crowded machine may need it.
        hear = None if which == "held-back" else PATIENCE
        return self.visit_at(f"https://{host}:{self.ports[which]}", patience, server, hear)

    def visit_at(
        self, url: str, patience: int = 0, server: Server | None = None, hear: float | None = PATIENCE
    ) -> list[dict[str, str]]:
        arguments = ["doctor", "--json", "--url", url, "--patience", patience]
        arguments += [] if hear is None else ["--hear", hear]
        environ = {**SMALL, "SSL_CERT_FILE": str(self.certificate)}
        done = (server or self.hasty).console(*arguments, environ=environ)
        return findings(done.status, done.out)


def findings(status: int, said: str) -> list[dict[str, str]]:
    """All that was planted; the exit status fits all that was found."""
    found: list[dict[str, str]] = json.loads(said)["findings"]
    assert status == any(finding["level"] == "error" for finding in found)
    return [finding for finding in found if finding["name"] not in OF_THE_MACHINE]


def names(found: list[dict[str, str]]) -> list[str]:
    return [finding["name"] for finding in found]


def named(found: Iterator[Finding]) -> list[str]:
    return [finding.name for finding in found]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that believes one proxy, as in docs/running.md."""
    folder = tmp_path_factory.mktemp("doctor") / "instance"
    server = Server(folder, **BELIEVING).start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def hasty(installation: Server) -> Iterator[Server]:
    """For commands beside that one, whose visitors wait for no longer than half a second, not for two, to be told that
    a body is too large: where it is not, all of that time goes by.
    """
    server = Server(installation.instance, **BELIEVING)
    server.constants = {"chatapp.doctor.visit.address.ANSWER_SECONDS": 0.5}
    yield server
    server.kill()


@pytest.fixture(scope="module")
def proxies(
    installation: Server, hasty: Server, one_worker: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxies]:
    folder = tmp_path_factory.mktemp("proxies")
    make_certificate(folder, "chat")
    changes = {name: change for name, (change, _) in PROXIES.items()} | {"sane": {}, "unexpected": {}}
    ports = {name: free_port() for name in changes}
    blocks = "".join(
        block(
            (one_worker if name == "unexpected" else installation).url,
            f"listen 127.0.0.1:{ports[name]} ssl;",
            folder,
            change,
        )
        for name, change in changes.items()
    )
    cache = f"proxy_cache_path {folder}/cache keys_zone=chat:1m;\n"
    program = Program(folder, cache + MAP + blocks, ports["sane"])
    yield Proxies(installation, hasty, folder / "chat.pem", ports)
    program.stop()


@pytest.fixture(scope="module")
def caddys(
    installation: Server, hasty: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxies]:
    folder = tmp_path_factory.mktemp("caddys")
    make_certificate(folder, "chat")
    changes = {name: change for name, (change, _) in CADDYS.items()} | {"sane": {}}
    ports = {name: free_port() for name in changes}
    sites = [
        caddy.site(installation.host, f"https://127.0.0.1:{ports[name]}", folder, change)
        for name, change in changes.items()
    ]
    program = caddy.Program(folder, "".join(sites), ports["sane"])
    yield Proxies(installation, hasty, folder / "chat.pem", ports)
    program.stop()


# -- through the operator's own address -----------------------------------------------------------------


@NEEDS_NGINX
@pytest.mark.parametrize("planted", PROXIES)
def test_what_is_wrong_with_the_proxy_is_named_with_the_line_that_mends_it(
    planted: str, proxies: Proxies
) -> None:
    found = proxies.visit(planted, patience=LONG if planted == "cut-off" else 0)
    assert names(found) == [planted]
    assert PROXIES[planted][1] in found[0]["do"]
    assert "Caddy" in found[0]["do"] or planted == "redirected"


@NEEDS_CADDY
@pytest.mark.parametrize("planted", CADDYS)
def test_so_is_what_is_wrong_with_caddy(planted: str, caddys: Proxies) -> None:
    found = caddys.visit(planted, patience=LONG if planted == "cut-off" else 0)
    assert names(found) == [planted]
    assert CADDYS[planted][1] in found[0]["do"].partition("Caddy")[2]


@NEEDS_NGINX
def test_behind_the_documented_proxy_nothing_is_wrong_for_longer_than_a_heartbeat(proxies: Proxies) -> None:
    assert proxies.visit("sane", patience=LONG) == []


@NEEDS_CADDY
def test_nor_behind_the_documented_caddy(caddys: Proxies) -> None:
    assert caddys.visit("sane", patience=LONG) == []


@NEEDS_NGINX
def test_a_certificate_for_another_name_is_found(proxies: Proxies) -> None:
    assert names(proxies.visit("sane", host="localhost")) == ["certificate"]


@NEEDS_NGINX
@pytest.mark.sqlite  # of the tests' PostgreSQL it is found, rightly, that it is not durable
def test_a_proxy_of_which_the_server_was_not_told_is_found(proxies: Proxies, one_worker: Server) -> None:
    url = f"https://127.0.0.1:{proxies.ports['unexpected']}"
    found = proxies.visit_at(url, server=one_worker)
    assert names(found) == ["no-trusted-proxy"]
    assert "CHATAPP_TRUSTED_PROXIES=1" in found[0]["do"]


@NEEDS_NGINX
def test_a_server_that_believes_a_proxy_and_has_none_in_front_is_found(proxies: Proxies) -> None:
    assert names(proxies.visit_at(proxies.server.url)) == ["client-believed"]


@pytest.mark.sqlite  # of the tests' PostgreSQL it is found, rightly, that it is not durable
def test_without_a_proxy_nothing_is_wrong_but_an_address_in_mails_that_is_another(one_worker: Server) -> None:
    public = Server(one_worker.instance, public_url="https://chat.example", files_total="1000000")
    done = public.flask(
        "doctor", "--json", "--url", one_worker.url, "--patience", "0", "--hear", f"{PATIENCE}"
    )
    (found,) = findings(done.returncode, done.stdout)
    assert (found["name"], found["level"]) == ("other-public-url", "warning")


@NEEDS_NGINX
def test_the_visit_leaves_nothing_behind_but_lines_of_the_audit_log(proxies: Proxies) -> None:
    lists = (("room", "list"), ("user", "list"), ("token", "list"))
    tables = ("rooms", "messages", "members", "guests", "files", "reads", "erasing")

    def kept() -> list[Any]:
        server = proxies.server
        listed = [server.console(*words).out for words in lists]
        return [*listed, *(server.ask(f"SELECT * FROM {table}") for table in tables)]

    before = kept()
    assert proxies.visit("sane") == []
    assert kept() == before
    assert "[flask doctor]" in proxies.server.console("audit").out


def test_a_certificate_that_nobody_renews_is_found() -> None:
    assert named(arrival.judge_certificate(begins=0, ends=90 * DAY, now=80 * DAY)) == []
    assert named(arrival.judge_certificate(begins=0, ends=90 * DAY, now=82 * DAY)) == ["certificate-ends"]
    assert (
        named(arrival.judge_certificate(begins=0, ends=6 * DAY, now=5 * DAY)) == []
    )  # there are some for a week


def test_people_who_come_from_elsewhere_without_tls_are_found(installation: Server) -> None:
    address = Address(installation.url)
    assert named(arrival.examine(address)) == []
    address.here = False
    assert named(arrival.examine(address)) == ["no-tls"]


def test_what_is_no_address_is_refused(installation: Server) -> None:
    done = installation.console("doctor", "--url", "chat.example")
    assert (done.status, "https://chat.example.org" in done.err) == (2, True)


# -- on this machine ------------------------------------------------------------------------------------

Look = Callable[..., list[dict[str, str]]]
Plant = Callable[[Path], dict[str, str]]


@pytest.fixture(scope="module")
def prepared(installation: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder as its first use leaves it."""
    other = Server(tmp_path_factory.mktemp("prepared") / "instance")
    assert other.flask("room", "list").returncode == 0
    return other.instance


@pytest.fixture
def copied(prepared: Path, tmp_path: Path) -> Path:
    return shutil.copytree(prepared, tmp_path / "instance")


@pytest.fixture
def look(installation: Server) -> Look:
    """What `flask doctor` finds in an instance folder, with those settings."""

    def look(instance: Path, **environ: str) -> list[dict[str, str]]:
        own = {**SMALL, "CHATAPP_INSTANCE_PATH": str(instance), **environ}
        done = installation.console("doctor", "--json", environ=own)
        return findings(done.status, done.out)

    return look


def change(instance: Path, statement: str) -> None:
    with closing(sqlite3.connect(instance / "chat.db")) as database, database:
        database.execute(statement)


def a_misspelt_setting(instance: Path) -> dict[str, str]:
    return {"CHATAPP_GUEST_CODES": "sesame"}


def a_misspelt_name_in_config_py(instance: Path) -> dict[str, str]:
    (instance / "config.py").write_text("CHATAPP_SITENAME = 'The Mill'\n")
    return {}


def a_key_that_others_read(instance: Path) -> dict[str, str]:
    (instance / "secret_key").chmod(0o644)
    return {}


def a_key_that_is_guessed(instance: Path) -> dict[str, str]:
    (instance / "secret_key").write_text("changeme" * 8)
    return {}


def a_key_that_is_short(instance: Path) -> dict[str, str]:
    (instance / "secret_key").write_text("1a2b3c4d5e6f7890")
    return {}


def a_folder_open_to_all(instance: Path) -> dict[str, str]:
    instance.chmod(0o755)
    (instance / "chat.db").chmod(0o644)
    return {}


def a_clock_that_went_back(instance: Path) -> dict[str, str]:
    change(instance, f"UPDATE rooms SET last_at = {time.time_ns() // 1000 + 3_600_000_000}")
    return {}


def a_file_that_another_machine_has(instance: Path) -> dict[str, str]:
    change(
        instance,
        "INSERT INTO files (id, room_id, person_id, name, type, size, sha256, at) "
        "VALUES ('f1', 1, 'u1', 'plan.txt', 'text/plain', 8, '0a1b', 1)",
    )
    return {}


def a_database_that_left_wal_mode(instance: Path) -> dict[str, str]:
    change(instance, "PRAGMA journal_mode=DELETE")
    return {}


def an_older_schema(instance: Path) -> dict[str, str]:
    change(instance, "UPDATE alembic_version SET version_num = '0003'")
    return {}


def a_newer_schema(instance: Path) -> dict[str, str]:
    change(instance, "UPDATE alembic_version SET version_num = '9999'")
    return {}


def a_database_of_something_else(instance: Path) -> dict[str, str]:
    with closing(sqlite3.connect(instance / "other.db")) as other, other:
        other.execute("CREATE TABLE bookmarks (id INTEGER)")
    return {"CHATAPP_DATABASE_URL": f"sqlite:///{instance / 'other.db'}"}


def a_database_that_is_none(instance: Path) -> dict[str, str]:
    (instance / "chat.db").write_bytes(b"no database at all" * 1000)
    return {}


def a_bus_that_is_none(instance: Path) -> dict[str, str]:
    (instance / "bus.db").write_bytes(b"no database at all" * 1000)
    return {}


def a_bus_that_is_not_there(instance: Path) -> dict[str, str]:
    return {"CHATAPP_BUS_URL": f"redis://:secret@127.0.0.1:{free_port()}/0"}


def a_bus_that_there_is_not(instance: Path) -> dict[str, str]:
    return {"CHATAPP_BUS_URL": "redis://:secret@127.0.0.1/name"}


def a_mail_server_that_is_not_there(instance: Path) -> dict[str, str]:
    return mail_at(f"smtp://127.0.0.1:{free_port()}")


def mail_at(url: str) -> dict[str, str]:
    return {"CHATAPP_MAIL_URL": url, **{f"CHATAPP_{name.upper()}": value for name, value in SETTINGS.items()}}


# By what is to be found: what plants it, and what is to be done.
PLANTED: list[tuple[str, Plant, str]] = [
    ("unknown-setting", a_misspelt_setting, "CHATAPP_GUEST_CODE "),
    ("setting", a_misspelt_name_in_config_py, "docs/settings.md"),
    ("key-readable", a_key_that_others_read, "chmod 600"),
    ("weak-key", a_key_that_is_guessed, "flask keys rotate --forget"),
    ("weak-key", a_key_that_is_short, "flask keys rotate --forget"),
    ("readable-by-others", a_folder_open_to_all, "chmod 700"),
    ("clock-behind", a_clock_that_went_back, "timedatectl"),
    ("files-missing", a_file_that_another_machine_has, "docs/running.md, Several machines"),
    ("no-wal", a_database_that_left_wal_mode, "restart the server"),
    ("schema-behind", an_older_schema, "flask db upgrade"),
    ("schema-ahead", a_newer_schema, "chat.db.before-"),
    ("foreign-database", a_database_of_something_else, "CHATAPP_DATABASE_URL"),
    ("database-unusable", a_database_that_is_none, "flask data restore"),
    ("bus-unusable", a_bus_that_is_none, "bus.db"),
    ("bus-unusable", a_bus_that_is_not_there, "start it"),
    ("bus-unusable", a_bus_that_there_is_not, "CHATAPP_BUS_URL"),
    ("mail-server", a_mail_server_that_is_not_there, "CHATAPP_MAIL_URL"),
]


@pytest.mark.parametrize(("planted", "plant", "remedy"), PLANTED)
def test_what_is_wrong_here_is_named_with_what_to_do(
    planted: str, plant: Plant, remedy: str, copied: Path, look: Look
) -> None:
    found = look(copied, **plant(copied))
    assert names(found) == [planted]
    assert remedy in found[0]["do"]


def test_nobody_is_visited_where_that_would_bring_the_database_up(copied: Path, installation: Server) -> None:
    an_older_schema(copied)
    environ = {**SMALL, "CHATAPP_INSTANCE_PATH": str(copied)}
    done = installation.console("doctor", "--json", "--url", installation.url, environ=environ)
    assert names(findings(done.status, done.out)) == ["schema-behind", "not-visited"]
    assert f"{installation.url} was not visited" in findings(done.status, done.out)[1]["what"]


def test_a_near_name_is_offered_in_config_py_as_well(copied: Path, look: Look) -> None:
    assert "CHATAPP_SITE_NAME" in look(copied, **a_misspelt_name_in_config_py(copied))[0]["what"]


def test_in_a_sane_installation_nothing_is_found(copied: Path, look: Look, post: MailServer) -> None:
    assert look(copied, **mail_at(post.url)) == []
    assert post.taken == []


def test_who_holds_the_lock_of_the_database_is_named(copied: Path, look: Look) -> None:
    with closing(sqlite3.connect(copied / "chat.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        (found,) = look(copied, CHATAPP_BUSY_SECONDS="1")
    assert found["name"] == "database-locked"
    assert f"by process {os.getpid()} " in found["what"]


def test_a_second_server_on_the_same_folder_is_found(installation: Server, look: Look) -> None:
    second = Server(installation.instance).start()
    try:
        (found,) = look(installation.instance)
    finally:
        second.kill()
    assert found["name"] == "several-servers"
    assert str(installation.pid) in found["what"]
    assert str(second.pid) in found["what"]
    eventually(lambda: look(installation.instance) == [], "all of its processes are gone")


def test_a_server_that_goes_by_another_database_or_bus_than_the_commands_is_found(
    installation: Server, copied: Path, look: Look, postgres: Postgres
) -> None:
    other = {"CHATAPP_DATABASE_URL": f"sqlite:///{copied / 'chat.db'}"}
    (found,) = eventually(lambda: look(installation.instance, **other), "it has all open")
    assert found["name"] == "other-settings"
    assert f"({installation.pid}) has not CHATAPP_DATABASE_URL as it is here" in found["what"]
    assert str(installation.instance / "config.py") in found["do"]
    away = {"CHATAPP_DATABASE_URL": postgres.database(), "CHATAPP_BUS_URL": postgres.database()}
    (_, found) = sorted(look(installation.instance, **away), key=lambda found: found["name"])
    assert "CHATAPP_DATABASE_URL and CHATAPP_BUS_URL" in found["what"]


def test_and_so_is_one_on_postgresql_where_the_commands_go_by_the_file(
    new_server: Callable[..., Server], postgres: Postgres
) -> None:
    server = new_server(database_url=postgres.database()).start()
    settings = {**SMALL, "CHATAPP_INSTANCE_PATH": str(server.instance)}

    def found_here() -> list[Finding]:
        return [each for each in examine(settings).findings if each.name not in OF_THE_MACHINE]

    (found,) = eventually(found_here, "it has all open")
    assert (found.name, "CHATAPP_BUS_URL" in found.what) == ("other-settings", False)


def test_a_server_that_may_open_too_few_files_is_found(copied: Path, look: Look) -> None:
    server = Server(copied).start()
    try:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (1000, 1000))
        done = examine({**SMALL, "CHATAPP_INSTANCE_PATH": str(copied)})
    finally:
        server.kill()
    (found,) = (finding for finding in done.findings if finding.name == "open-files")
    assert "may have 1000 files open" in found.what
    assert "LimitNOFILE=" in found.do


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a kernel says of itself in which nothing runs; and the disk is quick, with enough room on it."""
    monkeypatch.setattr(disk, "SLOW_SECONDS", math.inf)
    monkeypatch.setattr(disk, "LEAST_FREE", 0)
    for name, said in {"self/mounts": "/dev/sda / ext4 rw 0 0\n", "sys/net/core/somaxconn": "4096\n"}.items():
        (tmp_path / "proc" / name).parent.mkdir(parents=True)
        (tmp_path / "proc" / name).write_text(said)
    return tmp_path / "proc"


def examined(instance: Path, proc: Path, **environ: str) -> list[str]:
    return named(iter(what_is_found(instance, proc, **environ)))


def what_is_found(instance: Path, proc: Path, **environ: str) -> list[Finding]:
    return examine({**SMALL, "CHATAPP_INSTANCE_PATH": str(instance), **environ}, proc).findings


def test_a_network_file_system_is_found(copied: Path, proc: Path) -> None:
    assert examined(copied, proc) == []
    with (proc / "self" / "mounts").open("a") as mounts:
        mounts.write(f"server:/export {str(copied).replace(' ', chr(92) + '040')} nfs4 rw 0 0\n")
    assert examined(copied, proc) == ["network-disk"]


def test_a_short_queue_of_the_kernel_is_found(copied: Path, proc: Path) -> None:
    (proc / "sys" / "net" / "core" / "somaxconn").write_text("128\n")
    assert examined(copied, proc) == ["short-queue"]


def test_a_server_that_would_be_started_here_with_too_few_files_is_found(copied: Path, proc: Path) -> None:
    (proc / "self" / "limits").write_text("Max open files            512                  1000       files\n")
    assert examined(copied, proc) == ["open-files"]
    (proc / "self" / "limits").write_text("Max open files            512                  unlimited  files\n")
    assert examined(copied, proc) == []


def test_files_for_which_the_disk_has_no_room_are_found(copied: Path, proc: Path) -> None:
    (found,) = what_is_found(copied, proc, CHATAPP_FILES_TOTAL=str(10**18))
    assert found.name == "disk-too-small"
    assert "CHATAPP_FILES_TOTAL=" in found.do


def test_another_user_looks_at_nothing_and_files_of_another_user_are_found(
    copied: Path, proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    assert examined(copied, proc) == ["other-user"]
    settings = config.load("", {"CHATAPP_INSTANCE_PATH": str(copied)})
    (copied / "config.py").write_text("# of root, for the server to read\n")
    (found,) = folder.examine(settings)
    assert (found.name, "config.py" in found.what) == ("strange-owner", False)


def test_a_full_disk_and_a_folder_that_cannot_be_written_to_are_found(
    copied: Path, proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as here:
        here.setattr(disk, "LEAST_FREE", 10**18)
        assert examined(copied, proc) == ["disk-full"]
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert examined(copied, proc) == ["not-writable"]


def test_other_versions_of_the_libraries_are_found(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("Flask==0.1\ngunicorn[gevent]==1.0  # old\nno-such-thing==1\n")
    (found,) = libraries.examine(tmp_path / "requirements.txt")
    assert (found.name, found.what.count("(1.0)")) == ("library-versions", 1)
    assert "no-such-thing is missing" in found.what
    assert named(libraries.examine()) == []


def test_and_of_a_package_that_was_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(libraries, "requires", lambda name: ["Flask==0.1", f"msgspec=={version('msgspec')}"])
    (found,) = libraries.examine(tmp_path / "requirements.txt")
    assert (found.name, "(0.1)" in found.what, "msgspec" in found.what) == ("library-versions", True, False)


def test_a_slow_disk_and_clocks_that_differ_are_found() -> None:
    settings = config.load("", {"CHATAPP_INSTANCE_PATH": "/srv/chat"})
    assert named(disk.judge_syncs(settings, 0.004)) == []
    assert named(disk.judge_syncs(settings, 0.4)) == ["slow-disk"]
    assert named(clock.judge_theirs(99.9, before=100.0, after=140.0)) == []  # however long it took to ask
    assert named(clock.judge_theirs(90.0, before=100.0, after=100.1)) == ["clocks-differ"]
    assert named(clock.judge_theirs(110.0, before=100.0, after=100.1)) == ["clocks-differ"]


def test_it_looks_before_anything_is_made_and_also_where_nothing_starts(copied: Path, tmp_path: Path) -> None:
    nowhere = Server(tmp_path / "nowhere", files_total="1000000")
    done = nowhere.flask("doctor")
    assert (done.returncode, "Nothing is wrong." in done.stdout) == (0, True)
    assert "mail server" not in done.stdout, "there is none"
    visited = nowhere.flask("doctor", "--json", "--url", "http://127.0.0.1:1")
    assert (visited.returncode, names(findings(visited.returncode, visited.stdout))) == (1, ["not-visited"])
    assert not nowhere.instance.exists()
    a_database_that_is_none(copied)
    done = Server(copied, files_total="1000000").flask("doctor")
    assert (done.returncode, done.stdout.count("flask data restore")) == (1, 1)
    assert "  do:  " in done.stdout


# -- PostgreSQL -----------------------------------------------------------------------------------------

SANE = postgres.Facts(160_004, "UTF8", True, True, "on", "", (), (), 97, False)
FACTS: dict[str, dict[str, Any]] = {
    "old-postgresql": {"version": 120_001},
    "database-encoding": {"encoding": "SQL_ASCII"},
    "database-standby": {"standby": True},
    "not-durable": {"full_page_writes": False},
    "not-on-the-standby": {"synchronous_commit": "local", "synchronous_names": "standby"},
    "asynchronous-standby": {"asynchronous": ("mirror",)},
    "several-machines": {"machines": ("10.0.0.1", "10.0.0.2")},
    "too-few-connections": {"room": 12},
}


@pytest.mark.parametrize("planted", FACTS)
def test_what_a_postgresql_server_says_of_itself_is_judged(planted: str) -> None:
    assert named(postgres.judge(SANE, 4, "sqlite")) == []
    assert named(postgres.judge(structs.replace(SANE, **FACTS[planted]), 4, "sqlite")) == [planted]


def test_several_machines_with_one_bus_are_fine_and_a_bus_of_postgresql_wants_connections_too() -> None:
    several = structs.replace(SANE, machines=("10.0.0.1", "10.0.0.2"), room=23)
    assert named(postgres.judge(several, 4, "redis")) == []
    assert named(postgres.judge(several, 4, "postgresql+psycopg")) == ["too-few-connections"]


def test_a_postgresql_server_is_asked_what_its_acknowledgement_means(
    copied: Path, proc: Path, postgres: Postgres, tmp_path: Path
) -> None:
    """The tests' own has fsync off: that is found each time."""
    url = postgres.database()
    assert examined(copied, proc, CHATAPP_DATABASE_URL=url) == ["not-durable"]
    many = examined(copied, proc, CHATAPP_DATABASE_URL=url, WEB_CONCURRENCY="60")
    assert many == ["not-durable", "too-few-connections"]
    receive = [programs() / "pg_receivewal", "-h", postgres.host, "-U", "chat", "-D", tmp_path, "--no-loop"]
    with subprocess.Popen(receive, stderr=subprocess.DEVNULL) as standby:
        expected = ["not-durable", "asynchronous-standby"]
        try:
            eventually(lambda: examined(copied, proc, CHATAPP_DATABASE_URL=url) == expected)
        finally:
            standby.terminate()


def test_nothing_is_made_on_a_postgresql_server_that_is_to_be_the_bus(
    copied: Path, proc: Path, postgres: Postgres
) -> None:
    url = postgres.database()
    assert examined(copied, proc, CHATAPP_BUS_URL=url) == []
    with postgres.connect(url) as asking:
        found = asking.execute("SELECT nspname FROM pg_namespace WHERE nspname = 'chatapp_bus'").fetchall()
    assert found == []


def test_a_bus_of_machines_that_is_there_is_fine(copied: Path, proc: Path) -> None:
    redis = RedisServer().start()
    try:
        assert examined(copied, proc, CHATAPP_BUS_URL=redis.url) == []
    finally:
        redis.close()


@pytest.fixture(params=["redis", "postgresql"])
def new_bus(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a bus at which there was nobody yet."""
    if request.param == "postgresql":
        yield request.getfixturevalue("postgres").database()
        return
    redis = RedisServer().start()
    yield redis.url
    redis.close()


def test_two_machines_that_have_not_the_same_keys_are_found(
    new_bus: str, copied: Path, proc: Path, tmp_path: Path
) -> None:
    first = Server(tmp_path / "first" / "instance", bus_url=new_bus)
    first.instance.parent.mkdir()
    first.start()
    try:

        def found() -> list[Finding]:
            return what_is_found(copied, proc, CHATAPP_BUS_URL=new_bus)

        eventually(found, "the first server has said which keys it has")
        (finding,) = found()
        assert finding.name == "keys-differ"
        assert f"{os.uname().nodename}:{first.instance}" in finding.what
        assert keys.read(str(first.instance / "secret_key"))[0] not in str(finding)
        assert "copy secret_key and factor_key" in finding.do
        for key in keys.NAMES:
            assert len(found()) == 1, "it takes both"
            shutil.copy(first.instance / key, copied)
        assert found() == []
    finally:
        first.kill()


def test_each_worker_of_one_of_several_machines_is_counted(tmp_path: Path, postgres: Postgres) -> None:
    """All but the one that keeps the search index have no file of the instance open."""
    redis = RedisServer().start()
    server = Server(tmp_path, workers=3, database_url=postgres.database(), bus_url=redis.url).start()
    try:
        eventually(lambda: f"server {server.pid} with 3 workers" in server.console("doctor").out)
    finally:
        server.kill()
        redis.close()


def test_a_postgresql_server_that_is_not_there_is_found(copied: Path, proc: Path, tmp_path: Path) -> None:
    url = f"postgresql+psycopg://chat@/chat?host={tmp_path}"
    assert examined(copied, proc, CHATAPP_DATABASE_URL=url) == ["database-unusable"]
