"""An index of a table that may have many rows: nobody waits for it who writes there."""

from typing import Any

import sqlalchemy as sa
from alembic import op

# Whether an index is; null where there is none.
WHOLE = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"


def make_index(name: str, table: str, columns: list[str], **how: Any) -> None:
    """On PostgreSQL in no transaction: what a migration did before stays if this fails, so it comes first.

    On SQLite whoever writes waits for it: there is no other way.
    """
    if _is_quick(table):
        op.create_index(name, table, columns, **how)
        return
    # An upgrade that was killed is finished by the server, or has left what nobody uses.
    whole = op.get_bind().scalar(sa.text(WHOLE), {"name": name})
    if whole:
        return
    if whole is False:
        drop_index(name, table)
    with op.get_context().autocommit_block():
        # It waits for transactions that were there before, and nobody for it.
        op.execute("SET lock_timeout = 0")
        op.create_index(name, table, columns, postgresql_concurrently=True, **how)


def drop_index(name: str, table: str) -> None:
    """In the same way."""
    if _is_quick(table):
        op.drop_index(name, table)
        return
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)


def _is_quick(table: str) -> bool:
    """Whether there is no other way, or nothing to do."""
    database = op.get_bind()
    if database.dialect.name == "sqlite":
        return True
    return not database.scalar(sa.text(f"SELECT EXISTS (SELECT FROM {table})"))
