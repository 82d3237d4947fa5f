"""What SQLite's planner has to know about the messages: that rooms are long.

Without statistics it takes it that a room has ten, and reads a whole room where an index would find one
message. ANALYZE would not help: it measures a new database, which is empty. So what is typical is written
into its table, which applications may do (https://www.sqlite.org/fileformat2.html, section 2.6.3).
PostgreSQL keeps its own.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Rows of an index (of a table without rowid: by its own name), then how many share each prefix of its
# columns.
STATISTICS = {
    ("messages", "messages"): "10000000 10000 1",
    ("messages", "uq_messages_client_id"): "10000000 10000 1 1",
    ("messages", "ix_messages_at"): "10000000 10000 1",
    ("messages", "ix_messages_of"): "1000000 1000 2",
    ("rooms", None): "1000",
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("ANALYZE sqlite_master")  # makes the table, and measures nothing
    _forget()
    insert = sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:tbl, :idx, :stat)")
    for (table, index), stat in STATISTICS.items():
        op.get_bind().execute(insert, {"tbl": table, "idx": index, "stat": stat})


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _forget()


def _forget() -> None:
    op.execute("DELETE FROM sqlite_stat1 WHERE tbl IN ('messages', 'rooms')")
