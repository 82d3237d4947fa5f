"""A PostgreSQL server: what its acknowledgement means, who might take over from it, and whom it lets in."""

from contextlib import closing

from msgspec import Struct
from sqlalchemy import Engine, NullPool, create_engine, make_url, text

from chatapp.config import Config
from chatapp.doctor.finding import Findings, error, warning
from chatapp.journal.connections import READERS
from chatapp.journal.databases import engine_options

OLDEST = 150_000  # with which the tests run; as server_version_num has it
COMMANDS = 3  # connections for flask … beside the workers


class Facts(Struct, frozen=True):
    """What a server says of itself. `asynchronous`: the standbys that may lag behind what was acknowledged.
    `machines`: from which the workers come. `room`: connections that are not for superusers alone.
    """

    version: int
    encoding: str
    fsync: bool
    full_page_writes: bool
    synchronous_commit: str
    synchronous_names: str
    asynchronous: tuple[str, ...]
    machines: tuple[str, ...]
    room: int
    standby: bool


def open_server(config: Config) -> Engine:
    """An engine that connects as the server does, and sets nothing."""
    options = engine_options(config.database_url, config.busy_seconds) | {"poolclass": NullPool}
    return create_engine(make_url(config.database_url).set(drivername="postgresql+psycopg"), **options)


def examine(engine: Engine, config: Config, workers: int) -> Findings:
    yield from judge(facts(engine), workers, config.bus_url.partition(":")[0])


def facts(engine: Engine) -> Facts:
    with closing(engine.connect()) as connection:

        def setting(name: str) -> str:
            return str(connection.scalar(text(f"SELECT current_setting('{name}', true)")) or "")

        standbys = connection.execute(
            text("SELECT coalesce(application_name, ''), sync_state FROM pg_stat_replication")
        ).all()
        names = setting("synchronous_standby_names")
        machines = connection.scalars(
            text(
                "SELECT DISTINCT coalesce(host(client_addr), '127.0.0.1') FROM pg_stat_activity "
                "WHERE application_name = 'chatapp' AND datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
        ).all()
        reserved = ("superuser_reserved_connections", "reserved_connections")  # the second since version 16
        return Facts(
            int(setting("server_version_num")),
            setting("server_encoding"),
            setting("fsync") == "on",
            setting("full_page_writes") == "on",
            setting("synchronous_commit"),
            names,
            # Their state only superusers and members of pg_monitor see; without names there is but one.
            tuple(name or "without a name" for name, state in standbys if state == "async" or not names),
            tuple(sorted(machines)),
            int(setting("max_connections")) - sum(int(setting(name) or 0) for name in reserved),
            bool(connection.scalar(text("SELECT pg_is_in_recovery()"))),
        )


def judge(facts: Facts, workers: int, bus: str) -> Findings:
    """`bus`: the scheme of its URL."""
    yield from _server(facts)
    yield from _durability(facts)
    # A bus of PostgreSQL's may well be on the same server.
    needed = workers * (READERS + 1 + (2 if bus.startswith("postgresql") else 0)) + COMMANDS
    if needed > facts.room:
        yield error(
            "too-few-connections",
            f"PostgreSQL lets {facts.room} connections in, and {workers} workers need up to {needed}",
            "those who find none are told not_kept, and pages answer 503",
            f"max_connections = {needed + 10} in postgresql.conf, and restart it; or fewer workers "
            f"(bin/serve -w)",
        )
    if len(facts.machines) > 1 and bus == "sqlite":
        yield error(
            "several-machines",
            f"servers of several machines use this database: {', '.join(facts.machines)}",
            "their bus is a file of each machine: what is said on one is late on the other, and each shows "
            "only its own people",
            "give all of them one bus, as CHATAPP_BUS_URL=redis://host:6379/0 "
            "(docs/running.md, Several machines)",
        )


def _server(facts: Facts) -> Findings:
    if facts.version < OLDEST:
        yield warning(
            "old-postgresql",
            f"PostgreSQL {facts.version // 10_000} is older than what this program is tested with",
            "what it does there nobody has seen",
            f"upgrade it to PostgreSQL {OLDEST // 10_000} or newer",
        )
    if facts.encoding != "UTF8":
        yield error(
            "database-encoding",
            f"the database has the encoding {facts.encoding}",
            "it has not all characters: the server does not start",
            "createdb --encoding UTF8 --template template0, and name that one in CHATAPP_DATABASE_URL",
        )
    if facts.standby:
        yield error(
            "database-standby",
            "the database is a standby, which only reads",
            "nothing is kept",
            "name the server that writes in CHATAPP_DATABASE_URL, or both with "
            "?target_session_attrs=read-write",
        )


def _durability(facts: Facts) -> Findings:
    off = [name for name in ("fsync", "full_page_writes") if not getattr(facts, name)]
    if off:
        yield error(
            "not-durable",
            f"{' and '.join(off)} of PostgreSQL {'is' if len(off) == 1 else 'are'} off",
            "where its machine loses power, messages are lost that were acknowledged and seen, or the whole "
            "database is",
            f"{', '.join(f'{name} = on' for name in off)} in postgresql.conf, then SELECT pg_reload_conf()",
        )
    if facts.synchronous_names and facts.synchronous_commit in ("local", "remote_write"):
        yield error(
            "not-on-the-standby",
            f"synchronous_commit is {facts.synchronous_commit}, though synchronous standbys are named",
            "what was acknowledged may be missing on the standby that takes over",
            "synchronous_commit = on in postgresql.conf (and no ALTER DATABASE or ROLE that says "
            "otherwise), then "
            "SELECT pg_reload_conf()",
        )
    if facts.asynchronous:
        yield warning(
            "asynchronous-standby",
            f"asynchronous standbys: {', '.join(facts.asynchronous)}",
            "one that takes over may lack messages that were acknowledged and seen, and give their numbers "
            "anew",
            "name them in synchronous_standby_names; if one takes over all the same: flask room new-epoch "
            "--all as soon as it writes, then SIGHUP to the master of every server (docs/running.md, A "
            "standby that takes over)",
        )
