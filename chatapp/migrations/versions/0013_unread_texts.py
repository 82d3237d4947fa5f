"""The index by which what is unread is counted."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SAYS = sa.text("kind = 'text' AND deleted_at IS NULL")


def upgrade() -> None:
    op.create_index(
        "ix_messages_texts",
        "messages",
        ["room_id", "seq", "author_id", "kind", "deleted_at"],
        sqlite_where=SAYS,
        postgresql_where=SAYS,
    )


def downgrade() -> None:
    op.drop_index("ix_messages_texts", "messages")
