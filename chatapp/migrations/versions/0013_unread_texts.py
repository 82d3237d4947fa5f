"""The index by which what is unread is counted."""

import sqlalchemy as sa
from alembic import op

from chatapp.migrations.indexes import drop_index, make_index

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SAYS = sa.text("kind = 'text' AND deleted_at IS NULL")


def upgrade() -> None:
    make_index(
        "ix_messages_texts",
        "messages",
        ["room_id", "seq", "author_id", "kind", "deleted_at"],
        sqlite_where=SAYS,
        postgresql_where=SAYS,
    )
    if op.get_bind().dialect.name == "sqlite":  # see 0012
        op.execute(
            "INSERT INTO sqlite_stat1 (tbl, idx, stat) "
            "VALUES ('messages', 'ix_messages_texts', '8000000 8000 1 1 1 1')"
        )


def downgrade() -> None:
    drop_index("ix_messages_texts", "messages")
