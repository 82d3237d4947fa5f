"""Runs the migrations on the application's own engine, all in one transaction."""

from alembic import context
from flask import current_app

from chatapp.models import db

with db.engine.connect().execution_options(writes=True) as connection:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        transactional_ddl=True,  # SQLite can, once the driver leaves the transaction to us
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # Whoever comes behind one that waits for a table waits as well, though it only reads.
            connection.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
        context.run_migrations()
