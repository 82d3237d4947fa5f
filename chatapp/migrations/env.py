"""Runs the migrations on the application's own engine, all in one transaction; on PostgreSQL each in its own.

What a transaction has locked there it holds to its end, and others wait for it. A file of SQLite's has one
lock anyway, and is as it was when an upgrade fails.
"""

import sqlalchemy
from alembic import context
from flask import current_app
from sqlalchemy import Connection, event

from chatapp.journal.postgres_bulk import LOCK
from chatapp.journal.postgres_connections import driver
from chatapp.models import db


def keep_nobody_waiting(connection: Connection) -> None:
    """What each transaction begins with where others are at work."""
    mine = driver(connection)
    if mine.autocommit:
        return
    # PostgreSQL may be vacuuming, for minutes where there are many messages, and gives way to whoever has
    # waited for a second (deadlock_timeout). For this lock nobody else waits meanwhile. To change the table
    # it has to be had alone: who comes behind one that waits for that waits as well, though it only reads.
    mine.execute("SET LOCAL lock_timeout = '5s'")
    mine.execute("LOCK TABLE messages IN SHARE UPDATE EXCLUSIVE MODE")
    mine.execute("SET LOCAL lock_timeout = '1s'")
    # Nobody who keeps messages has got half way: they and this would wait for each other's tables.
    mine.execute(f"SELECT pg_advisory_xact_lock({LOCK})")


# Where there is nothing yet, nobody is at work.
in_use = db.engine.dialect.name == "postgresql" and sqlalchemy.inspect(db.engine).has_table("messages")
with db.engine.connect().execution_options(writes=True) as connection:
    if in_use:
        event.listen(connection, "begin", keep_nobody_waiting)
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        transactional_ddl=True,  # SQLite can, once the driver leaves the transaction to us
        transaction_per_migration=in_use,
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()
